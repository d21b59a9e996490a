import ctypes
import resource
import subprocess
import sys

import pytest

from keras_depth.memory import keep_freed_memory

FAULTS = """
import resource
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from keras_depth.memory import keep_freed_memory
{before}
def work(n):
    for _ in range(n): [np.ones(600_000, np.uint8) for _ in range(80)]  # a batch's arrays
pool = ThreadPoolExecutor(1)
pool.submit(work, 3).result()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
pool.submit(work, 50).result()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
BATCH = 80 * 600_000 / resource.getpagesize()  # in pages

glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")


def faults(before: str) -> int:
    output = subprocess.check_output([sys.executable, "-c", FAULTS.format(before=before)])
    return int(output.split()[-1])


@glibc
def test_freed_pages_are_kept():
    assert faults("keep_freed_memory()") < BATCH < faults("")


@glibc
def test_a_dataset_does_not_return_freed_pages():
    # TensorFlow's op behind a Python generator lowers the limit for blocks that are returned.
    batches = """
keep_freed_memory()
from keras_depth.data import open_reader
from keras_depth.data.pipeline import evaluation_batches
frames = open_reader("rooms", None, "test", count=2, size=(32, 32))
assert len(list(evaluation_batches(frames, size=(32, 32), batch_size=1))) == 2
"""
    assert faults(batches) < BATCH


def test_other_libraries_are_left_alone(monkeypatch):
    def none(name):
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", none)
    keep_freed_memory()
