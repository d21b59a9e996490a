"""Squared, relative and BerHu losses against numbers worked out by hand and NumPy oracles."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.losses.regression import berhu


def case(target, prediction, valid=None):
    """One image of one row."""
    target = np.array(target, "float32")
    valid = np.ones_like(target) if valid is None else np.array(valid, "float32")
    y_true = np.stack([target, valid], -1)[None, None]
    return y_true, np.array(prediction, "float32")[None, None, :, None]


def test_mse():
    # errors 1, -2 and one that does not count: (1 + 4) / 2
    y_true, y_pred = case([1, 3, 0], [2, 1, 50], [1, 1, 0])
    assert losses.get("mse")(y_true, y_pred) == 2.5


def test_mse_rel():
    # MSE 2.5; relative errors -1 and 2/3, squared mean (1 + 4/9) / 2
    y_true, y_pred = case([1, 3, 0], [2, 1, 50], [1, 1, 0])
    expected = 2.5 + 2 * (1 + 4 / 9) / 2
    np.testing.assert_allclose(losses.get("mse_rel")(y_true, y_pred), expected, rtol=1e-6)
    value = losses.get("mse_rel", alpha1=3.0, alpha2=0.5)(y_true, y_pred)
    np.testing.assert_allclose(value, 3 * 2.5 + 0.5 * (1 + 4 / 9) / 2, rtol=1e-6)


def test_mse_rel_minus_mse_is_twice_the_squared_relative_error():
    # The authors' log of a fresh network: the difference is twice the SQUARED relative error.
    rng = np.random.default_rng(0)
    target = rng.uniform(0.7, 9, 1000)
    prediction = 0.05 * target
    y_true, y_pred = case(target, prediction)
    difference = losses.get("mse_rel")(y_true, y_pred) - losses.get("mse")(y_true, y_pred)
    np.testing.assert_allclose(difference, 2 * 0.95**2, rtol=1e-5)


def test_berhu_by_hand():
    # k = 1: |-0.5| -> 0.5, |1| -> 1, |3| -> (9 + 1) / 2 = 5
    y_true, y_pred = case([2, 2, 2], [1.5, 3, 5])
    np.testing.assert_allclose(losses.get("berhu")(y_true, y_pred), (0.5 + 1 + 5) / 3, rtol=1e-6)
    # k = 0.5: 0.5, (1 + 0.25) / 1, (9 + 0.25) / 1
    value = losses.get("berhu", threshold=0.5)(y_true, y_pred)
    np.testing.assert_allclose(value, (0.5 + 1.25 + 9.25) / 3, rtol=1e-6)


def test_berhu_batch_threshold():
    # The largest valid error is 5, so c = 1; the invalid pixel's 100 must not set it.
    y_true, y_pred = case([2, 2, 2, 2], [1.5, 3, 7, 102], [1, 1, 1, 0])
    value = losses.get("berhu", threshold="batch")(y_true, y_pred)
    np.testing.assert_allclose(value, (0.5 + 1 + 13) / 3, rtol=1e-6)


def test_berhu_batch_threshold_is_one_for_the_batch_and_takes_no_gradient():
    near, far = case([2, 2], [2.2, 2.4]), case([2, 2], [7, 2])
    y_true = np.concatenate([near[0], far[0]])
    y_pred = tf.Variable(np.concatenate([near[1], far[1]]))
    with tf.GradientTape() as tape:
        value = losses.get("berhu", threshold="batch", reduction="sum")(y_true, y_pred)
    np.testing.assert_allclose(value, 0.3 + (25 + 1) / 2 / 2, rtol=1e-6)
    # d/de of (e² + c²) / 2c is e / c = 5 with c held, halved by the mean of two pixels.
    np.testing.assert_allclose(
        tape.gradient(value, y_pred).numpy().ravel(), [0.5, 0.5, 2.5, 0], rtol=1e-6
    )


@pytest.mark.parametrize("k", [0.1, 1.0, 3.0])
def test_berhu_is_continuous_with_its_slope_at_k(k):
    error = tf.constant([k * (1 - 1e-5), k, k * (1 + 1e-5)])
    with tf.GradientTape() as tape:
        tape.watch(error)
        value = berhu(error, k)
    np.testing.assert_allclose(value, k, rtol=2e-5)
    np.testing.assert_allclose(tape.gradient(value, error), 1, rtol=2e-5)


ORACLES = {
    "mse": lambda t, p: (p - t) ** 2,
    "mse_rel": lambda t, p: (p - t) ** 2 + 2 * (1 - p / t) ** 2,
    "berhu": lambda t, p: np.where(abs(p - t) <= 1, abs(p - t), ((p - t) ** 2 + 1) / 2),
}


@pytest.mark.parametrize("name", ORACLES)
def test_equals_numpy(name):
    rng = np.random.default_rng(3)
    target = rng.uniform(0.5, 10, (4, 6, 7))
    prediction = rng.uniform(-1, 12, target.shape)
    valid = rng.uniform(size=target.shape) < 0.6
    values = losses.get(name, reduction=None)(
        np.stack([target, valid], -1).astype("float32"), prediction[..., None].astype("float32")
    )
    expected = [
        ORACLES[name](t[v], p[v]).mean() for t, p, v in zip(target, prediction, valid, strict=True)
    ]
    np.testing.assert_allclose(values, expected, rtol=2e-6)


@pytest.mark.parametrize("threshold", [0, -1, "bach"])
def test_berhu_refuses_a_threshold(threshold):
    with pytest.raises(InputError, match=f"threshold={threshold!r}"):
        losses.get("berhu", threshold=threshold)


def test_names_do_not_hide_keras_own_losses():
    assert isinstance(keras.losses.get("mse"), type(keras.losses.mean_squared_error))
