"""What holds for every registered loss whose target is depth, and the errors of the registry."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError

ALL = [name for name in losses.LOSSES if losses.get(name).target_kind == "depth"]


def scene(seed=0, batch=3, size=12):
    """Targets of 0.5..5 m, some invalid with 0 in both maps, and some negative predictions."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(0.5, 5, (batch, size, size, 1)).astype("float32")
    valid = (rng.uniform(size=target.shape) < 0.7).astype("float32")
    prediction = rng.uniform(-1, 6, target.shape).astype("float32")
    return np.concatenate([target * valid, valid], -1), prediction * valid


def gradient(loss, y_true, y_pred):
    y_pred = tf.Variable(y_pred)
    with tf.GradientTape() as tape:
        value = loss(y_true, y_pred)
    return value.numpy(), tape.gradient(value, y_pred).numpy()


@pytest.mark.parametrize("name", ALL)
def test_config_round_trip(name):
    loss = losses.get(name, reduction="sum")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    y_true, y_pred = scene()
    np.testing.assert_array_equal(again(y_true, y_pred), loss(y_true, y_pred))


@pytest.mark.parametrize("name", ALL)
def test_one_value_a_sample_and_invalid_pixels_do_not_count(name):
    loss = losses.get(name, reduction=None)
    y_true, y_pred = scene()
    values = loss(y_true, y_pred).numpy()
    assert values.shape == (3,) and np.all(values > 0)
    invalid = y_true[..., 1:] == 0
    for rubbish in (-7.0, np.inf, np.nan):
        other = y_true.copy()
        other[..., :1] = np.where(invalid, rubbish, other[..., :1])
        np.testing.assert_array_equal(loss(other, np.where(invalid, rubbish, y_pred)), values)


@pytest.mark.parametrize("name", ALL)
def test_gradient_is_finite_and_0_at_invalid_pixels(name):
    y_true, y_pred = scene()
    _, slope = gradient(losses.get(name), y_true, y_pred)
    assert np.all(np.isfinite(slope))
    valid = y_true[..., 1:] == 1
    assert np.all(slope[~valid] == 0) and np.all(slope[valid] != 0)


@pytest.mark.parametrize("name", ALL)
def test_nothing_valid_is_0_with_gradient_0(name):
    y_true = np.zeros((2, 12, 12, 2), "float32")
    value, slope = gradient(losses.get(name), y_true, np.full((2, 12, 12, 1), -3, "float32"))
    assert value == 0 and np.all(slope == 0)


@pytest.mark.parametrize("name", ALL)
def test_a_sample_with_nothing_valid_leaves_the_other_as_it_was(name):
    y_true, y_pred = scene(batch=1)
    alone, slope_alone = gradient(losses.get(name, reduction="sum"), y_true, y_pred)
    both, slope_both = gradient(
        losses.get(name, reduction="sum"),
        np.concatenate([y_true, np.zeros_like(y_true)]),
        np.concatenate([y_pred, np.full_like(y_pred, 9)]),
    )
    assert both == alone
    np.testing.assert_array_equal(slope_both[0], slope_alone[0])
    assert np.all(slope_both[1] == 0)


@pytest.mark.parametrize("name", ALL)
def test_perfect_prediction_is_0_with_finite_gradient(name):
    y_true, _ = scene()
    value, slope = gradient(losses.get(name), y_true, y_true[..., :1])
    # SSIM's slope is the difference of two equal numbers, each rounded.
    assert value == 0 and np.all(np.abs(slope) <= (1e-7 if name in ("structural", "msfnet") else 0))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions_are_compared_in_float32(name, dtype):
    y_true, y_pred = scene()
    y_true[..., :1] *= 100  # squares of 500 overflow float16
    y_pred = tf.cast(y_pred * 100, dtype)
    value = losses.get(name)(y_true, y_pred)
    assert value.dtype == "float32"
    np.testing.assert_array_equal(value, losses.get(name)(y_true, tf.cast(y_pred, "float32")))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_same_in_tf_function(name, jit):
    y_true, y_pred = scene()

    @tf.function(jit_compile=jit)
    def traced(t, p):
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(t, p)
        return value, tape.gradient(value, p)

    loss = losses.get(name)
    value, slope = traced(tf.constant(y_true), tf.constant(y_pred))
    eager_value, eager_slope = gradient(losses.get(name), y_true, y_pred)
    np.testing.assert_allclose(value, eager_value, rtol=1e-6)
    np.testing.assert_allclose(slope, eager_slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_fit_lowers_the_loss(name, policy):
    keras.utils.set_random_seed(1)
    image = keras.Input((12, 12, 3))
    output = keras.layers.Conv2D(1, 1, bias_initializer="ones", dtype=policy)(image)
    model = keras.Model(image, output)
    model.compile("sgd", loss=losses.get(name), jit_compile=False)
    y_true, _ = scene(batch=4)
    x = np.random.default_rng(2).uniform(size=(4, 12, 12, 3)).astype("float32")
    history = model.fit(x, y_true, epochs=3, batch_size=4, verbose=0).history["loss"]
    assert np.all(np.isfinite(history)) and history[-1] < history[0]


@pytest.mark.parametrize("name", ALL)
def test_sizes_that_differ_are_refused(name):
    loss = losses.get(name)
    with pytest.raises(InputError, match=r"\(2, 8, 8, 2\).*\(2, 4, 4, 1\).*resize the target"):
        loss(np.zeros((2, 8, 8, 2), "float32"), np.zeros((2, 4, 4, 1), "float32"))
    with pytest.raises(InputError, match=r"\(2, 4, 4, 1\)"):  # no validity
        loss(np.zeros((2, 4, 4, 1), "float32"), np.zeros((2, 4, 4, 1), "float32"))
    with pytest.raises(InputError, match=r"\(2, 4, 4\)"):
        loss(np.zeros((2, 4, 4, 2), "float32"), np.zeros((2, 4, 4), "float32"))


def test_sizes_that_differ_are_refused_in_fit():
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(image))
    model.compile("sgd", loss=losses.get("mse"))
    with pytest.raises(ValueError, match=r"8, 8, 2\).*4, 4, 1\)"):
        model.fit(np.zeros((2, 4, 4, 3)), np.zeros((2, 8, 8, 2)), verbose=0)


def test_unknown_loss_names_the_nearest():
    with pytest.raises(InputError, match="unknown loss 'berhuu': did you mean 'berhu'"):
        losses.get("berhuu")


def test_unknown_argument_names_the_nearest():
    with pytest.raises(InputError, match="loss 'berhu'.*'treshold': did you mean 'threshold'"):
        losses.get("berhu", treshold=1.0)


def test_only_adaptive_berhu_has_state():
    assert {name: set(losses.get(name).state) for name in losses.LOSSES} == {
        name: {"k", "n"} if name == "adaptive_berhu" else set() for name in losses.LOSSES
    }
