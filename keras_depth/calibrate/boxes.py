"""Reads the boxes of a tape measure: parts of pictures whose depth was measured.

A box is a part of a picture, in pixels, and its depth in metres: `room.jpg:300,200,340,240=2.35`. A
file of boxes is CSV:

    picture,x0,y0,x1,y1,metres
    room.jpg,300,200,340,240,2.35

Pictures are named from the file's folder. Pixels count from the top left corner as a viewer shows
the picture; x1 and y1 are the first ones outside the box.
"""

import argparse
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_depth import command
from keras_depth.errors import InputError

_COLUMNS = ["picture", "x0", "y0", "x1", "y1", "metres"]


@dataclass(frozen=True)
class Box:
    """A part of a picture whose depth was measured.

    Attributes:
        picture: the file.
        pixels: x0, y0, x1, y1.
        metres: the measured depth.
    """

    picture: Path
    pixels: tuple[int, int, int, int]
    metres: float

    @property
    def name(self) -> str:
        return f"{self.picture.name}:{','.join(map(str, self.pixels))}"


def parse_box(text: str) -> Box:
    """Parses an argument PICTURE:X0,Y0,X1,Y1=METRES; a type for argparse."""
    found = re.fullmatch(r"(.+):(\d+),(\d+),(\d+),(\d+)=(.+)", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write it as PICTURE:X0,Y0,X1,Y1=METRES, for example"
            " room.jpg:300,200,340,240=2.35"
        )
    picture, *corners, metres = found.groups()
    x0, y0, x1, y1 = map(int, corners)
    return Box(Path(picture), (x0, y0, x1, y1), command.positive(metres))


def read_boxes(file: Path) -> list[Box]:
    """Reads a file of boxes.

    Raises:
        InputError: it cannot be read, or a line is no box.
    """
    try:
        lines = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{file}: cannot be read ({reason}); give a CSV file") from error
    header = ",".join(_COLUMNS)
    if not lines or [cell.strip() for cell in lines[0]] != _COLUMNS:
        raise InputError(f"{file}: its first line is not {header}; write it so")
    boxes = [_to_box(row, file, line) for line, row in enumerate(lines[1:], 2) if row]
    if not boxes:
        raise InputError(f"{file}: holds no measure; add lines of {header}")
    return boxes


def _to_box(row: Sequence[str], file: Path, line: int) -> Box:
    cells = [cell.strip() for cell in row]
    if len(cells) != len(_COLUMNS):
        raise InputError(f"{file}, line {line}: {len(cells)} values; write {','.join(_COLUMNS)}")
    picture, *corners, metres = cells
    try:
        return parse_box(f"{file.parent / picture}:{','.join(corners)}={metres}")
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{file}, line {line}: {error}") from error
