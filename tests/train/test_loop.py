"""The training loop: what a run leaves, and how it resumes after a stop."""

import dataclasses
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import data, models, recipes
from keras_depth.data.prepared.builder import prepare
from keras_depth.data.rendered.drives import Drives
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop, setup
from tests.helpers.architectures import make_architecture
from tests.helpers.ports import hold_port
from tests.helpers.tiny import TINY, recipe, stereo_recipe, tiny
from tests.helpers.write_rig import write_rig

pytestmark = pytest.mark.usefixtures("tiny_networks")


def weights(folder):
    return keras.saving.load_model(folder.model_file).get_weights()


def assert_same_weights(folder, other):
    for actual, expected in zip(weights(folder), weights(other), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_what_a_run_leaves(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert loop.train(recipe(), folder)
    assert recipes.load(str(folder.recipe_file)) == recipe()
    environment = json.loads((folder.path / "environment.json").read_text())
    assert environment["packages"]["keras"] == keras.__version__
    rows = folder.log_rows()
    assert [row["step"] for row in rows] == [6, 10, 12, 18, 20, 24]
    ends = [row for row in rows if "val_abs_rel" in row]
    assert [row["epoch"] for row in ends] == [1, 2, 3, 4]
    for row in rows:
        assert {"loss", "learning_rate", "k", "n"} <= set(row)
        assert row["n"] == row["step"], "the adaptive threshold moves once a step"
    best = min(ends, key=lambda row: row["val_abs_rel"])
    assert folder.best_file.exists() and best["val_abs_rel"] < 1
    for name in ("training.png", "validation.png"):
        assert (folder.figures / name).stat().st_size > 10_000
    assert list((folder.path / "tensorboard").glob("events.out.tfevents.*"))
    assert np.load(folder.mean_depth_file).shape == (16, 32)
    assert [file.name for file in folder.checkpoints.glob("*.index")] == ["ckpt-24.index"]
    frames = folder.frames()
    assert len(frames.train) == 13 and frames.validation[0] == "test/0/00000"


def test_a_network_that_writes_centimetres_at_half_the_size(tmp_path, monkeypatch):
    def small(input_shape, weights, *, name):
        image = keras.Input(input_shape, name="image")
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
        bias = keras.initializers.Constant(500)
        return keras.Model(image, keras.layers.Conv2D(1, 1, bias_initializer=bias)(x), name=TINY)

    monkeypatch.setitem(models.ARCHITECTURES, TINY, make_architecture(TINY, small))
    folder = RunFolder(tmp_path / "run")
    assert loop.train(recipe("encoding=centimetres", "epochs=1"), folder)
    assert keras.saving.load_model(folder.model_file).name == f"{TINY}-centimetres"
    row = folder.log_rows()[-1]
    # The loss is in centimetres, the errors in metres.
    assert 10 < row["val_loss"] and 0.1 < row["val_rmse"] < 5
    np.testing.assert_allclose(DepthEstimator.load(folder.path)(np.zeros((9, 9, 3))), 5, rtol=0.2)
    report, _ = evaluator.evaluate_run(folder.path)
    assert report.scores["model"]["image"]["abs_rel"] == pytest.approx(row["val_abs_rel"], rel=0.1)


def test_training_on_other_data(tmp_path, kitti):
    sections = {
        "drives": "{name: drives, count: 6, frames_per_drive: 2}",
        "kitti": f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25}}",
        "pairs": f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}",
    }
    for name, section in sections.items():
        asked = recipe(f"data={section}", "epochs=1", "data.validation_frames=2")
        folder = RunFolder(tmp_path / name)
        assert loop.train(asked, folder)
        assert folder.log_rows()[-1]["val_abs_rel"] > 0
        assert len(recipes.open_data(asked, "train")) == 6
    # A copy at the network's size holds the same batches, and so gives the same weights.
    options = {"list": "all", "hold_out": 0.25}
    copy = prepare("kitti", kitti, tmp_path / "copy", (16, 32), options)
    asked = recipe(f"data={{name: prepared, dir: {copy}, validation_frames: 2}}", "epochs=1")
    assert loop.train(asked, RunFolder(tmp_path / "prepared"))
    for one, other in zip(
        weights(RunFolder(tmp_path / "kitti")),
        weights(RunFolder(tmp_path / "prepared")),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_training_on_pairs(tmp_path, kitti):
    """Measured depth is not needed; where it is there, it only adds scores in metres."""
    pairs = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}"
    folder, blind = RunFolder(tmp_path / "scored"), RunFolder(tmp_path / "blind")
    assert loop.train(stereo_recipe(pairs), folder)
    assert not loop.train(stereo_recipe(pairs, "data.depth=none"), blind)
    assert_same_weights(folder, blind)
    rows, blind_rows = folder.log_rows(), blind.log_rows()
    # Three steps per epoch; the last epoch is incomplete.
    assert [row["step"] for row in rows] == [3, 5]
    assert all(row["val_abs_rel"] > 0 for row in rows)
    assert [row["val_loss"] for row in rows] == [row["val_loss"] for row in blind_rows]
    assert not any("val_abs_rel" in row for row in blind_rows)
    # KITTI's camera at 32 of 1242 columns.
    assert folder.focal_baseline() == pytest.approx(384.381 * 32 / 1242, rel=1e-4)
    pictures = {"stereo.png", "training.png"}
    assert {file.name for file in blind.figures.iterdir()} == pictures
    assert {file.name for file in folder.figures.iterdir()} == pictures | {"validation.png"}
    for run in (folder, blind):
        assert run.best_file.exists()
        assert DepthEstimator.load(run.path)(np.zeros((50, 100, 3), "uint8")).shape == (50, 100)
    assert folder.mean_depth_file.exists() and not blind.mean_depth_file.exists()
    assert not loop.train(stereo_recipe(pairs, "data.depth=none"), blind), "finished"


