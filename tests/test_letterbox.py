import cv2
import numpy as np
import pytest

from keras_depth import images
from keras_depth.errors import InputError
from keras_depth.letterbox import FITS, place

# Pictures of another shape than the input: wide, tall, odd, tiny; then inputs.
SIZES = [(90, 160), (160, 90), (101, 57), (479, 641), (33, 500), (5, 7)]
INPUTS = [(48, 64), (47, 65)]
BY_SIZES = pytest.mark.parametrize("input_size", INPUTS), pytest.mark.parametrize("size", SIZES)


def for_sizes(test):
    for mark in BY_SIZES:
        test = mark(test)
    return test


def ramps(size):
    """A picture whose values say where they lie: (H, W, 2), x and y in 0..1 of the picture."""
    y, x = ((np.arange(side) + 0.5) / side for side in size)
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


@pytest.mark.parametrize("fit", FITS)
@for_sizes
def test_depth_comes_back_on_the_right_pixels(fit, size, input_size):
    placement = place(size, input_size, fit)
    placed = placement.fit(ramps(size))
    assert placed.shape == (*input_size, 2)
    back, seen = placement.restore(placed, size), placement.seen(size)
    # At the border of the picture and of the input half a pixel of the coarser of both is made up.
    coarse = [max(1 / side, 1 / inner) for side, inner in zip(size, placement.inner, strict=True)]
    limit = np.array([coarse[1], coarse[0]]) * 0.51 + 1e-4
    error = np.abs(back - ramps(size))
    for axis, inner in enumerate(placement.inner):  # what is within half a pixel of the black
        place_in = (np.arange(size[axis]) + 0.5) / size[axis]
        inside = (place_in >= 0.5 / inner) & (place_in <= 1 - 0.5 / inner)
        seen &= inside[:, None] if axis == 0 else inside
    assert (error[seen] <= limit).all()
    inside = cv2.erode(seen.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    assert not inside.any() or np.abs(back - ramps(size))[inside].mean() < 0.2 * max(limit)
    if fit != "crop":
        assert placement.seen(size).all()


@pytest.mark.parametrize("fit", ["letterbox", "crop"])
@pytest.mark.parametrize("smaller", [2, 3, 4])
@for_sizes
def test_a_map_smaller_than_the_input(fit, smaller, size, input_size):
    """Each value of the map stands for where its center lies in the picture."""
    placement = place(size, input_size, fit)
    shape = tuple(-(-side // smaller) for side in input_size)
    y, x = ((np.arange(n) + 0.5) * side / n for n, side in zip(shape, input_size, strict=True))
    y, x = (y - placement.top) / placement.inner[0], (x - placement.left) / placement.inner[1]
    values = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
    back, seen = placement.restore(values, size), placement.seen(size)
    # Beyond the centers of the map's outer pixels, its border is repeated.
    known = seen.copy()
    for axis, centers in enumerate((y, x)):
        line = (np.arange(size[axis]) + 0.5) / size[axis]
        within = (line >= centers[0]) & (line <= centers[-1])
        known &= within[:, None] if axis == 0 else within
    np.testing.assert_allclose(back[known], ramps(size)[known], atol=1e-5)


@for_sizes
def test_letterbox_and_crop_keep_the_shape(size, input_size):
    for fit, compare in (("letterbox", np.less_equal), ("crop", np.greater_equal)):
        placement = place(size, input_size, fit)
        assert compare(placement.inner, input_size).all() and placement.inner[0] >= 1
        assert 0 in (placement.top, placement.left)
        # A pixel more or less is half a pixel of rounding.
        wanted = max(placement.inner) / max(size) * min(size)
        assert abs(min(placement.inner) - wanted) <= 1


def test_a_letterboxed_picture():
    image = np.arange(1, 5, dtype=np.uint8).reshape(2, 2)
    np.testing.assert_array_equal(
        place((2, 2), (2, 5), "letterbox").fit(image), [[0, 1, 2, 0, 0], [0, 3, 4, 0, 0]]
    )


def test_a_cropped_picture():
    image = np.arange(10, dtype=np.uint8).reshape(2, 5)
    placement = place((2, 5), (2, 2), "crop")
    np.testing.assert_array_equal(placement.fit(image), image[:, 2:4])
    np.testing.assert_array_equal(placement.seen((2, 5))[0], [False, False, True, True, False])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(48, 64), (96, 128), (24, 32), (144, 193)])
def test_pictures_of_the_input_s_shape(fit, size):
    """They come out as a stretched one, bit for bit, and so does their depth."""
    random = np.random.default_rng(1)
    placement = place(size, (48, 64), fit)
    picture = random.integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(placement.fit(picture), images.resize(picture, (48, 64)))
    depth = random.random((24, 32), np.float32)
    expected = cv2.resize(depth, size[::-1]) if size != (24, 32) else depth
    np.testing.assert_array_equal(placement.restore(depth, size), expected)
    assert placement.restore(depth[..., None], size).shape == (*size, 1)
    assert placement.map_size(depth.shape) == (24, 32) and placement.seen(size).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (100, 1), (1, 1000)])
