"""Depth in colors."""

import matplotlib
import numpy as np
import pytest

from keras_depth import colormap

GRAY = [153, 153, 153]


def inferno_r(value):
    return [round(255 * c) for c in matplotlib.colormaps["inferno_r"](value)[:3]]


def test_the_ends_of_the_range_take_the_ends_of_the_color_map():
    picture = colormap.colorize(np.array([[2.0, 6.0, 1.0, 99.0, 4.0]]), 2, 6)
    assert picture.dtype == np.uint8 and picture.shape == (1, 5, 3)
    near, far, nearer, farther, middle = picture[0].astype(int)
    np.testing.assert_allclose(near, inferno_r(0.0), atol=1)
    np.testing.assert_allclose(far, inferno_r(1.0), atol=1)
    np.testing.assert_allclose(middle, inferno_r(0.5), atol=1)
    assert nearer.tolist() == near.tolist() and farther.tolist() == far.tolist()
    assert near.sum() > middle.sum() > far.sum()  # near is bright


def test_no_depth_is_gray():
    picture = colormap.colorize(np.array([[0.0, np.nan, np.inf, -1.0, 5.0]]), 0, 10)
    assert picture[0, :4].tolist() == [GRAY] * 4
    assert picture[0, 4].tolist() != GRAY


def test_a_mask_of_ones_own():
    depth = np.array([[5.0, 5.0]])
    picture = colormap.colorize(depth, 0, 10, valid=np.array([[True, False]]))
    assert picture[0, 0].tolist() != GRAY and picture[0, 1].tolist() == GRAY


def test_one_depth_everywhere_is_no_division_by_zero():
    picture = colormap.colorize(np.full((2, 2), 3.0), 3, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


def test_the_bar_holds_the_picture_s_colors():
    bar = colormap.color_bar(480, 2.0, 6.0)
    assert bar.shape == (480, 80, 3) and bar.dtype == np.uint8
    column = bar[60:440, 18].astype(int)  # within the bar; its top is far
    ramp = colormap.colorize(np.linspace(6, 2, 4001)[None], 2, 6)[0].astype(int)
    where = [np.abs(ramp - color).sum(1).argmin() for color in column]
    distance = [np.abs(ramp - color).sum(1).min() for color in column]
    assert max(distance) <= 3  # every color of the bar is one of the picture's
    assert (np.diff(where) >= 0).all() and where[0] < 200 and where[-1] > 3500


def test_picture_and_bar_side_by_side():
    depth = np.linspace(1, 5, 48 * 64).reshape(48, 64)
    picture = colormap.colorize_with_bar(depth, 1, 5)
    assert picture.shape == (48, 72, 3)
    np.testing.assert_array_equal(picture[:, :64], colormap.colorize(depth, 1, 5))


@pytest.mark.parametrize(
    ("depth", "ends"),
    [([1, 5], "neither"), ([0.9, 5], "min"), ([1, 5.1], "max"), ([0.9, 5.1], "both")],
)
def test_a_bar_has_an_arrow_where_depth_lies_beyond(depth, ends):
    holes = np.array([*depth, 0, np.nan, np.inf])
    assert colormap.clipped(holes, 1, 5) == ends
    bar = colormap.color_bar(480, 1, 5, ends)
    assert (bar == colormap.color_bar(480, 1, 5)).all() == (ends == "neither")
    picture = colormap.colorize_with_bar(np.resize(holes, (480, 64)), 1, 5)
    np.testing.assert_array_equal(picture[:, 64:], bar)


def test_depth_range_leaves_out_strays_and_holes():
    depth = np.linspace(2, 4, 10_000)
    depth[:50], depth[-50:] = 0.01, 500
    assert colormap.depth_range(np.append(depth, [0, np.nan])) == pytest.approx((2, 4), abs=0.05)
    assert colormap.depth_range(np.zeros((3, 3))) == (0.0, 1.0)
