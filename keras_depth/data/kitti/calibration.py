"""Reads KITTI's calibration files: the rectified color cameras and the LiDAR's position.

| of | file | cameras | rectification | LiDAR |
|---|---|---|---|---|
| a date of raw | calib_cam_to_cam.txt, calib_velo_to_cam.txt | P_rect_02, 03 | R_rect_00 | R, T |
| a frame, stereo 2015 | calib_cam_to_cam/NNNNNN.txt | P_rect_02, 03 | | |
| a frame, stereo 2012 | calib/NNNNNN.txt | P2, P3 | | |
| a frame, object | calib/NNNNNN.txt | P2, P3 | R0_rect | Tr_velo_to_cam |
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_depth.data.reader import read_bytes
from keras_depth.data.text_files import lines
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics


class Calibration(NamedTuple):
    """Holds the rectified color cameras of a recording: "l" (left) and "r" (right).

    file: the file it was read from, for messages.
    left, right: float64 (3, 4), from metres in the frame of rectified camera 0 to homogeneous
        pixels; (0, 0) is the center of the top left pixel.
    lidar: float64 (4, 4), from metres in the LiDAR's frame to that of rectified camera 0; None if
        the files do not say.
    size: (height, width) of the images; None if the file does not say.
    """

    file: str
    left: np.ndarray
    right: np.ndarray
    lidar: np.ndarray | None = None
    size: tuple[int, int] | None = None

    def lidar_to_image(self, side: str = "l") -> np.ndarray:
        """Returns float64 (3, 4), from metres in the LiDAR's frame to homogeneous pixels."""
        if self.lidar is None:
            raise InputError(
                f"{self.file}: the calibration has no Tr_velo_to_cam, the position of the LiDAR; "
                "restore the file"
            )
        return self._projection(side) @ self.lidar

    def intrinsics(self, side: str = "l") -> Intrinsics:
        """Returns the intrinsics of one camera, in pixels of its full-size images."""
        camera = self._projection(side)
        fx, fy, cx, cy = camera[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()
        return Intrinsics(fx, fy, cx, cy)

    @property
    def focal_baseline(self) -> float:
        """The focal length in pixels, at full size, times the baseline in metres."""
        return float(self.left[0, 3] - self.right[0, 3])

    def _projection(self, side: str) -> np.ndarray:
        return {"l": self.left, "r": self.right}[side]


def read_calibration(cameras: str | Path, lidar: str | Path | None = None) -> Calibration:
    """Reads the calibration of a date of KITTI raw, or of a frame of the benchmarks.

    Args:
        cameras: calib_cam_to_cam.txt of a date, or a frame's own file.
        lidar: calib_velo_to_cam.txt of a date; a frame's own file has all.

    Raises:
        InputError: a file cannot be read, or a key is missing or damaged.
    """
    file = _File(cameras)
    raw = "P2" not in file and "P3" not in file
    left, right = (
        file.numbers(key, (3, 4)) for key in (("P_rect_02", "P_rect_03") if raw else ("P2", "P3"))
    )
    size = None
    if "S_rect_02" in file:
        width, height = file.numbers("S_rect_02", (2,))
        size = (int(height), int(width))
    if lidar is not None:
        placing = _File(lidar)
        rigid = np.hstack([placing.numbers("R", (3, 3)), placing.numbers("T", (3, 1))])
    elif "Tr_velo_to_cam" in file:
        rigid = file.numbers("Tr_velo_to_cam", (3, 4))
    else:
        return Calibration(str(cameras), left, right, size=size)
    turn, rectify = np.eye(4), np.eye(4)
    turn[:3] = rigid
    rectify[:3, :3] = file.numbers("R_rect_00" if raw else "R0_rect", (3, 3))
    return Calibration(str(cameras), left, right, rectify @ turn, size)


class _File:
    """Parses lines such as "P2: 7.2e+02 0 ..."; some hold dates instead of numbers."""

    def __init__(self, path: str | Path):
        self._path = path
        content = read_bytes(Path(path))
        split = (line.partition(":") for _, line in lines(content, str(path)))
        self._texts = {key.strip(): text for key, colon, text in split if colon}

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def numbers(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        if key not in self:
            raise InputError(f"{self._path}: the calibration has no {key}; restore the file")
        words = self._texts[key].split()
        try:
            numbers = np.array(words, np.float64)
        except ValueError:
            numbers = np.array([np.nan])
        if numbers.size != np.prod(shape) or not np.isfinite(numbers).all():
            raise InputError(
                f"{self._path}: {key} is {' '.join(words)[:60]!r}, not {np.prod(shape)} numbers; "
                "restore the file"
            )
        return numbers.reshape(shape)
