"""Which recipe a train command takes, and what a trained network brings to its fine-tuning."""

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_depth import models, recipes
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.train import loop
from keras_depth.train.start import choose_recipe, names_network, prepare
from tests.helpers.architectures import make_architecture
from tests.helpers.cut_walk import cut_walk
from tests.helpers.docs_world import write_recording
from tests.helpers.tiny import TINY, TINY_STEREO, recipe, stereo_recipe, tiny, write_run

pytestmark = pytest.mark.usefixtures("tiny_networks")


@pytest.mark.parametrize(
    ("asked", "name", "reason"),
    [
        (
            {"architecture": "lite_basic_interl_t"},
            "jetson_fcnn/rooms",
            "lite_basic_interl_t without --data trains on rendered rooms",
        ),
        (
            {"architecture": "optidepthnet_vgg"},
            "optidepthnet/drives",
            "optidepthnet_vgg without --data trains on rendered drives",
        ),
        (
            {"architecture": "msfnet_usf", "data": "drives"},
            "msfnet/drives",
            "msfnet_usf on rendered drives",
        ),
        (
            {"architecture": "lite_basic_interl_t", "data": "nyu"},
            "jetson_fcnn/row16_lite_basic_interl_t_320x240",
            "the published row of lite_basic_interl_t on NYU Depth v2",
        ),
        (
            {"architecture": "mobile_interl", "data": "nyu", "weights": "imagenet"},
            "mobile_interl/nyu",
            "the recipe of mobile_interl on NYU Depth v2",
        ),
        (
            {"architecture": "vgg19_unet", "data": "folder"},
            "irv2_unet/row3_vgg19",
            "no recipe trains vgg19_unet on folder, so this takes its published row on NYU Depth",
        ),
        ({"recipe": "row5_none", "architecture": "x"}, "row5_none", "--recipe names it"),
        (
            {"weights": "runs/rooms", "data": "folder"},
            "fine_tune",
            "--weights names a trained network, and there is no --recipe",
        ),
        ({"weights": "runs/rooms", "recipe": "mine.yaml"}, "mine.yaml", "--recipe names it"),
        (
            {"weights": "runs/rooms", "architecture": "lite_basic_interl_t"},
            "jetson_fcnn/rooms",
            "without --data",
        ),
    ],
)
def test_which_recipe_and_why(asked, name, reason):
    nothing = dict.fromkeys(("architecture", "recipe", "data", "weights"))
    chosen, why = choose_recipe(**{**nothing, **asked})
    assert chosen == name and reason in why


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (None, "^give --arch or --recipe, or --weights with a trained network"),
        ("imagenet", "^--weights imagenet names no trained network, so give --arch or"),
        ("encoder.h5", "^--weights encoder.h5 names no trained network"),
    ],
)
def test_nothing_says_which_recipe(weights, message):
    with pytest.raises(InputError, match=message):
        choose_recipe(None, None, "folder", weights)
    with pytest.raises(InputError, match="recipe fine_tune has no architecture, so it goes on fr"):
        prepare(recipe="fine_tune", weights=weights)


