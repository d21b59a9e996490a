"""Reads the depth files of a user's own recordings.

| file | holds |
|---|---|
| .png, .pgm, .tif of 16 bits | whole units, of which `units_per_metre` make a metre |
| .tif, .tiff of floating values | metres |
| .npy | metres, floating |
"""

import io
import threading
from pathlib import Path

import numpy as np

from keras_depth import depth_png
from keras_depth.data.reader import read_bytes
from keras_depth.errors import InputError
from keras_depth.listing import ending

# Python up to 3.11 parses a header as code, which fails in several threads (cpython issue 106905).
_HEADER_LOCK = threading.Lock()


def read_depth(file: Path, units: float | None) -> np.ndarray:
    """Reads a depth map: floating (h, w), metres.

    Args:
        file: of one of the endings above.
        units: units in a metre; None if that is not known.

    Raises:
        InputError: the file cannot be read, holds no depth, or its unit is not known.
    """
    content = read_bytes(file)
    if ending(file) == ".npy":
        return _decode_array(content, str(file))
    if ending(file) in (".tif", ".tiff"):
        stored = depth_png.decode_units(content, str(file))
        if stored.dtype.kind == "f":
            return stored
    if units is None:
        raise unknown_unit(file)
    return depth_png.decode(content, str(file), units)


def holds_metres(file: Path) -> bool:
    """Tells whether a depth file says itself that its values are metres.

    Raises:
        InputError: it cannot be read.
    """
    if ending(file) in (".tif", ".tiff"):
        return depth_png.decode_units(read_bytes(file), str(file)).dtype.kind == "f"
    return ending(file) == ".npy"


def unknown_unit(file: Path) -> InputError:
    """Returns the error for a depth picture of which nothing says what it stores for a metre."""
    return InputError(
        f"{file}: a depth picture does not tell its unit; say what it stores for one metre, 1000"
        " (millimetres), 5000 (TUM) or 256 (KITTI): train --set data.units_per_metre=1000,"
        " evaluate --data-option units_per_metre=1000"
    )


def _decode_array(content: bytes, name: str) -> np.ndarray:
    """Decodes an .npy file to (h, w) metres."""
    try:
        with _HEADER_LOCK:
            metres = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except ValueError:
        raise InputError(
            f"{name}: not an array that numpy.save wrote, or cut short; restore the file"
        ) from None
    if metres.dtype.kind != "f":
        raise InputError(
            f"{name}: the depth is stored as {metres.dtype}, where .npy holds metres as float; "
            "divide by its units and save it again"
        )
    return metres[..., 0] if metres.ndim == 3 and metres.shape[2] == 1 else metres
