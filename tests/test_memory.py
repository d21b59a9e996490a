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
    for _ in range(n): [np.ones(600_000, np.uint8) for _ in range(50)]  # a batch's arrays
pool = ThreadPoolExecutor(1)
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
    batch = 50 * 600_000 / resource.getpagesize()
    assert faults[1] < batch < faults[0]


def test_other_libraries_are_left_alone(monkeypatch):
    def none(name):
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", none)
    keep_freed_memory()
