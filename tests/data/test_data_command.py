"""python -m keras_depth.data, as a user calls it."""

import importlib
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from keras_depth import command
from keras_depth.data import open_reader
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.images import to_uint8

ROOMS = ["--data", "rooms", "--set", "count=20", "--set", "size=[96, 128]", "--frames", "5"]


def call(*arguments):
    """Runs the command in this process; returns its exit code."""
    module = importlib.import_module("keras_depth.data.__main__")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            command.run(module.main)
    return exit.value.code


@pytest.fixture
def recording(tmp_path):
    """A folder of 12 frames, depth in 16-bit millimetres."""
    folder = tmp_path / "robot"
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    rooms = Rooms(12, (96, 128))
    for number in range(12):
        sample = rooms[number]
        millimetres = np.rint(1000 * sample["depth"]).astype(np.uint16)
        cv2.imwrite(str(folder / f"rgb/{number}.png"), to_uint8(sample["image"])[..., ::-1])
        cv2.imwrite(str(folder / f"depth/{number}.png"), millimetres)
    return folder


def test_help_shows_an_example():
    """And does not wait for TensorFlow."""
    code = (
        "import runpy, sys; sys.argv = ['x', '--help']\n"
        "try: runpy.run_module('keras_depth.data', run_name='__main__')\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "python -m keras_depth.data" in done.stdout and "example" in done.stdout
    assert "rooms, drives, nyu, kitti, folder, prepared" in " ".join(done.stdout.split())


def test_a_check_needs_no_tensorflow(tmp_path):
    code = (
        f"import runpy, sys; sys.argv = ['x', *{ROOMS}, '--output', {str(tmp_path / 'out')!r}]\n"
        "try: runpy.run_module('keras_depth.data', run_name='__main__')\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_clean_data_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(*ROOMS) == 0
    printed = capsys.readouterr().out
    assert "rendered rooms, train: 20 frames of 96x128" in printed
    assert "Nothing seems wrong." in printed
    assert "contact sheet: data_check/rooms/contact_sheet.png" in printed
    folder = tmp_path / "data_check" / "rooms"
    assert cv2.imread(str(folder / "contact_sheet.png")).shape[1] == 1600
    assert (folder / "report.md").read_text() in printed
    values = json.loads((folder / "report.json").read_text())
    assert values["findings"] == [] and values["options"] == {"count": 20, "size": [96, 128]}
    assert [split["read"] for split in values["splits"]] == [5, 5]


def test_findings(tmp_path, recording, capsys):
    (recording / "rgb" / "7.png").write_bytes(b"")
    out = tmp_path / "out"
    where = ["--data", "folder", "--data-dir", recording, "--output", out]
    assert call(*where, "--set", "units_per_metre=1", "--frames", "all") == 1
    printed = capsys.readouterr().out
    assert "these look like millimetres; give units_per_metre=1000" in printed
    assert f"{recording}/rgb/7.png: not a picture" in printed
    values = json.loads((out / "report.json").read_text())
    assert values["splits"][0]["unreadable"].keys() == {f"{recording}/rgb/7.png"}
    # As the reader itself names its option.
    assert call(*where, "--set", "data.units_per_metre=1000", "--frames", "0") == 1
    assert "millimetres" not in capsys.readouterr().out


def test_nothing_readable_has_no_sheet(tmp_path, recording, capsys):
    for picture in (recording / "rgb").iterdir():
        picture.write_bytes(b"")
    where = ["--data", "folder", "--data-dir", recording, "--output", tmp_path / "out"]
    assert call(*where, "--set", "units_per_metre=1000") == 1
    assert "contact sheet" not in capsys.readouterr().out
    assert not (tmp_path / "out" / "contact_sheet.png").exists()


def test_a_prepared_copy(tmp_path, recording, capsys):
    copy = tmp_path / "copy"
    arguments = [
        *("--data", "folder", "--data-dir", recording, "--set", "units_per_metre=1000"),
        *("--output", tmp_path / "out", "--prepare", copy, "--size", "24x32"),
    ]
    assert call(*arguments) == 0
    assert "Nothing seems wrong." in (printed := capsys.readouterr().out)
    (line,) = [line for line in printed.splitlines() if line.startswith("copy: ")]
    folder = line.removeprefix("copy: --data prepared --data-dir ")
    reader = open_reader("prepared", folder, "train")
    assert len(reader) == 11 and reader.stored(0)["depth"].shape == (24, 32)
    assert call("--data", "prepared", "--data-dir", folder, "--output", tmp_path / "two") == 0
    assert "prepared copy, 24x32, train: 11 frames" in capsys.readouterr().out


WRONG = {
    "no data": ([], "--data"),
    "unknown data": (["--data", "nyuu"], "unknown data set 'nyuu': did you mean 'nyu'?"),
    "no folder": (["--data", "kitti"], "--data-dir"),
    "missing folder": (["--data", "kitti", "--data-dir", "missing"], "missing: no such folder"),
    "empty folder": (["--data", "nyu", "--data-dir", "empty"], "nyu_depth_v2_labeled.mat"),
    "unknown option": (
        ["--data", "nyu", "--data-dir", "empty", "--set", "dept=raw"],
        "unknown option of nyu 'dept': did you mean 'depth'?",
    ),
    "no value": ([*ROOMS, "--set", "count"], "'count': write it as KEY=VALUE"),
    "not YAML": ([*ROOMS, "--set", "size=[1"], "'size=[1': '[1' is not a YAML value"),
    "frames": ([*ROOMS, "--frames", "some"], "'some': give a whole number of frames, or all"),
    "size": ([*ROOMS, "--size", "240"], "'240': give height x width, for example 240x320"),
    "output in a file": ([*ROOMS, "--output", "notes.txt/out"], "cannot be written"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("my notes")
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
