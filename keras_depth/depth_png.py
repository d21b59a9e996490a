"""Depth in 16-bit PNG files: whole units of a millimetre, or of KITTI's 1/256 m; 0 is no depth.

A PNG does not tell a millimetre from 1/256 m, so the files of this package say it in a text chunk,
`units_per_metre`. Readers believe it.
"""

import io
import math

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from keras_depth.errors import InputError, check_positive
from keras_depth.geometry import measured
from keras_depth.images import decode_pixels

# Units in a metre.
MILLIMETRES = 1000
KITTI = 256  # the KITTI benchmark's, steps of 3.9 mm

_LARGEST = 65535  # what 16 bits can hold
_KEYWORD = "units_per_metre"


def farthest(units: float = MILLIMETRES) -> float:
    """Returns the largest depth that 16 bits can hold, in metres.

    Args:
        units: units in a metre, `MILLIMETRES` or `KITTI`.

    Raises:
        InputError: `units` is not a number above 0.
    """
    check_positive("units in a metre", units=units)
    return _LARGEST / units


def quantize(depth: np.ndarray, units: float = MILLIMETRES) -> np.ndarray:
    """Rounds depth to whole units: uint16 (H, W).

    Args:
        depth: floating (H, W), metres.
        units: units in a metre.

    Returns:
        0 where there is no depth, else 1 or more; what is farther than `farthest` becomes that.

    Raises:
        InputError: no array of numbers, or `units` is not a number above 0.
    """
    there = measured(depth)
    rounded = np.rint(units * np.minimum(np.where(there, depth, 0), farthest(units)))
    return np.where(there, np.maximum(rounded, 1), 0).astype(np.uint16)


def encode(depth: np.ndarray, units: float = MILLIMETRES) -> bytes:
    """Encodes depth as the content of a PNG file that names its unit; see `quantize`.

    Args:
        depth: floating (H, W) or (H, W, 1), metres.
        units: units in a metre.

    Raises:
        InputError: another shape, no pixel, or `units` is not a number above 0.
    """
    pixels = quantize(depth, units)
    if pixels.shape[2:] not in ((), (1,)) or pixels.ndim < 2 or not pixels.size:
        raise InputError(f"depth of shape {pixels.shape}: give one map, (H, W), with pixels")
    unit, content = PngInfo(), io.BytesIO()
    unit.add_text(_KEYWORD, f"{units:g}")
    # The fastest level; on depth its files are as small as the next ones' but for a tenth.
    image = Image.fromarray(pixels.reshape(pixels.shape[:2]))
    image.save(content, "PNG", pnginfo=unit, compress_level=1)
    return content.getvalue()


def stored_units(content: bytes) -> float | None:
    """Returns the units in a metre that a file names; None: it names none, or is no PNG."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            units = float(image.info.get(_KEYWORD, "nan"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):  # decoding says what it is
        return None
    return units if 0 < units < math.inf else None


def check_units(content: bytes, name: str, asked: float | None, option: str) -> None:
    """Raises InputError if a file names another unit than the user did with `option`."""
    stored = stored_units(content)
    if asked and stored and stored != asked:
        raise InputError(
            f"{name}: says itself that it stores {stored:g} units for one metre, and {option} says"
            f" {asked:g}; leave {option} out"
        )


def decode(content: bytes, name: str, units: float, asked: float | None = None) -> np.ndarray:
    """Decodes a 16-bit PNG file: float32 (H, W), metres, 0 = no depth.

    Args:
        content: the file's bytes.
        name: the file, for messages.
        units: units in a metre, unless the file names them itself.
        asked: units in a metre, whatever the file names.

    Raises:
        InputError: the file is damaged, or holds no depth of 16 bits.
    """
    depth = decode_units(content, name)
    if depth.dtype != np.uint16:
        raise InputError(
            f"{name}: the depth is stored as {depth.dtype}, where this layout has uint16; "
            "an 8-bit copy has lost the metres: restore the file"
        )
    return depth.astype(np.float32) / np.float32(asked or stored_units(content) or units)


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
