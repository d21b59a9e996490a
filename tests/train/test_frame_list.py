"""A run goes on with the frames that it began with, or says which have changed."""

import json
import shutil

import numpy as np
import pytest

from keras_depth import models, recipes
from keras_depth.data.prepared.builder import prepare
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder, RunFrames
from keras_depth.train import frame_list, loop
from keras_depth.train.checkpoints import Checkpoints
from tests.helpers.docs_world import write_recording
from tests.helpers.tiny import ENTRIES, TINY, recipe

pytestmark = pytest.mark.usefixtures("tiny_networks")


def record(folder, count):
    write_recording(folder, Rooms(count, (16, 32)), 1000)
    for path in [*folder.rglob("*.png")]:
        path.rename(path.with_name(f"{int(path.stem):02}.png"))


def asked(data, *overrides):
    section = f"{{name: folder, dir: {data}, hold_out: 0.25, units_per_metre: 1000}}"
    return recipe(f"data={section}", "epochs=2", *overrides)


class Stopped(Exception):
    pass


def train_until(step, wanted, folder):
    """Trains, and stops the run before the step after `step`."""

    def batches(*arguments):
        for number, batch in enumerate(all_batches(*arguments)):
            if number == step:
                raise Stopped
            yield batch

    all_batches = loop._batches
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "_batches", batches)
        loop.train(wanted, folder, checkpoint_every=10)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """16 frames, and a run on 12 of them that stopped after its first epoch, of 6 steps."""
    folder = tmp_path_factory.mktemp("template")
    record(folder / "data", 16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.ARCHITECTURES, TINY, ENTRIES[TINY])
        train_until(7, asked(folder / "data"), RunFolder(folder / "run"))
    return folder


@pytest.fixture
def stopped(template, tmp_path):
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return RunFolder(tmp_path / "run")


def content(folder):
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def keep(data, count):
    for path in [*data.rglob("*.png")]:
        if int(path.stem) >= count:
            path.unlink()


def test_other_frames_are_refused_and_nothing_is_changed(stopped, tmp_path):
    keep(tmp_path / "data", 8)
    before = content(stopped)
    message = (
        "run: the frames of this run have changed: 6 of 12 training frames are gone, first rgb/"
        "06; 4 of 4 validation frames are gone, first rgb/12; 2 of now 2 validation frames are new,"
        " first rgb/06; restore them, give --output a new folder, or .* train --other-frames"
    )
    with pytest.raises(InputError, match=message):
        loop.train(asked(tmp_path / "data"), stopped)
    assert content(stopped) == before


def test_going_on_with_other_frames(stopped, tmp_path):
    """Reference, best epoch and report are of the new ones, and what was trained on is known."""
    mean, best = np.load(stopped.mean_depth_file), stopped.best_file.stat().st_mtime
    keep(tmp_path / "data", 10)
    stopped.report_file.write_text("of the frames before")
    wanted = asked(tmp_path / "data")
    with pytest.warns(UserWarning, match="2 of 2 validation frames were trained on before"):
        assert loop.train(wanted, stopped, other_frames=True)
    frames = stopped.frames()
    assert (len(frames.train), len(frames.validation), frames.since) == (8, 2, 6)
    assert len(frames.earlier) == 4 and set(frames.validation) < set(frames.earlier)
    assert not np.array_equal(np.load(stopped.mean_depth_file), mean)
    assert not stopped.report_file.exists()
    last = stopped.log_rows()[-1]
    assert last["step"] == 8 and stopped.best_file.stat().st_mtime >= best


def test_fewer_frames_than_were_trained_on(stopped, tmp_path):
    """The steps that the recipe asks for have been taken; what is left is to save the model."""
    stopped.model_file.unlink()
    keep(tmp_path / "data", 8)
    with pytest.warns(UserWarning, match="were trained on before"):
        assert loop.train(asked(tmp_path / "data", "epochs=2"), stopped, other_frames=True)
    assert stopped.model_file.exists() and stopped.log_rows()[-1]["step"] == 6


def test_a_data_set_that_was_moved_and_a_run_of_an_earlier_version(stopped, tmp_path, capsys):
    (tmp_path / "data").rename(tmp_path / "moved")
    stopped.frames_file.unlink()
    assert loop.train(asked(tmp_path / "moved"), stopped)
    assert (
        "an earlier version began this run and did not note its frames" in capsys.readouterr().out
    )
    assert len(stopped.frames().train) == 12 and stopped.frames().since == 0


@pytest.mark.slow
def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    record(tmp_path / "data", 16)
    folder = RunFolder(tmp_path / "run")
    train_until(2, asked(tmp_path / "data"), folder)
    mean = np.load(folder.mean_depth_file)
    keep(tmp_path / "data", 8)
    assert loop.train(asked(tmp_path / "data"), folder)
    assert len(folder.frames().train) == 6 and folder.frames().earlier == []
    assert not np.array_equal(np.load(folder.mean_depth_file), mean)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        ("abc", "de", None),
        ("acb", "de", "the training frames are in another order"),
        ("abc", "d", "1 of 2 validation frames are gone, first e"),
        ("abcx", "de", "1 of now 4 training frames are new, first x"),
        ("axc", "de", "1 of 3 training frames are gone, first b; 1 of now 3 training fra"),
    ],
)
def test_what_has_changed(tmp_path, monkeypatch, train, validation, message):
    monkeypatch.setattr(Checkpoints, "exist", lambda folder: True)
    folder = RunFolder(tmp_path)
    folder.write_frames(RunFrames([*"abc"], [*"de"]))
    now = RunFrames([*train], [*validation])
    if message is None:
        assert not frame_list.check(folder, now, False)
        return
    with pytest.raises(InputError, match=message):
        frame_list.check(folder, now, False)
    assert frame_list.check(folder, now, True)


def test_another_recording_under_the_same_names(tmp_path):
    record(tmp_path / "data", 12)
    folder, wanted = RunFolder(tmp_path / "run"), asked(tmp_path / "data")
    train_until(5, wanted, folder)
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = asked(tmp_path / "moved")
    write_recording(tmp_path / "other", Rooms(12, (16, 32), seed=9), 1000)
    for path in [*(tmp_path / "other").rglob("*.png")]:
        path.rename(path.with_name(f"{int(path.stem):02}.png"))
    with pytest.raises(InputError, match="of 7 frames that were looked at are others, first"):
        loop.train(asked(tmp_path / "other"), folder)
    assert loop.train(moved, folder), "the same frames elsewhere"
    assert folder.recipe().data["dir"] == str(tmp_path / "moved"), "where they are scored now"


def test_a_damaged_list(tmp_path):
    folder = RunFolder(tmp_path)
    for text in ("{", '{"train": [], "valid": []}'):
        folder.frames_file.write_text(text)
        with pytest.raises(InputError, match="frames.json: damaged"):
            folder.frames()


def test_a_prepared_copy_is_named_by_its_records(tmp_path):
    record(tmp_path / "data", 24)
    copy = prepare(
        "folder", tmp_path / "data", tmp_path / "copy", (16, 32), {"units_per_metre": 1000}
    )
    section = {"name": "prepared", "dir": str(copy)}
    reader = recipes.open_data(recipe(f"data={json.dumps(section)}"), "train")
    names = frame_list.note_frames(reader, reader, "prepared").train
    assert len(set(names)) == len(reader) > 16
    assert names[0].startswith("prepared_depth-train.tfrecord-00000")
