"""Lists of KITTI raw frames: which of them a published training or evaluation uses.

| list | splits | whose |
|---|---|---|
| eigen | train, validation, test | Eigen's 697 test frames; monodepth's 22,600 and 888 others |
| eigen_benchmark | test | the 652 of the 697 that have improved ground truth |
| eigen_zhou | train, validation, test | Zhou's: eigen without still frames, either camera |
| kitti | train, validation, test | monodepth's, for networks tested on KITTI stereo 2015 |
| optidepthnet_eigen | train, validation, test | drawn from eigen by `draw` |
| optidepthnet_kitti | train, validation | drawn from kitti by `draw` |

The eigen and the kitti lists must not be mixed: 330 test frames of eigen are in train of kitti.
The OptiDepthNet paper does not publish its 3,756 and 500 frames of 30 drives (section 4.1); ours
have its counts, not its frames.

A list is stored as `splits/kitti_<list>_<split>.csv`, and a user's own may look the same: a row
`2011_09_26,0002,l,69 54 42 7-9` is six frames of one drive's left camera, in this order. It is a
file of any name, or with splits a folder of train.csv, validation.csv and test.csv, or some of
them, such as the command of this module writes. Test lists keep the published order, because
published predictions do; the others are sorted. Only eigen_zhou names right cameras; a frame of
the other lists is also the stereo pair of its number.
"""

import argparse
import csv
import itertools
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_depth.data.reader import SPLITS
from keras_depth.errors import InputError, unknown_name

_EXAMPLES = """\
examples:
  # the frames of --data kitti, list=optidepthnet_kitti
  python -m keras_depth.data.kitti.lists --from kitti --output lists/
  # a tenth of them, from ten drives
  python -m keras_depth.data.kitti.lists --from kitti --drives 10 --train 376 --validation 50 \\
    --output lists/
  # and a training on them
  python -m keras_depth.train --arch lite_basic_interl_t --data kitti --data-dir ~/kitti \\
    --set data.list=lists/"""

_FOLDER = Path(__file__).parent
_COLUMNS = ["date", "drive", "side", "frames"]
_ROW = re.compile(
    r"(\d{4}_\d\d_\d\d),(\d{4}),([lr]),(\d{1,6}(?:-\d{1,6})?(?: \d{1,6}(?:-\d{1,6})?)*)"
)

_SPLITS = {
    "eigen": ["train", "validation", "test"],
    "eigen_benchmark": ["test"],
    "eigen_zhou": ["train", "validation", "test"],
    "kitti": ["train", "validation", "test"],
    "optidepthnet_eigen": ["train", "validation", "test"],
    "optidepthnet_kitti": ["train", "validation"],
}
_TESTED_ON_EIGEN = ("eigen_zhou", "optidepthnet_eigen")
# What to use for the splits that a list has not.
_INSTEAD = {
    "eigen_benchmark": "train with list=eigen_zhou",
    "optidepthnet_kitti": "test with list=stereo2015",
}
_UNANNOTATED = 5  # frames at either end of a drive have no annotated depth
# As published, the scanner's frames 177 to 180 of this drive are not there.
_SCANLESS = {("2011_09_26", 9): range(177, 181)}


class Frame(NamedTuple):
    """A picture of KITTI raw.

    date: "2011_09_26".
    drive: 48 for 2011_09_26_drive_0048_sync.
    side: "l" for image_02, the left colour camera, or "r" for image_03, the right one.
    number: 0 for 0000000000.png.
    """

    date: str
    drive: int
    side: str
    number: int


def names() -> list[str]:
    """Returns the lists that `load` knows."""
    return list(_SPLITS)


def splits(name: str) -> list[str]:
    """Returns which of "train", "validation" and "test" a list has.

    Args:
        name: one of `names()`, or a folder of csv files of your own, see this module.

    Raises:
        InputError: no such list, or none of the files in the folder.
    """
    if name in _SPLITS:
        return _SPLITS[name].copy()
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise unknown_name("KITTI list", name, _SPLITS)
    found = [split for split in SPLITS if (folder / f"{split}.csv").is_file()]
    if not found:
        raise InputError(
            f"{folder}: a folder of lists holds train.csv, validation.csv or test.csv, this one "
            "none of them; give the folder that does, or a csv file"
        )
    return found


def load(name: str | Path, split: str) -> list[Frame]:
    """Returns the frames of a list, in its order, each of them once.

    Args:
        name: one of `names()`, or a csv file or a folder of them of your own, see this module.
        split: "train", "validation" or "test"; without meaning for a file.

    Raises:
        InputError: an unknown list or split, or a file that is missing or damaged, or names a
            frame twice.
    """
    if str(name).endswith(".csv"):
        return _read(Path(name).expanduser())
    name = str(name)
    known = splits(name)
    if split not in SPLITS:
        raise unknown_name("split", split, known)
    if split not in known:
        instead = _INSTEAD.get(name, f"add {split}.csv to the folder")
        raise InputError(
            f"KITTI list {name} has no {split} frames, only {' and '.join(known)}: {instead}"
        )
    if name not in _SPLITS:
        return _read(Path(name).expanduser() / f"{split}.csv")
    if split == "test" and name in _TESTED_ON_EIGEN:
        name = "eigen"
    return _read(_FOLDER / f"{name}_{split}.csv")


