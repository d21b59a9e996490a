"""Pictures, depth and cameras as ROS messages hold them.

Needs NumPy and OpenCV alone. A message is any object with the fields of ROS 1's or ROS 2's
`sensor_msgs`. A ValueError is one sentence, to which the caller adds the topic.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

DEPTH_ENCODINGS = ("32FC1", "16UC1")  # REP 118: metres, millimetres
_MOST_MILLIMETRES = 65535


class _Pixels(NamedTuple):
    """How an encoding stores a picture: bytes of a pixel, and OpenCV's way to RGB, if any."""

    channels: int
    to_rgb: int | None


# OpenCV names a Bayer pattern by the second row, from its second pixel on; ROS by the first row.
_ENCODINGS = {
    "rgb8": _Pixels(3, None),
    "bgr8": _Pixels(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Pixels(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Pixels(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Pixels(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Pixels(1, cv2.COLOR_GRAY2RGB),
    "8UC3": _Pixels(3, cv2.COLOR_BGR2RGB),  # has no order of its own; OpenCV's is BGR
    "yuyv": _Pixels(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422_yuy2": _Pixels(2, cv2.COLOR_YUV2RGB_YUY2),
    "uyvy": _Pixels(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": _Pixels(2, cv2.COLOR_YUV2RGB_UYVY),
    "bayer_rggb8": _Pixels(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Pixels(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Pixels(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Pixels(1, cv2.COLOR_BayerGB2RGB),
}
ENCODINGS = tuple(_ENCODINGS)


def decode_image(message: Any) -> np.ndarray:
    """Returns the picture of an Image message: uint8 RGB (H, W, 3); it may be read-only.

    Args:
        message: with `height`, `width`, `encoding`, `step` and `data`. Rows may be padded.

    Raises:
        ValueError: the encoding is not in `ENCODINGS`, or its size and its data disagree.
    """
    height, width, step = message.height, message.width, message.step
    if message.encoding not in _ENCODINGS:
        raise ValueError(
            f"pictures of encoding {message.encoding!r} cannot be used; these can:"
            f" {', '.join(ENCODINGS)}"
        )
    channels, to_rgb = _ENCODINGS[message.encoding]
    data = np.frombuffer(message.data, np.uint8)
    pairs = to_rgb in (cv2.COLOR_YUV2RGB_YUY2, cv2.COLOR_YUV2RGB_UYVY)
    bayer = message.encoding.startswith("bayer")
    least = (2, 2) if bayer else (1, 2) if pairs else (1, 1)
    if height < least[0] or width < least[1] or (pairs and width % 2):
        raise ValueError(
            f"a picture of {width}x{height} pixels is none that {message.encoding} can hold"
        )
    if step < width * channels:
        raise ValueError(
            f"a picture says that a row of {width} pixels of {message.encoding} has {step} bytes;"
            f" it has {width * channels} at least"
        )
    if len(data) < height * step:
        raise ValueError(
            f"a picture of {width}x{height} pixels has {len(data)} bytes of data;"
            f" {height} rows of {step} bytes are {height * step}"
        )
    rows = data[: height * step].reshape(height, step)[:, : width * channels]
    pixels = rows.reshape(height, width, channels)
    return pixels if to_rgb is None else cv2.cvtColor(pixels, to_rgb)


def decode_compressed(message: Any) -> np.ndarray:
    """Returns the picture of a CompressedImage message: uint8 RGB (H, W, 3).

    It is not turned by EXIF data, so that the camera's CameraInfo fits it.

    Args:
        message: with `format`, such as "jpeg" or "rgb8; jpeg compressed bgr8", and `data`.

    Raises:
        ValueError: the data are cut short, no picture that OpenCV decodes, or not of 8 bits, as
            those of compressedDepth.
    """
    data = np.frombuffer(message.data, np.uint8)
    content = data.tobytes()
    if not _is_whole(content):
        raise ValueError(f"a compressed picture is cut short ({len(content)} bytes)")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError(
            f"a compressed picture of format {message.format!r} ({len(content)} bytes) cannot be"
            " decoded; jpeg and png can"
        )
    if pixels.dtype != np.uint8:
        raise ValueError(
            f"a compressed picture of format {message.format!r} has {pixels.dtype} values, as depth"
            " has; give the color pictures"
        )
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    to_rgb = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(pixels, to_rgb)


def _is_whole(content: bytes) -> bool:
    """Tells whether JPEG or PNG has its end; OpenCV would fill what is missing with gray."""
    if content.startswith(b"\x89PNG"):
        return b"IEND" in content[-32:]
    if content.startswith(b"\xff\xd8"):
        return 0 <= content.rfind(b"\xff\xda") < content.rfind(b"\xff\xd9")
    return True


def encode_depth(depth: np.ndarray, encoding: str, max_depth: float = np.inf) -> np.ndarray:
    """Returns depth as the pixels of an Image message, little-endian, rows without padding.

    | | no depth | beyond max_depth |
    |---|---|---|
    | 32FC1, metres | NaN | +inf |
    | 16UC1, millimetres | 0 | 0, and from 65.536 m on |

    Args:
        depth: (H, W), metres; no depth where it is NaN, 0 or less.
        encoding: one of `DEPTH_ENCODINGS`.
        max_depth: metres.

    Returns:
        float32 or uint16 (H, W), C-contiguous: its bytes are the message's `data`.
    """
    depth = np.asarray(depth, np.float32)
    none, beyond = ~(depth > 0), depth > max_depth  # NaN is not above 0
    if encoding == "32FC1":
        metres = np.where(none, np.float32(np.nan), depth)
        return np.where(beyond, np.float32(np.inf), metres).astype("<f4", copy=False)
    with np.errstate(over="ignore"):  # of 3e38 metres
        millimetres = np.rint(np.where(none | beyond, np.float32(0), depth) * np.float32(1000))
    return np.where(millimetres > _MOST_MILLIMETRES, 0, millimetres).astype("<u2")


def check_camera(info: Any, size: tuple[int, int]) -> None:
    """Checks that a CameraInfo message describes the pictures as they are.

    Args:
        info: with `height`, `width`, `binning_x`, `binning_y` and `roi`.
        size: (height, width) of the pictures.

    Raises:
        ValueError: it is of another size, or of a camera that bins pixels or cuts a region out.
    """
    if (info.height, info.width) != tuple(size):
        raise ValueError(
            f"the CameraInfo is for pictures of {info.width}x{info.height}, and these are"
            f" {size[1]}x{size[0]}; give the one that the camera driver sends with them"
        )
    if info.binning_x > 1 or info.binning_y > 1:
        raise ValueError(
            f"the CameraInfo says that {max(info.binning_x, 1)}x{max(info.binning_y, 1)} pixels are"
            " binned, which is not supported; turn binning off, or calibrate the binned pictures"
        )
    roi = info.roi
    whole = (0, 0), (info.height, info.width)  # zeros, too, are the whole picture
    if (roi.x_offset, roi.y_offset) != (0, 0) or (roi.height, roi.width) not in whole:
        raise ValueError(
            f"the CameraInfo has a region of interest ({roi.width}x{roi.height} at"
            f" {roi.x_offset}, {roi.y_offset}), which is not supported; turn it off, or calibrate"
            " the pictures of the region"
        )


def is_calibrated(k: Any) -> bool:
    """Tells whether K of a CameraInfo message, 9 numbers, is of a calibrated camera."""
    return bool(np.asarray(k, np.float64).reshape(9)[0] != 0)


def scale_camera(
    k: Any, p: Any, from_size: tuple[int, int], to_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns K and P of a CameraInfo message for its pictures after a resize.

    Distortion (D) and rectification (R) stay as they are: they know no pixels.

    Args:
        k, p: row by row, 9 and 12 numbers. Zeros, of a camera that is not calibrated, are kept.
        from_size, to_size: (height, width) of the pictures before and after.

    Returns:
        float64 (9,) and (12,).
    """
    y, x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    # A resize keeps the edges in place, half a pixel outside the centers: (c + 0.5) * s - 0.5.
    resize = np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])
    scaled = []
    for matrix in (k, p):
        rows = np.asarray(matrix, np.float64).reshape(3, -1)
        scaled.append((resize @ rows if rows[0, 0] else rows.copy()).reshape(-1))
    return scaled[0], scaled[1]
