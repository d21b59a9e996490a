"""python -m keras_depth.data, as a user calls it."""

import importlib
import json
import shlex
import shutil
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
    assert "rooms, drives, walks, nyu, kitti, folder, prepared" in " ".join(done.stdout.split())


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


def next_recipe(capsys):
    """The recipe that the printed next command trains."""
    last = capsys.readouterr().out.splitlines()[-1]
    words = shlex.split(last.removeprefix("next: python -m keras_depth.train "))
    train = importlib.import_module("keras_depth.train.__main__")
    return train.prepare(train.parse(words)).recipe


def test_the_next_command_trains_on_the_same_frames(tmp_path, recording, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--set", "units_per_metre=1000", "--set", "hold_out=0.2"]
    assert call("--data", "folder", "--data-dir", "robot", *options) == 0
    assert next_recipe(capsys).data == {
        **{"name": "folder", "dir": str(recording)},
        **{"units_per_metre": 1000, "hold_out": 0.2},
    }
    assert call(*ROOMS, "--set", "seed=3") == 0
    recipe = next_recipe(capsys)
    assert recipe.data["name"] == "rooms" and recipe.data["seed"] == 3
    assert "count" not in recipe.data, "as many as the recipe trains on"
    pairs = ["--set", "count=4", "--set", "size=[96, 312]", "--set", "stereo=true"]
    assert call("--data", "drives", *pairs) == 0
    assert next_recipe(capsys).architecture == "optidepthnet_vgg"


def test_after_findings_comes_a_look_at_them(tmp_path, recording, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("--data", "folder", "--data-dir", "robot", "--set", "units_per_metre=1") == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "next: look at data_check/folder/contact_sheet.png, and look up the findings in"
        " docs/troubleshooting.md; correct the data or its options, and check it again"
    )


def test_reports_of_two_data_sets_never_share_a_folder(tmp_path, recording, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    other = shutil.copytree(recording, tmp_path / "second" / "robot")

    def look(folder, *options):
        options = [
            word for option in ("units_per_metre=1000", *options) for word in ("--set", option)
        ]
        assert call("--data", "folder", "--data-dir", folder, *options) == 0
        report = capsys.readouterr().out.splitlines()[-2].removeprefix("report: ")
        values = json.loads((tmp_path / report).with_name("report.json").read_text())
        assert values["data_dir"] == str(tmp_path / folder)
        return report

    first, second = look("robot"), look("second/robot")
    assert first == "data_check/folder/report.md" and second != first
    assert second == "data_check/folder-robot/report.md"
    held = look(recording, "hold_out=0")
    assert held not in (first, second), "other frames of the same folder"
    # The same frames, however they are asked for, keep their place; and in either order.
    assert [look(other), look(recording), look("robot", "max_missing=0.1")] == [
        second,
        first,
        first,
    ]
    shutil.rmtree(tmp_path / "data_check" / "folder")
    assert look(other) == second
    # A folder of something else is left alone.
    (tmp_path / "data_check" / "folder").mkdir()
    (tmp_path / "data_check" / "folder" / "report.json").write_text("[1")
    assert look("robot").startswith("data_check/folder-robot-")
    assert (tmp_path / "data_check" / "folder" / "report.json").read_text() == "[1"


def test_the_report_of_another_data_set_is_not_replaced(tmp_path, recording, capsys):
    other = shutil.copytree(recording, tmp_path / "other")
    where = ["--set", "units_per_metre=1000", "--output", tmp_path / "report"]
    for _ in range(2):
        assert call("--data", "folder", "--data-dir", recording, *where) == 0
    before = (tmp_path / "report" / "report.json").read_bytes()
    capsys.readouterr()
    assert call("--data", "folder", "--data-dir", other, *where) == 2
    assert "report: holds the report of other frames; give --output" in capsys.readouterr().err
    assert (tmp_path / "report" / "report.json").read_bytes() == before


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
    assert printed.splitlines()[-1] == (
        "next: python -m keras_depth.train --arch lite_basic_interl_t --data prepared"
        f" --data-dir {folder} --set 'size=[24, 32]'"
    )
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
