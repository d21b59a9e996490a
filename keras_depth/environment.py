"""The versions, commit and devices that a number depends on."""

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# The same code; the first lacks the window toolkit.
_OPENCV = ("opencv-python-headless", "opencv-python")


@cache
def environment() -> dict[str, Any]:
    """Returns the versions, commit and devices that a number depends on, in JSON's types."""
    import tensorflow as tf

    packages = ("keras_depth", "tensorflow", "keras", "numpy", _installed(_OPENCV))
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "commit": _commit(),
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
    }


def describe(environment: Mapping[str, Any]) -> str:
    """Returns the versions that matter most, such as "TensorFlow 2.21.0, Keras 3.15.1"."""
    packages = environment["packages"]
    return f"TensorFlow {packages['tensorflow']}, Keras {packages['keras']}"


def devices(environment: Mapping[str, Any]) -> str:
    """Returns the names of the devices, such as "CPU:0, GPU:0"."""
    return ", ".join(name.removeprefix("/device:") for name in environment["devices"])


def _installed(packages: tuple[str, ...]) -> str:
    """Returns the first of the packages that is installed; the first of all where none is."""
    return next((name for name in packages if _version(name) != _MISSING), packages[0])


_MISSING = "not installed as a package"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return _MISSING


def _commit() -> str:
    """Returns the git commit of this code, with "+changes" where files differ from it."""
    folder = Path(__file__).resolve().parent
    git = ["git", "-C", str(folder)]
    try:
        # If this package is installed inside another project, the commit would be that project's.
        tracked = [*git, "ls-files", "--error-unmatch", __file__]
        subprocess.run(tracked, capture_output=True, check=True)
        commit = subprocess.run(
            [*git, "describe", "--always", "--abbrev=40", "--dirty=+changes"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
    return commit.stdout.strip()
