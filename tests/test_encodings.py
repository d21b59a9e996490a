"""Encodings: each decodes what it encodes, and unknown names are refused."""

import numpy as np
import pytest
from keras import ops

from keras_depth.encodings import ENCODINGS, calibrate
from keras_depth.errors import InputError

# Metres that an encoding can hold; `minmax` forgets them.
RANGES = {
    "metric": (0.1, 80),
    "disparity": (0.1, 80),
    "unit": (0.1, 10),
    "centimetres": (0.1, 10),
    "inverse": (0.1, 10),
}


def test_every_encoding_is_tried_here():
    assert set(ENCODINGS) == {*RANGES, "minmax"}


@pytest.mark.parametrize("name", RANGES)
def test_decode_undoes_encode(name):
    encoding = ENCODINGS[name]
    assert encoding.name == name and encoding.description
    assert RANGES[name][1] <= encoding.farthest
    depth = np.linspace(*RANGES[name], 24, dtype="float32").reshape(2, 3, 4, 1)
    focal_baseline = np.array([1.5, 2.0], "float32")
    target = encoding.encode(ops.convert_to_tensor(depth), focal_baseline)
    assert tuple(target.shape) == depth.shape
    np.testing.assert_allclose(encoding.decode(target, focal_baseline), depth, rtol=1e-6)


def test_metric_is_metres_as_they_are():
    depth = np.array([[[[2.5], [0.0]]]], "float32")
    metric = ENCODINGS["metric"]
    assert not metric.stereo
    np.testing.assert_array_equal(metric.encode(depth), depth)
    np.testing.assert_array_equal(metric.decode(depth), depth)


@pytest.mark.parametrize(
    "name", [n for n in RANGES if n not in ("disparity", "inverse")] + ["minmax"]
)
def test_nothing_is_behind_the_camera(name):
    """A linear head may write less than 0."""
    output = np.array([-3.0, -1e-9, 0.5], "float32").reshape(1, 1, 3, 1)
    decoded = np.ravel(ENCODINGS[name].decode(output))
    assert decoded[0] == decoded[1] == 0 < decoded[2]


def test_disparity_is_a_fraction_of_the_width():
    """KITTI: 721.5377 pixels of 1242, 0.5327 m between the cameras; 10 m are 38.4 pixels."""
    disparity = ENCODINGS["disparity"]
    depth = np.full((1, 1, 1242, 1), 10.0, "float32")
    np.testing.assert_allclose(disparity.encode(depth, 384.381) * 1242, 38.4381, rtol=1e-6)
    # The same camera's picture at 512 columns, and the same disparity in the first of two channels.
    output = np.zeros((2, 1, 512, 2), "float32")
    output[..., 0] = 38.4381 / 1242
    output[..., 1] = 0.3
    decoded = disparity.decode(output, np.array([384.381 * 512 / 1242, 2 * 384.381 * 512 / 1242]))
    assert decoded.shape == (2, 1, 512, 1)
    np.testing.assert_allclose(decoded[0], 10, rtol=1e-6)
    np.testing.assert_allclose(decoded[1], 20, rtol=1e-6)


def test_disparity_0_is_far_and_finite():
    output = np.zeros((1, 1, 4, 2), "float16")
    depth = ENCODINGS["disparity"].decode(output, 2.0)
    assert depth.dtype == "float32"
    np.testing.assert_allclose(depth, 2 / 4 / 1e-6)


def test_disparity_needs_the_camera():
    with pytest.raises(
        InputError, match="without focal_baseline: give the focal length in pixels times"
    ):
        ENCODINGS["disparity"].decode(np.zeros((1, 1, 4, 2), "float32"), None)


def test_unit_and_centimetres_are_cut():
    depth = np.array([0.05, 2.5, 12.0], "float32").reshape(1, 1, 3, 1)
    unit, centimetres = ENCODINGS["unit"], ENCODINGS["centimetres"]
    np.testing.assert_allclose(np.ravel(unit.encode(depth)), [0.005, 0.25, 1])
    np.testing.assert_allclose(np.ravel(centimetres.encode(depth)), [10, 250, 1000])
    half = np.full((1, 1, 1, 1), 0.5, "float16")
    assert unit.decode(half).dtype == "float32" and float(unit.decode(half)[0, 0, 0, 0]) == 5
    assert float(centimetres.decode(half)[0, 0, 0, 0]) == pytest.approx(0.005)


def test_inverse_is_cut_at_both_ends():
    """10 m / depth, 1 to 100; a linear head may write anything."""
    inverse = ENCODINGS["inverse"]
    depth = np.array([0.0, 0.05, 0.1, 2.5, 12.0], "float32").reshape(1, 1, 5, 1)
    np.testing.assert_allclose(np.ravel(inverse.encode(depth)), [100, 100, 100, 4, 1], rtol=1e-6)
    output = np.array([-5.0, 0.0, 1.0, 4.0, 100.0, 3e4], "float16").reshape(1, 1, 6, 1)
    decoded = inverse.decode(output)
    assert decoded.dtype == "float32"
    np.testing.assert_allclose(np.ravel(decoded), [10, 10, 10, 2.5, 0.1, 0.1], rtol=1e-6)


def test_minmax_is_each_picture_s_own_range():
    """Unmeasured pixels do not count, and a plain wall is 0."""
    depth = np.array([[2, 3, 4, 0], [1, 5, 9, 0], [6, 6, 6, 6], [0, 0, 0, 0]], "float32")
    target = ENCODINGS["minmax"].encode(depth.reshape(4, 2, 2, 1))
    expected = [[0, 0.5, 1, 0], [0, 0.5, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(np.reshape(target, (4, 4)), expected)
    # 1 stands for 10 m, whatever it was.
    assert float(ENCODINGS["minmax"].decode(target)[0, 1, 0, 0]) == 10


def test_unknown_name():
    with pytest.raises(InputError, match="unknown encoding 'metrc': did you mean 'metric'"):
        ENCODINGS["metrc"]


def test_calibrated_metres_are_0_or_more_and_none_stays_none():
    depth = np.array([0.0, 0.5, 2.0], "float32")
    np.testing.assert_array_equal(calibrate(depth), depth)
    np.testing.assert_allclose(calibrate(depth, 1.5), [0, 0.75, 3.0])
    np.testing.assert_allclose(calibrate(depth, 1.5, 0.25), [0, 1.0, 3.25])
    np.testing.assert_allclose(calibrate(depth, 1.5, -1.0), [0, 0, 2.0])