def test_sides_of_one_pixel(fit, size):
    placement = place(size, (48, 64), fit)
    placed = placement.fit(np.full((*size, 3), 7, np.uint8))
    shown = placement.inner[0] * placement.inner[1] if fit == "letterbox" else 48 * 64
    assert placed.shape == (48, 64, 3) and (placed == 7).sum() == 3 * shown
    back = placement.restore(np.full((24, 32, 1), 7, np.float32), size)
    assert back.shape == (*size, 1) and (back == 7).all()
    assert placement.seen(size).any() or fit == "crop"  # a part of one pixel


def test_the_map_s_own_resolution_is_a_cut():
    """Where the picture's edges lie between pixels of the map, its values stay as they are."""
    placement = place((90, 160), (48, 64), "letterbox")  # 36 rows, from row 6 on
    values = np.random.default_rng(2).random((24, 32), np.float32)
    assert placement.map_size(values.shape) == (18, 32)
    np.testing.assert_array_equal(placement.restore(values, (18, 32)), values[3:21])


def test_a_crop_s_map_covers_the_picture():
    placement = place((48, 128), (48, 64), "crop")
    values = np.ones((24, 32), np.float32)
    size = placement.map_size(values.shape)
    assert size == (24, 64)
    assert placement.seen(size).sum() == 24 * 32 and placement.seen(size)[:, 16:48].all()


@pytest.mark.parametrize("fit", FITS)
@for_sizes
def test_the_products_of_matrices(fit, size, input_size):
    """They are what the pixels say: an exported graph holds them."""
    placement = place(size, input_size, fit)
    random = np.random.default_rng(3)
    depth = random.random((24, 32), np.float32)
    rows, columns = (placement.restoring_weights(a, depth.shape[a], size[a]) for a in (0, 1))
    np.testing.assert_allclose(rows @ depth @ columns.T, placement.restore(depth, size), atol=1e-5)
    if placement.inner == size:
        return
    picture = random.random(size, np.float32)
    # OpenCV's own weights: each row of a unit matrix, resized.
    rows, columns = (
        placement.placing_weights(a, images.resize(np.eye(n, dtype=np.float32), (inner, n)))
        for a, (n, inner) in enumerate(zip(size, placement.inner, strict=True))
    )
    np.testing.assert_allclose(rows @ picture @ columns.T, placement.fit(picture), atol=1e-4)


def test_focal_lengths():
    assert place((480, 640), (240, 320), "crop").scale_focal_length((518, 520)) == (259, 260)
    assert place((360, 640), (240, 320), "letterbox").scale_focal_length((500, 500)) == (250, 250)
    assert place((360, 640), (240, 320), "crop").scale_focal_length((500, 500)) == pytest.approx(
        (500 * 427 / 640, 500 * 240 / 360)
    )
    stretched = place((360, 640), (240, 320), "stretch").scale_focal_length((500, 500))
    assert stretched == pytest.approx((250, 1000 / 3))


def test_messages():
    with pytest.raises(InputError, match="unknown fit 'leterbox'.*letterbox"):
        place((3, 4), (3, 4), "leterbox")
    with pytest.raises(InputError, match="picture of 2x100000 is too narrow.*choose letterbox"):
        place((2, 100000), (240, 320), "crop")
