"""Reads the rectified pairs of Middlebury 2003 (Scharstein and Szeliski, CVPR 2003).

data_dir/cones/im2.png     the left picture
data_dir/cones/im6.png     the right one
data_dir/cones/disp2.png   disparity of the left one, 8 bits, 0 = unknown
"""

import os
from pathlib import Path

import numpy as np

from keras_depth.data.reader import (
    Reader,
    Sample,
    decode_depth,
    decode_rgb,
    make_sample,
    read_bytes,
)
from keras_depth.errors import InputError, unknown_name

_FILES = ("im2", "im6", "disp2")
_SUFFIXES = (".png", ".ppm", ".pgm")


def open_middlebury(
    data_dir: str | Path,
    split: str | None = None,
    *,
    focal_baseline: float | None = None,
    scale: float = 4.0,
) -> "MiddleburyReader":
    """Opens one scene of Middlebury 2003, or a folder of scenes.

    Args:
        data_dir: the scene's folder, or the folder that the scenes stand in.
        split: "test" or None, which are the same: there is nothing to train on.
        focal_baseline: focal length in pixels of these pictures times baseline in metres. The
            data set has no calibration; left out, depth is 1 / disparity in pixels.
        scale: stored values for one pixel of disparity: 4 in the quarter-size set, 2 in the half
            and 1 in the full one.

    Raises:
        InputError: no scene is found, or a number is not above 0.
    """
    path = Path(os.path.abspath(Path(data_dir).expanduser()))
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the folder that holds the scenes")
    if split not in (None, "test"):
        raise unknown_name("split", str(split), ("test",))
    for name, value in (("focal_baseline", focal_baseline), ("scale", scale)):
        if value is not None and not (isinstance(value, int | float) and 0 < value < np.inf):
            raise InputError(f"data.{name} is {value!r}; give a number above 0")
    return MiddleburyReader(path, focal_baseline, scale)


class MiddleburyReader(Reader):
    """Scenes as stereo samples; `open_middlebury` says what the arguments are."""

    def __init__(self, path: Path, focal_baseline: float | None, scale: float):
        self._path, self._scale = path, scale
        self._focal_baseline = 1.0 if focal_baseline is None else focal_baseline
        folders = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())]
        found = [[_file(folder, name) for name in _FILES] for folder in folders]
        self._scenes = [(im2, im6, disp2) for im2, im6, disp2 in found if im2 and im6 and disp2]
        self.missing = tuple(
            str(next(file for file in files if file))
            for files in found
            if any(files) and not all(files)
        )
        lacking = f"; scenes not whole: {', '.join(self.missing)}" if self.missing else ""
        if not self._scenes:
            raise InputError(
                f"{path}: no scene with im2, im6 and disp2 (.png, .ppm or .pgm) in it or in the "
                f"folders below{lacking}; give the folder of a scene, or of scenes"
            )
        metres = (
            "no metres: depth is 1 / disparity in pixels"
            if focal_baseline is None
            else f"focal length times baseline {focal_baseline:g} px m"
        )
        self.description = (
            f"Middlebury 2003: {len(self)} stereo pairs from {path}, {metres}{lacking}"
        )

    def __len__(self) -> int:
        return len(self._scenes)

    def stored(self, index: int) -> Sample:
        left, right, disparity = self._scenes[index]
        stored = decode_depth(read_bytes(disparity), str(disparity))
        if stored.dtype != np.uint8:
            raise InputError(
                f"{disparity}: the disparity is stored as {stored.dtype}, where Middlebury 2003 "
                "has 8 bits; restore the file"
            )
        measured = stored > 0
        return make_sample(
            decode_rgb(read_bytes(left), str(left)),
            np.where(
                measured, self._focal_baseline * self._scale / np.where(measured, stored, 1), 0
            ),
            str(left),
            decode_rgb(read_bytes(right), str(right)),
            self._focal_baseline,
        )

    def name(self, index: int) -> str:
        return str(self._scenes[index][0])

    def key(self, index: int) -> str:
        return self._scenes[index][0].relative_to(self._path).with_suffix("").as_posix()


def _file(folder: Path, stem: str) -> Path | None:
    files = (folder / f"{stem}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)
