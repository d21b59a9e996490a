"""Writes rendered drives in the layout of KITTI raw.

Tests read them, and commands can be tried on them before the real data set is there: folders, file
names and formats are the data set's, the frames are rendered.
"""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from keras_depth.data.rendered.drives import LEFT_FROM_GRAY, RECTIFIED, VELO_TO_GRAY, Drives
from keras_depth.errors import InputError, check_choice
from keras_depth.images import encode_jpeg, encode_png, to_uint8
from tests.helpers.files import write_file

# The reader looks for dates in 2011; KITTI was recorded in September and October of that year.
DATE = "2011_01_01"
_START = datetime(2011, 1, 1, 12)
_RATE = 10  # frames a second
_SUFFIXES = (".png", ".jpg")


def write_kitti(drives: Drives, folder: str | Path, suffix: str = ".png") -> Path:
    """Writes stereo images, LiDAR scans, time stamps and the calibration of `DATE`.

    Args:
        drives: the frames; drive 0 becomes <DATE>_drive_0001_sync, and so on.
        folder: is made if it is missing.
        suffix: of the images: ".png" as published, or ".jpg", to which many convert them.

    Returns:
        The folder, for `open_kitti` with list="all".

    Raises:
        InputError: the drives are not stereo, or the suffix is another one.
    """
    check_choice("image suffix", suffix, _SUFFIXES)
    if not drives.stereo:
        raise InputError("write_kitti: KITTI's recordings are stereo; give Drives(stereo=True)")
    folder = Path(folder)
    for index in range(len(drives)):
        drive, frame = divmod(index, drives.frames_per_drive)
        target = folder / DATE / f"{DATE}_drive_{drive + 1:04d}_sync"
        sample = drives[index]
        for camera, key in (("image_02", "image"), ("image_03", "right")):
            pixels = to_uint8(sample[key])
            content = encode_jpeg(pixels, 97) if suffix == ".jpg" else encode_png(pixels)
            write_file(target / camera / "data" / f"{frame:010d}{suffix}", content)
        scan = drives.lidar_scan(index).astype("<f4").tobytes()
        write_file(target / "velodyne_points" / "data" / f"{frame:010d}.bin", scan)
        if frame == 0:
            times = _times(drive, min(drives.frames_per_drive, len(drives) - index))
            for sensor in ("image_02", "image_03", "velodyne_points"):
                write_file(target / sensor / "timestamps.txt", times)
    write_file(folder / DATE / "calib_cam_to_cam.txt", _cameras(drives))
    write_file(folder / DATE / "calib_velo_to_cam.txt", _lidar())
    return folder


def _times(drive: int, frames: int) -> str:
    start = _START + timedelta(minutes=drive)
    stamps = (start + timedelta(seconds=frame / _RATE) for frame in range(frames))
    return "".join(f"{stamp:%Y-%m-%d %H:%M:%S.%f}000\n" for stamp in stamps)  # nanoseconds


def _cameras(drives: Drives) -> str:
    """Returns calib_cam_to_cam.txt: the left gray camera and the two color cameras.

    Images are rendered rectified, so there is no distortion, and no rotation between cameras.
    """
    fx, fy, cx, cy = drives.intrinsics
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    size = drives.size[::-1]
    left = np.array(LEFT_FROM_GRAY)
    right = left - (drives.focal_baseline / fx, 0, 0)
    text = f"calib_time: {_START:%d-%b-%Y %H:%M:%S}\ncorner_dist: {_numbers([0.0995])}\n"
    for name, shift in (("00", np.zeros(3)), ("02", left), ("03", right)):
        values = {
            "S": size,
            "K": matrix,
            "D": np.zeros(5),
            "R": np.eye(3),
            "T": RECTIFIED.T @ shift,
            "S_rect": size,
            "R_rect": RECTIFIED,
            "P_rect": matrix @ np.column_stack([np.eye(3), shift]),
        }
        text += "".join(f"{key}_{name}: {_numbers(value)}\n" for key, value in values.items())
    return text


def _lidar() -> str:
    """Returns calib_velo_to_cam.txt."""
    turn, shift, none = VELO_TO_GRAY[:, :3], VELO_TO_GRAY[:, 3], np.zeros(2)
    values = {"R": turn, "T": shift, "delta_f": none, "delta_c": none}
    text = f"calib_time: {_START:%d-%b-%Y %H:%M:%S}\n"
    return text + "".join(f"{key}: {_numbers(value)}\n" for key, value in values.items())


def _numbers(values) -> str:
    return " ".join(f"{value:.12e}" for value in np.ravel(values))
