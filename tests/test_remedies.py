"""Each remedy works: what an error says to type is typed, and the error is gone."""

import re

import numpy as np
import pytest

from keras_depth import depth_png
from keras_depth.data import __main__ as data
from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.evaluate import __main__ as evaluate
from keras_depth.images import encode_png, resize, to_uint8
from keras_depth.train import __main__ as train
from tests.helpers.commands import call
from tests.helpers.files import write_file
from tests.helpers.tiny import stand_in
from tests.helpers.write_nyu import write_layout
from tests.helpers.write_rig import write_rig

SIZE = (32, 48)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder with recordings of every kind of fault."""
    monkeypatch.chdir(tmp_path)
    stand_in(monkeypatch, "lite_basic_interl_t")
    return tmp_path


@pytest.fixture(scope="module")
def rooms():
    return [(to_uint8(room["image"]), room["depth"]) for room in Rooms(6, SIZE)]


def record(folder, rooms, size=SIZE, depths=6):
    """Writes a recording of millimetres, whose files do not name their unit."""
    for index, (rgb, metres) in enumerate(rooms):
        write_file(folder / f"rgb/{index}.png", encode_png(resize(rgb, size)))
        if index < depths:
            write_file(folder / f"depth/{index}.png", encode_png(depth_png.quantize(metres)))


TRAIN = [
    *("--arch", "lite_basic_interl_t", "--weights", "none", "--epochs", "1", "--batch-size", "1"),
    *("--set", "size=[32, 48]", "--set", "augmentation={}", "--output", "run"),
]
MILLIMETRES = ("--set", "data.units_per_metre=1000")


def arguments_of(command):
    """The arguments with which a command reads a data set."""
    if command is train:
        return TRAIN
    if command is data:
        return ["--output", "check"]
    return ["--predictions", "maps.npy", "--output", "report"]


def follow(command, arguments, capsys, message):
    """Runs a command that fails, and again with what its message says to type."""
    code = call(command, arguments)
    said = capsys.readouterr().err
    assert code == 2 and re.search(message, said), said
    remedies = re.findall(r"--[\w-]+[ =][\w.=]+", said)
    assert remedies, said
    for remedy in remedies:  # where there are several, each alone
        code = call(command, [*arguments, *remedy.split()])
        again = capsys.readouterr().err
        assert not re.search(message, again), again
        # `data` leaves with 1 where it finds something else.
        assert code in ((0, 1) if command is data else (0,)), again


EVERY_COMMAND = pytest.mark.parametrize(
    "command", [train, data, evaluate], ids=lambda c: c.__name__
)


@EVERY_COMMAND
def test_a_unit_that_is_not_given(here, rooms, capsys, command):
    record(here / "robot", rooms)
    np.save("maps.npy", np.ones((6, *SIZE), np.float32))
    given = [*arguments_of(command), "--data", "folder", "--data-dir", "robot"]
    follow(command, given, capsys, "does not tell its unit")


@pytest.mark.parametrize("command", [train, evaluate], ids=lambda command: command.__name__)
def test_depth_of_another_size(here, rooms, capsys, command):
    """As ScanNet and phones store it; `data` lists such frames among its findings."""
    record(here / "robot", rooms, size=(64, 96))
    np.save("maps.npy", np.ones((6, *SIZE), np.float32))
    given = [*arguments_of(command), "--data", "folder", "--data-dir", "robot", *MILLIMETRES]
    follow(command, given, capsys, "but its depth .*align")


@pytest.mark.parametrize("command", [train, evaluate], ids=lambda command: command.__name__)
def test_frames_that_are_missing(here, rooms, capsys, command):
    record(here / "robot", rooms, depths=4)
    np.save("maps.npy", np.ones((4, *SIZE), np.float32))
    given = [*arguments_of(command), "--data", "folder", "--data-dir", "robot", *MILLIMETRES]
    follow(command, given, capsys, "2 of 6 frames .* are without all their files")


@EVERY_COMMAND
def test_stereo_pairs_without_calibration(here, capsys, command):
    write_rig(Drives(4, SIZE, stereo=True, frames_per_drive=4), here / "rig")
    (here / "rig" / "camera.yaml").unlink()
    np.save("maps.npy", np.ones((4, *SIZE), np.float32))
    given = [*arguments_of(command), "--data", "folder", "--data-dir", "rig"]
    given += ["--set", "data.units_per_metre=256"]
    if command is train:  # a network of depth asks for no pairs by itself
        given += ["--set", "data.stereo=true"]
    follow(command, given, capsys, "stereo pairs need a camera.yaml")


def test_no_frames_for_validation(here, rooms, capsys):
    record(here / "robot/train", rooms)
    given = [*TRAIN, "--data", "folder", "--data-dir", "robot", *MILLIMETRES]
    follow(train, [*given, "--set", "data.hold_out=0"], capsys, "no validation frames")


def test_no_test_frames_to_validate_on(here, capsys):
    write_layout(Rooms(6, SIZE), here / "nyu", "fastdepth", scenes=2)
    follow(train, [*TRAIN, "--data", "nyu", "--data-dir", "nyu"], capsys, "no test frames to valid")


def test_a_list_of_another_layout(here, capsys):
    write_layout(Rooms(6, SIZE), here / "nyu", "fastdepth", test=Rooms(2, SIZE, seed=1))
    given = [*TRAIN, "--data", "nyu", "--data-dir", "nyu", "--set", "data.list=wang"]
    follow(train, given, capsys, "list wang is of the DenseDepth layout")


def test_a_batch_that_is_too_large(here, rooms, capsys):
    record(here / "robot", rooms)
    given = [*TRAIN, "--data", "folder", "--data-dir", "robot", *MILLIMETRES, "--batch-size", "20"]
    follow(train, given, capsys, "do not fill a batch of 20")


def test_a_wrong_unit_is_found_and_mended(here, rooms, capsys):
    """The check's own finding names the unit."""
    record(here / "robot", rooms)
    given = ["--data", "folder", "--data-dir", "robot", "--output", "check"]
    assert call(data, [*given, "--set", "data.units_per_metre=256"]) == 1
    (remedy,) = set(re.findall(r"give (units_per_metre=\d+)", capsys.readouterr().out))
    assert call(data, [*given, "--set", remedy]) == 0
