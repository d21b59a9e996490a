"""Resizing by each rule, by operators and by matrix multiplications."""

import keras
import numpy as np
import pytest

from keras_depth import images
from keras_depth.errors import InputError
from keras_depth.layers import BilinearResize, MatmulResize, NearestResize
from tests.helpers.arrays import random


@pytest.mark.parametrize("after", [(8, 12), (5, 7), (1, 3), (3, 1)])
def test_resize_with_aligned_corners(after):
    """The first and the last pixels keep their values; between them by straight lines."""
    x = random(2, 4, 6, 3)
    result = np.array(BilinearResize(after, align_corners=True)(x))
    assert result.shape == (2, *after, 3)
    np.testing.assert_allclose(result[:, 0, 0], x[:, 0, 0], rtol=1e-5)
    if min(after) > 1:
        np.testing.assert_allclose(result[:, -1, -1], x[:, -1, -1], rtol=1e-5)
        y, column = 3 / (after[0] - 1), 5 / (after[1] - 1)
        top, left = int(y), int(column)
        mean = [
            (1 - abs(top + i - y)) * (1 - abs(left + j - column)) * x[:, top + i, left + j]
            for i in (0, 1)
            for j in (0, 1)
            if abs(top + i - y) < 1 and abs(left + j - column) < 1
        ]
        np.testing.assert_allclose(result[:, 1, 1], sum(mean), rtol=1e-4, atol=1e-5)


def test_resize_by_half_pixels_is_upsampling():
    x = random(2, 4, 6, 3)
    twice = keras.layers.UpSampling2D(2, interpolation="bilinear")
    np.testing.assert_allclose(BilinearResize((8, 12))(x), twice(x), rtol=1e-5, atol=1e-6)
    for size in ((0, 3), (3,), (2.5, 3)):
        with pytest.raises(InputError, match=r"give \(height, width\) in pixels"):
            BilinearResize(size)


SIZES = [(8, 12), (5, 7), (4, 6), (9, 3), (1, 1)]


@pytest.mark.parametrize("after", SIZES)
def test_resize_by_matmul_is_the_same_function(after):
    """Of several maps with one channel, too, which a constant on the right would break."""
    equal = {
        "bilinear": BilinearResize(after),
        "aligned": BilinearResize(after, align_corners=True),
        "adaptive": keras.layers.AdaptiveAveragePooling2D(after),
    }
    for channels in (1, 3):
        x = random(3, 4, 6, channels)
        for rule, layer in equal.items():
            np.testing.assert_allclose(MatmulResize(after, rule)(x), layer(x), atol=1e-5)
    with pytest.raises(InputError, match="unknown rule of MatmulResize 'bilinaer': did you mean"):
        MatmulResize(after, "bilinaer")


@pytest.mark.parametrize("after", SIZES)
def test_pictures_are_resized_as_in_use(after):
    """One side may shrink and the other grow; OpenCV has one rule for both."""
    x = random(4, 6, 3)
    np.testing.assert_allclose(
        MatmulResize(after, "image")(x[None])[0], images.resize(x, after), atol=1e-5
    )
    flat = np.ones((1, 4, 6, 1), np.float32)
    np.testing.assert_allclose(MatmulResize(after, "image")(flat), 1, rtol=1e-6)


def test_the_nearest_pixel_of_twice_the_size():
    x = random(2, 4, 6, 3)
    np.testing.assert_array_equal(NearestResize((8, 12))(x), keras.layers.UpSampling2D(2)(x))
