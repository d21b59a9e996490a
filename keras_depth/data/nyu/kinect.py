"""Decodes a raw recording of NYU Depth v2 and projects its depth into its image.

A recording holds the data of the Kinect's two cameras: r-<time>-<n>.ppm, the color image, and
d-<time>-<n>.pgm, the 11-bit disparity of the infrared camera. Both have lens distortion, and they
are taken at different times. Camera parameters and the formula for depth are those of the data
set's toolbox (Silberman et al., ECCV 2012).
"""

import re
from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
from scipy.spatial import KDTree

from keras_depth.errors import InputError

SIZE = (480, 640)

_COLOR = np.array(
    [
        [518.85790117450188, 0, 325.58244941119034],
        [0, 519.46961112127485, 253.73616633400465],
        [0, 0, 1],
    ]
)
_COLOR_LENS = np.array(  # k1 k2 p1 p2 k3
    [
        0.20796615318809061,
        -0.58613825163911781,
        0.00072231363135888329,
        0.0010479627195765181,
        0.49856986684705107,
    ]
)
_INFRARED = np.array(
    [
        [582.62448167737955, 0, 313.04475870804731],
        [0, 582.69103270988637, 238.44389626620386],
        [0, 0, 1],
    ]
)
_INFRARED_LENS = np.array(
    [
        -0.099897236553084481,
        0.39065324602765344,
        0.0019290592870229277,
        -0.0019422022475975055,
        -0.51031725053400578,
    ]
)
# Color camera = rotation^T infrared camera - translation. The toolbox has -rotation^T and
# +translation, i.e. the point mirrored at the camera, which falls on the same pixel.
_ROTATION = np.array(
    [
        [0.99997798940829263, 0.0050518419386157446, 0.0043011152014118693],
        [-0.0050359919480810989, 0.99998051861143999, -0.0036879781309514218],
        [-0.0043196624923060242, 0.0036662365748484798, 0.99998394948385538],
    ]
)
_TRANSLATION = np.array([0.025031875059141302, 0.00066238747008330102, -0.00029342312935846411])

_LIMIT = 10.0  # metres; one step of the disparity is 29 cm there, and the toolbox stops too
_NOT_MEASURED = 2047  # the largest of 11 bits
_APART = 0.1  # seconds; at 30 pictures a second, three of them were lost

_COLOR_FILE = re.compile(r"r-(\d+\.\d+)-\d+\.(?i:ppm)", re.ASCII)
_DEPTH_FILE = re.compile(r"d-(\d+\.\d+)-\d+\.(?i:pgm)", re.ASCII)


def pair(names: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs each depth file of a folder with the image nearest in time.

    Args:
        names: the folder's file names; only r-*.ppm and d-*.pgm count.

    Returns:
        (image, depth) in the order of time, and the depth files without an image within 0.1 s. An
        image may belong to two depth files, or to none.
    """
    pictures, depths = [], []
    for name in sorted(names):
        if match := _COLOR_FILE.fullmatch(name):
            pictures.append((float(match[1]), name))
        elif match := _DEPTH_FILE.fullmatch(name):
            depths.append((float(match[1]), name))
    if not pictures or not depths:
        return [], [name for _, name in depths]
    tree = KDTree([[time] for time, _ in pictures])
    _, nearest = tree.query([[time] for time, _ in depths], distance_upper_bound=_APART)
    pairs, alone = [], []
    for (_, depth), index in zip(depths, nearest, strict=True):
        # KDTree gives an index past the end where nothing is near enough.
        if index < len(pictures):
            pairs.append((pictures[index][1], depth))
        else:
            alone.append(depth)
    return pairs, alone


def decode_disparity(data: bytes, name: str) -> np.ndarray:
    """Decodes a d-*.pgm file to float32 (480, 640) metres, as the infrared camera saw them.

    The file is little-endian, but PGM is defined as big-endian: an image library would swap the
    bytes and return noise.

    Args:
        data: the file's content.
        name: the file, for messages.

    Returns:
        351.3 / (1092.5 - disparity) metres, 0 where nothing was measured or beyond 10 m.

    Raises:
        InputError: another size or type of file, a cut file, or values of more than 11 bits.
    """
    header = re.match(rb"P5\s+640\s+480\s+65535\s", data)
    if not header:
        raise InputError(
            f"{name}: not a 16-bit PGM of 640x480 as the Kinect's are; restore the file"
        )
    content = data[header.end() :]
    if len(content) != 2 * SIZE[0] * SIZE[1]:
        raise InputError(
            f"{name}: has {len(content)} bytes of depth where 640x480 take "
            f"{2 * SIZE[0] * SIZE[1]}; copy it again"
        )
    disparity = np.frombuffer(content, "<u2").reshape(SIZE)
    if disparity.max() > _NOT_MEASURED:
        raise InputError(
            f"{name}: holds {disparity.max()} where the Kinect's 11 bits end at 2047; it was "
            "written anew by another program (bytes swapped, or millimetres): restore the original"
        )
    measured = disparity < 1092.5 - 351.3 / _LIMIT
    return np.where(measured, 351.3 / np.where(measured, 1092.5 - disparity, 1), 0).astype("f4")


def align(rgb: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undistorts the image, and projects the depth into its camera.

    Args:
        rgb: uint8 (480, 640, 3), the image as stored.
        depth: float32 (480, 640), metres, of the infrared camera, as stored.

    Returns:
        uint8 (480, 640, 3), the undistorted image, white outside the stored one, as in the
        toolbox's frames; float32 (480, 640), metres along the color camera's axis, 0 = not
        measured.
    """
    undistorted = cv2.remap(
        rgb, *_undistortion_map(), interpolation=cv2.INTER_LINEAR, borderValue=(255, 255, 255)
    )
    flat = depth.reshape(-1)
    measured = flat > 0
    points = _rays()[measured] * flat[measured, None] - _TRANSLATION
    x, y = (points @ _COLOR[:2].T / points[:, 2:]).T
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (0 <= column) & (column < SIZE[1]) & (0 <= row) & (row < SIZE[0])
    projected = np.full(SIZE[0] * SIZE[1], np.inf)
    # The camera sees the nearest of several points on one pixel.
    np.minimum.at(projected, (row * SIZE[1] + column)[inside], points[inside, 2])
    projected[np.isinf(projected)] = 0
    return undistorted, projected.reshape(SIZE).astype(np.float32)


@cache
def _undistortion_map() -> tuple[np.ndarray, np.ndarray]:
    """Returns the place in the stored image of each pixel of the undistorted one."""
    return cv2.initUndistortRectifyMap(
        _COLOR, _COLOR_LENS, None, _COLOR, (SIZE[1], SIZE[0]), cv2.CV_32FC1
    )


@cache
def _rays() -> np.ndarray:
    """Returns the point at 1 m of each infrared pixel, along the axes of the color camera."""
    pixels = np.indices(SIZE)[::-1].reshape(2, -1).T.astype(np.float64)
    straight = cv2.undistortPoints(pixels[:, None], _INFRARED, _INFRARED_LENS)[:, 0]
    return np.c_[straight, np.ones(len(straight))] @ _ROTATION
