"""The TF-TRT script: what it says without TensorRT; and which operators would go into engines."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_depth import models
from keras_depth.export import network, saved_model, tftrt

SCRIPT = Path(tftrt.__file__)
REHEARSAL = Path(__file__).parent / "tftrt_rehearsal"
SHAPE = (8, 12, 3)


def save(folder, size=(8, 12), batch=1, dtype=tf.uint8, output="depth"):
    """Saves a network of no weights: metres of half the size, from how bright an image is."""
    spec = tf.TensorSpec((batch, *size, 3), dtype, "image")

    @tf.function(input_signature=[spec])
    def depth(image):
        grey = tf.reduce_mean(tf.cast(image, tf.float32), -1, keepdims=True)
        return {output: 1.0 + tf.nn.avg_pool2d(grey, 2, 2, "VALID") / 255}

    module = tf.Module()
    module.depth = depth
    tf.saved_model.save(module, str(folder), signatures={"serving_default": depth})
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model") / "saved")


@pytest.fixture
def write_images(tmp_path, model):
    """Function that writes a file of images, some arrays changed or, with None, left out."""
    images = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    function = tf.saved_model.load(str(model)).signatures["serving_default"]
    depth = np.concatenate([function(image=image[None])["depth"] for image in images])
    arrays = {"image": images, "depth": depth, "calibration": images}

    def write(**changes):
        path = tmp_path / "images.npz"
        np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
        return path

    return write


def test_it_needs_no_more_than_old_python_tensorflow_and_numpy():
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    assert names <= {*sys.stdlib_module_names, "numpy", "tensorflow"}
    assert "__future__" not in names and "dataclasses" not in names, "Python 3.6 lacks them"
    private = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert "python" not in {node.attr for node in private}, "tensorflow.python is private"


def test_it_says_why_this_tensorflow_cannot(capsys, model, tmp_path):
    reason = tftrt.unavailable()
    assert reason.startswith(f"TensorFlow {tf.__version__} was built without TensorRT.")
    for needed in ("GPU", "2.17", "8.6.1", "JetPack"):
        assert needed in reason
    assert "\n" not in reason
    assert tftrt.main([str(model), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"tftrt.py: {reason}\n"
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_it_runs_where_this_package_is_not(tmp_path):
    copy = shutil.copy(SCRIPT, tmp_path / "copied.py")
    command = [sys.executable, "-I", copy, tmp_path / "none", "--output", tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 2
    assert f"tftrt.py: {tmp_path / 'none'}: contains no saved_model.pb; give the" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "changes, options, message",
    [
        ({"depth": None}, [], "images.npz: contains no depth; FP16 needs it"),
        ({"image": None, "depth": None}, [], "contains no image and no depth"),
        ({"calibration": None}, ["--precision", "INT8"], "contains no calibration; INT8 needs it"),
        (
            {"image": np.zeros((3, 8, 8, 3), np.uint8)},
            [],
            "image is uint8 (3, 8, 8, 3); {model} needs uint8 (N, 8, 12, 3) with N at least 1",
        ),
        ({"image": np.zeros((3, *SHAPE), np.float32)}, [], "image is float32 (3, 8, 12, 3); "),
        ({"depth": np.zeros((3, 8, 12, 1), np.float32)}, [], "needs float32 (N, 4, 6, 1)"),
        ({"image": np.zeros((0, *SHAPE), np.uint8)}, [], "with N at least 1"),
        ({"image": np.zeros((2, *SHAPE), np.uint8)}, [], "2 images in image and 3 maps in depth"),
    ],
)
def test_images_that_do_not_fit(capsys, tmp_path, model, write_images, changes, options, message):
    arguments = [str(model), "--output", str(tmp_path / "out"), *options]
    assert tftrt.main([*arguments, "--images", str(write_images(**changes))]) == 2
    said = capsys.readouterr().err
    assert message.format(model=model) in said
    assert str(tmp_path / "images.npz") in said
    assert said.count("\n") == 1


def test_images_that_cannot_be_read(capsys, tmp_path, model):
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name in ("text.npz", "none.npz", "one.npy"):
        path = tmp_path / name
        arguments = [str(model), "--output", str(tmp_path / "out"), "--images", str(path)]
        assert tftrt.main(arguments) == 2
        assert f"tftrt.py: {path}: not a readable .npz file (" in capsys.readouterr().err


def test_int8_without_images(capsys, tmp_path, model):
    arguments = [str(model), "--precision", "INT8", "--output", str(tmp_path / "out")]
    assert tftrt.main(arguments) == 2
    assert "INT8 needs images like those it will see; give --images" in capsys.readouterr().err


def test_an_output_is_never_overwritten(capsys, tmp_path, model):
    (tmp_path / "there").mkdir()
    assert tftrt.main([str(model), "--output", str(tmp_path / "there")]) == 2
    assert f"{tmp_path / 'there'}: exists already" in capsys.readouterr().err
    assert tftrt.main([str(model), "--output", str(tmp_path / "no" / "out")]) == 2
    assert f"there is no folder {tmp_path / 'no'} to make it in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"output": "metres"}, "takes ['image'] and returns ['metres']"),
        (
            {"size": (None, None)},
            "`image` is (1, None, None, 3); export it for images of a fixed size",
        ),
    ],
)
def test_models_that_are_not_exported_ones(capsys, tmp_path, changes, message):
    model = save(tmp_path / "model", **changes)
    assert tftrt.main([str(model), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"tftrt.py: {model}: " in said and message in said


def test_a_model_that_does_not_load(capsys, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no protocol buffer")
    assert tftrt.main([str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"TensorFlow {tf.__version__} cannot load it (" in said and "frozen" in said


@pytest.fixture
def pretended_tensorrt(monkeypatch):
    """A Converter of the public interface that converts nothing; the list is what it was asked."""
    asked = []

    class Converter:
        def __init__(self, input_saved_model_dir, use_dynamic_shape, conversion_params):
            self.folder = input_saved_model_dir
            asked.append((conversion_params.precision_mode, use_dynamic_shape))

        def convert(self, calibration_input_fn=None):
            if calibration_input_fn:
                asked.append(["calibrated", *(image.shape for (image,) in calibration_input_fn())])

        def build(self, input_fn):
            asked.append(["built", *(image.shape for (image,) in input_fn())])

        def save(self, folder):
            shutil.copytree(self.folder, folder)
            (Path(folder) / "assets" / "trt-serialized-engine.TRTEngineOp_000_000").write_text("x")

    monkeypatch.setattr(tftrt, "unavailable", lambda: None)
    monkeypatch.setattr(tf.experimental.tensorrt, "Converter", Converter)
    return asked


def test_a_conversion_is_reported(capsys, tmp_path, model, write_images, pretended_tensorrt):
    output = tmp_path / "out"
    arguments = [str(model), "--precision", "INT8", "--output", str(output), "--repeats", "2"]
    assert tftrt.main([*arguments, "--images", str(write_images())]) == 0
    assert pretended_tensorrt == [
        ("INT8", False),
        ["calibrated", *[(1, *SHAPE)] * 3],
        ["built", (1, *SHAPE)],
    ]
    report = json.loads((output / "tftrt.json").read_text())
    assert report == json.loads(capsys.readouterr().out)
    assert report["passed"] and report["largest_difference"] < 1e-6
    assert report["engines_built"] == 1 and report["image"] == [1, *SHAPE]
    assert set(report["milliseconds"]) == {"original", "converted"}
    assert (output / "saved_model.pb").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npz", "out"]


def test_noise_where_there_are_no_images(tmp_path, pretended_tensorrt):
    for dtype in (tf.uint8, tf.float32):
        model = save(tmp_path / dtype.name, batch=None, dtype=dtype)
        report = tftrt.convert(model, tmp_path / f"out_{dtype.name}", "FP32", repeats=1)
        assert report["passed"] and report["image"] == [1, *SHAPE]
    assert pretended_tensorrt == [("FP32", True), ["built", (1, *SHAPE)]] * 2


def test_depth_that_differs_is_an_exit_code(
    capsys, tmp_path, model, write_images, pretended_tensorrt
):
    path = write_images(depth=np.full((3, 4, 6, 1), 2, np.float32))
    output = tmp_path / "out"
    assert tftrt.main([str(model), "--output", str(output), "--images", str(path)]) == 1
    assert "depth differs from what it should be" in capsys.readouterr().err
    assert not json.loads((output / "tftrt.json").read_text())["passed"]


def test_nothing_is_left_of_a_conversion_that_fails(tmp_path, model, monkeypatch, request):
    request.getfixturevalue("pretended_tensorrt")

    def fail(self, input_fn):
        raise tf.errors.InternalError(None, None, "out of memory")

    monkeypatch.setattr(tf.experimental.tensorrt.Converter, "build", fail)
    with pytest.raises(tf.errors.InternalError):
        tftrt.convert(model, tmp_path / "out", "FP32")
    assert not list(tmp_path.iterdir())


def test_differences_are_of_depth_or_of_its_median():
    expected = np.array([0.1, 2, 4], np.float32).reshape(1, 3, 1, 1)
    report = tftrt.compare(expected + np.float32(0.01), expected, "FP16")
    assert report["largest_difference"] == pytest.approx(0.01, rel=1e-4)
    assert report["largest_relative_difference"] == pytest.approx(0.01 / 2, rel=1e-4)
    assert report["mean_relative_difference"] == pytest.approx((0.005 + 0.005 + 0.0025) / 3, 1e-4)
    assert report["passed"] and not tftrt.compare(expected * 1.02, expected, "FP16")["passed"]
    assert tftrt.compare(expected * 1.02, expected, "INT8")["passed"]
    nowhere = tftrt.compare(expected * np.nan, expected, "INT8")
    assert not nowhere["passed"] and nowhere["mean_relative_difference"] is None


# Below: TensorFlow 2.17.1's own segmenter, with a library that only pretends to be TensorRT.


def frozen(name, folder, matmul):
    """Saves a network of random weights for images of 64x96, one at a time."""
    architecture = models.get(name)
    model = models.create_model(name, input_shape=(64, 96, 3))
    exported = network.build(
        network.to_float32(model), architecture.encoding, batch=1, matmul=matmul
    )
    saved_model.write_frozen(exported, folder)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """Environment variables with which TensorFlow 2.17.1 finds the stand-in library."""
    folder = tmp_path_factory.mktemp("stand_in")
    first, second = (folder / f"lib{name}.so.8.6.1" for name in ("nvinfer", "nvinfer_plugin"))
    source = REHEARSAL / "stand_in.cc"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", first, source], check=True)
    shutil.copy(first, second)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory, old_tensorflow, stand_in):
    """Returns {network: (what the segmenter says of it, what the surgery says)}."""
    folder = tmp_path_factory.mktemp("rehearsal")
    frozen("lite_basic_interl_t", folder / "lite", matmul=True)
    frozen("mobilenet_v2_unet", folder / "operator", matmul=False)
    frozen("mobilenet_v2_unet", folder / "matmul", matmul=True)
    names = ("lite", "operator", "matmul")
    python = old_tensorflow("2.17.1")

    def run(script, *arguments):
        command = [python, REHEARSAL / script, *arguments, "--json", folder / "found.json"]
        subprocess.run(command, env=stand_in, check=True)
        return json.loads((folder / "found.json").read_text())

    models = [folder / name for name in names]
    segments = run("segment.py", *models, "--save", folder / "converted")["models"]
    return {
        name: (found, run("surgery.py", folder / name, folder / "converted" / name))
        for name, found in zip(names, segments, strict=True)
    }


def outside(segments):
    return {left["operator"]: (left["count"], left["reasons"]) for left in segments["outside"]}


CAST = (1, ["Cast op is not supported - Allowed input dtypes: [float, half]. Received: uint8"])


@pytest.mark.slow
def test_an_interleaving_network_is_one_engine(rehearsed):
    segments, _ = rehearsed["lite"]
    assert segments["engines"] == 1
    assert segments["inside"]["DepthToSpace"] == 4
    assert outside(segments) == {"Cast": CAST}, "of uint8 images: the first operator"


@pytest.mark.slow
def test_bilinear_resizing_splits_engines_and_matmul_does_not(rehearsed):
    reason = "Cannot Convert Bilinear Resize when align_corners=False"
    segments, _ = rehearsed["operator"]
    assert segments["engines"] == 5
    assert outside(segments) == {"Cast": CAST, "ResizeBilinear": (4, [reason])}
    segments, _ = rehearsed["matmul"]
    assert segments["engines"] == 1
    assert outside(segments) == {"Cast": CAST}


@pytest.mark.slow
def test_the_converted_graph_is_the_same_function(rehearsed):
    for segments, surgery in rehearsed.values():
        assert surgery["engines"] == segments["engines"]
        assert surgery["largest_depth"] > 0
        assert surgery["largest_difference"] <= 1e-5 * surgery["largest_depth"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.17.1", "2.5.3"])
def test_what_it_says_with_a_tensorflow_that_finds_no_tensorrt(old_tensorflow, version):
    said = "import tftrt; print(tftrt.unavailable()); "
    pretend = "tftrt.tf.config.list_physical_devices = lambda kind: ['GPU']; "
    run = subprocess.run(
        [old_tensorflow(version), "-c", said + pretend + "print(tftrt.unavailable())"],
        cwd=SCRIPT.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    no_gpu, no_library = run.stdout.splitlines()
    assert no_gpu.startswith(f"TensorFlow {version} sees no GPU here. TF-TRT needs an NVIDIA GPU")
    assert no_library.startswith(f"TensorFlow {version} finds no TensorRT that it can use (")
