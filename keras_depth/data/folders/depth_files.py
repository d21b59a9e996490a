"""Reads the depth files of a user's own recordings.

| file | holds |
|---|---|
| .png, .pgm, .tif of 16 bits | whole units; `units_per_metre` of them make a metre |
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

_TIFF = (".tif", ".tiff")
# Python up to 3.11 parses a header as code, which fails in several threads (cpython issue 106905).
_HEADER_LOCK = threading.Lock()


class NoUnit(InputError):
    """Says that nothing tells the unit of a depth picture, which is not damaged."""


def read_depth(file: Path, asked: float | None, usual: float | None) -> np.ndarray:
    """Reads a depth map: floating (h, w), metres. What a file names as its unit is believed.

    Args:
        file: of one of the endings above.
        asked: units in a metre, as the user says; None: nothing.
        usual: those of files that name none; None: others here do, so that each of them must.

    Raises:
        InputError: the file cannot be read, holds no depth, names another unit than the user, or
            its unit is not known.
    """
    content = read_bytes(file)
    if ending(file) == ".npy":
        return _decode_array(content, str(file))
    if ending(file) in _TIFF:
        stored = depth_png.decode_units(content, str(file))
        if stored.dtype.kind == "f":
            return stored
    depth_png.check_units(content, str(file), asked, "data.units_per_metre")
    units = depth_png.stored_units(content) or asked or usual
    if units is None:
        raise NoUnit(
            f"{file}: does not name its unit, where other depth files here do; if all store the"
            " same, say it with --set data.units_per_metre=1000, otherwise write them anew in one"
            " unit"
        )
    return depth_png.decode(content, str(file), units)


def find_units(file: Path, asked: float | None, usual: float | None) -> float | None:
    """Returns how many units of a depth file make a metre; None: it holds metres.

    Args:
        file: of one of the endings above.
        asked: what the user says.
        usual: what files of this layout have.

    Raises:
        InputError: the file cannot be read, says another unit than the user, or nothing says it.
    """
    content, name = read_bytes(file), str(file)
    if ending(file) == ".npy":
        return None
    if ending(file) in _TIFF and depth_png.decode_units(content, name).dtype.kind == "f":
        return None
    depth_png.check_units(content, name, asked, "data.units_per_metre")
    units = depth_png.stored_units(content) or asked or usual
    if units is None:
        depth_png.decode(content, name, depth_png.MILLIMETRES)  # 8 bits are no depth in any unit
        raise NoUnit(
            f"{file}: a depth picture does not tell its unit; say what it stores for one metre,"
            " 1000 (millimetres), 5000 (TUM) or 256 (KITTI): --set data.units_per_metre=1000"
        )
    return units


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
