"""The loss of MSFNet: its parts, its auxiliary heads, and `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.losses import BatchLoss, MaskedL1, MSFNetLoss, StructuralLoss


def image_and_heads(seed=0, size=(3, 16, 20)):
    rng = np.random.default_rng(seed)
    valid = (rng.uniform(size=(*size, 1)) < 0.3).astype("float32")
    depth = rng.uniform(1, 80, (*size, 1)).astype("float32")
    predictions = [depth + rng.normal(0, 4, depth.shape).astype("float32") for _ in range(3)]
    return np.concatenate([depth * valid, valid], -1), predictions


@pytest.mark.parametrize(("weights", "error"), [("none", MaskedL1()), ("samples", BatchLoss())])
def test_msfnet_is_the_sum_of_its_parts(weights, error):
    """Equation 3, with the weights of KITTI."""
    y_true, predictions = image_and_heads()
    loss = MSFNetLoss(2.0, 0.5, weights=weights, ssim_range=80)
    structure = StructuralLoss(0.0, ssim_range=80, holes="zero")
    l1 = MaskedL1()
    main = 2 * float(error(y_true, predictions[0])) + float(structure(y_true, predictions[0]))
    others = sum(float(l1(y_true, prediction)) for prediction in predictions[1:])
    assert float(loss(y_true, predictions)) == pytest.approx(main + 0.5 * others, rel=1e-5)
    assert float(loss(y_true, predictions[0])) == pytest.approx(main, rel=1e-5)


def test_sparse_depth_alone_decides():
    """Of every term, auxiliary ones too: what is predicted elsewhere changes nothing."""
    y_true, predictions = image_and_heads()
    loss = MSFNetLoss(1.0, 1.0, ssim_range=80)
    before = float(loss(y_true, predictions))
    for number in range(3):
        other = [p.copy() for p in predictions]
        other[number] = np.where(y_true[..., 1:] > 0, other[number], np.nan)
        assert float(loss(y_true, other)) == before
    assert float(loss(np.zeros_like(y_true), predictions)) == 0


def test_ssim_of_zeroed_holes_is_tensorflow_s():
    """Averaged over the windows around valid pixels."""
    y_true, (prediction, *_) = image_and_heads(size=(1, 24, 30))
    valid = y_true[..., 1:]
    target = y_true[..., :1]
    value = float(StructuralLoss(0, 0, 1, ssim_range=80, holes="zero")(y_true, prediction))
    similar = tf.image.ssim(target, prediction * valid, 80.0, return_index_map=True)
    counts = valid[0, 5:-5, 5:-5, 0]
    expected = (counts * (1 - similar[0].numpy()) / 2).sum() / counts.sum()
    assert value == pytest.approx(expected, rel=1e-4)


def test_fit_takes_one_loss_for_each_output():
    y_true, _ = image_and_heads(size=(2, 16, 20))
    picture = keras.Input((16, 20, 3))
    heads = [keras.layers.Conv2D(1, 1)(picture) for _ in range(3)]
    model = keras.Model(picture, heads)
    x = np.random.default_rng(1).uniform(size=(2, 16, 20, 3)).astype("float32")
    expected = float(MSFNetLoss()(y_true, model(x)))
    model.compile("sgd", [MSFNetLoss(), *[0.1 * MaskedL1()] * 2], jit_compile=False)
    history = model.fit(x, [y_true] * 3, verbose=0)
    assert history.history["loss"] == [pytest.approx(expected, rel=1e-4)]


def test_bad_arguments():
    with pytest.raises(InputError, match="unknown weights of MSFNetLoss 'pixel': did you mean"):
        losses.get("msfnet", weights="pixel")
    with pytest.raises(InputError, match="MSFNetLoss: auxiliary=-1: give a number of 0 or more"):
        losses.get("msfnet", auxiliary=-1)
    with pytest.raises(InputError, match="unknown holes of StructuralLoss 'left': did you mean"):
        losses.get("msfnet", holes="left")
    with pytest.raises(InputError, match="smaller than SSIM's window"):
        MSFNetLoss()(np.ones((1, 8, 12, 2)), np.ones((1, 8, 12, 1)))
