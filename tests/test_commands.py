"""The commands as a user calls them: help, and one sentence for everything that is wrong."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_depth import images
from keras_depth.evaluate import __main__ as evaluate
from keras_depth.train import __main__ as train
from tests.helpers.commands import call
from tests.helpers.files import write_file
from tests.helpers.tiny import stand_in

SMALL = [
    *("--set", "size=[32, 48]", "--batch-size", "2", "--epochs", "1"),
    *("--set", "data.frames=4", "--set", "data.validation_frames=2"),
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished run, made by the command, of a network that trains in a second."""
    folder = tmp_path_factory.mktemp("runs") / "rooms"
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, "lite_basic_interl_t")
        assert call(train, ["--arch", "lite_basic_interl_t", "--output", folder, *SMALL]) == 0
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("train", "evaluate", "predict", "export", "serve", "benchmark", "build_ops", "data"),
        *("bag", "map", "calibrate", "fit"),
    ],
)
def test_help_shows_an_example(name):
    """And does not wait for TensorFlow or Matplotlib."""
    code = (
        "import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module('keras_depth.{name}', run_name='__main__')\n"
        "finally: assert not {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"python -m keras_depth.{name}" in done.stdout
    assert "example" in done.stdout


def test_train_and_evaluate(run_folder, capsys, monkeypatch):
    assert (run_folder / "report.md").exists()
    assert call(evaluate, [run_folder, "--protocol", "ecmr2019"]) == 0
    printed = capsys.readouterr().out
    assert "ecmr2019: crop 48:432, 64:576 of 480x640" in printed
    assert (run_folder / "evaluation" / "rooms-ecmr2019" / "report.md").exists()
    stand_in(monkeypatch, "lite_basic_interl_t")
    assert call(train, ["--arch", "lite_basic_interl_t", "--output", run_folder, *SMALL]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert any(line.startswith("nothing left to do") for line in printed)
    assert re.match(rf"{run_folder}: [\d.]+ MB, of which checkpoints [\d.]+ MB$", printed[-2])
    photos = "docs/photos/rgb" if Path("docs/photos/rgb").is_dir() else "PICTURE"
    predict = f"next: python -m keras_depth.predict {run_folder} {photos} --output out"
    assert printed[-1] == predict


def test_the_first_line_says_which_recipe(run_folder, capsys, monkeypatch):
    stand_in(monkeypatch, "lite_basic_interl_t")
    assert call(train, ["--arch", "lite_basic_interl_t", "--output", run_folder, *SMALL]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == (
        "recipe jetson_fcnn/rooms: lite_basic_interl_t without --data trains on rendered rooms"
    )


def test_train_without_test_frames(tmp_path, capsys, monkeypatch):
    """They stay unscored until they are asked for, by the same command or by evaluate."""
    stand_in(monkeypatch, "lite_basic_interl_t")
    arguments = ["--arch", "lite_basic_interl_t", "--output", tmp_path / "run", *SMALL]
    for _ in range(2):  # the second time there is nothing left to train
        assert call(train, [*arguments, "--no-test"]) == 0
        printed = capsys.readouterr().out
        assert "validation: abs_rel 0." in printed
        assert f"python -m keras_depth.evaluate {tmp_path / 'run'}" in printed
        assert not (tmp_path / "run" / "report.md").exists()
    assert call(train, arguments) == 0
    assert "report: " in capsys.readouterr().out
    assert (tmp_path / "run" / "report.md").exists()
    assert call(train, [*arguments, "--no-test"]) == 0
    assert "nothing left to do: see" in capsys.readouterr().out


def test_the_published_row_is_the_recipe_on_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--arch", "basic_sc_interl_t", "--data", "nyu", "--data-dir", "here"]
    recipe = train.prepare(train.parse(arguments)).recipe
    assert recipe.published == {"paper": "jetson_fcnn", "row": 14}
    assert recipe.data == {"name": "nyu", "dir": str(tmp_path / "here")}, "found from anywhere"
    assert train.prepare(train.parse(["--arch", "basic_deconv"])).recipe.data["name"] == "rooms"
    for other in (["--data", "kitti"], ["--recipe", "row05_basic_deconv"]):
        recipe = train.prepare(train.parse([*arguments, *other])).recipe
        assert recipe.published == {}, "another network, or other data: not the row"


@pytest.mark.parametrize(
    "arguments, protocol",
    [
        (["--data", "nyu"], "ecmr2019"),  # the recipe's own data, and its protocol
        (["--data", "kitti"], "kitti_eigen_garg"),
        (["--data", "kitti", "--set", "protocol=full"], "full"),
        (["--data", "folder"], "full"),
        (["--data", "drives"], "full"),
    ],
)
def test_the_protocol_fits_the_data(arguments, protocol):
    recipe = train.prepare(train.parse(["--arch", "basic_sc_interl_t", *arguments])).recipe
    assert recipe.protocol == protocol and recipe.data["name"] == arguments[1]


TRAIN = {
    "nothing asked": ([], "give --arch or --recipe"),
    "unknown network": (["--arch", "lite_basic"], "did you mean 'lite_basic_"),
    "unknown recipe": (["--recipe", "row99"], "unknown recipe 'row99'"),
    "unknown key": (["--arch", "basic_deconv", "--set", "lose.k=1"], "did you mean 'loss'"),
    "unknown data": (["--arch", "basic_deconv", "--data", "nyuu"], "unknown data set 'nyuu'"),
    "no folder": (["--arch", "basic_deconv", "--data", "nyu"], "--data-dir"),
    "missing folder": (
        ["--arch", "basic_deconv", "--data", "nyu", "--data-dir", "missing"],
        "missing",
    ),
    "empty folder": (
        ["--arch", "basic_deconv", "--data", "nyu", "--data-dir", "empty"],
        "nyu_depth_v2_labeled.mat",
    ),
    "not a run folder": (
        ["--arch", "lite_basic_interl_t", *SMALL, "--output", "full"],
        "full: not a run folder",
    ),
    "output is a file": (
        ["--arch", "lite_basic_interl_t", *SMALL, "--output", "full/notes.txt"],
        "notes.txt: not a run folder",
    ),
    "output in a file": (
        ["--arch", "lite_basic_interl_t", *SMALL, "--output", "full/notes.txt/run"],
        "cannot be written",
    ),
    "size": (
        ["--arch", "lite_basic_interl_t", *SMALL, "--set", "size=[30, 48]"],
        "multiples of 16, got (30, 48, 3)",
    ),
    "weights": (["--arch", "basic_deconv", *SMALL, "--weights", "image"], "no such file"),
}


@pytest.mark.parametrize(("arguments", "message"), TRAIN.values(), ids=TRAIN)
def test_train_refuses(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("my notes")
    assert call(train, arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert (tmp_path / "full" / "notes.txt").read_text() == "my notes"


def test_train_refuses_the_folder_of_another_run(run_folder, capsys):
    before = (run_folder / "model.keras").read_bytes()
    arguments = ["--arch", "lite_basic_sc_nonbt", "--output", run_folder, *SMALL]
    assert call(train, arguments) == 2
    assert "architecture ('lite_basic_interl_t' there" in capsys.readouterr().err
    assert (run_folder / "model.keras").read_bytes() == before


EVALUATE = {
    "no run": (["missing"], "missing"),
    "empty folder": (["empty"], "empty"),
    "not a model": (["notes.txt"], "notes.txt"),
    "damaged model": (["cut.keras"], "cut.keras"),
    "another network": (["classifier.keras", "--data", "rooms"], "classifier.keras"),
    "unknown protocol": (["RUN", "--protocol", "nyu_eigne"], "did you mean 'nyu_eigen'"),
    "unknown data": (["RUN", "--data", "kity"], "unknown data set 'kity'"),
    "unknown split": (["RUN", "--data", "rooms", "--split", "tests"], "did you mean 'test'"),
    "no folder": (["RUN", "--data", "nyu"], "--data-dir"),
    "empty data": (["RUN", "--data", "nyu", "--data-dir", "empty"], "nyu_depth_v2_labeled.mat"),
    "output in a file": (["RUN", "--output", "notes.txt/out"], "cannot be written"),
    "nothing to score": ([], "give one of RUN, --predictions and --ground-truth"),
    "two things to score": (["RUN", "--predictions", "empty"], "give one of RUN, --predictions"),
    "predictions of what": (["--predictions", "empty"], "give --data and its --data-dir"),
    "truth of what": (["--ground-truth", "out"], "give --data and its --data-dir"),
    "truth is not scored": (
        ["--ground-truth", "out", "--data", "rooms", "--protocol", "full"],
        "leave out --protocol",
    ),
    "no predictions": (
        ["--predictions", "empty", "--data", "rooms", "--data-option", "count=2"],
        "empty: 2 of the 2 frames have no depth map here, first",
    ),
    "unknown setting": (["RUN", "--set", "alignmet=median"], "did you mean 'alignment'"),
    "value of a setting": (["RUN", "--set", "max_depth=far"], "'far' is not a number"),
    "setting without value": (["RUN", "--set", "median"], "'median': write it as KEY=VALUE"),
    "setting that is no YAML": (["RUN", "--set", "crop=[1, 2"], "'[1, 2' is not a YAML value"),
    "unknown option": (["RUN", "--data-option", "cuont=2"], "did you mean 'count'"),
}


@pytest.mark.parametrize(("arguments", "message"), EVALUATE.values(), ids=EVALUATE)
def test_evaluate_refuses(tmp_path, monkeypatch, capsys, run_folder, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("my notes")
    data = (run_folder / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(data[: len(data) // 2])
    image = keras.Input((8, 8, 3))
    classes = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, classes).save("classifier.keras")
    arguments = [str(run_folder) if word == "RUN" else word for word in arguments]
    assert call(evaluate, arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") or "error: " in error.splitlines()[-1]
    assert message in error
    assert "Traceback" not in error


def test_evaluate_varies_the_protocol_and_the_data(run_folder, capsys):
    options = ["--data", "rooms", "--split", "test", "--data-option", "count=2"]
    options += ["--set", "clip_prediction=[1e-3, 12]", "--set", "alignment=none"]
    options += ["--set", "min_depth=1e-3", "--set", "max_depth=.inf", "--set", "flip=ramp"]
    assert call(evaluate, [run_folder, "--protocol", "nyu_eigen", *options]) == 0
    printed = capsys.readouterr().out
    assert (
        "nyu_eigen (changed: clip_prediction, max_depth, flip):"
        " crop 45:471, 41:601 of 480x640; depth > 0.001 m; flip ramp; resized as depth;"
        " alignment none; prediction clipped to 0.001..12 m; mean of images"
    ) in printed
    assert "2 frames" in printed


def test_ground_truth_scored_as_predictions(tmp_path, capsys):
    """KITTI's 16 bits keep a depth to half of 1/256 m."""
    rooms = ["--data", "rooms", "--data-option", "count=3", "--data-option", "size=[24, 32]"]
    assert call(evaluate, ["--ground-truth", tmp_path / "truth", *rooms]) == 0
    assert "3 frames of 24x32, seed 0; 16-bit PNG, metres * 256" in capsys.readouterr().out
    assert call(evaluate, ["--predictions", tmp_path / "truth", *rooms]) == 0
    printed = capsys.readouterr().out
    assert "full: no crop;" in printed and "abs_rel 0.000 " in printed and "rmse 0.001 " in printed
    assert "delta1 1.000" in printed
    assert call(evaluate, ["--predictions", tmp_path / "truth", *rooms, "--png-units", 128]) == 0
    assert "abs_rel 1.00" in capsys.readouterr().out, "twice as far is 100 % too far"


def test_the_next_command_is_said(run_folder, capsys):
    rooms = ["--data", "rooms", "--data-option", "count=2", "--data-option", "size=[24, 32]"]
    assert call(evaluate, [run_folder, *rooms]) == 0
    assert f"next: python -m keras_depth.export {run_folder} --format" in capsys.readouterr().out
    truth = run_folder / "the truth"
    assert call(evaluate, ["--ground-truth", truth, *rooms]) == 0
    last = capsys.readouterr().out.splitlines()[-1].removeprefix("next: python -m ")
    words = shlex.split(last.removeprefix("keras_depth.evaluate "))
    assert call(evaluate, words) == 0, "it is a command as it stands"
    assert "abs_rel 0.000 " in capsys.readouterr().out


def test_the_best_model_of_a_run_knows_its_frames(run_folder, capsys):
    assert call(evaluate, [run_folder / "best.keras"]) == 0
    printed = capsys.readouterr().out
    assert "frames: rooms" in printed or "frames: rendered rooms" in printed
    assert (run_folder / "best" / "evaluation" / "rooms-full" / "report.md").exists()


def test_a_run_whose_test_frames_cannot_be_read(tmp_path, monkeypatch, capsys):
    """It is warned of before the training, which is not lost, and scored once they are mended."""
    stand_in(monkeypatch, "lite_basic_interl_t")
    for name in ("train/a", "train/b", "test/c"):
        for index in range(4):
            for kind, pixels in (("rgb", (32, 48, 3)), ("depth", (32, 48))):
                content = images.encode_png(
                    np.full(pixels, 200, np.uint8 if kind == "rgb" else "u2")
                )
                write_file(tmp_path / name / kind / f"{index}.png", content)
    (tmp_path / "test/c/depth").rename(tmp_path / "test/c/elsewhere")
    arguments = [
        *("--arch", "lite_basic_interl_t", "--weights", "none", "--data", "folder"),
        *("--data-dir", tmp_path, "--output", tmp_path / "run", "--epochs", "1"),
        *("--batch-size", "2", "--set", "size=[32, 48]", "--set", "augmentation={}"),
        *("--set", "data.units_per_metre=100"),
    ]
    with pytest.warns(UserWarning, match="the test frames cannot be read, so mend them before"):
        assert call(train, arguments) == 2
    assert f"{tmp_path}/test: no recording found" in capsys.readouterr().err
    report = (tmp_path / "run" / "report.md").read_text()
    assert report.startswith("# Not scored") and "no recording found" in report
    (tmp_path / "test/c/elsewhere").rename(tmp_path / "test/c/depth")
    assert call(train, arguments) == 0
    assert "test: 4 frames" in (tmp_path / "run" / "report.md").read_text()


def test_another_backend_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "keras_depth.train", "--arch", "basic_deconv"],
        capture_output=True,
        text=True,
        env={"KERAS_BACKEND": "jax", "PATH": ""},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_BACKEND=jax")


def test_fit_works_on_the_same_layers_and_loss():
    """Stock compile and fit, in a graph: the layer says that XLA cannot compile its op."""
    from keras_depth import layers, losses, metrics

    keras.utils.set_random_seed(1)  # from some first weights three epochs lead nowhere
    pixels = keras.Input((32, 48, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(pixels)
    model = keras.Model(pixels, layers.UpConvolution(1, form="interleaved")(x) + 2)
    image = np.random.default_rng(0).uniform(size=(4, 32, 48, 3)).astype("float32")
    y_true = np.concatenate([1 + 2 * image[..., :1], np.ones((4, 32, 48, 1))], -1)
    loss = losses.get("adaptive_berhu", preset="notebook")
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[metrics.DepthMetric("abs_rel")])
    history = model.fit(
        image, y_true, batch_size=2, epochs=3, verbose=0, callbacks=[losses.LogLossState(loss)]
    )
    assert history.history["adaptive_berhu_n"] == [2, 4, 6]
    assert history.history["abs_rel"][-1] < history.history["abs_rel"][0]
