"""What a number depends on is asked once, and whichever OpenCV is installed is found."""

from importlib.metadata import PackageNotFoundError

import pytest

from keras_depth import environment as module
from keras_depth.environment import describe, devices, environment


@pytest.mark.parametrize("package", ["opencv-python", "opencv-python-headless"])
def test_either_opencv_is_recognised(monkeypatch, package):
    def version(name):
        if name.startswith("opencv") and name != package:
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(module, "version", version)
    found = environment.__wrapped__()["packages"]
    assert [name for name in found if name.startswith("opencv")] == [package]
    assert set(found.values()) == {"1.2.3"}


def test_it_is_asked_once(monkeypatch):
    first = environment()
    monkeypatch.setattr(module, "_commit", None)
    assert environment() is first


def test_descriptions():
    values = {
        "packages": {"tensorflow": "2.21.0", "keras": "3.15.0"},
        "devices": ["/device:CPU:0", "/device:GPU:0"],
    }
    assert describe(values) == "TensorFlow 2.21.0, Keras 3.15.0"
    assert devices(values) == "CPU:0, GPU:0"
