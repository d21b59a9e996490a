"""The environment of the ROS 2 tests: a new one takes the old one's place only when it is whole."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "ros2" / "make_venv.sh"
# Stands in for Python: makes an environment with itself as its Python, whose pip does as told.
PYTHON = """#!/bin/sh
case "$2" in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip) {pip} ;;
*) echo Python 3.99 ;;
esac
"""
NO_WHEELS = "ERROR: No matching distribution: the requirement ros-jazzy-rclpy (from versions: none)"


def make(folder, pip):
    python = folder / "python"
    python.write_text(PYTHON.format(pip=pip))
    python.chmod(0o755)
    command = ["bash", str(SCRIPT), str(python), str(folder / "venv")]
    return subprocess.run(command, capture_output=True, text=True)


def old(folder):
    (folder / "venv").mkdir()
    (folder / "venv" / "installed").write_text("old")


@pytest.mark.parametrize("first", [False, True])
def test_a_new_one(tmp_path, first):
    if not first:
        old(tmp_path)
    done = make(tmp_path, "true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "venv" / "installed").read_text() == ""
    assert {path.name for path in tmp_path.iterdir()} == {"python", "venv"}


@pytest.mark.parametrize(
    "pip, status, said",
    [
        (f"echo '{NO_WHEELS}' >&2; exit 1", 0, "no ROS 2 to install: no wheels of it"),
        ("echo 'no space left' >&2; exit 1", 1, "no space left"),
        ("kill -TERM $PPID; sleep 0.1", 130, ""),
    ],
)
def test_none(tmp_path, pip, status, said):
    for kept in (False, True):
        if kept:
            (tmp_path / "venv").mkdir(exist_ok=True)
            (tmp_path / "venv" / "installed").write_text("old")
        done = make(tmp_path, pip)
        assert done.returncode == status and said in done.stdout + done.stderr
        assert ("venv stays as it was" in done.stdout) == kept
        assert ("so the node is not run" in done.stdout) == (not kept and status == 0)
        assert (tmp_path / "venv" / "installed").exists() == kept
        assert not (tmp_path / "venv.old").exists()
    assert (tmp_path / "venv" / "installed").read_text() == "old"
