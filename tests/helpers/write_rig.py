"""Writes rendered drives as recordings of one's own stereo rig: left/, right/, camera.yaml."""

from pathlib import Path

import numpy as np

from keras_depth import depth_png
from keras_depth.data.rendered.drives import Drives
from keras_depth.images import encode_png, to_uint8
from tests.helpers.files import write_file


def write_rig(drives: Drives, folder: Path, depth: bool = True) -> Path:
    """Writes each drive as a recording, and one camera.yaml for all.

    Args:
        drives: stereo frames; drive 0 becomes the folder 0, and so on.
        folder: is made if it is missing.
        depth: also write depth, in 1/256 m.

    Returns:
        The folder, for `open_folder`.
    """
    write_camera(folder, drives)
    for index in range(len(drives)):
        drive, number = divmod(index, drives.frames_per_drive)
        sample, target = drives[index], folder / str(drive)
        write_file(target / "left" / f"{number}.png", encode_png(to_uint8(sample["image"])))
        write_file(target / "right" / f"{number}.png", encode_png(to_uint8(sample["right"])))
        if depth:
            content = encode_png(depth_png.quantize(np.squeeze(sample["depth"]), depth_png.KITTI))
            write_file(target / "depth" / f"{number}.png", content)
    return folder


def write_camera(folder: Path, drives: Drives) -> None:
    """Writes the camera.yaml of rendered drives."""
    fx, _, cx, cy = drives.intrinsics
    text = f"focal_length: {fx}\nbaseline: {drives.focal_baseline / fx}\n"
    text += f"principal_point: [{cx}, {cy}]\nsize: {list(drives.size)}\n"
    write_file(folder / "camera.yaml", text)
