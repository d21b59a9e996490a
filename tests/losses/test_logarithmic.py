"""Losses of the logarithm of depth, against numbers worked out by hand."""

import numpy as np
import pytest

from keras_depth import losses
from keras_depth.errors import InputError
from tests.losses.test_losses import gradient
from tests.losses.test_regression import case

LOG2 = np.log(2)


def test_silog_by_hand():
    # d = log 2, -log 2 and one that does not count: mean d² = log² 2, mean d = 0
    y_true, y_pred = case([1, 2, 0], [2, 1, 50], [1, 1, 0])
    np.testing.assert_allclose(losses.get("silog")(y_true, y_pred), 10 * LOG2, rtol=1e-6)
    # d = log 2 everywhere: what is left is 1 - λ of it
    y_true, y_pred = case([1, 2, 3], [2, 4, 6])
    value = losses.get("silog", focus=0.75, scale=1.0)(y_true, y_pred)
    np.testing.assert_allclose(value, np.sqrt(0.25) * LOG2, rtol=1e-5)
    assert losses.get("silog", focus=1.0)(y_true, y_pred) < 1e-2, "right but for one factor"


def test_log_l1_by_hand():
    # d = log 2, 0, -log 2: mean |d| = 2/3 log 2; slopes -log 2, -log 2, and none after the last
    y_true, y_pred = case([1, 2, 2], [2, 2, 1])
    value = losses.get("log_l1", gradient=0.5)(y_true, y_pred)
    np.testing.assert_allclose(value, 2 / 3 * LOG2 + 0.5 * 2 / 3 * LOG2, rtol=1e-6)
    # A hole: no slope touches it.
    y_true, y_pred = case([1, 0, 2], [2, 7, 1], [1, 0, 1])
    value = losses.get("log_l1", gradient=0.5)(y_true, y_pred)
    np.testing.assert_allclose(value, LOG2, rtol=1e-6)


@pytest.mark.parametrize("name", ["silog", "log_l1"])
def test_a_head_that_writes_less_than_0_finds_back(name):
    """The logarithm goes on below 1 cm as a straight line: at 0 it is log 0.01 - 1."""
    y_true, y_pred = case([1], [0])
    value = losses.get(name)(y_true, y_pred)
    scale = 1 if name == "log_l1" else 10 * np.sqrt(0.15)
    np.testing.assert_allclose(value, scale * (1 - np.log(0.01)), rtol=1e-5)
    _, slope = gradient(losses.get(name), *case([1, 1], [-2, -2]))
    assert np.all(slope < 0)


def test_log_l1_on_two_scales():
    """On the second scale, every second pixel: d = log 2 and -log 2, a slope of -2 log 2."""
    y_true, y_pred = case([1, 1, 2, 2], [2, 2, 1, 1])
    one, two = (losses.get("log_l1", gradient=1.0, scales=n)(y_true, y_pred) for n in (1, 2))
    # The last pixel of each scale has a slope of 0, which counts.
    np.testing.assert_allclose(one, LOG2 + 2 / 4 * LOG2, rtol=1e-6)
    np.testing.assert_allclose(two - one, 2 / 2 * LOG2, rtol=1e-6)


@pytest.mark.parametrize("name", ["silog", "log_l1"])
def test_a_factor_costs_the_same_at_any_depth(name):
    near, far = case([1, 2, 3], [1.1, 2.5, 3]), case([10, 20, 30], [11, 25, 30])
    loss = losses.get(name)
    np.testing.assert_allclose(loss(*near), loss(*far), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("silog", {"focus": 1.5}, "focus=1.5: give a share, 0 to 1"),
        ("silog", {"scale": 0}, "scale=0: give a number above 0"),
        ("log_l1", {"gradient": -1.0}, "gradient=-1.0: give a number of 0 or more"),
        ("log_l1", {"scales": 0}, "scales=0: give a whole number of 1 or more"),
    ],
)
def test_bad_arguments(name, arguments, message):
    with pytest.raises(InputError, match=message):
        losses.get(name, **arguments)