def test_what_names_a_network():
    named = ["runs/rooms", "runs/a/best.keras", "mobile_interl", "model.keras"]
    files = ["none", "imagenet", "squeezenet.pth", "resnet50.h5", "x.weights.h5"]
    assert all(map(names_network, named)) and not any(map(names_network, files))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with a trained run and two recordings of 12 and 10 frames."""
    monkeypatch.chdir(tmp_path)
    write_run(Path("runs/a"), recipe("size=[16, 48]", "options.width=6"))
    for name, count in (("hall", 12), ("office", 10)):
        write_recording(tmp_path / "home" / name, Rooms(count, (24, 72)), 1000)
    return tmp_path


UNITS = "data.units_per_metre=1000"


def tune(*overrides, weights="runs/a", data_dir="home", **asked):
    data_dir = Path(data_dir)
    return prepare(weights=weights, data_dir=data_dir, overrides=[UNITS, *overrides], **asked)


def test_the_network_decides_what_belongs_to_it(work):
    start = tune(data="folder")
    assert start.recipe.architecture == TINY and start.recipe.size == (16, 48)
    assert start.recipe.options == {"width": 6} and start.recipe.encoding == ""
    assert start.recipe.loss["name"] == "log_l1" and start.recipe.encoder_rate == 0.1
    assert start.recipe.batch_norm == "frozen"
    assert start.recipe.data == {
        "name": "folder", "hold_out": 0.1, "dir": str(work / "home"), "units_per_metre": 1000
    }  # fmt: skip
    assert start.recipe.protocol == "full" and start.recipe.weights == "runs/a"
    assert str(start.folder.path) == "runs/a-home"
    assert start.lines == [
        "recipe fine_tune: --weights names a trained network, and there is no --recipe",
        f"weights: runs/a ({TINY}, 16x48), all 3 layers",
    ]
    assert tune().recipe == start.recipe, "folder is the recipe's data set"


def test_what_is_asked_for_wins(work):
    message = "runs/a: trained on pictures of 16x48, and .* 32x32.*; --set size=.16, 48. keeps"
    with pytest.warns(UserWarning, match=message):
        start = tune("size=[32, 32]", "options={width: 6}", epochs=2, seed=5)
    assert (start.recipe.size, start.recipe.epochs, start.recipe.seed) == ((32, 32), 2, 5)
    assert start.lines[1].endswith("all 3 layers; the recipe trains at 32x32")
    other = tune(data="nyu")
    assert other.recipe.protocol == "nyu_eigen" and other.recipe.data["hold_out"] == 0.1
    rooms = prepare(weights="runs/a", data="rooms")
    assert rooms.recipe.data == {"name": "rooms"} and str(rooms.folder.path) == "runs/a-rooms"


def test_a_recipe_that_is_named_keeps_its_size(work):
    """The weights are only where it starts; what belongs to the network is still the network's."""
    Path("mine.yaml").write_text(recipe().to_yaml())
    start = prepare(recipe="mine.yaml", weights="runs/a")
    assert start.recipe.size == (16, 32) and start.recipe.loss["name"] == "adaptive_berhu"
    assert start.recipe.options == {"width": 6}
    assert start.lines[1].endswith("16x48), all 3 layers; the recipe trains at 16x32")
    assert str(start.folder.path) == "runs/mine"
    text = recipes.files.resource_folder("training") / "fine_tune.yaml"
    Path("own.yaml").write_text(text.read_text().replace("epochs: 10", "epochs: 3"))
    own = tune(recipe="own.yaml")
    assert own.recipe == dataclasses.replace(tune().recipe, epochs=3), "a copy, changed"


def test_a_file_alone_and_a_file_of_a_run(work):
    keras.saving.load_model("runs/a/model.keras").save("runs/a/best.keras")
    assert tune(weights="runs/a/best.keras").recipe.options == {"width": 6}
    assert str(tune(weights="runs/a/best.keras").folder.path) == "runs/a-home"
    shutil.copy("runs/a/model.keras", "copied.keras")
    alone = tune(weights="copied.keras")
    assert alone.recipe.options == {} and alone.recipe.size == (16, 48)
    # A recipe that was put beside it, of another network.
    text = recipe().to_yaml().replace(TINY, "basic_deconv")
    Path("recipe.yaml").write_text(text)
    assert tune(weights="copied.keras").recipe == alone.recipe
    with pytest.raises(InputError, match="copied.keras: the weights of .* do not fit"):
        loop.train(alone.recipe, alone.folder)
    assert not alone.folder.path.exists()


def test_encodings_and_losses(work, monkeypatch):
    write_run(Path("runs/cm"), recipe("encoding=centimetres"))
    assert tune(weights="runs/cm").recipe.encoding == "centimetres"
    assert tune(weights="runs/cm").recipe.loss["name"] == "log_l1"
    structural = "loss={name: structural, depth: 0.1}"
    write_run(Path("runs/inverse"), recipe("encoding=inverse", structural, "downsample=min"))
    tuned = tune(weights="runs/inverse").recipe
    assert tuned.loss == {"name": "structural", "depth": 0.1} and tuned.downsample == "min"
    write_run(Path("runs/pairs"), stereo_recipe("{name: drives, stereo: true}"))
    drives = prepare(weights="runs/pairs", data="drives").recipe
    assert drives.architecture == TINY_STEREO and drives.loss == {"name": "stereo"}
    assert drives.augmentation.get("rotate", 0) == 0, "rows of a pair stay rows"


def test_options_that_the_encoder_s_file_chose(work, monkeypatch):
    """Of a run that began from such a file; its recipe does not name them."""

    def build(input_shape, weights, *, name, scaling="torch"):
        return tiny(input_shape, None)

    of_file = {"options_of": lambda weights: {"scaling": "caffe"} if ".h5" in weights else {}}
    entry = make_architecture(TINY, build, decoder=("head",), **of_file)
    monkeypatch.setitem(models.ARCHITECTURES, TINY, entry)
    write_run(Path("runs/b"), dataclasses.replace(recipe(), weights="squeezenet.h5"))
    first = tune(weights="runs/b").recipe
    assert first.options == {"scaling": "caffe"}
    write_run(Path("runs/c"), first)
    assert tune(weights="runs/c").recipe.options == {"scaling": "caffe"}


