"""What RUN is, and one sentence for whatever it is not."""

import zipfile
from pathlib import Path

import keras
import pytest

from keras_depth.errors import InputError
from keras_depth.predict.loading import load_exported, load_model, resolve

SIZE = (32, 48)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    image = keras.Input((*SIZE, 3))
    keras.Model(image, image[..., :1], name="red").save(folder / "model.keras")
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with one RUN of each kind, and what looks like one; the files are empty."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "run/model.keras",
        "begun/recipe.yaml",
        "other/notes.txt",
        "model.h5",
        "best.keras",
        "CAPITALS.KERAS",
        "exported/2/export.json",
        "exported/10/export.json",
        "exported/11/model.onnx",
        "output/one/3/export.json",
        "output/frozen/one/3/export.json",
        "output/.partial-two/export.json",
        "runs/model.keras",
        "runs/one/1/export.json",
        "several/a/1/export.json",
        "several/b/export.json",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "path, kind, found",
    [
        ("run", "run", "run"),
        ("best.keras", "keras", "best.keras"),
        ("CAPITALS.KERAS", "keras", "CAPITALS.KERAS"),
        ("exported/2", "exported", "exported/2"),
        ("exported", "exported", "exported/10"),  # the highest that is complete
        ("output", "exported", "output/one/3"),  # the only one, a folder down
        ("runs", "run", "runs"),  # what a folder is counts before what it holds
    ],
)
def test_what_a_run_is(work, path, kind, found):
    source = resolve(path)
    assert (source.kind, source.path) == (kind, Path(found))
    assert resolve(path, kind) == source
    if kind != "exported":
        assert source.model_file == Path(found, "model.keras" if kind == "run" else "")
        assert source.run_folder.path == source.model_file.parent


@pytest.mark.parametrize(
    "path, kinds, message",
    [
        (
            "gone",
            (),
            "gone: no such file or folder, and no preset .*; give a run folder .*, a .k",
        ),
        ("other", (), "other: this folder holds no model.keras and no export.json; give a run"),
        ("begun", (), "begun: this run has no model.keras yet, so run its train command again"),
        ("model.h5", (), "model.h5: not a .keras file; give a run folder"),
        ("run", ("exported",), "run: this is a run folder .*; give an exported network .*export"),
        ("exported", ("run", "keras"), "this is an exported .*; give a run folder .* or a .keras"),
        ("output", ("run", "keras"), "this is an exported .*; give a run folder .* or a .keras"),
        (
            "several",
            (),
            "several: holds several exported networks; give one of several/a, several/b",
        ),
        ("several", ("run",), "several: this folder holds several exported .*; give a run folder"),
    ],
)
def test_what_is_no_run(work, path, kinds, message):
    with pytest.raises(InputError, match=message):
        resolve(path, *kinds)


def test_a_run_folder_has_a_recipe_and_a_lone_file_has_none(work):
    assert resolve("best.keras").recipe is None and resolve("exported").recipe is None
    with pytest.raises(InputError, match="recipe.yaml"):
        resolve("run").recipe  # noqa: B018


def test_each_kind_has_its_loader(work, run_folder):
    assert load_model(run_folder).name == load_model(run_folder / "model.keras").name == "red"
    with pytest.raises(InputError, match="give a run folder .*, a .keras file or the name of a"):
        load_model("exported")
    with pytest.raises(InputError, match="export.json: damaged"):
        load_exported("exported")


def first_half(path, whole):
    path.write_bytes(whole[: len(whole) // 2])


def one_bit_flipped(path, whole):
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    path.write_bytes(damaged)


def another_archive(path, whole):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


@pytest.mark.parametrize(
    "damage, message",
    [
        (first_half, "damaged, or no Keras model"),
        (lambda path, whole: path.write_text("hello"), "damaged, or no Keras model"),
        (one_bit_flipped, r"cannot load it \(.*CRC"),
        (another_archive, "cannot load it .*config.json"),
    ],
)
def test_damaged_models(run_folder, tmp_path, damage, message):
    path = tmp_path / "model.keras"
    damage(path, (run_folder / "model.keras").read_bytes())
    with pytest.raises(InputError, match=message) as error:
        load_model(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_layer_nobody_registered(tmp_path):
    class Mystery(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((*SIZE, 3))
    keras.Model(image, Mystery()(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=r"cannot load it \(Could not locate class 'Mystery'\)"):
        load_model(tmp_path)


@keras.saving.register_keras_serializable("test_loading")
class Refusing(keras.layers.Layer):
    """Stands in for a layer of this suite whose settings do not fit."""

    refused = ""  # the method that raises

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.check("init")

    def build(self, shape):
        self.check("build")

    def call(self, x):
        self.check("call")
        return x

    def check(self, method):
        if method == self.refused:
            raise InputError("a layer's own sentence; do this")


@pytest.mark.parametrize("method", ["init", "build", "call"])
def test_a_layer_s_own_sentence_is_the_message(tmp_path, monkeypatch, method):
    image = keras.Input((*SIZE, 3))
    keras.Model(image, Refusing()(image)).save(tmp_path / "model.keras")
    monkeypatch.setattr(Refusing, "refused", method)
    with pytest.raises(InputError, match="^a layer's own sentence; do this$"):
        load_model(tmp_path)


def test_a_layer_that_carries_code_is_not_run(tmp_path):
    image = keras.Input((*SIZE, 3))
    keras.Model(image, keras.layers.Lambda(lambda x: x)(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="cannot load it .*Lambda"):
        load_model(tmp_path)