@pytest.mark.slow
def test_training_on_pairs_of_your_own(tmp_path):
    """The layout of the folder says that they are pairs, and camera.yaml what their scale is."""
    drives = Drives(8, (32, 104), frames_per_drive=2, stereo=True)
    rig = write_rig(drives, tmp_path / "rig")
    section = f"{{name: folder, dir: {rig}, hold_out: 0.25, units_per_metre: 256}}"
    folder = RunFolder(tmp_path / "scored")
    assert loop.train(stereo_recipe(section), folder)
    assert folder.log_rows()[-1]["val_abs_rel"] > 0
    report, _ = evaluator.evaluate_run(folder.path)
    assert report.scores["model"]["image"]["abs_rel"] > 0
    for depth in rig.glob("*/depth"):
        shutil.rmtree(depth)
    # The same pairs without depth; that it changes no weight, test_training_on_pairs shows.
    blind = setup.build(stereo_recipe(section), RunFolder(tmp_path / "blind"))
    for reader, count in ((blind.frames, 6), (blind.validation, 2)):
        assert reader.stereo and not reader.measured and len(reader) == count
    assert folder.focal_baseline() == pytest.approx(drives.focal_baseline * 32 / 104)
    with pytest.raises(InputError, match="no recording found"):
        loop.train(recipe(f"data={section}"), RunFolder(tmp_path / "depth"))  # it reads no pairs


def test_resuming_does_not_need_the_first_weights(tmp_path):
    """A checkpoint replaces them. The published row may change too: it does not affect training."""
    folder, weights = RunFolder(tmp_path / "run"), tmp_path / "first.weights.h5"
    tiny((16, 32, 3), None).save_weights(weights)
    wanted = dataclasses.replace(recipe("epochs=1"), weights=str(weights))
    assert loop.train(wanted, folder)
    weights.unlink()
    row = {"paper": "jetson_fcnn", "row": 5}
    assert loop.train(dataclasses.replace(wanted, published=row), folder)


