"""What tests share: a quiet TensorFlow, real sample frames where there are any, and a PyTorch."""

import gc
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from pathlib import Path  # noqa: E402
from types import SimpleNamespace  # noqa: E402

import pytest  # noqa: E402


def pytest_collection_finish():
    """What is imported by now stays; the collector need not look at TensorFlow again and again."""
    gc.freeze()


@pytest.fixture
def networks_are_freed():
    """A network is a cycle of references: left to itself, Python keeps gigabytes of them."""
    yield
    gc.collect()


@pytest.fixture
def samples() -> Path:
    """Folder of real frames, in their data sets' own layouts; not shipped (non-commercial)."""
    folder = os.environ.get("KERAS_DEPTH_SAMPLES")
    if not folder:
        pytest.skip("KERAS_DEPTH_SAMPLES is not set to a folder of real NYU and KITTI frames")
    return Path(folder)


@pytest.fixture
def pytorch(monkeypatch):
    """PyTorch as far as it is used: a module whose `load` gives tensors, by file name."""
    files = {}

    def load(path, map_location, weights_only):
        assert map_location == "cpu" and weights_only, "a pickle may run any code"
        if path.name not in files:
            raise RuntimeError("invalid magic number\nand more")
        return {k: SimpleNamespace(numpy=lambda v=v: v) for k, v in files[path.name].items()}

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load, __spec__="PyTorch's"))
    return files
