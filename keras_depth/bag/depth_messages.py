"""Reads depth of messages: Image as REP 118 has it, and image_transport's compressedDepth."""

from typing import Any

import cv2
import numpy as np

from keras_depth.bag.ros_images import DEPTH_ENCODINGS

_MILLIMETRES = 1000
_HEADER = 12  # bytes before the PNG of compressedDepth: a number for the format, and two floats
_PNG = b"\x89PNG"


def decode(message: Any) -> np.ndarray:
    """Returns the depth of an Image message: float32 (H, W), metres, 0 = none.

    Args:
        message: of encoding 32FC1 (metres) or 16UC1 (millimetres). Rows may be padded.

    Raises:
        ValueError: another encoding, or its size and its data disagree.
    """
    if message.encoding not in DEPTH_ENCODINGS:
        known = " and ".join(DEPTH_ENCODINGS)
        raise ValueError(f"depth of encoding {message.encoding!r} is not read; {known} are")
    kind = np.dtype("f4" if message.encoding == "32FC1" else "u2")
    kind = kind.newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = message.height, message.width, message.step
    data = np.frombuffer(message.data, np.uint8)
    if not height or not width or step < width * kind.itemsize or len(data) < height * step:
        raise ValueError(
            f"a depth map of {width}x{height} pixels has {len(data)} bytes of data in rows of"
            f" {step} bytes; {height * width * kind.itemsize} bytes are the least"
        )
    rows = data[: height * step].reshape(height, step)[:, : width * kind.itemsize]
    stored = np.ascontiguousarray(rows).view(kind)
    return _metres(stored, 1 if message.encoding == "32FC1" else _MILLIMETRES)


def decode_compressed(message: Any) -> np.ndarray:
    """Returns the depth of a CompressedImage message, compressedDepth or PNG; see `decode`.

    Raises:
        ValueError: it is no PNG of 16 bits, or damaged.
    """
    plain = "compressedDepth" not in message.format
    content = bytes(message.data[0 if plain else _HEADER :])
    if not content.startswith(_PNG):
        raise ValueError(
            f"depth of format {message.format!r} is not a PNG; record the depth topic itself, or"
            " set its compression to png"
        )
    stored = None
    if b"IEND" in content[-32:]:
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim != 2 or stored.dtype != np.uint16:
        raise ValueError(f"a depth map of format {message.format!r} is damaged")
    if plain or not message.format.startswith("32FC1"):
        return _metres(stored, _MILLIMETRES)
    # Its values are a / depth + b; a and b are in the header.
    a, b = np.frombuffer(bytes(message.data[4:_HEADER]), "<f4")
    with np.errstate(divide="ignore", invalid="ignore"):
        return _metres(np.where(stored > 0, a / (stored.astype(np.float32) - b), 0), 1)


def _metres(stored: np.ndarray, units: int) -> np.ndarray:
    metres = stored.astype(np.float32) / np.float32(units)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))
