"""The composite of depth, gradient and SSIM: the papers' check values, TensorFlow's SSIM, masks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.losses import StructuralLoss

RAMP = np.arange(1024).reshape(1, 32, 32, 1) / 1023


def with_valid(target, valid=None):
    target = np.asarray(target, "float32")
    valid = np.ones_like(target) if valid is None else valid
    return np.concatenate([target * valid, valid], -1).astype("float32")


def random(seed=0, shape=(3, 24, 30, 1), high=1.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, high, shape).astype("float32"), rng.uniform(0, high, shape).astype("f4")


@pytest.mark.parametrize(
    ("arguments", "target", "terms", "total"),
    [
        # Das et al., 0..1
        ({}, RAMP, (0.0250244, 0.0031250, 0.0032196), 0.0138520),
        # Wang et al., centimetres
        (
            {"depth": 0.1, "differences": "sobel", "ssim_range": 255},
            10 + 990 * RAMP,
            (24.77672, 40.62452, 0.0035896),
            43.10578,
        ),
    ],
)
def test_check_values(arguments, target, terms, total):
    prediction = (0.9 * target + (50 if target.max() > 1 else 0.05)).astype("float32")
    loss = StructuralLoss(**arguments)
    values = loss.terms(with_valid(target), prediction)
    for key, expected in zip(("depth", "gradient", "ssim"), terms, strict=True):
        assert float(values[key][0]) == pytest.approx(expected, rel=1e-3)
    # The last digits of 1 - SSIM are float32's rounding: 4e-7 in TensorFlow's, whence 0.0138520;
    # in float64 it is 0.0138523.
    value = float(loss(with_valid(target), prediction))
    assert value == pytest.approx(total, rel=2e-5, abs=5e-7)


def test_densedepth_s_loss_of_inverse_depth():
    target = 10 + 990 * RAMP
    prediction = (1000 / (0.9 * target + 50)).astype("float32")
    loss = StructuralLoss(depth=0.1, ssim_range=100)
    assert float(loss(with_valid(1000 / target), prediction)) == pytest.approx(1.2722269, rel=1e-6)


@pytest.mark.parametrize("value_range", [1.0, 255.0])
def test_ssim_is_tensorflow_s(value_range):
    target, prediction = random(high=value_range)
    ours = StructuralLoss(ssim_range=value_range).terms(with_valid(target), prediction)["ssim"]
    theirs = tf.image.ssim(target, prediction, max_val=value_range)
    np.testing.assert_allclose(ours, (1 - theirs) / 2, rtol=1e-4)


def test_forward_differences_are_tensorflow_s():
    target, prediction = random()
    terms = StructuralLoss().terms(with_valid(target), prediction)
    of_target, of_prediction = (
        tf.image.image_gradients(tf.constant(x)) for x in (target, prediction)
    )
    slopes = zip(of_target, of_prediction, strict=True)
    expected = sum(tf.reduce_mean(tf.abs(t - p), axis=(1, 2, 3)) for t, p in slopes)
    np.testing.assert_allclose(terms["gradient"], expected, rtol=1e-5)


def test_sobel_by_hand():
    """With zeros around the frame, as a padded convolution has them."""
    target, prediction = random()
    error = np.pad((prediction - target)[..., 0], ((0, 0), (1, 1), (1, 1)))
    smooth = error[:, :-2] + 2 * error[:, 1:-1] + error[:, 2:]
    along_x = np.abs(smooth[..., :-2] - smooth[..., 2:])
    smooth = error[..., :-2] + 2 * error[..., 1:-1] + error[..., 2:]
    along_y = np.abs(smooth[:, :-2] - smooth[:, 2:])
    terms = StructuralLoss(differences="sobel").terms(with_valid(target), prediction)
    expected = along_x.mean((1, 2)) + along_y.mean((1, 2))
    np.testing.assert_allclose(terms["gradient"], expected, rtol=1e-5)


@pytest.mark.parametrize("differences", ["forward", "sobel"])
def test_holes_change_little(differences):
    """A hole takes its pixels out; it is no edge, and no structure."""
    target = np.broadcast_to(np.linspace(0, 1, 40)[:, None], (1, 40, 40, 40)).mean(-1)[..., None]
    target = target.astype("float32")
    prediction = 0.9 * target
    valid = np.ones_like(target)
    valid[:, 15:25, 12:20] = 0
    loss = StructuralLoss(differences=differences)
    whole = loss.terms(with_valid(target), prediction)
    holed = loss.terms(with_valid(target, valid), np.where(valid > 0, prediction, 1e6))
    for key, value in whole.items():
        assert float(holed[key][0]) == pytest.approx(float(value[0]), rel=0.1), key


def test_a_slope_across_a_hole_s_edge_does_not_count():
    target = np.zeros((1, 11, 12, 1), "float32")
    prediction = np.zeros_like(target)
    prediction[:, :, 6] = 1
    valid = np.ones_like(target)
    valid[:, :, 6] = 0
    for differences in ("forward", "sobel"):
        terms = StructuralLoss(differences=differences).terms(with_valid(target, valid), prediction)
        assert float(terms["gradient"][0]) == 0


def test_bad_arguments():
    for arguments, message in (
        ({"depth": -1}, "depth=-1: give a number of 0 or more"),
        ({"ssim": float("nan")}, "ssim=nan: give a number of 0 or more"),
        ({"gradient": "1"}, "gradient='1': give a number of 0 or more"),
        ({"ssim_range": 0}, "ssim_range=0: give a number above 0"),
        (
            {"differences": "sobl"},
            "differences of StructuralLoss 'sobl': did you mean 'sobel'",
        ),
    ):
        with pytest.raises(InputError, match=message):
            StructuralLoss(**arguments)
    with pytest.raises(InputError, match=r"\(1, 10, 32, 1\) are smaller than SSIM's window of 11"):
        StructuralLoss()(np.ones((1, 10, 32, 2), "f4"), np.ones((1, 10, 32, 1), "f4"))


def test_a_network_of_any_size():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    model.compile("sgd", StructuralLoss())
    target, prediction = random()
    assert np.isfinite(model.train_on_batch(prediction, with_valid(target)))


def test_losses_add_and_scale():
    target, prediction = random()
    y_true = with_valid(target)
    mse, berhu, structural = (losses.get(name) for name in ("mse", "adaptive_berhu", "structural"))
    loss = mse + 0.5 * structural + berhu * 2
    expected = mse(y_true, prediction) + 0.5 * structural(y_true, prediction)
    alone = losses.get("adaptive_berhu")
    expected += 2 * alone(y_true, prediction)
    assert float(loss(y_true, prediction)) == pytest.approx(float(expected), rel=1e-6)
    assert len(loss.state) == len(alone.state) > 0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert (0.5 * mse).weights == [0.5] and (3 * mse).target_kind == "depth"


def test_what_does_not_add():
    with pytest.raises(InputError, match=r"losses with targets \['depth', 'pair'\]"):
        losses.get("mse") + losses.get("stereo")
    with pytest.raises(TypeError):
        losses.get("mse") + 1
    with pytest.raises(TypeError):
        losses.get("mse") * "2"


def test_a_sum_trains():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    model.compile("adam", losses.get("mse") + 0.1 * losses.get("structural"))
    x = np.random.default_rng(0).uniform(size=(4, 16, 16, 3)).astype("float32")
    values = model.fit(x, with_valid(x[..., :1]), epochs=5, verbose=0).history["loss"]
    assert values[-1] < values[0]