def write(frames: Iterable[Frame], path: str | Path) -> None:
    """Writes frames, in their order, as a csv file that `load` reads."""
    with open(path, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for (date, drive, side), group in itertools.groupby(frames, lambda frame: frame[:3]):
            rows.writerow([date, f"{drive:04d}", side, _ranges(frame.number for frame in group)])


def drives() -> dict[tuple[str, int], int]:
    """Returns the number of stereo pairs of every drive of KITTI raw, by date and drive."""
    with open(_FOLDER / "drives.csv", newline="") as file:
        rows = csv.DictReader(file)
        return {(row["date"], int(row["drive"])): int(row["frames"]) for row in rows}


def with_depth(frames: Iterable[Frame], depth: str) -> list[Frame]:
    """Returns the frames that KITTI, wholly downloaded, has a depth of.

    Args:
        frames: of a list, in any order, which is kept.
        depth: "lidar" or "lidar_x", a scan; "annotated", a depth map of the depth benchmark; or
            "none", which every frame will do for.
    """
    if depth == "none":
        return list(frames)
    if depth != "annotated":
        return [f for f in frames if f.number not in _SCANLESS.get(f[:2], ())]
    lengths, ends = drives(), _UNANNOTATED
    return [f for f in frames if ends <= f.number < lengths.get(f[:2], math.inf) - ends]


def draw(
    lists: Mapping[str, Sequence[Frame]], keep: int, counts: Mapping[str, int], seed: int
) -> dict[str, list[Frame]]:
    """Draws smaller lists: some of the drives, and of each a share of its frames.

    The share is in proportion to the frames that the drive has in the list, rounded by largest
    remainders. The same arguments give the same lists with any version of Python.

    Args:
        lists: frames by split; the drives are those of "train".
        keep: how many drives to keep, in all splits the same ones.
        counts: how many frames to draw, by split.
        seed: of the random numbers.

    Returns:
        The drawn frames by split, sorted.

    Raises:
        InputError: there are not so many drives or frames, or a drive would go without a
            training frame.
    """
    # Only `random()` itself is promised to stay as it is: `sample` and `shuffle` are not.
    generator = random.Random(seed)

    def some(items: Iterable, count: int) -> list:
        return sorted(sorted(items), key=lambda _: generator.random())[:count]

    known = {frame[:2] for frame in lists["train"]}
    if not 0 < keep <= len(known):
        raise InputError(f"{keep} drives cannot be drawn: ask for 1 to {len(known)}")
    kept = sorted(some(known, keep))
    drawn = {}
    for split, count in counts.items():
        pools = {drive: [f for f in lists[split] if f[:2] == drive] for drive in kept}
        total = sum(map(len, pools.values()))
        if not 0 < count <= total:
            raise InputError(
                f"{count} {split} frames cannot be drawn: the {keep} drives of seed {seed} have "
                f"{total}; ask for 1 to {total}, or try another seed"
            )
        shares = _apportion([len(pool) for pool in pools.values()], count)
        if split == "train" and 0 in shares:
            raise InputError(
                f"{count} train frames are too few for {keep} drives: a short one would have "
                "none; ask for more frames or fewer drives"
            )
        drawn[split] = [
            frame
            for pool, share in zip(pools.values(), shares, strict=True)
            for frame in sorted(some(pool, share))
        ]
    return drawn


def _apportion(sizes: Sequence[int], count: int) -> list[int]:
    """Returns how many of `count` fall to each size: whole shares, then the largest remainders."""
    total = sum(sizes)
    shares = [count * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * sizes[i] % total))
    for i in by_remainder[: count - sum(shares)]:
        shares[i] += 1
    return shares


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
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"{path}: the list cannot be read ({reason}); give a csv file") from None
    header = ",".join(_COLUMNS)
    if not lines or lines[0] != header:
        raise InputError(f"{path}, line 1: a list of KITTI frames begins with {header}; add it")
    frames: dict[Frame, None] = {}  # a set that keeps their order
    for number, line in enumerate(lines[1:], 2):
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
                    f"{frame.drive:04d}, {frame.side} is named a second time; remove it"
                )
            frames[frame] = None
    if not frames:
        raise InputError(f"{path}: the list names no frame; add rows below the first line")
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


def main() -> int:
    arguments = _parser().parse_args()
    counts = {"train": arguments.train, "validation": arguments.validation}
    lists = {split: load(arguments.source, split) for split in counts}
    drawn = draw(lists, arguments.drives, counts, arguments.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for split, frames in drawn.items():
        path = arguments.output / f"{split}.csv"
        write(frames, path)
        print(f"{path}: {len(frames)} frames of {len({frame[:2] for frame in frames})} drives")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_depth.data.kitti.lists",
        description="Draws a training and a validation list from a longer pair of KITTI lists.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = [name for name in names() if "train" in splits(name)]
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        required=True,
        choices=sources,
        metavar="LIST",
        help=f"lists to draw from: {', '.join(sources)}",
    )
    add("--drives", type=int, default=30, metavar="N", help="drives to keep (30)")
    add("--train", type=int, default=3756, metavar="N", help="training frames (3756)")
    add("--validation", type=int, default=500, metavar="N", help="validation frames (500)")
    add("--seed", type=int, default=0, metavar="N", help="of the drawing (0)")
    add(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets train.csv and validation.csv",
    )
    return parser


if __name__ == "__main__":
    from keras_depth.command import run

    run(main)
