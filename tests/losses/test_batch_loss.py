"""The batch-loss in both readings."""

import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.losses import BatchLoss, MaskedL1


def maps(errors, valid=None):
    """Targets of 10 and predictions that are wrong by `errors`: (B, h, w, 2) and (B, h, w, 1)."""
    errors = np.asarray(errors, "float32")[..., None]
    valid = np.ones_like(errors) if valid is None else np.asarray(valid, "float32")[..., None]
    return np.concatenate([10 * valid, valid], -1), 10 + errors


def flat(means, size=12):
    """Images whose error is the same everywhere."""
    return np.asarray(means, "float32")[:, None, None] * np.ones((1, size, size), "float32")


def softmax(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def gradient(loss, y_true, y_pred):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return float(value), tape.gradient(value, y_pred).numpy()


def test_samples():
    """sum of w l + mean of l: as large as the mean, and larger where the batch is uneven."""
    means = np.array([0.2, 0.5, 1.0, 3.0])
    value = float(BatchLoss()(*maps(flat(means))))
    assert value == pytest.approx(softmax(means) @ means + means.mean(), rel=1e-5)


def test_weights_of_samples_are_constants():
    """Pixels of one image pull alike, by 1 / (pixels B) + w / pixels."""
    means = np.array([0.5, 2.0])
    _, slope = gradient(BatchLoss(), *maps(flat(means)))
    for image, weight in enumerate(softmax(means)):
        np.testing.assert_allclose(slope[image], (0.5 + weight) / 144, rtol=1e-5)


def test_one_image_is_twice_l1():
    y_true, y_pred = maps(np.random.default_rng(0).normal(size=(1, 5, 6)))
    assert float(BatchLoss()(y_true, y_pred)) == pytest.approx(
        2 * float(MaskedL1()(y_true, y_pred))
    )


def test_images_without_valid_pixels_are_left_out():
    """Of the weights; and the mean over the batch has them as 0, like that of every loss."""
    means = np.array([0.5, 2.0, 7.0])
    valid = flat([1, 1, 0])
    value = float(BatchLoss(reduction="sum")(*maps(flat(means), valid)))
    expected = 2 * softmax(means[:2]) @ means[:2] + means[:2].sum()
    assert value == pytest.approx(expected, rel=1e-5)


def test_pixels_are_the_formula():
    """Of the weights' 1/n nothing is left: 1e-4 of the mean error."""
    rng = np.random.default_rng(0)
    errors = rng.exponential(0.5, (2, 114, 152))
    value = float(BatchLoss("pixels")(*maps(errors)))
    expected = np.mean([softmax(e.ravel()) @ e.ravel() / e.size + e.mean() for e in errors])
    assert value == pytest.approx(expected, rel=1e-5)
    plain = float(MaskedL1()(*maps(errors)))
    assert 0 < value - plain < 1e-3 * plain


@pytest.mark.parametrize("across", ["samples", "pixels"])
def test_large_errors_are_finite(across):
    """80 m in 7,000 pixels: exp(80), summed, is more than float32 holds."""
    errors = np.random.default_rng(0).uniform(79, 80, (3, 100, 100))
    errors[0] *= 100
    value, slope = gradient(BatchLoss(across), *maps(errors))
    assert np.isfinite(value) and np.isfinite(slope).all() and np.all(slope > 0)


def test_bad_arguments():
    with pytest.raises(InputError, match="unknown across of BatchLoss 'sample': did you mean"):
        losses.get("batch", across="sample")
