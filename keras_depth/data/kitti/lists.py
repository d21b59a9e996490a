"""Lists of KITTI raw frames: which of them a published training or evaluation uses.

| list | splits | whose |
|---|---|---|
| eigen | train, validation, test | Eigen's 697 test frames; monodepth's 22,600 and 888 others |
| eigen_benchmark | test | the 652 of the 697 that have improved ground truth |
| eigen_zhou | train, validation, test | Zhou's: eigen without still frames, either camera |
| kitti | train, validation, test | monodepth's, for networks tested on KITTI stereo 2015 |
| optidepthnet_eigen | train, validation, test | drawn from eigen |
| optidepthnet_kitti | train, validation | drawn from kitti |

The eigen and the kitti lists must not be mixed: 330 test frames of eigen are in train of kitti.
The OptiDepthNet paper does not publish its 3,756 and 500 frames of 30 drives (section 4.1); ours,
drawn by evaluation/draw_kitti_lists.py, have its counts, not its frames.

A list is stored beside this file as `<list>_<split>.csv`. Its row `2011_09_26,0002,l,69 54 42 7-9`
is six frames of one drive's left camera, in this order. A user's own list has the same form: one
csv file, or a folder with train.csv, validation.csv, test.csv or some of them. Test lists keep the
published order, because published predictions do; the others are sorted. Only eigen_zhou names
right cameras; a frame of the other lists is also the stereo pair of its number.
"""

import csv
import itertools
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from keras_depth.data.reader import SPLITS, NoSplit
from keras_depth.data.text_files import rows
from keras_depth.errors import InputError, unknown_name
from keras_depth.listing import ending, look, named
from keras_depth.registry import Registry

_FOLDER = Path(__file__).parent
_COLUMNS = ["date", "drive", "side", "frames"]
_ROW = re.compile(
    r"(\d{4}_\d\d_\d\d),(\d{4}),([lr]),(\d{1,6}(?:-\d{1,6})?(?: \d{1,6}(?:-\d{1,6})?)*)",
    re.ASCII,
)

LISTS: Registry[list[str]] = Registry("KITTI list", {
    "eigen": ["train", "validation", "test"],
    "eigen_benchmark": ["test"],
    "eigen_zhou": ["train", "validation", "test"],
    "kitti": ["train", "validation", "test"],
    "optidepthnet_eigen": ["train", "validation", "test"],
    "optidepthnet_kitti": ["train", "validation"],
})  # fmt: skip
_TESTED_ON_EIGEN = ("eigen_zhou", "optidepthnet_eigen")
# What to use where a list lacks a split.
_INSTEAD = {
    "eigen_benchmark": "train with list=eigen_zhou",
    "optidepthnet_kitti": "test with list=stereo2015",
}
_UNANNOTATED = 5  # frames at either end of a drive have no annotated depth
# As published, the scanner's frames 177 to 180 of this drive are not there.
_SCANLESS = {("2011_09_26", 9): range(177, 181)}


class Frame(NamedTuple):
    """Names an image of KITTI raw.

    date: "2011_09_26".
    drive: 48 for 2011_09_26_drive_0048_sync.
    side: "l" for image_02, the left color camera, or "r" for image_03, the right one.
    number: 0 for 0000000000.png.
    """

    date: str
    drive: int
    side: str
    number: int


def splits(name: str) -> list[str]:
    """Returns those of "train", "validation" and "test" that a list has.

    Args:
        name: one of `LISTS`, or a folder of your own csv files (see this module).

    Raises:
        InputError: there is no such list, or the folder has none of the files.
    """
    folder = Path(name).expanduser()
    if name in LISTS or not folder.is_dir():
        return LISTS[name].copy()
    there = _files(folder)
    found = [split for split in SPLITS if named(there, f"{split}.csv")]
    if not found:
        raise InputError(
            f"{folder}: this folder has no train.csv, validation.csv or test.csv; give a folder "
            "of lists, or a csv file"
        )
    return found


