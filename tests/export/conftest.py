"""A run to export; and older TensorFlows, each in an environment of its own."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from keras_depth.export import exporter, parity
from keras_depth.export.request import Request
from tests.helpers.exporting import bright_is_far, run_in_this_process

# Which Pythons a TensorFlow's wheels are for, and what it needs besides to be importable today.
WHEELS = {
    "2.17.1": ("3.11", "3.12", "3.10", "3.9"),
    "2.12.1": ("3.11", "3.10", "3.9", "3.8"),
    "2.7.4": ("3.9", "3.8", "3.7"),
    "2.5.3": ("3.9", "3.8", "3.7", "3.6"),
}
# What a board has, without what these packages need for more than running a network. LiteRT's
# package of older Pythons has another name, and needs NumPy 1.
BARE = [
    *("--no-deps", "--no-compile", "opencv-python-headless", "onnxruntime"),
    "numpy<2; python_version < '3.10'",
    "numpy; python_version >= '3.10'",
    "tflite-runtime; python_version < '3.10'",
    "ai-edge-litert; python_version >= '3.10'",
]
NEEDS = {"2.7.4": ["protobuf<3.21", "numpy<1.24"], "2.5.3": ["protobuf<3.21", "numpy<1.20"]}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    bright_is_far().save(folder / "model.keras")
    return folder


@pytest.fixture
def here(monkeypatch):
    """Runs what was written in this process: a fresh one takes ten seconds."""
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Function of a format and options that returns the folder of `bright_is_far`, exported once.

    The folder is shared: copy it before something is written there.
    """
    run, folders = tmp_path_factory.mktemp("run"), {}
    bright_is_far().save(run / "model.keras")

    def folder_of(format, **options):
        key = (format, *options.items())
        if key not in folders:
            output = tmp_path_factory.mktemp(format)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(parity, "run_alone", run_in_this_process)
                request = Request(run / "model.keras", format, output, **options)
                folders[key] = exporter.export(request)[0].folder
        return folders[key]

    return folder_of


@pytest.fixture(scope="session")
def old_tensorflow():
    """Function of a version ("2.17.1") that returns the path of a Python that has it.

    A test is skipped where no Python is that its wheels are for.
    """

    def python_of(version):
        requirements = [f"tensorflow=={version}", *NEEDS.get(version, [])]
        return _make_environment(f"tensorflow-{version}", WHEELS[version], requirements)

    return python_of


@pytest.fixture(scope="session")
def bare_python():
    """Path of an old Python that has what a board has: NumPy, OpenCV and two runtimes."""
    return _make_environment("bare", ("3.8", "3.9", "3.10", "3.12", "3.11"), BARE)


def _make_environment(name, versions, requirements):
    """Returns the path of a Python of the first of the versions that is here, with packages.

    The first call installs them from PyPI, in a folder of `KERAS_DEPTH_ENVIRONMENTS` (default: of
    the folder of temporary files), where later calls find them.
    """
    default = Path(tempfile.gettempdir()) / "keras_depth_environments"
    root = Path(os.environ.get("KERAS_DEPTH_ENVIRONMENTS") or default)
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of pytest-xdist wait here
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, versions, requirements)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def _install(folder, versions, requirements):
    python = next((found for wanted in versions for found in _pythons(wanted)), None)
    if python is None:
        pytest.skip(f"{folder.name} needs Python {' or '.join(versions)}")
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)


def _pythons(version):
    """Yields this Python where it is of the version, then those in PATH, then pyenv's."""
    if version == "{}.{}".format(*sys.version_info):
        yield sys.executable
    in_path = shutil.which(f"python{version}")
    if in_path and subprocess.run([in_path, "--version"], capture_output=True).returncode == 0:
        yield in_path  # and no link of pyenv's to a version that is not chosen
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
