"""The export command: what it writes, what it says, and one sentence for everything wrong."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest

from keras_depth import command
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.export import __main__ as export
from keras_depth.export import exporter, network, parity, saved_model, tensorrt
from keras_depth.export.request import Request
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.exported import Exported
from keras_depth.predict.loading import load_exported
from keras_depth.run_folder import RunFolder
from tests.helpers.lively import lively

SIZE = (32, 48)


def call(*arguments):
    """Runs the command in this process; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            command.run(export.main)
    return exit.value.code


def bright_is_far(name="lite_basic_interl_t", size=SIZE, dtype=None):
    """A network whose depth is known: 10 m times the mean of R, G and B, at half the size."""
    image = keras.Input((*size, 3), name="image")
    x = keras.layers.AveragePooling2D(2, dtype=dtype)(image)
    weights = keras.initializers.Constant(10 / 3)
    depth = keras.layers.Conv2D(1, 1, kernel_initializer=weights, dtype=dtype)(x)
    return keras.Model(image, depth, name=name)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    bright_is_far().save(folder / "model.keras")
    return folder


@pytest.fixture
def here(monkeypatch):
    """Runs what was written in this process: a fresh one takes ten seconds."""

    def run_here(folder, images):
        exported = Exported(folder)
        batch = exported.batch or len(images)
        groups = [exported(images[i : i + batch]) for i in range(0, len(images), batch)]
        return parity.Run(np.concatenate(groups), milliseconds=2.5, peak_memory=3_000_000)

    monkeypatch.setattr(parity, "run_alone", run_here)


def test_a_saved_model_from_the_command(run, tmp_path, capsys):
    """Loaded by a fresh process, which compares it; the served folder and its frozen twin."""
    output = tmp_path / "exported"
    assert call(run, "--format", "saved_model", "--output", output) == 0
    printed = capsys.readouterr().out
    first = output / "lite_basic_interl_t" / "1"
    frozen = output / "frozen" / "lite_basic_interl_t" / "1"
    for folder in (first, frozen):
        details = json.loads((folder / "export.json").read_text())
        assert details["format"] == "saved_model" and details["name"] == "lite_basic_interl_t"
        assert details["input"] == {
            "name": "image",
            "dtype": "uint8",
            "shape": [None, 32, 48, 3],
            "layout": "NHWC",
            "units": "RGB, 0 to 255",
        }
        assert details["output"]["shape"] == [None, 16, 24, 1]
        assert details["output"]["units"] == "metres"
        for name, file in details["files"].items():
            data = (folder / name).read_bytes()
            assert file == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert "saved_model.pb" in details["files"]
        model = (run / "model.keras").read_bytes()
        assert details["model"]["sha256"] == hashlib.sha256(model).hexdigest()
        assert {"tensorflow", "keras", "keras_depth"} <= set(details["versions"])
        assert details["parity"]["max_rel"] < 1e-5
        assert details["latency"]["milliseconds"] > 0
        assert details["latency"]["peak_memory"] > 100e6, "TensorFlow alone takes more"
        assert f"written     {folder}: saved_model, fp32" in printed
        assert "image: uint8 (any, 32, 48, 3), RGB, 0 to 255" in printed
        grey = np.full((2, *SIZE, 3), 51, np.uint8)
        np.testing.assert_allclose(load_exported(folder)(grey), 2.0, rtol=1e-5)
    assert "of the depth" in printed and "ms a call here" in printed
    assert not [path for path in output.rglob(".partial*")]
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o755, "another user may serve it"


def test_versions_count_up_and_formats_do_not_mix(run, tmp_path, here):
    output = tmp_path / "exported"
    request = Request(run, "onnx", output)
    folders = [written.folder for _ in range(2) for written in exporter.export(request)]
    assert [folder.name for folder in folders] == ["1", "2"]
    assert load_exported(output / "lite_basic_interl_t").folder.name == "2", "the highest counts"
    with pytest.raises(InputError, match="contains onnx.*its own --output"):
        exporter.export(Request(run, "litert", output, batch=1))
    assert len(list((output / "lite_basic_interl_t").iterdir())) == 2


