"""Depth in 16-bit PNG files: both units, both ways."""

import numpy as np
import pytest

from keras_depth import depth_png, images
from keras_depth.errors import InputError


@pytest.mark.parametrize("units", [depth_png.MILLIMETRES, depth_png.KITTI])
def test_depth_comes_back_to_half_a_unit(units):
    depth = np.random.default_rng(0).uniform(0.1, 60, (20, 30)).astype(np.float32)
    depth[0] = 0
    decoded = depth_png.decode(depth_png.encode(depth, units), "a.png", units)
    assert decoded.dtype == np.float32 and (decoded[0] == 0).all()
    np.testing.assert_allclose(decoded, depth, atol=0.501 / units)


@pytest.mark.parametrize("units", [depth_png.MILLIMETRES, depth_png.KITTI, 5000, 0.5])
def test_a_file_names_its_unit(units):
    depth = np.full((4, 5), 2, np.float32)
    content = depth_png.encode(depth, units)
    assert depth_png.stored_units(content) == units
    np.testing.assert_array_equal(depth_png.decode(content, "a.png", 7), depth)  # it is believed
    depth_png.check_units(content, "a.png", units, "--png-units")
    depth_png.check_units(content, "a.png", None, "--png-units")
    with pytest.raises(InputError, match=f"a.png: says .* {units:g} units .*leave --png-units out"):
        depth_png.check_units(content, "a.png", 7, "--png-units")


def test_other_files_name_none():
    foreign = images.encode_png(np.ones((4, 5), np.uint16))
    for content in (foreign, foreign[:20], b"", b"hello", b"P5\n1 1\n255\n0"):
        assert depth_png.stored_units(content) is None
    depth_png.check_units(foreign, "a.png", 1000, "--png-units")
    assert depth_png.decode(foreign, "a.png", 2)[0, 0] == 0.5


def test_far_near_and_missing_depth():
    depth = np.array([[65.535, 65.536, 80, 0, np.nan, np.inf, -1, 1.2346, 1e-6]], np.float32)
    stored = [65535, 65535, 65535, 0, 0, 0, 0, 1235, 1]  # 0 is no depth, so what is near is 1
    assert depth_png.quantize(depth).tolist() == [stored]
    far = np.array([[depth_png.farthest(depth_png.KITTI), 300]], np.float32)
    assert depth_png.quantize(far, depth_png.KITTI).tolist() == [[65535, 65535]]


@pytest.mark.parametrize(
    "pixels, message",
    [
        (np.ones((4, 4), np.uint8), "a.png: the depth is stored as uint8"),
        (np.ones((4, 4, 3), np.uint8), "a.png: a depth map has one channel, this picture has 3"),
    ],
)
def test_what_is_no_depth_of_16_bits_is_refused(pixels, message):
    with pytest.raises(InputError, match=message):
        depth_png.decode(images.encode_png(pixels), "a.png", 256)


def test_a_damaged_file_is_named():
    content = depth_png.encode(np.ones((40, 40), np.float32))
    for part, message in ((content[:-20], "cut short"), (b"hello", "not a picture"), (b"", "not")):
        with pytest.raises(InputError, match=f"a.png: .*{message}"):
            depth_png.decode(part, "a.png", 1000)
