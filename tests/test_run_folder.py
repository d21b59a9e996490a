"""The run folder; `tests/train/test_loop.py` tests what training writes into it."""

import json

import pytest

from keras_depth import recipes
from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder, name_run


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("irv2_unet/rooms", "irv2_unet-rooms"),
        ("mobile_unet/rooms", "mobilenet_v2_unet-rooms"),
        ("irv2_unet/row4_irv2", "row4_irv2"),
    ],
)
def test_a_run_is_named_after_the_recipe_that_was_asked_for(asked, name):
    assert name_run(recipes.load(asked), asked) == name


def test_a_run_is_named_after_architecture_and_data_set():
    assert name_run(recipes.load("irv2_unet/rooms")) == "irv2_unet-rooms"


@pytest.fixture
def folder(tmp_path):
    """A run that has begun, and has a checkpoint."""
    folder = RunFolder(tmp_path / "run")
    folder.begin(recipes.load("jetson_fcnn/rooms"))
    folder.checkpoints.mkdir()
    return folder


@pytest.mark.parametrize("name", ["figures", "checkpoints", "tensorboard"])
def test_a_file_in_the_place_of_a_folder(folder, name):
    path = folder.path / name
    if path.exists():
        path.rmdir()
    path.write_text("mine")
    with pytest.raises(InputError, match=f"{name}: cannot be written .Not a directory"):
        folder.check(folder.recipe())


@pytest.mark.parametrize("name", ["model.keras", "best.keras", "log.jsonl", "report.md"])
def test_a_folder_in_the_place_of_a_file(folder, name):
    (folder.path / name).mkdir()
    with pytest.raises(InputError, match=f"{name}: cannot be written .it is a folder."):
        folder.check(folder.recipe())


def test_a_folder_that_cannot_be_written():
    with pytest.raises(InputError, match="/proc/run: cannot be written"):
        RunFolder("/proc/run").check(recipes.load("jetson_fcnn/rooms"))


def test_a_begin_that_a_full_disk_has_stopped(folder):
    """What was written until then is no reason to refuse the folder."""
    recipe = folder.recipe()
    folder.checkpoints.rmdir()
    folder.recipe_file.unlink()
    for name in (".lock", ".partial-recipe.yaml"):
        (folder.path / name).write_text("")
    folder.begin(recipe)
    assert folder.recipe() == recipe
    folder.recipe_file.unlink()
    (folder.path / "thesis.tex").write_text("all my work")
    with pytest.raises(InputError, match="run: not a run folder"):
        folder.check(recipe)


def test_a_row_that_a_full_disk_refuses(folder):
    folder.log_file.symlink_to("/dev/full")
    with pytest.raises(InputError, match="log.jsonl: cannot be written .No space left on device"):
        folder.log(step=1)


def test_how_large_a_run_is(folder):
    (folder.checkpoints / "ckpt-1.data").write_bytes(bytes(3_000_000))
    folder.model_file.write_bytes(bytes(1_500_000))
    said = folder.describe_size()
    assert said == f"{folder.path}: 4.5 MB, of which checkpoints 3 MB"


def test_the_camera(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.focal_length() is None and folder.focal_baseline() is None
    folder.write_camera(focal_length=(259.5, 260), size=(240, 320))
    assert folder.focal_length() == (259.5, 260) and folder.focal_baseline() is None
    written = {"focal_length": [259.5, 260], "size": [240, 320]}
    assert json.loads(folder.camera_file.read_text()) == written
    folder.write_camera(40.0, size=(240, 320))
    assert folder.focal_baseline() == 40 and folder.focal_length() is None
    for damaged in ("", "{}", "[1]", '{"focal_length": 3}', '{"focal_length": [1, "x"]}'):
        folder.camera_file.write_text(damaged)
        with pytest.raises(InputError, match="camera.json: damaged; restore it, or delete it"):
            folder.focal_length()