def load(name: str | Path, split: str) -> list[Frame]:
    """Returns the frames of a list, in its order, each of them once.

    Args:
        name: one of `LISTS`, or your own csv file, or a folder of them (see this module).
        split: "train", "validation" or "test"; ignored for a file.

    Raises:
        InputError: the list or the split is unknown, or its file is missing, damaged or names a
            frame twice.
    """
    if ending(name) == ".csv":
        return _read(Path(name).expanduser())
    name = str(name)
    known = splits(name)
    if split not in SPLITS:
        raise unknown_name("split", split, known)
    if split not in known:
        instead = _INSTEAD.get(name, f"add {split}.csv to the folder")
        raise NoSplit(
            f"KITTI list {name} has no {split} frames, only {' and '.join(known)}: {instead}"
        )
    if name not in LISTS:
        return _read(named(_files(Path(name).expanduser()), f"{split}.csv")[0])
    if split == "test" and name in _TESTED_ON_EIGEN:
        name = "eigen"
    return _read(_FOLDER / f"{name}_{split}.csv")


def _files(folder: Path) -> list[Path]:
    """Returns the files in a folder, and links to what is not there: reading them says so."""
    there = look(folder)
    return [*there.files, *there.lost]


def write(frames: Iterable[Frame], path: str | Path) -> None:
    """Writes frames, in their order, to a csv file that `load` reads."""
    with open(path, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for (date, drive, side), group in itertools.groupby(frames, lambda frame: frame[:3]):
            table.writerow([date, f"{drive:04d}", side, _ranges(frame.number for frame in group)])


def drives() -> dict[tuple[str, int], int]:
    """Returns the number of stereo pairs of every drive of KITTI raw, by date and drive."""
    with open(_FOLDER / "drives.csv", newline="") as file:
        table = csv.DictReader(file)
        return {(row["date"], int(row["drive"])): int(row["frames"]) for row in table}


def with_depth(frames: Iterable[Frame], depth: str) -> list[Frame]:
    """Returns the frames that a complete download of KITTI has depth for.

    Args:
        frames: frames of a list; their order is kept.
        depth: "lidar" or "lidar_x" (a scan), "annotated" (a depth map of the depth benchmark), or
            "none" (every frame is returned).
    """
    if depth == "none":
        return list(frames)
    if depth != "annotated":
        return [f for f in frames if f.number not in _SCANLESS.get(f[:2], ())]
    lengths, ends = drives(), _UNANNOTATED
    return [f for f in frames if ends <= f.number < lengths.get(f[:2], math.inf) - ends]


def _ranges(numbers: Iterable[int]) -> str:
    """Returns "5 7-9" for 5, 7, 8, 9."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


def _read(path: Path) -> list[Frame]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: the list cannot be read ({error.strerror}); give a csv file"
        ) from None
    found = iter(rows(content, str(path)))
    _, heading = next(found, (1, []))
    if [cell.lower() for cell in heading] != _COLUMNS:
        raise InputError(
            f"{path}, line 1: a list of KITTI frames starts with {','.join(_COLUMNS)}; add it"
        )
    frames: dict[Frame, None] = {}  # a set that keeps their order
    for number, cells in found:
        line = ",".join(cells)
        row = _parse(line)
        if not row:
            raise InputError(
                f"{path}, line {number}: {line[:60]!r} is not a row such as "
                "2011_09_26,0002,l,69 54 42 7-9; correct it"
            )
        for frame in row:
            if frame in frames:
                raise InputError(
                    f"{path}, line {number}: frame {frame.number} of {frame.date}, drive "
                    f"{frame.drive:04d}, {frame.side} is listed twice; remove one of them"
                )
            frames[frame] = None
    if not frames:
        raise InputError(f"{path}: the list has no frames; add rows below the first line")
    return list(frames)


def _parse(line: str) -> list[Frame]:
    """Returns the frames of a row, none if it is damaged."""
    match = _ROW.fullmatch(line)
    if not match:
        return []
    date, drive, side, ranges = match.groups()
    frames = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers:
            return []
        frames += [Frame(date, int(drive), side, number) for number in numbers]
    return frames
