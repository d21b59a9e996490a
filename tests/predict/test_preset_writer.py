"""A trained network becomes a preset, and every command takes it by its name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_depth import models, presets
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.export import __main__ as export
from keras_depth.export import parity
from keras_depth.predict import loading
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.serve import __main__ as serve
from keras_depth.train import loop
from tests.helpers import tiny
from tests.helpers.exporting import run_in_this_process

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
ROOMS = Frames(data="rooms", options={"count": 3, "size": (24, 32)})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A preset, and the run folder it was made from."""
    folder = tmp_path_factory.mktemp("presets")
    with pytest.MonkeyPatch.context() as patch:
        for name, entry in tiny.ENTRIES.items():
            patch.setitem(models.ARCHITECTURES, name, entry)
        loop.train(tiny.recipe("epochs=1"), RunFolder(folder / "run"))
        evaluator.evaluate_run(folder / "run", output=folder / "run")
        DepthEstimator.load(folder / "run").save_to_preset(folder / "tiny_rooms")
        yield folder


@pytest.fixture
def preset(trained, monkeypatch, tmp_path):
    """The preset's name, as if it had come with the package; the working folder is empty."""
    monkeypatch.setattr(presets, "_ROOT", trained)
    monkeypatch.chdir(tmp_path)
    return "tiny_rooms"


def test_it_estimates_as_the_run_does(trained, preset):
    depth = DepthEstimator.load(trained / "run")(IMAGE)
    for estimator in (DepthEstimator.from_preset(preset), DepthEstimator.load(preset)):
        np.testing.assert_allclose(estimator(IMAGE), depth, rtol=5e-3, atol=1e-3)
    assert loading.load_model(preset).name == tiny.TINY


def test_the_card_tells_recipe_and_scores(trained, preset):
    card = presets.read_card(trained / preset)
    assert card["architecture"] == tiny.TINY and card["input_size"] == [16, 32]
    assert card["datasets"] == ["rooms"] and card["encoding"] == "metric"
    text = (trained / preset / presets.CARD).read_text()
    assert "right for a camera with a focal length of 25.9, 17.3 pixels at this size: 63" in text
    assert (trained / preset / "camera.json").is_file()
    assert card["parameters"] == loading.load_model(preset).count_params()
    report = json.loads((trained / "run" / "report.json").read_text())
    (result,) = card["model-index"][0]["results"]
    assert result["dataset"]["name"] == "rendered rooms, 5 frames"
    scores = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert scores["abs_rel"] == round(report["scores"]["model"]["image"]["abs_rel"], 4)
    assert loading.resolve(preset).recipe.architecture == tiny.TINY


def test_results_go_to_the_working_folder(preset, tmp_path):
    """Not into the package, where it may be forbidden to write."""
    assert loading.resolve(preset).results.parts == ("runs", preset)
    _, folder = evaluator.evaluate_run(preset, ROOMS)
    assert folder.is_relative_to(f"runs/{preset}/evaluation") and (folder / "report.md").is_file()
    request = export._request(export._parser().parse_args([preset, "--format", "onnx"]))
    assert request.output.parts == ("runs", preset, "exported", "onnx")


def test_results_of_an_export_stay_out_of_its_version(preset, monkeypatch):
    """A server loads all that is in a version's folder."""
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)
    ((_, version),) = serve.find(Path(preset)).items()
    _, folder = evaluator.evaluate_run(version.parent, ROOMS)
    assert folder.parent == version.parent / "evaluation"


def test_its_weights_start_another_network(trained, preset):
    model = models.create_model(tiny.TINY, (24, 32, 3), weights=preset)
    for one, other in zip(model.weights, loading.load_model(preset).weights, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="weights gone: no such file; .* a preset's name"):
        models.create_model(tiny.TINY, weights="gone")


def test_a_network_of_python_and_a_preset_itself_can_be_saved(trained, preset, tmp_path):
    DepthEstimator(loading.load_model(preset)).save_to_preset(tmp_path / "again")
    card = presets.read_card(tmp_path / "again")
    assert card["datasets"] == [] and card["model-index"][0]["results"] == []
    DepthEstimator.from_preset(preset).save_to_preset(tmp_path / "copy")
    assert presets.read_card(tmp_path / "copy")["datasets"] == ["rooms"]
    same = [DepthEstimator.from_preset(tmp_path / name)(IMAGE) for name in ("again", "copy")]
    np.testing.assert_array_equal(*same)
    DepthEstimator.from_preset(preset).save_to_preset(tmp_path / "copy")  # replaces it
    estimator = DepthEstimator.load(tmp_path / "copy")
    estimator.save_to_preset(tmp_path / "copy")  # onto itself
    assert DepthEstimator.load(tmp_path / "copy").focal_length == estimator.focal_length


def test_what_cannot_be_a_preset(trained, preset, tmp_path):
    (tmp_path / "notes.txt").touch()
    estimator = DepthEstimator.from_preset(preset)
    with pytest.raises(InputError, match="not empty, and no preset; give a new folder"):
        estimator.save_to_preset(tmp_path)
    with pytest.raises(InputError, match=r"notes.txt: cannot be written \(File exists\)"):
        estimator.save_to_preset(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="NoneType is no path"):
        estimator.save_to_preset(None)
    with pytest.raises(InputError, match="run: this is a run folder .*; give the name of a preset"):
        DepthEstimator.from_preset(trained / "run")
    with pytest.raises(InputError, match=r"gone: no such .*, and no preset \(known: tiny_rooms\)"):
        DepthEstimator.from_preset("gone")


def test_a_report_of_another_version(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / "report.json").write_text('{"scores": {}}')
    with pytest.raises(InputError, match="report.json: a report of another version; evaluate"):
        DepthEstimator.load(run).save_to_preset(tmp_path / "preset")


def test_serve_exports_it_once(preset, monkeypatch, capsys):
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)
    ((name, folder),) = serve.find(Path(preset)).items()
    assert name == tiny.TINY and folder.is_relative_to(f"runs/{preset}/exported/saved_model")
    assert f"exported to {folder}" in capsys.readouterr().out
    assert serve.find(Path(preset)) == {name: folder}
    assert capsys.readouterr().out == ""
    depth = DepthEstimator.load(folder)(IMAGE)
    np.testing.assert_allclose(depth, DepthEstimator.from_preset(preset)(IMAGE), rtol=1e-3)
