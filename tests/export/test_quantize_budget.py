"""8 bits within a budget: what stays float, and what is refused."""

import json

import numpy as np
import pytest

from keras_depth import depth_png
from keras_depth.errors import InputError
from keras_depth.export import quantize_budget, run
from keras_depth.export.quantize_budget import quantize
from keras_depth.export.request import Request
from keras_depth.images import encode_png, to_uint8
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.exported import onnx_session
from tests.helpers.exporting import call
from tests.helpers.quantizing import LAYERS, SIZE, pictures, planted, to_onnx


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return to_onnx(planted(), tmp_path_factory.mktemp("float"))


@pytest.fixture
def planted_run(tmp_path):
    (tmp_path / "run").mkdir()
    planted().save(tmp_path / "run" / "model.keras")
    return tmp_path / "run"


def write_recording(folder, depth, write=depth_png.encode):
    (folder / "rgb").mkdir(parents=True), (folder / "depth").mkdir()
    for i, picture in enumerate(pictures(4)):
        (folder / "rgb" / f"{i}.png").write_bytes(encode_png(to_uint8(picture)))
        (folder / "depth" / f"{i}.png").write_bytes(write(depth[i]))
    return folder


@pytest.mark.parametrize("format", ["onnx", "tensorrt"])
def test_the_planted_layer_alone_stays_float(proto, format):
    network, choice = quantize(proto, format, pictures(6), None, budget=0.02)
    assert choice.in_float == ["deaf"] and choice.layers == len(LAYERS)
    assert next(iter(choice.sensitivity)) == "deaf" and set(choice.sensitivity) == set(LAYERS)
    assert choice.sensitivity["deaf"] > 0.05 > 0.02 > choice.rel > 0
    assert (choice.calibration_images, choice.judged_images) == (3, 3)
    judged = pictures(6)[3:]
    expected = onnx_session(proto.SerializeToString())(judged)
    depth = onnx_session(network.SerializeToString(), exact=format == "tensorrt")(judged)
    rel = np.mean(np.abs(depth / expected - 1))
    assert rel == pytest.approx(choice.rel, rel=1e-3), "of the images that gave no ranges"


def test_a_budget_that_all_layers_keep_costs_no_search(proto, monkeypatch):
    monkeypatch.setattr(quantize_budget, "_rank", None)
    _, choice = quantize(proto, "onnx", pictures(4), None, budget=100.0)
    assert choice.in_float == [] and choice.sensitivity == {}


def test_truth_judges_where_it_is_known(proto):
    depth = onnx_session(proto.SerializeToString())(pictures(4))[..., 0]
    truth = [1.25 * np.repeat(np.repeat(one, 2, 0), 2, 1) for one in depth]  # any size
    for one in truth:
        one[:5] = 0  # not measured
    _, choice = quantize(proto, "onnx", pictures(4), truth, budget=0.02)
    assert choice.judged_against == "truth" and choice.in_float == ["deaf"]
    assert choice.rel_float == pytest.approx(0.2, abs=0.01)
    assert abs(choice.rel - choice.rel_float) < 0.02


def test_a_budget_that_no_mix_meets_is_refused(planted_run, tmp_path, here, capsys):
    photos = write_recording(tmp_path / "data", np.ones((4, *SIZE))) / "rgb"
    output = tmp_path / "out"
    arguments = ["--format", "onnx", "--precision", "int8", "--calibration", photos]
    assert call(planted_run, *arguments, "--budget", "1e-9", "--output", output) == 2
    said = capsys.readouterr().err
    assert "8 bits within a budget of 1e-09: even with 4 of 5 layers in float REL rises by" in said
    assert "against the network in float; give a larger --budget, or choose fp16" in said
    assert not [path for path in output.rglob("*") if path.is_file()]


