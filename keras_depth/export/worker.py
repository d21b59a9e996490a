"""python -m keras_depth.export.worker FOLDER PICTURES RESULT: runs an exported network, alone.

It is started by the export command: a process that has not seen the Keras model, nor the layers of
this package, computes depth with what was written.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

from keras_depth import command, memory
from keras_depth.predict import exported as runtimes

WARM_UP, REPEATS = 3, 20


def main() -> int:
    folder, pictures, result = map(Path, sys.argv[1:])
    exported = runtimes.load(folder)
    images = np.load(pictures)
    batch = exported.batch or len(images)
    if exported.batch is None:
        exported(images[:1])  # another number of pictures than what follows
    groups = [images[i : i + batch] for i in range(0, len(images), batch)]
    depth = np.concatenate([exported(group) for group in groups])
    np.savez(
        result,
        depth=depth,
        milliseconds=_milliseconds(exported, images[: exported.batch or 1]),
        memory=memory.peak() or 0,
    )
    return 0


def _milliseconds(exported: runtimes.Exported, images: np.ndarray) -> float:
    times = []
    for _ in range(WARM_UP + REPEATS):
        start = time.perf_counter()
        exported(images)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    command.run(main)
