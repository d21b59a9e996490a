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
if {kept}: keep_freed_memory()
def work(n):
    for _ in range(n): np.ones((4, 1000, 1000), np.uint8), np.ones((7, 1000, 1000), np.uint8)
pool = ThreadPoolExecutor(1)  # a thread has a heap of its own, which is trimmed
pool.submit(work, 3).result()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
pool.submit(work, 50).result()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_pages_are_not_asked_for_again():
    faults = [
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(kept=kept)]))
        for kept in (False, True)
    ]
    page = resource.getpagesize()
    assert faults[1] < 5_000_000 / page < faults[0]


def test_other_libraries_are_left_alone(monkeypatch):
    def none(name):
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", none)
    keep_freed_memory()
