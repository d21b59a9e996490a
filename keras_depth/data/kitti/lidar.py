"""Reads LiDAR scans, and projects them to a sparse depth map."""

from pathlib import Path

import numpy as np

from keras_depth.data.reader import read_bytes
from keras_depth.errors import InputError, check_choice


def read_points(path: str | Path) -> np.ndarray:
    """Reads a velodyne .bin file.

    Returns:
        float32 (n, 4): x forward, y to the left, z up, in metres from the scanner; reflectance.

    Raises:
        InputError: the file cannot be read, is cut short, or holds NaN or infinity.
    """
    data = read_bytes(Path(path))
    if not data or len(data) % 16:
        raise InputError(
            f"{path}: {len(data)} bytes are no whole number of points of 16 bytes; copy it again"
        )
    points = np.frombuffer(data, "<f4").reshape(-1, 4)
    if not np.isfinite(points).all():
        raise InputError(f"{path}: the scan holds NaN or infinity; restore the file")
    return points


def depth_map(
    points: np.ndarray, projection: np.ndarray, size: tuple[int, int], value: str = "z"
) -> np.ndarray:
    """Projects a scan into an image; the nearest of several points on a pixel counts.

    Rounds to pixels as the published evaluations on KITTI do (monodepth's evaluation_utils.py).

    Args:
        points: float (n, 4), as `read_points` returns them.
        projection: float (3, 4), from metres in the scanner's frame to homogeneous pixels.
        size: (height, width) of the image.
        value: what to store: "z", the distance along the camera's axis, or "x", that along the
            scanner's axis, which the published scores on Eigen's test frames use.

    Returns:
        float32 (height, width), metres, 0 = no point.
    """
    check_choice("value of a depth map", value, ("x", "z"))
    height, width = size
    ahead = points.compress(points[:, 0] >= 0, axis=0).astype(np.float64)
    ahead[:, 3] = 1  # homogeneous, in place of the reflectance
    u, v, z = projection @ ahead.T
    z[z <= 0] = np.nan  # points between scanner and camera are outside every image, as NaN is
    # KITTI's pixels count from 0, but the published rounding follows its MATLAB code: from 1.
    column, row = np.rint(u / z) - 1, np.rint(v / z) - 1
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = (row[inside] * width + column[inside]).astype(np.intp)
    metres = z if value == "z" else ahead[:, 0]
    nearest = np.full(height * width, np.inf, np.float32)
    np.minimum.at(nearest, pixel, metres[inside].astype(np.float32))
    return np.where(np.isinf(nearest), np.float32(0), nearest).reshape(size)
