"""Draws a training and a validation list from a longer pair of KITTI lists.

The OptiDepthNet paper trains on 3,756 frames of 30 drives and validates on 500 (section 4.1), but
does not publish which. The defaults of this script draw as many: they wrote the lists
optidepthnet_eigen and optidepthnet_kitti of keras_depth/data/kitti/.
"""

import argparse
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from keras_depth.command import count, run
from keras_depth.data.kitti.lists import LISTS, Frame, load, splits, write
from keras_depth.errors import InputError
from keras_depth.files import make_folder

EXAMPLES = """\
examples:
  # the frames of --data kitti, list=optidepthnet_kitti
  python evaluation/draw_kitti_lists.py --from kitti --output lists/
  # a tenth of them, from ten drives
  python evaluation/draw_kitti_lists.py --from kitti --drives 10 --train 376 --validation 50 \\
    --output lists/
  # train on them
  python -m keras_depth.train --arch lite_basic_interl_t --data kitti --data-dir ~/kitti \\
    --set data.list=lists/"""


def main() -> int:
    arguments = parser().parse_args()
    counts = {"train": arguments.train, "validation": arguments.validation}
    lists = {split: load(arguments.source, split) for split in counts}
    drawn = draw(lists, arguments.drives, counts, arguments.seed)
    make_folder(arguments.output)
    for split, frames in drawn.items():
        path = arguments.output / f"{split}.csv"
        write(frames, path)
        print(f"{path}: {len(frames)} frames of {len({frame[:2] for frame in frames})} drives")
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = [name for name in LISTS if "train" in splits(name)]
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        required=True,
        choices=sources,
        metavar="LIST",
        help=f"lists to draw from: {', '.join(sources)}",
    )
    add("--drives", type=count, default=30, metavar="N", help="drives to keep (30)")
    add("--train", type=count, default=3756, metavar="N", help="training frames (3756)")
    add("--validation", type=count, default=500, metavar="N", help="validation frames (500)")
    add("--seed", type=int, default=0, metavar="N", help="seed of the drawing (0)")
    add(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for train.csv and validation.csv",
    )
    return parser


def draw(
    lists: Mapping[str, Sequence[Frame]], keep: int, counts: Mapping[str, int], seed: int
) -> dict[str, list[Frame]]:
    """Draws some of the drives, and from each of them a share of its frames.

    A drive's share is in proportion to the frames it has in the list, rounded by largest
    remainders. The same arguments give the same lists with any version of Python.

    Args:
        lists: frames by split. Drives are drawn among those of "train".
        keep: number of drives, the same ones in all splits.
        counts: number of frames to draw, by split.
        seed: seed of the random numbers.

    Returns:
        The drawn frames by split, sorted.

    Raises:
        InputError: there are fewer drives or frames, or a drive would get no training frame.
    """
    generator = random.Random(seed)
    known = {frame[:2] for frame in lists["train"]}
    if not 0 < keep <= len(known):
        raise InputError(f"{keep} drives cannot be drawn: ask for 1 to {len(known)}")
    drives = sorted(_sample(generator, known, keep))
    drawn = {}
    for split, wanted in counts.items():
        pools = [[frame for frame in lists[split] if frame[:2] == drive] for drive in drives]
        total = sum(map(len, pools))
        if not 0 < wanted <= total:
            raise InputError(
                f"{wanted} {split} frames cannot be drawn: the {keep} drives of seed {seed} have "
                f"{total}; ask for 1 to {total}, or try another seed"
            )
        shares = _apportion([len(pool) for pool in pools], wanted)
        if split == "train" and 0 in shares:
            raise InputError(
                f"{wanted} train frames are too few for {keep} drives: a short drive would get "
                "none; ask for more frames or fewer drives"
            )
        drawn[split] = [
            frame
            for pool, share in zip(pools, shares, strict=True)
            for frame in sorted(_sample(generator, pool, share))
        ]
    return drawn


def _sample(generator: random.Random, items: Iterable, size: int) -> list:
    # Python promises that random() stays the same; sample() and shuffle() have changed.
    return sorted(sorted(items), key=lambda _: generator.random())[:size]


def _apportion(sizes: Sequence[int], total: int) -> list[int]:
    """Splits a total in proportion to sizes: whole shares, then the largest remainders."""
    whole = sum(sizes)
    shares = [total * size // whole for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(total * sizes[i] % whole))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


if __name__ == "__main__":
    run(main)
