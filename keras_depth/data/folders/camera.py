"""Reads and writes camera.yaml, the calibration of a recording's rectified pictures.

focal_length: 360.769              # pixels; [x, y] if they differ
baseline: 0.53273                  # metres from the left to the right camera; stereo rigs need it
principal_point: [304.53, 86.658]  # x, y in pixels; may be left out
size: [188, 621]                   # height, width of these pictures; may be left out
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from keras_depth.command import parse_yaml
from keras_depth.data.reader import read_bytes
from keras_depth.data.text_files import decode_text
from keras_depth.errors import InputError, check_choice, first_line
from keras_depth.files import write_text
from keras_depth.geometry import Intrinsics
from keras_depth.listing import look, named

FILE = "camera.yaml"
_NUMBERS = {
    "focal_length": "the focal length in pixels of the pictures",
    "baseline": "the distance of the two cameras in metres",
}
_PAIRS = {"principal_point": "[x, y] in pixels", "size": "[height, width] in pixels"}


class Camera(NamedTuple):
    """Holds what camera.yaml says.

    file: the file, for messages.
    focal_length: (x, y), pixels of the pictures as they are stored.
    baseline: metres; not a number if the file does not say.
    principal_point: (x, y) in pixels; None if the file does not say.
    size: (height, width) of the pictures; None if the file does not say.
    """

    file: Path
    focal_length: tuple[float, float]
    baseline: float = np.nan
    principal_point: tuple[float, float] | None = None
    size: tuple[float, float] | None = None

    @property
    def focal_baseline(self) -> float:
        """The focal length in pixels times the baseline in metres."""
        return self.focal_length[0] * self.baseline

    @property
    def intrinsics(self) -> Intrinsics | None:
        """The camera in pixels of the stored pictures; None if the principal point is not known."""
        return self.principal_point and Intrinsics(*self.focal_length, *self.principal_point)

    def check_size(self, picture: Path, size: tuple[int, int]) -> None:
        """Raises InputError if a picture of `size`, (height, width), is not this camera's."""
        if self.size not in (None, size):
            height, width = self.size or size
            raise InputError(
                f"{picture}: the picture is {size} but {self.file} is for ({height:g}, {width:g})"
                " (rows, columns); write the focal length and the size of the stored pictures"
            )
        x, y = self.principal_point or (0, 0)
        if x >= size[1] or y >= size[0]:
            raise InputError(
                f"{picture}: the picture is {size} (rows, columns), but the principal point in"
                f" {self.file} is outside it, at x={x:g}, y={y:g}; write the camera of the stored"
                " pictures"
            )


def find_camera(recording: Path, top: Path) -> Path:
    """Returns the camera.yaml of a recording: in its folder, or in the nearest one above.

    Args:
        recording: its folder, within `top` or `top` itself.
        top: the last folder to look in.

    Raises:
        InputError: there is none.
    """
    if file := look_for_camera(recording, top):
        return file
    raise InputError(
        f"{recording}: stereo pairs need a {FILE} here or in a folder above, up to {top}, with"
        " focal_length (pixels) and baseline (metres); write it, or read the left"
        " pictures and their depth alone: --set data.stereo=false"
    )


def look_for_camera(recording: Path, top: Path) -> Path | None:
    """Returns the camera.yaml of a recording as `find_camera` does; None: there is none."""
    above = [folder for folder in recording.parents if folder.is_relative_to(top)]
    for folder in (recording, *above):
        there = look(folder)
        if found := named((*there.files, *there.lost), FILE):
            return found[0]
    return None


def read_camera(file: Path, stereo: bool = True) -> Camera:
    """Reads a camera.yaml.

    Args:
        file: its path.
        stereo: the pictures are stereo pairs, whose baseline must be known.

    Raises:
        InputError: it cannot be read, a key is unknown or missing, or a value is no such number.
    """
    try:
        values = parse_yaml(decode_text(read_bytes(file), str(file)))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not a YAML file ({first_line(error)}); correct it") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: is not `key: value` lines; write focal_length and baseline")
    for key in values:
        check_choice(f"key in {file}", key, (*_NUMBERS, *_PAIRS))
    for key in _NUMBERS if stereo else ("focal_length",):
        if key not in values:
            raise InputError(f"{file}: lacks {key}, {_NUMBERS[key]}; add it")
    for key, value in values.items():
        if key in _PAIRS or (key == "focal_length" and isinstance(value, list)):
            meaning = _PAIRS.get(key, "[x, y] in pixels")
            if not isinstance(value, list) or len(value) != 2 or not all(map(_is_positive, value)):
                raise InputError(f"{file}: {key} is {value!r}; give {meaning}, two numbers above 0")
            values[key] = tuple(value)
        elif not _is_positive(value):
            raise InputError(f"{file}: {key} is {value!r}; give {_NUMBERS[key]}, a number above 0")
        elif key == "focal_length":
            values[key] = (value, value)
    return Camera(file, **values)


def write_camera(file: Path, intrinsics: Intrinsics, size: tuple[int, int]) -> None:
    """Writes the camera.yaml of pictures of `size`, (height, width).

    Raises:
        InputError: the file cannot be written.
    """
    fx, fy, cx, cy = (float(value) for value in intrinsics)
    write_text(
        file,
        f"focal_length: [{fx!r}, {fy!r}]  # x, y in pixels\n"
        f"principal_point: [{cx!r}, {cy!r}]  # x, y in pixels\n"
        f"size: [{size[0]}, {size[1]}]  # height, width\n",
    )


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < np.inf
