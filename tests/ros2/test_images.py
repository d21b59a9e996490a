"""Pictures, depth and cameras as ROS messages hold them."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from keras_depth_ros import images

from keras_depth import geometry

RNG = np.random.default_rng(0)
RGB = cv2.resize(RNG.integers(0, 256, (4, 6, 3), np.uint8), (60, 40))  # smooth, for halved colors


def message(pixels, encoding, padding=0, **fields):
    """Returns an Image message of pixels (H, W, C), each row with some bytes of padding."""
    height, width = pixels.shape[:2]
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=255)
    held = dict(height=height, width=width, encoding=encoding, step=rows.shape[1], is_bigendian=1)
    return SimpleNamespace(**{**held, "data": rows.tobytes(), **fields})


def halved(order):
    """Returns RGB as bytes with colors of every second pixel: two pixels in four bytes."""
    y, u, v = np.moveaxis(cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV).astype(np.float64), -1, 0)
    y = 16 + y * 219 / 255  # as cameras and cv2.COLOR_YUV2RGB_YUY2 have it: BT.601, limited range
    r, g, b = np.moveaxis(RGB.astype(np.float64), -1, 0)
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    parts = {"Y": y[:, ::2], "y": y[:, 1::2], "U": u[:, ::2], "V": v[:, ::2]}
    pairs = np.stack([parts[letter] for letter in order], axis=-1)
    return np.rint(pairs).astype(np.uint8).reshape(*RGB.shape[:2], 2)


def mosaic(pattern):
    """Returns RGB as the cells of a sensor see it, (H, W, 1)."""
    cells = np.zeros((*RGB.shape[:2], 1), np.uint8)
    for place, color in enumerate(pattern):
        row, column = divmod(place, 2)
        cells[row::2, column::2, 0] = RGB[row::2, column::2, "rgb".index(color)]
    return cells


GRAY = np.rint(RGB.mean(axis=-1, keepdims=True)).astype(np.uint8)
ALPHA = np.full((*RGB.shape[:2], 1), 9, np.uint8)
STORED = {  # pixels, the picture they are, the largest mean difference
    "rgb8": (RGB, RGB, 0),
    "bgr8": (RGB[..., ::-1], RGB, 0),
    "8UC3": (RGB[..., ::-1], RGB, 0),
    "rgba8": (np.concatenate([RGB, ALPHA], -1), RGB, 0),
    "bgra8": (np.concatenate([RGB[..., ::-1], ALPHA], -1), RGB, 0),
    "mono8": (GRAY, GRAY.repeat(3, -1), 0),
    "8UC1": (GRAY, GRAY.repeat(3, -1), 0),
    "yuyv": (halved("YUyV"), RGB, 4),
    "yuv422_yuy2": (halved("YUyV"), RGB, 4),
    "uyvy": (halved("UYVy"), RGB, 4),
    "yuv422": (halved("UYVy"), RGB, 4),
    "bayer_rggb8": (mosaic("rggb"), RGB, 4),
    "bayer_bggr8": (mosaic("bggr"), RGB, 4),
    "bayer_gbrg8": (mosaic("gbrg"), RGB, 4),
    "bayer_grbg8": (mosaic("grbg"), RGB, 4),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", images.ENCODINGS)
def test_every_encoding(encoding, padding):
    pixels, picture, tolerance = STORED[encoding]
    decoded = images.decode_image(message(pixels, encoding, padding))
    assert decoded.dtype == np.uint8 and decoded.shape == RGB.shape
    difference = np.abs(decoded.astype(int) - picture)
    assert difference.mean(axis=(0, 1)).max() <= tolerance


def test_every_container_of_the_data():
    """rclpy gives an array.array, rosbags a NumPy array, ROS 1 bytes."""
    from array import array

    content = RGB.tobytes()
    for data in (
        content,
        bytearray(content),
        array("B", content),
        np.frombuffer(content, np.uint8),
    ):
        assert np.array_equal(images.decode_image(message(RGB, "rgb8", data=data)), RGB)


def test_a_large_picture():
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[-1, -1] = (1, 2, 3)
    decoded = images.decode_image(message(pixels, "bgr8", padding=64))
    assert decoded.shape == (3000, 4000, 3) and list(decoded[-1, -1]) == [3, 2, 1]


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"encoding": "16UC1"}, "pictures of encoding '16UC1' cannot be used; these can: rgb8, "),
        ({"encoding": ""}, "pictures of encoding '' cannot be used"),
        ({"data": RGB.tobytes()[:-1]}, "60x40 pixels has 7199 bytes of data; 40 rows of 180 bytes"),
        ({"data": b""}, "60x40 pixels has 0 bytes of data"),
        ({"step": 179}, "a row of 60 pixels of rgb8 has 179 bytes; it has 180 at least"),
        ({"step": 0}, "has 0 bytes; it has 180 at least"),
        ({"height": 0}, "a picture of 60x0 pixels is none that rgb8 can hold"),
        ({"width": 0}, "a picture of 0x40 pixels is none that rgb8 can hold"),
        ({"width": 59, "encoding": "uyvy"}, "a picture of 59x40 pixels is none that uyvy can hold"),
        ({"height": 1, "encoding": "bayer_rggb8"}, "60x1 pixels is none that bayer_rggb8 can hold"),
    ],
)
def test_pictures_that_cannot_be_used(changes, sentence):
    with pytest.raises(ValueError) as raised:
        images.decode_image(message(RGB, **{"encoding": "rgb8", **changes}))
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def compressed(pixels, ending=".png", form="png"):
    return SimpleNamespace(format=form, data=cv2.imencode(ending, pixels)[1].tobytes())


@pytest.mark.parametrize("form", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed "])
def test_png(form):
    bgra = np.concatenate([RGB[..., ::-1], ALPHA], -1)
    for pixels, picture in ((RGB[..., ::-1], RGB), (bgra, RGB), (GRAY, GRAY.repeat(3, -1))):
        assert np.array_equal(images.decode_compressed(compressed(pixels, form=form)), picture)


@pytest.mark.parametrize("form", ["jpeg", "jpg", "rgb8; jpeg compressed bgr8"])
def test_jpeg(form):
    decoded = images.decode_compressed(compressed(RGB[..., ::-1], ".jpg", form))
    assert np.abs(decoded.astype(int) - RGB).mean(axis=(0, 1)).max() < 4
    gray = images.decode_compressed(compressed(GRAY, ".jpg", form))
    assert gray.shape == RGB.shape


def cut(pixels, ending):
    whole = compressed(pixels, ending)
    whole.data = whole.data[: len(whole.data) // 2]
    return whole


@pytest.mark.parametrize(
    "sent, sentence",
    [
        (SimpleNamespace(format="jpeg", data=b""), "of format 'jpeg' (0 bytes) cannot be decoded"),
        (SimpleNamespace(format="h264", data=b"\0\0\0\1gd"), "of format 'h264' (6 bytes) cannot"),
        (cut(RGB, ".jpg"), "a compressed picture is cut short ("),
        (cut(RGB, ".png"), "a compressed picture is cut short ("),
        (compressed(np.ones((4, 4), np.uint16), form="16UC1; png"), "has uint16 values, as depth"),
        (
            SimpleNamespace(
                format="16UC1; compressedDepth png",
                data=b"\0" * 12 + compressed(np.ones((4, 4), np.uint16)).data,
            ),
            "of format '16UC1; compressedDepth png' (",
        ),
    ],
)
def test_compressed_pictures_that_cannot_be_used(sent, sentence):
    with pytest.raises(ValueError) as raised:
        images.decode_compressed(sent)
    assert sentence in str(raised.value)


DEPTH = np.float32([[1, 2.0004, np.nan, 0], [-1, np.inf, 65.535, 65.5356], [-np.inf, 70, 9, 3e38]])


def test_depth_in_metres():
    pixels = images.encode_depth(DEPTH, "32FC1")
    assert pixels.dtype.str == "<f4" and pixels.flags.c_contiguous
    expected = DEPTH.copy()
    expected[[0, 0, 1, 2], [2, 3, 0, 0]] = np.nan
    np.testing.assert_array_equal(pixels, expected)
    expected[[1, 1, 2, 2], [2, 3, 1, 3]] = np.inf
    np.testing.assert_array_equal(images.encode_depth(DEPTH, "32FC1", 10), expected)


def test_depth_in_millimetres():
    pixels = images.encode_depth(DEPTH, "16UC1")
    assert pixels.dtype.str == "<u2" and pixels.flags.c_contiguous
    assert pixels.tolist() == [[1000, 2000, 0, 0], [0, 0, 65535, 0], [0, 0, 9000, 0]]
    assert images.encode_depth(DEPTH, "16UC1", 5).tolist() == [[1000, 2000, 0, 0], [0] * 4, [0] * 4]


@pytest.mark.parametrize("to_size", [(240, 320), (120, 160), (96, 128), (480, 640), (300, 211)])
def test_cameras_of_resized_pictures(to_size):
    """A point of the world is at the same place of the picture before and after."""
    k = np.array([520.0, 1.5, 325.4, 0, 519, 253.7, 0, 0, 1])
    p = np.array([500.0, 0, 318, -40, 0, 498, 242, 3, 0, 0, 1, 0])
    scaled_k, scaled_p = images.scale_camera(k, p, (480, 640), to_size)
    assert scaled_k.dtype == scaled_p.dtype == np.float64
    points = np.stack([*RNG.uniform(-2, 2, (2, 50)), RNG.uniform(1, 9, 50), np.ones(50)])
    factors = np.array([[to_size[1] / 640], [to_size[0] / 480]])
    for before, after in ((k, scaled_k), (p, scaled_p)):
        columns = before.size // 3
        old, new = (each.reshape(3, -1) @ points[:columns] for each in (before, after))
        # Pixel centers are whole numbers, so the left edge is at -0.5.
        expected = (old[:2] / old[2] + 0.5) * factors - 0.5
        np.testing.assert_allclose(new[:2] / new[2], expected, atol=1e-9)
    ours = geometry.scale_intrinsics(geometry.Intrinsics(*k[[0, 4, 2, 5]]), (480, 640), to_size)
    np.testing.assert_allclose(scaled_k[[0, 4, 2, 5]], ours)


def test_points_of_resized_depth():
    """A slanted wall, seen through both cameras, is the same wall."""
    wall = np.array([0.2, -0.1, 0.97])  # a point of it has wall @ point = 2

    def points(k, size):
        v, u = np.mgrid[: size[0], : size[1]]
        rays = np.stack([(u - k[2]) / k[0], (v - k[5]) / k[4], np.ones(size)], -1)
        return rays * (2 / (rays @ wall))[..., None]

    k = np.array([260.0, 0, 160, 0, 260, 120, 0, 0, 1])
    full = points(k, (240, 320))
    half_k, _ = images.scale_camera(k, np.zeros(12), (240, 320), (120, 160))
    half = points(half_k, (120, 160))
    centers = full.reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))  # of the pixels that became one
    np.testing.assert_allclose(half, centers, atol=1e-4)


def test_cameras_that_are_not_calibrated():
    k, p = images.scale_camera([0] * 9, [0.0] * 12, (480, 640), (240, 320))
    assert not k.any() and not p.any()
    assert not images.is_calibrated(k) and images.is_calibrated([1, 0, 0, 0, 1, 0, 0, 0, 1])


def info(width=640, height=480, binning=(0, 0), roi=(0, 0, 0, 0)):
    names = "x_offset", "y_offset", "width", "height"
    return SimpleNamespace(
        width=width,
        height=height,
        binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(**dict(zip(names, roi, strict=True))),
    )


def test_cameras_of_the_pictures():
    for one in (info(), info(binning=(1, 1)), info(roi=(0, 0, 640, 480))):
        images.check_camera(one, (480, 640))


@pytest.mark.parametrize(
    "other, sentence",
    [
        (info(320, 240), "the CameraInfo is for pictures of 320x240, and these are 640x480; give"),
        (info(binning=(2, 0)), "says that 2x1 pixels are binned, which is not supported"),
        (info(roi=(8, 4, 100, 50)), "has a region of interest (100x50 at 8, 4), which is not"),
        (info(roi=(0, 0, 100, 50)), "has a region of interest (100x50 at 0, 0), which is not"),
    ],
)
def test_cameras_of_other_pictures(other, sentence):
    with pytest.raises(ValueError) as raised:
        images.check_camera(other, (480, 640))
    assert sentence in str(raised.value)
