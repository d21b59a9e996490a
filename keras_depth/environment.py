"""The versions, commit and devices that a number depends on; and the settings it must not."""

import io
import json
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import wrapt

from keras_depth.errors import InputError

# What a user may have set for other programs, in ~/.keras/keras.json or from Python. Networks,
# layers and losses of this package are written for these values.
_FLOATX = ("float16", "float32", "float64")  # which TensorFlow's own Keras knows
_KERAS = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7}

# The same code; the first lacks the window toolkit.
_OPENCV = ("opencv-python-headless", "opencv-python")


def choose_backend() -> None:
    """Sets the environment so that Keras uses TensorFlow, and TensorFlow logs errors only.

    Both read the environment on import, so call this first.

    Raises:
        InputError: KERAS_BACKEND is set to another backend, or Keras could not be imported with
            the settings in its keras.json.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    # Keras takes an empty one for none, too.
    backend = os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        raise InputError(
            f"KERAS_BACKEND={backend}: this suite's data pipeline, training loop and export need"
            " TensorFlow; unset KERAS_BACKEND or set it to tensorflow"
        )
    _check_keras_json()


def _check_keras_json() -> None:
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    file = Path(folder, "keras.json")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # Keras takes its defaults, too
        return
    if not isinstance(settings, dict) or settings.get("floatx", "float32") not in _FLOATX:
        raise InputError(
            f"{file}: TensorFlow cannot be imported with these settings; write"
            ' {"floatx": "float32"}, or delete the file'
        )


def set_keras_defaults() -> None:
    """Sets Keras's global settings to what this package is written for; warns of each change.

    With another `image_data_format` the same code would build another network, and with another
    `floatx` one of other numbers. `dtype_policy`, by which mixed precision is chosen, stays.
    """
    from keras import config

    for name, value in _KERAS.items():
        found = getattr(config, name)()
        if found != value:
            warnings.warn(
                f"Keras's {name} is {found}; keras_depth needs {value} and sets it for this"
                " process",
                stacklevel=3,
            )
            getattr(config, f"set_{name}")(value)


def ignore_settings_of_other_programs() -> None:
    """Keeps settings of the terminal, Matplotlib and the user from stopping a command.

    Call it before Matplotlib is imported, whose settings would change pictures too.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A path that is no UTF-8, or a terminal that has no δ.
            stream.reconfigure(errors="backslashreplace")
    if not os.path.isabs(os.path.expanduser("~")):  # a container's user without a passwd entry
        os.environ["HOME"] = "/nonexistent"  # some packages fail on import without one
    os.environ["MPLBACKEND"] = "agg"  # draws without a display; all figures are files
    wrapt.register_post_import_hook(lambda matplotlib: matplotlib.rcdefaults(), "matplotlib")


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