def test_what_is_not_the_keras_model_is_not_kept(run, tmp_path, here, monkeypatch):
    other = bright_is_far()
    other.set_weights([1.001 * weight for weight in other.get_weights()])
    wrong = network.build(other, "metric")
    write = saved_model.write_frozen
    monkeypatch.setattr(saved_model, "write_frozen", lambda model, folder: write(wrong, folder))
    request = Request(run, "saved_model", tmp_path / "exported")
    with pytest.raises(InputError, match="from the Keras model and was not kept: .*0.001 of"):
        exporter.export(request)
    assert not list((tmp_path / "exported").rglob("saved_model.pb")), "its good twin neither"
    exporter.export(Request(run, "saved_model", tmp_path / "exported", limit=0.01))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("output_size, wanted", [("network", (16, 24)), ("input", (60, 40))])
def test_pictures_of_another_size(run, tmp_path, here, dtype, output_size, wanted):
    """Resized within the graph as DepthEstimator resizes them: one side shrinks, one grows."""
    request = Request(
        run,
        "onnx",
        tmp_path / "out",
        size=(60, 40),
        batch=2,
        dtype=dtype,
        output_size=output_size,
        layout="NCHW",
        opset=17,
    )
    (written,) = exporter.export(request)
    folder, details = written.folder, written.details
    assert details["input"]["shape"] == [2, 3, 60, 40] and details["opset"] == 17
    assert details["output"]["shape"] == [2, *wanted, 1]
    assert details["parity"]["max_rel"] < 1e-5
    exported = load_exported(folder)
    assert exported.input_size == (60, 40) and exported.batch == 2
    pictures = parity.render_images((60, 40), 3)
    estimator = DepthEstimator.load(folder)
    depth = estimator(pictures)
    assert depth.shape == (3, 60, 40), "in twos, the last one twice"
    expected = DepthEstimator(bright_is_far())(pictures / np.float32(255))
    np.testing.assert_allclose(depth.mean(), expected.mean(), rtol=1e-3)


def test_half_precision(run, tmp_path, here):
    (written,) = exporter.export(Request(run, "onnx", tmp_path / "out", precision="fp16"))
    folder, details = written.folder, written.details
    assert details["precision"] == "fp16"
    assert 0 < details["parity"]["mean_rel"] < 1e-2, "rounded, and not much"
    import onnx

    model = onnx.load(folder / "model.onnx")
    types = {x.data_type for x in model.graph.initializer if list(x.dims) == [1, 3, 1, 1]}
    assert types == {onnx.TensorProto.FLOAT16}
    (output,) = model.graph.output
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_disparity_in_half_precision_stays_finite(tmp_path, here):
    """The sky's 540 km are beyond float16."""
    image = keras.Input((*SIZE, 3))
    disparity = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="zeros")(image)
    keras.Model(image, disparity, name="optidepthnet_vgg").save(tmp_path / "model.keras")
    RunFolder(tmp_path).write_camera(26.0)
    (written,) = exporter.export(Request(tmp_path, "onnx", tmp_path / "out", precision="fp16"))
    depth = load_exported(written.folder)(np.zeros((1, *SIZE, 3), np.uint8))
    np.testing.assert_allclose(depth, 26.0 / 48 / 1e-6, rtol=1e-3)


def test_the_camera_of_a_disparity(tmp_path, here, capsys):
    image = keras.Input((*SIZE, 3))
    disparity = keras.layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(0.01))(image)
    keras.Model(image, disparity * 0 + 0.01, name="optidepthnet_vgg").save(tmp_path / "model.keras")
    assert call(tmp_path, "--format", "onnx", "--output", tmp_path / "out") == 2
    assert "give --focal-baseline" in capsys.readouterr().err
    RunFolder(tmp_path).write_camera(48.0)
    for given, metres in ((None, 100.0), (24.0, 50.0)):
        # Twice as wide: a pixel is half the angle, and the disparity twice the pixels.
        (written,) = exporter.export(
            Request(
                tmp_path,
                "onnx",
                tmp_path / "out",
                size=(64, 96),
                output_size="input",
                focal_baseline=given,
            )
        )
        assert written.details["model"]["focal_baseline"] == (given or 48.0)
        depth = load_exported(written.folder)(np.zeros((1, 64, 96, 3), np.uint8))
        np.testing.assert_allclose(depth, metres, rtol=1e-4)


