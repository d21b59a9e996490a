"""Times odometry and fusion on a rendered walk, and takes the memory of a walk and of three.

python evaluation/benchmarks/map.py
"""

import argparse
import multiprocessing
import resource

import numpy as np

from keras_depth.data.rendered.walks import Walks
from keras_depth.images import to_uint8
from keras_depth.map.mapping import Mapper
from keras_depth.map.sequences import Frame
from keras_depth.markdown import table

COUNT = 240  # frames of a loop: the last is beside the first


def measure(size: tuple[int, int], loops: int) -> list[str]:
    """Maps a walk with its true depth, so many times over; returns a row."""
    walk = Walks(COUNT, size=size, split="test")
    mapper = Mapper(lambda frame: frame.depth, walk.intrinsics)
    for loop in range(loops):
        for i in range(COUNT):
            sample = walk.stored(i)
            frame = Frame(loop * COUNT + i, 0.0, to_uint8(sample["image"]), sample["depth"])
            mapper.add(frame)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    odometry, fusion = (np.array(mapper.milliseconds[part]) for part in ("odometry", "fusion"))
    total = (odometry.sum() + fusion.sum()) / mapper.frames
    return [
        f"{size[0]}x{size[1]}",
        str(mapper.frames),
        str(len(mapper.lost)),
        f"{np.median(odometry):.1f}",
        f"{np.percentile(odometry, 90):.1f}",
        f"{np.median(fusion):.1f}",
        f"{total:.1f}",
        f"{len(mapper.cloud.cloud()[0]):,}",
        f"{peak:.0f}",
    ]


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    header = ("picture", "frames", "lost", "odometry, ms", "90th percentile", "fusion, ms",
              "both, ms a frame", "points", "peak memory, MB")  # fmt: skip
    rows = []
    for size, loops in (((240, 320), 1), ((240, 320), 3), ((480, 640), 1)):
        # A process for each, whose peak is its own.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measure, (size, loops)))
    print("\n".join(table(header, rows, align="l" + 8 * "r")))


if __name__ == "__main__":
    main()