def test_a_finished_run_is_left_alone(tmp_path):
    folder, wanted = RunFolder(tmp_path / "run"), recipe("epochs=1")
    assert loop.train(wanted, folder)
    assert loop.train(wanted, folder), "trained, but not yet reported"
    folder.report_file.write_text("| abs_rel |")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*.*")}
    assert not loop.train(wanted, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*.*")} == before


def test_a_folder_with_another_recipe_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    loop.train(recipe("epochs=1"), folder)
    with pytest.raises(InputError, match="another recipe: epochs .1 there, 9 now."):
        loop.train(recipe("epochs=9"), folder)
    moved = recipe("epochs=1", "data={name: rooms, frames: 13, validation_frames: 5, dir: null}")
    loop.train(moved, folder)  # the data set may have been moved


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(InputError, match="not a run folder"):
        loop.train(recipe(), RunFolder(tmp_path))
    assert (tmp_path / "thesis.tex").read_text() == "all my work"


class Interrupted(Exception):
    pass


AVERAGED = ("optimizer={name: adamw, use_ema: true, ema_momentum: 0.8}", "encoder_rate=0.1")


@pytest.mark.parametrize(
    ("stops", "settings"),
    [
        ((3,), ()),
        pytest.param((6, 23), (), marks=pytest.mark.slow),
        # Holds all that averages, a slower encoder and scaled losses add to a checkpoint.
        pytest.param((11,), (*AVERAGED, "precision=mixed_float16"), marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_ends_with_the_same_weights(tmp_path, monkeypatch, stops, settings):
    """Dropout, batch norm, Adam, averages and the adaptive threshold resume as if never stopped."""
    undisturbed, stopped = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    wanted = recipe(*settings)
    loop.train(wanted, undisturbed, checkpoint_every=10, keep_checkpoints=True)
    kept = {file.name for file in undisturbed.checkpoints.glob("*.index")}
    assert kept == {"ckpt-20.index", "ckpt-24.index"}

    def stopping(make, stop_at):
        def batches(run, start):
            for number, batch in enumerate(make(run, start), start=start):
                if number == stop_at:
                    raise Interrupted
                yield batch

        return batches

    for stop_at in stops:
        with monkeypatch.context() as patch, pytest.raises(Interrupted):
            patch.setattr(loop, "_batches", stopping(loop._batches, stop_at))
            loop.train(wanted, stopped, checkpoint_every=10)
    assert loop.train(wanted, stopped, checkpoint_every=10)
    assert_same_weights(stopped, undisturbed)
    assert stopped.log_rows() == undisturbed.log_rows()


@pytest.mark.slow
def test_averaged_weights_are_saved_and_scored(tmp_path):
    """Training itself does not see them; of a momentum of 0 they are the last weights."""
    runs = {}
    for momentum in (None, 0.0, 0.9):
        adam = {} if momentum is None else {"use_ema": True, "ema_momentum": momentum}
        wanted = dataclasses.replace(recipe("epochs=2"), optimizer={"name": "adam", **adam})
        runs[momentum] = RunFolder(tmp_path / str(momentum))
        loop.train(wanted, runs[momentum])
    plain, averaged = runs[None], runs[0.9]
    for folder in runs.values():
        losses = [row["loss"] for row in folder.log_rows()]
        assert losses == [row["loss"] for row in plain.log_rows()]
    assert_same_weights(runs[0.0], plain)
    assert runs[0.0].log_rows() == plain.log_rows()
    scores = [folder.log_rows()[-1]["val_abs_rel"] for folder in (plain, averaged)]
    assert scores[0] != scores[1]
    report, _ = evaluator.evaluate_run(averaged.path)
    assert report.scores["model"]["image"]["abs_rel"] == pytest.approx(scores[1], rel=0.1)


def test_training_on_crops_saves_a_network_of_the_frame_s_size(tmp_path):
    folder = RunFolder(tmp_path / "run")
    loop.train(recipe("augmentation={crop: [16, 16]}", "epochs=1"), folder)
    assert keras.saving.load_model(folder.model_file).input_shape == (None, 16, 32, 3)


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    wild = recipe(
        "optimizer={name: sgd, learning_rate: 1.0e+30}",
        "schedule={name: constant}",
        "loss={name: mse}",
    )
    with pytest.raises(
        InputError, match=r"the loss is (nan|inf) at step \d+ .epoch 1; frames "
    ) as e:
        loop.train(wild, folder)
    names = [data.open_reader("rooms", count=13).name(i) for i in range(13)]
    assert sum(name in str(e.value) for name in names) == 2, "the batch is named"


def test_a_bad_frame_stops_the_run_by_name(tmp_path, monkeypatch):
    class Bad(data.Subset):
        def stored(self, index):
            if index == 7:
                raise InputError("rooms/7.png: cut short; copy it again")
            return super().stored(index)

    open_data = recipes.open_data

    def with_a_bad_frame(*arguments):
        reader = open_data(*arguments)
        return Bad(reader, range(len(reader)))

    monkeypatch.setattr(loop, "mean_depth_map", lambda *a, **k: np.ones((16, 32)))
    monkeypatch.setattr(recipes, "open_data", with_a_bad_frame)
    with pytest.raises(InputError, match="rooms/7.png: cut short"):
        loop.train(recipe(), RunFolder(tmp_path / "run"))


@pytest.mark.slow
def test_a_full_disk_is_said_by_the_name_of_the_file(tmp_path, monkeypatch):
    """Once there is room, the same command goes on."""
    full = ["model.keras", "best.keras", "figures/validation.png", "figures/training.png"]
    undisturbed, folder = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    loop.train(recipe("epochs=1"), undisturbed)
    folder.figures.mkdir(parents=True)
    for name in full:
        path = folder.path / name
        partial = path.with_name(f".partial-{path.name}")
        partial.symlink_to("/dev/full")
        with pytest.raises(InputError, match=f"{path}: cannot be written .No space left on devi"):
            loop.train(recipe("epochs=1"), folder)
        partial.unlink(missing_ok=True)

    def refuse(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "{{node}} /a/b; No space left on device")

    shutil.rmtree(folder.checkpoints)
    with monkeypatch.context() as patch:
        patch.setattr(tf.summary, "write", refuse)
        with pytest.raises(InputError, match="tensorboard: cannot be written .No space left on d"):
            loop.train(recipe("epochs=1"), folder)
    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", refuse)
        (folder.checkpoints / "ckpt-6_temp").mkdir(parents=True)
        with pytest.raises(InputError, match="checkpoint of step 6 could not be written .No space"):
            loop.train(recipe("epochs=1"), folder)
        assert not list(folder.checkpoints.iterdir()), "it makes room itself"
    loop.train(recipe("epochs=1"), folder)
    assert_same_weights(folder, undisturbed)


# The command itself, for a network that is built in a second; so wide that a step takes longer
# than a signal.
COMMAND = [
    *(sys.executable, "-c"),
    "from keras_depth import models\n"
    "from keras_depth.train.__main__ import main\n"
    "from tests.helpers import tiny\n"
    "models.register(tiny.ENTRIES[tiny.TINY])\n"
    "main()",
    *("--arch", TINY, "--set", "options={width: 64}", "--set", "size=[64, 96]"),
    *("--set", "loss={name: adaptive_berhu, preset: notebook}"),
    *("--set", "data={name: rooms, frames: 45, validation_frames: 4}"),
    *("--batch-size", "4", "--epochs", "3", "--checkpoint-every", "10"),
]


@pytest.mark.slow
def test_killed_at_random_steps(tmp_path):
    """SIGKILL twice; the third start ends with the weights of an undisturbed run."""
    undisturbed, killed = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    every_step = {**os.environ, "TQDM_MININTERVAL": "0"}
    for step in sorted(random.Random(20191014).sample(range(2, 33), 2)):
        with subprocess.Popen(
            [*COMMAND, "--output", str(killed.path)],
            stderr=subprocess.PIPE,
            text=True,
            env=every_step,
        ) as process:
            for text in process.stderr:  # the progress bar's \r ends a line in text mode
                done = re.search(r"(\d+)/33 ", text)
                if done and int(done[1]) >= step:
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode == -signal.SIGKILL
    subprocess.run([*COMMAND, "--output", str(killed.path)], check=True)
    loop.train(killed.recipe(), undisturbed, checkpoint_every=10)
    assert_same_weights(killed, undisturbed)
    assert killed.log_rows() == undisturbed.log_rows()


WORKER = """
import sys
import keras
from keras_depth import models, recipes
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.architectures import make_architecture

def build(input_shape, weights, *, name):
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(1, 3, padding="same", bias_initializer="ones", name="head")(x)
    return keras.Model(image, x, name="plain")

models.register(make_architecture("plain", build, decoder=("head",)))
recipe = recipes.load(
    "jetson_fcnn/rooms",
    ["options={}", "data={name: rooms, frames: 17, validation_frames: 3}", "size=[16, 32]",
     "batch_size=4", "epochs=3", "loss={name: mse_rel}",
     # Adam would hide gradients of the wrong scale, and magnify rounding errors.
     "optimizer={name: sgd, learning_rate: 0.02, momentum: 0.9, use_ema: true, ema_momentum: 0.5}",
     "encoder_rate=0.5"],
    architecture="plain",
)
loop.train(recipe, RunFolder(sys.argv[1]))
"""


@pytest.mark.slow
def test_two_workers_end_where_one_does(tmp_path):
    """Half the batch each, gradients summed: TF_CONFIG is all it takes."""
    one, two = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")
    subprocess.run([sys.executable, "-c", WORKER, str(one.path)], check=True)
    with hold_port() as first, hold_port() as second:
        cluster = {"worker": ["{}:{}".format(*each.getsockname()) for each in (first, second)]}
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(two.path)],
                env={**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
            )
            for task in ({"type": "worker", "index": 0}, {"type": "worker", "index": 1})
        ]
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    for actual, expected in zip(weights(two), weights(one), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    for row, expected in zip(two.log_rows(), one.log_rows(), strict=True):
        assert row == pytest.approx(expected, rel=1e-5), "losses and scores too"
    assert not list(two.path.glob("worker-*")), "what the other worker wrote is gone"