def test_eight_bits_from_pictures(run, tmp_path, here, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, picture in enumerate(parity.render_images((64, 96), 4)):
        cv2.imwrite(str(photos / f"{i}.png"), picture)
    arguments = [run, "--format", "litert", "--precision", "int8", "--output", tmp_path / "out"]
    assert call(*arguments) == 2
    assert "give --calibration a folder" in capsys.readouterr().err
    assert call(*arguments, "--calibration", photos) == 0
    exported = load_exported(tmp_path / "out" / "lite_basic_interl_t")
    assert exported.batch == 1
    assert 1e-4 < exported.details["parity"]["mean_rel"] < 0.05, "8 bits, scaled well"
    assert "the limit of the mean is 0.1" in capsys.readouterr().out


def test_an_exported_network_is_scored(run, tmp_path, here):
    """As the run is: what rounding costs is a score."""
    (written,) = exporter.export(Request(run, "onnx", tmp_path / "out"))
    scores = []
    for scored in (run / "model.keras", written.folder):
        report, _ = evaluator.evaluate_run(
            scored, data="synthetic", data_options={"count": 2}, output=tmp_path / scored.name
        )
        scores.append(report.scores["model"]["image"]["abs_rel"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-2), "metres are interpolated, not output"


def test_half_precision_of_litert(run, tmp_path, here):
    request = Request(run, "litert", tmp_path / "out", batch=2, precision="fp16")
    (written,) = exporter.export(request)
    assert written.details["input"]["shape"][0] == 2


def test_a_network_trained_in_half_precision_computes_in_float32(tmp_path, here):
    model = bright_is_far(dtype="mixed_float16")
    assert model.layers[-1].compute_dtype == "float16"
    model.save(tmp_path / "model.keras")
    (written,) = exporter.export(Request(tmp_path, "onnx", tmp_path / "out"))
    assert written.parity.max_rel < 1e-6


@pytest.mark.parametrize("name", ["vgg19_unet", "msfnet", "mobilenet_v2_unet"])
def test_bilinear_resizing_by_matmul(name):
    """The option for TF-TRT: no resizing operator is left, and depth is the same."""
    model = lively(name)
    encoding = ENCODINGS[exporter.encoding_of(model)].name
    images = parity.render_images(model.inputs[0].shape[1:3], 2)
    expected = parity.compute_reference(network.to_float32(model), encoding, None, images, "input")
    written = {}
    for matmul in (False, True):
        deployed = network.build(
            network.to_float32(model), encoding, output_size="input", matmul=matmul
        )
        function = network.freeze(deployed).get_concrete_function()
        written[matmul] = {op.type for op in function.graph.get_operations()}
        depth = network.freeze(deployed)(images)["depth"].numpy()
        assert parity.compare(expected, depth, "fp32").passed
    assert "ResizeBilinear" in written[False] and "ResizeBilinear" not in written[True]


def test_the_folder_for_a_board(run, tmp_path, here, capsys):
    """Without TensorRT nothing is converted; what the board needs lies in one folder."""
    output = tmp_path / "out"
    assert call(run, "--format", "tftrt", "--precision", "FP16", "--output", output) == 2
    folder = output / "lite_basic_interl_t" / "1"
    error = capsys.readouterr().err
    assert "nothing was converted" in error and "built without TensorRT" in error
    line = "python3 tftrt.py saved_model --precision FP16 --images images.npz"
    assert f"{line} --output converted" in error and str(folder) in error
    with np.load(folder / "images.npz") as images:
        depth = images["depth"]
        np.testing.assert_allclose(load_exported(folder)(images["image"]), depth, rtol=1e-4)
    done = subprocess.run(
        [sys.executable, *line.split()[1:], "--output", "converted"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "was built without TensorRT" in done.stderr, done.stderr
    assert not (folder / "converted").exists()


def test_the_recipe_for_tensorrt(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    output = tmp_path / "out"
    assert call(run, "--format", "tensorrt", "--precision", "fp16", "--output", output) == 0
    text = capsys.readouterr().out
    assert "no TensorRT here" in text
    model = "lite_basic_interl_t/1/model"
    assert f"trtexec --onnx={model}.onnx --saveEngine={model}.engine --fp16" in text
    assert f"trtexec --onnx=fp16/{model}.onnx --saveEngine={model}.engine\n" in text
    folder = output / "lite_basic_interl_t" / "1"
    assert (folder / "BUILD.txt").read_text().strip() in text
    details = load_exported(folder).details
    assert details["input"]["dtype"] == "float32", "TensorRT takes uint8 from 8.5 on"
    assert details["input"]["shape"][0] == 1
    assert load_exported(output / "fp16" / "lite_basic_interl_t").details["precision"] == "fp16"


STAND_IN = """#!/usr/bin/env python3
# Answers as trtexec does, as far as the exporter reads it; it builds no engine.
import json, sys
import numpy as np
import onnxruntime
print("&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] # " + " ".join(sys.argv))
if "--help" in sys.argv:
    sys.exit()
options = dict(a[2:].split("=", 1) if "=" in a else (a[2:], None) for a in sys.argv[1:])
if {fails}:
    print("[E] Error[4]: no kernel image is available")
    sys.exit(1)
open(options["saveEngine"], "w").write(options["onnx"] + " " + str("fp16" in options))
session = onnxruntime.InferenceSession(options["onnx"])
given = session.get_inputs()[0]
image = np.fromfile(options["loadInputs"].split(":")[1], np.float32).reshape(given.shape)
depth = session.run(None, {{"image": image}})[0]
values = {{"name": "depth", "dimensions": "x".join(map(str, depth.shape))}}
values["values"] = depth.ravel().tolist()
json.dump([values], open(options["exportOutput"], "w"))
print("[I] GPU Compute Time: min = 1.1 ms, max = 2.2 ms, mean = 1.4 ms, median = 1.25 ms")
"""


def stand_in(folder, number, fails=False):
    folder.mkdir()
    file = folder / "trtexec"
    text = STAND_IN.format(number=number, fails=fails)
    file.write_text(text.replace("/usr/bin/env python3", sys.executable))
    file.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    "number, version, source, switch, layout",
    [
        ("8502", "8.5.2", "lite_basic_interl_t", "True", "nhwc"),
        ("100300", "10.3.0", "lite_basic_interl_t", "True", "nchw"),
        ("110400", "11.4.0", "fp16/lite_basic_interl_t", "False", "nchw"),
    ],
)
def test_an_engine_by_trtexec(
    run, tmp_path, here, capsys, monkeypatch, number, version, source, switch, layout
):
    """Precision is a switch up to 10, and in the graph from 11 on. (A stand-in for trtexec.)"""
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", number)))
    output = tmp_path / "out"
    arguments = ["--precision", "fp16", "--layout", layout, "--output", output]
    assert call(run, "--format", "tensorrt", *arguments) == 0
    folder = output / "lite_basic_interl_t" / "1"
    told = (folder / "model.engine").read_text()
    assert told == f"{output / source / '1' / 'model.onnx'} {switch}"
    printed = capsys.readouterr().out
    assert f"TensorRT {version}" in printed and "1.25 ms" in printed
    built = load_exported(folder).details["engine"]
    assert built["tensorrt"] == version and built["milliseconds"] == 1.25
    assert built["parity"]["mean_rel"] < 1e-2
    assert not (folder / "image.bin").exists() and not (folder / "depth.json").exists()


def test_an_engine_that_computes_something_else(run, tmp_path, here, capsys, monkeypatch):
    text = STAND_IN.replace("depth.ravel()", "(1.5 * depth).ravel()")
    monkeypatch.setattr(sys.modules[__name__], "STAND_IN", text)
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8502")))
    output = tmp_path / "with space"
    assert call(run, "--format", "tensorrt", "--layout", "nchw", "--output", output) == 1
    assert "difference max" in capsys.readouterr().out


def test_trtexec_that_fails_is_quoted(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8502", fails=True)))
    assert call(run, "--format", "tensorrt", "--output", tmp_path / "out") == 2
    assert "cannot build the engine: [E] Error[4]: no kernel image" in capsys.readouterr().err


def test_where_trtexec_is_on_a_jetson(monkeypatch):
    monkeypatch.setattr(tensorrt.shutil, "which", lambda name: name if "/" in name else None)
    assert tensorrt.trtexec() == "/usr/src/tensorrt/bin/trtexec"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--format", "saved_model", "--precision", "fp16"], "saved_model is written in fp32"),
        (["--format", "litert", "--opset", "17"], "--layout and --opset are for ONNX"),
        (["--format", "onnx", "--calibration", "photos"], "--calibration is for --precision int8"),
        (["--format", "onnx", "--focal-baseline", "20"], "writes no disparity"),
        (["--format", "onnx", "--focal-baseline", "0"], "0.0: give a number above 0"),
        (["--format", "onnx", "--encoding", "metres"], "encoding 'metres'"),
        (["--format", "litert", "--precision", "int8", "--calibration", "none"], "none: no such"),
    ],
)
def test_what_does_not_go_together(run, tmp_path, capsys, arguments, message):
    assert call(run, *arguments, "--output", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_network_of_no_known_encoding(tmp_path, here, capsys):
    bright_is_far("mine").save(tmp_path / "mine.keras")
    arguments = [tmp_path / "mine.keras", "--format", "onnx"]
    assert call(*arguments) == 2
    assert "--encoding metric" in capsys.readouterr().err
    assert call(*arguments, "--encoding", "metric") == 0
    assert (tmp_path / "exported" / "onnx" / "mine" / "1" / "model.onnx").exists()


def test_a_folder_that_cannot_be_written(run, tmp_path, here, capsys):
    (tmp_path / "file").write_text("")
    assert call(run, "--format", "onnx", "--output", tmp_path / "file") == 2
    assert "cannot be written" in capsys.readouterr().err


LOAD = """
import sys
import numpy as np
import tensorflow as tf
if tf.__version__ == "2.5.3" and "msfnet" in sys.argv[1]:
    # It cannot fuse an activation with a grouped convolution on a CPU: docs/jetson.md.
    tf.config.optimizer.set_experimental_options({"remapping": False})
loaded = tf.saved_model.load(sys.argv[1])
image = np.load(sys.argv[2])
depth = loaded.signatures["serving_default"](image=tf.constant(image))["depth"].numpy()
np.save(sys.argv[3], depth)
print(tf.__version__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.17.1", "2.12.1", "2.5.3"])
def test_older_tensorflow_loads_the_frozen_twin(version, old_tensorflow, tmp_path, here):
    """2.5 is JetPack 4's, 2.12 to 2.17 those of JetPack 5 and 6. Of each decoder one network."""
    python = old_tensorflow(version)
    for name in ("lite_basic_interl_t", "optidepthnet_vgg", "vgg19_unet", "msfnet"):
        model = lively(name)
        model.save(tmp_path / "model.keras")
        stereo = 64.0 if name == "optidepthnet_vgg" else None
        request = Request(tmp_path, "saved_model", tmp_path / name, focal_baseline=stereo)
        prepared = exporter.prepare(request)
        folder = exporter.write(prepared, request)[1].folder
        assert folder.parents[1].name == "frozen"
        np.save(tmp_path / "image.npy", prepared.images)
        done = subprocess.run(
            [python, "-c", LOAD, folder, tmp_path / "image.npy", tmp_path / "depth.npy"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.strip() == version
        depth = np.load(tmp_path / "depth.npy")
        assert parity.compare(prepared.depth, depth, "fp32").passed
