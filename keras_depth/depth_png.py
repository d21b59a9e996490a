"""Depth in 16-bit PNG files: whole units of a millimetre, or of KITTI's 1/256 m; 0 is no depth."""

import numpy as np

from keras_depth.errors import InputError
from keras_depth.geometry import measured
from keras_depth.images import decode_pixels, encode_png

# Units in a metre.
MILLIMETRES = 1000
KITTI = 256  # the KITTI benchmark's, steps of 3.9 mm

_LARGEST = 65535  # what 16 bits can hold


def farthest(units: float = MILLIMETRES) -> float:
    """Returns the largest depth that 16 bits can hold, in metres.

    Args:
        units: units in a metre, `MILLIMETRES` or `KITTI`.
    """
    return _LARGEST / units


def quantize(depth: np.ndarray, units: float = MILLIMETRES) -> np.ndarray:
    """Rounds depth to whole units: uint16 (H, W).

    Args:
        depth: floating (H, W), metres.
        units: units in a metre.

    Returns:
        0 where there is no depth, else 1 or more; what is farther than `farthest` becomes that.
    """
    there = measured(depth)
    rounded = np.rint(units * np.minimum(np.where(there, depth, 0), farthest(units)))
    return np.where(there, np.maximum(rounded, 1), 0).astype(np.uint16)


def encode(depth: np.ndarray, units: float = MILLIMETRES) -> bytes:
    """Encodes depth as the content of a PNG file; see `quantize`."""
    return encode_png(quantize(depth, units))


def decode(content: bytes, name: str, units: float) -> np.ndarray:
    """Decodes a 16-bit PNG file: float32 (H, W), metres, 0 = no depth.

    Args:
        content: the file's bytes.
        name: the file, for messages.
        units: units in a metre.

    Raises:
        InputError: the file is damaged, or holds no depth of 16 bits.
    """
    depth = decode_units(content, name)
    if depth.dtype != np.uint16:
        raise InputError(
            f"{name}: the depth is stored as {depth.dtype}, where this layout has uint16; "
            "an 8-bit copy has lost the metres: restore the file"
        )
    return depth.astype(np.float32) / np.float32(units)


def decode_units(content: bytes, name: str) -> np.ndarray:
    """Decodes a depth file of one channel to (H, W) in the integer type that it is stored in.

    Args:
        content: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: the file is damaged, or has several channels.
    """
    depth = decode_pixels(content, name)
    if depth.ndim != 2:
        raise InputError(
            f"{name}: a depth map has one channel, this picture has {depth.shape[2]}; "
            "it may be a color-mapped view: use the file with the measured values"
        )
    return depth