def test_weights_that_nothing_can_go_on_from(work):
    with pytest.raises(InputError, match="runs/gone: no such file or folder, .*; give a run"):
        tune(weights="runs/gone")
    message = "recipe mobile_interl/nyu goes on from a trained network: runs/pretraining: no such"
    with pytest.raises(InputError, match=message):
        prepare(recipe="mobile_interl/nyu", data_dir=work)
    image = keras.Input((16, 32, 3))
    keras.Model(image, image[..., :1], name="other").save("other.keras")
    message = "weights other.keras: the network 'other' is none of this suite's architectures, so"
    with pytest.raises(InputError, match=message):
        tune(weights="other.keras")
    message = f"runs/a: a trained {TINY}, which basic_deconv cannot start from; give weights of ba"
    for asked in ({"architecture": "basic_deconv"}, {"recipe": "row05_basic_deconv"}):
        with pytest.raises(InputError, match=message):
            tune(**asked)
    with pytest.raises(InputError, match=message):
        tune(recipe="fine_tune", architecture="basic_deconv")


def weights_of(folder):
    return keras.saving.load_model(folder.model_file).get_weights()


SHORT = ("epochs=2", "batch_size=4", "encoder_rate=0")


@pytest.mark.slow
def test_fine_tuning_holds_out_a_recording_and_resumes_without_its_source(work, capsys):
    start = tune(*SHORT)
    before = keras.saving.load_model("runs/a/model.keras").get_weights()
    loop.train(start.recipe, start.folder)
    said = capsys.readouterr().out
    assert "learns from RGB-D folder, train (1 of 2 recordings held out): 1" in said
    assert "validates on RGB-D folder, validation (1 of 2 recordings held out): 1" in said
    tuned = weights_of(start.folder)
    moved = [not np.array_equal(a, b) for a, b in zip(before, tuned, strict=True)]
    assert moved == [False] * 6 + [True] * 2, "the encoder and its batch norm stay"
    # A run that stopped, whose source is gone by then.
    steps = int(start.folder.log_rows()[-1]["step"])
    stopped = tune(*SHORT, output=Path("runs/stopped"))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_take_step", _stop_after(steps // 2, loop._take_step))
        loop.train(stopped.recipe, stopped.folder)
    shutil.rmtree("runs/a")
    again = tune(*SHORT, output=Path("runs/stopped"))
    assert again.recipe == stopped.recipe
    assert again.lines[1] == (
        f"weights: the last checkpoint in runs/stopped, which began from runs/a ({TINY}, 16x48)"
    )
    loop.train(again.recipe, again.folder)
    for one, other in zip(tuned, weights_of(again.folder), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="runs/a: no such file or folder"):
        tune(output=Path("runs/new"))
    with pytest.raises(InputError, match="runs/b: no such file or folder"):
        tune(weights="runs/b", output=Path("runs/stopped"))


def _stop_after(steps, take_step):
    taken = []

    def take(*arguments):
        taken.append(1)
        if len(taken) > steps:
            raise KeyboardInterrupt
        return take_step(*arguments)

    return take


@pytest.mark.slow
def test_a_real_walk(samples, tmp_path):
    """TUM's layout, but millimetres: its first 150 frames teach, its last 60 are scored."""
    parts = {"train": slice(150), "test": slice(-60, None)}
    walk = cut_walk(samples / "real" / "sequence_kitchen", tmp_path / "walk", parts)
    frames = Frames("folder", walk, "test", {"units_per_metre": 1000})
    before, _ = evaluator.evaluate_run(Path("mobile_interl_nyu"), frames, output=tmp_path / "a")
    start = tune(
        *("steps=24", "batch_size=4", "schedule.warmup_steps=4", "optimizer.learning_rate=3e-4"),
        weights="mobile_interl_nyu",
        data_dir=walk,
        output=tmp_path / "tuned",
    )
    assert start.recipe.size == (240, 320) and start.recipe.architecture == "mobile_interl"
    learned = recipes.open_data(start.recipe, "train")
    assert "train (the last 15 of 150 frames held out): 135 frames" in learned.description
    assert loop.train(start.recipe, start.folder)
    after, _ = evaluator.evaluate_run(start.folder.path)
    assert len(after.frames) == len(before.frames) == 60
    was, now = (each.scores["model"]["image"]["abs_rel"] for each in (before, after))
    assert now < 0.9 * was