def test_few_layers_in_float_are_found_in_few_measurements():
    asked = []

    def measure(count):
        asked.append(count)
        return 1.0 / (1 + count)

    assert quantize_budget._find_fewest(measure, 99, 1 / 12, 1.0) == (11, 1 / 12)
    assert asked == [1, 2, 4, 8, 16, 12, 10, 11]
    assert quantize_budget._find_fewest(measure, 5, 1e-3, 1.0) == (5, 1 / 6)
    assert quantize_budget._find_fewest(measure, 0, 0.5, 1.0) == (0, 1.0)


def test_recordings_from_the_command(planted_run, tmp_path, here, capsys):
    """Their depth judges; every other command takes the result."""
    expected = DepthEstimator.load(planted_run)
    folder = write_recording(tmp_path / "data", [expected(picture) for picture in pictures(4)])
    output = tmp_path / "out"
    arguments = [planted_run, "--precision", "int8", "--calibration", folder, "--budget", "0.03"]
    assert call(*arguments, "--format", "onnx", "--layout", "NCHW", "--output", output) == 0
    assert "8 bits      4 of 5 layers; REL " in (printed := capsys.readouterr().out)
    assert "against truth, on 2 images that gave no ranges (budget 0.03); in float: deaf" in printed
    (details,) = [json.loads(path.read_text()) for path in output.rglob("export.json")]
    assert details["precision"] == "int8" and details["quantization"]["in_float"] == ["deaf"]
    assert details["parity"]["limit"] == 0.1
    estimator = DepthEstimator.load(output)
    room = pictures(1)[0]  # gave ranges: values beyond them are cut off
    assert np.mean(np.abs(estimator(room) / expected(room) - 1)) < 0.05


def test_for_tensorrt_and_run_by_its_kit(planted_run, tmp_path, here, monkeypatch, capsys):
    """The engine is built from the scales in the graph; without one the result is the engine's."""
    monkeypatch.setattr("keras_depth.export.tensorrt.trtexec", lambda: None)
    photos = write_recording(tmp_path / "data", np.ones((4, *SIZE))) / "rgb"
    arguments = [planted_run, "--precision", "int8", "--calibration", photos, "--budget", "0.03"]
    assert call(*arguments, "--format", "tensorrt", "--output", tmp_path / "out") == 0
    (text,) = [path.read_text() for path in (tmp_path / "out").rglob("BUILD.txt")]
    commands = [line.split() for line in text.splitlines() if "trtexec --" in line]
    assert all(command[1].endswith("/1/model.onnx") for command in commands), "one file for all"
    with_options = [{"--int8", "--fp16"} <= set(command) for command in commands]
    assert with_options == [True] * (len(commands) - 1) + [False], "TensorRT 11 needs none"
    (details,) = (tmp_path / "out").rglob("export.json")
    folder = details.parent
    assert run.main(["--check"], folder) == 0
    assert "the limit of the mean is 0.1: passed" in capsys.readouterr().out
    export, model = run.Export(folder), str(folder / "model.onnx")
    images = run.read_check(export)[0]
    depth = run.Network(export, "onnxruntime-cpu", 1)(images)
    exact, of_cpu = (onnx_session(model, exact)(images[:1]) for exact in (True, False))
    np.testing.assert_allclose(depth[:1], exact, rtol=1e-6)
    assert not np.allclose(exact, of_cpu, rtol=1e-6)


def test_what_is_refused_before_the_work(tmp_path, proto):
    options = {"run": tmp_path, "output": tmp_path, "precision": "int8", "calibration": tmp_path}
    with pytest.raises(InputError, match="opset 11 has no scale for each channel; .* --opset 13"):
        Request(format="onnx", opset=11, **options)
    with pytest.raises(InputError, match="--budget is for --precision int8 of onnx and tensorrt"):
        Request(format="litert", budget=0.01, **options)
    with pytest.raises(InputError, match="--budget is for --precision int8"):
        Request(run=tmp_path, output=tmp_path, format="onnx", budget=0.01)
    with pytest.raises(InputError, match="budget"):
        Request(format="onnx", budget=0.0, **options)
    with pytest.raises(InputError, match="1 images for calibration: .* give 2 or more"):
        quantize(proto, "onnx", pictures(1), None, 0.01)
