"""python -m keras_depth.export.stopwatch FOLDER BATCH: an exported network that runs when told.

For each line on stdin it computes the depth of the same pictures and answers with a line. At the
end of stdin it writes the most memory that it held, in bytes.
"""

import sys
from pathlib import Path

import numpy as np

from keras_depth import command, memory
from keras_depth.predict import exported as runtimes


def main() -> int:
    folder, batch = Path(sys.argv[1]), int(sys.argv[2])
    exported = runtimes.load(folder)
    images = np.random.default_rng(0).random((batch, *exported.input_size, 3), np.float32)
    if exported.dtype == "uint8":
        images = (255 * images).astype(np.uint8)
    for _ in sys.stdin:
        exported(images)
        print("done", flush=True)
    print(memory.peak() or 0, flush=True)
    return 0


if __name__ == "__main__":
    command.run(main)
