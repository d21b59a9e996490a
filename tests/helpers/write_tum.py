"""Writes frames with poses as a recording in the layout of the TUM RGB-D benchmark.

rgb.txt, depth.txt   time file
groundtruth.txt      time tx ty tz qx qy qz qw, camera to world
rgb/, depth/         pictures; 16-bit depth, 1/5000 m
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_depth import depth_png
from keras_depth.data.reader import Sample
from keras_depth.images import encode_png, to_uint8
from keras_depth.map import trajectories
from tests.helpers.files import write_file

UNITS = 5000.0  # of a depth picture, for one metre: the benchmark's file formats


def write_tum(
    folder: Path, samples: Iterable[Sample], times: np.ndarray, poses: np.ndarray
) -> Path:
    """Writes frames as a recording.

    Args:
        folder: is made if it is missing.
        samples: frames, such as a single one of `Walks`.
        times, poses: of each frame, see `Walks`.

    Returns:
        The folder, for `open_folder`.
    """
    lists = {"rgb": "# time file\n", "depth": "# time file\n"}
    for time, sample in zip(times, samples, strict=True):
        pixels = to_uint8(sample["image"]), depth_png.quantize(sample["depth"], UNITS)
        for kind, picture in zip(lists, pixels, strict=True):
            file = f"{kind}/{time:.6f}.png"
            write_file(folder / file, encode_png(picture))
            lists[kind] += f"{time:.6f} {file}\n"
    for kind, text in lists.items():
        write_file(folder / f"{kind}.txt", text)
    trajectories.write(folder / "groundtruth.txt", trajectories.Trajectory(times, poses))
    return folder
