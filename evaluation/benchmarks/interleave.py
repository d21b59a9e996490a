"""Times the interleave op on the CPU beside the operators it replaces, and beside a plain copy.

Each row is one run in which the candidates take turns; times are medians.
custom_ops/interleave/benchmark.cu times the GPU's kernel.
"""

import argparse
import functools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_depth.command import count, run
from keras_depth.errors import InputError

# Height, width and channels of each of the four maps, for the five up-convolutions of a 480x640
# image's decoder; the last gives the full resolution.
DECODER = [(15, 20, 512), (30, 40, 256), (60, 80, 128), (120, 160, 64), (240, 320, 32)]

NOTES = """\
Milliseconds, float32, {threads} threads, TensorFlow {version}: medians of {rounds} rounds in which
the candidates take turns. All but the last are a `tf.function` that returns a new tensor.

- op: `Interleave`. concat + d2s: `depth_to_space(concat)`. Laina: stack and reshape, for the
  columns of each pair of maps and then for the rows.
- copy: TensorFlow's own copy of as many bytes (`DeepCopy`), by the same threads, into memory from
  the same allocator. It uses ordinary stores; the op, above 16 MB, stores past the caches.
- copy, one target: NumPy's copy of as many bytes, by as many threads, into the same memory each
  time: no allocation, no TensorFlow.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: python evaluation/benchmarks/interleave.py --output interleave.md",
    )
    parser.add_argument(
        "--rounds", type=count, default=25, help="rounds that each median is of (25)"
    )
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    options = parser.parse_args()

    import tensorflow as tf

    from keras_depth.layers.interleave import custom_op_available

    if not custom_op_available():
        raise InputError("the interleave op is not built: run `python -m keras_depth.build_ops`")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    names = ["op", "concat + d2s", "Laina", "copy", "copy, one target"]
    columns = ["four maps", "result, MB", *names, "op / copy", "concat + d2s / op", "Laina / op"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    print("\n".join(lines))
    with tf.device("/CPU:0"), ThreadPoolExecutor(threads) as pool:
        for batch in (1, 8):
            for shape in DECODER:
                lines.append(_row((batch, *shape), pool, threads, options.rounds))
                print(lines[-1], flush=True)
    notes = NOTES.format(threads=threads, version=tf.__version__, rounds=options.rounds)
    print("\n" + notes)
    if options.output:
        options.output.write_text("\n".join([*lines, "", notes]))


def _row(shape: tuple[int, ...], pool: ThreadPoolExecutor, threads: int, rounds: int) -> str:
    """Measures one shape; returns its row of the table."""
    import numpy as np
    import tensorflow as tf

    from keras_depth.layers.interleave import interleave

    batch, height, width, channels = shape
    maps = [tf.random.normal(shape) for _ in range(4)]
    large = tf.random.normal((batch, 2 * height, 2 * width, channels))

    def laina(a, b, c, d):
        even, odd = (
            tf.reshape(tf.stack(pair, axis=3), (batch, height, 2 * width, channels))
            for pair in ((a, b), (c, d))
        )
        return tf.reshape(tf.stack([even, odd], axis=2), large.shape)

    source = np.array(large).reshape(-1)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    def copy_one_target():
        list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), parts))

    graphs: list[Callable] = [
        tf.function(interleave),
        tf.function(lambda *four: tf.nn.depth_to_space(tf.concat(four, axis=-1), 2)),
        tf.function(laina),
    ]
    results = [graph(*maps).numpy() for graph in graphs]
    if not all(np.array_equal(results[0], result) for result in results[1:]):
        raise AssertionError(f"the candidates disagree at {shape}")
    del results
    copy = tf.function(lambda x: tf.raw_ops.DeepCopy(x=x))
    calls = [functools.partial(graph, *maps) for graph in graphs]
    times = _medians([*calls, functools.partial(copy, large), copy_one_target], rounds)
    op, d2s, stacked, copied, _ = times
    cells = ["x".join(map(str, shape)), f"{large.shape.num_elements() * 4e-6:.1f}"]
    cells += [f"{1e3 * seconds:.2f}" for seconds in times]
    cells += [f"{ratio:.2f}" for ratio in (op / copied, d2s / op, stacked / op)]
    return "| " + " | ".join(cells) + " |"


def _medians(calls: list[Callable], rounds: int) -> list[float]:
    """Returns the median seconds of each call; the calls take turns, after two warm-up rounds."""
    import numpy as np

    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 2):
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            result = call()
            seconds.append(time.perf_counter() - start)
            del result  # frees its memory before the next candidate's turn
    return [float(np.median(seconds[2:])) for seconds in times]


if __name__ == "__main__":
    run(main)
