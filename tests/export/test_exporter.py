"""The exporter: versions, sizes, precisions and cameras, each compared with the Keras model."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import protocols
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.export import exporter, litert, network, onnx, parity, saved_model
from keras_depth.export.request import ANY_BATCH, PRECISIONS, Request
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.loading import load_exported
from keras_depth.run_folder import RunFolder
from tests.helpers.exporting import SIZE, bright_is_far, call, run_in_this_process
from tests.helpers.lively import lively


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


@pytest.mark.parametrize("format", PRECISIONS)
def test_an_output_that_is_not_utf8_is_said_before_the_work(run, tmp_path, format):
    output = tmp_path / os.fsdecode(b"gr\xfcn")
    with pytest.raises(InputError) as caught:
        Request(run, format, output)
    assert str(caught.value).startswith(f"{output}: a name that is not UTF-8, which TensorFlow")


def test_an_exported_network_in_a_folder_that_is_not_utf8_is_not_called_damaged(
    run, tmp_path, here
):
    exporter.export(Request(run, "onnx", tmp_path / "exported"))
    moved = (tmp_path / "exported").rename(tmp_path / os.fsdecode(b"gr\xfcn"))
    with pytest.raises(InputError, match="a name that is not UTF-8, .*; rename the file or folder"):
        load_exported(moved / "lite_basic_interl_t")


FULL = os.strerror(errno.ENOSPC)
FULL_DISKS = {
    "of Python": OSError(errno.ENOSPC, FULL),
    "of TensorFlow": tf.errors.ResourceExhaustedError(
        None, None, f"x/model.pb; {FULL} [Op:SaveV2]"
    ),
    "of its buffers": tf.errors.UnknownError(None, None, f"x/model.pb; {FULL}"),
    "of a drive that is gone": tf.errors.UnavailableError(None, None, f"x; {FULL}"),
}


@pytest.mark.parametrize("error", FULL_DISKS.values(), ids=FULL_DISKS)
@pytest.mark.parametrize(
    "format, writer",
    [
        ("saved_model", saved_model.write),
        ("saved_model", saved_model.write_frozen),
        ("onnx", onnx.write),
        ("tensorrt", onnx.write),
        ("litert", litert.write),
        ("tftrt", saved_model.write_frozen),
    ],
)
def test_a_full_disk_leaves_what_stood_there(
    run, tmp_path, here, monkeypatch, format, writer, error
):
    def fail(*arguments, **options):
        folder = next(each for each in arguments if isinstance(each, Path))
        folder.mkdir(exist_ok=True)
        (folder / "half").write_text("half of a file")
        raise error

    older = tmp_path / "out" / "lite_basic_interl_t" / "1" / "export.json"
    older.parent.mkdir(parents=True)
    older.write_text(
        json.dumps({"format": format, "name": "", "output": 0, "input": {"shape": "NHWC"}})
    )
    monkeypatch.setattr(sys.modules[writer.__module__], writer.__name__, fail)
    batch = None if format in ANY_BATCH else 1
    with pytest.raises(InputError) as caught:
        exporter.export(Request(run, format, tmp_path / "out", batch=batch))
    assert re.match(
        rf"{tmp_path}/out/.*lite_basic_interl_t/2: cannot be written \({FULL}\);", str(caught.value)
    )
    assert [path for path in tmp_path.joinpath("out").rglob("*") if path.is_file()] == [older]


def test_what_is_no_full_disk_stays_what_it_is(run, tmp_path, here, monkeypatch):
    def fail(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(saved_model, "write", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        exporter.export(Request(run, "saved_model", tmp_path / "out"))
    assert not list((tmp_path / "out").rglob(".partial*"))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "output_size, wanted, opset", [("network", (16, 24), 17), ("input", (60, 40), 11)]
)
def test_images_of_another_size(run, tmp_path, here, dtype, output_size, wanted, opset):
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
        opset=opset,
    )
    (written,) = exporter.export(request)
    folder, details = written.folder, written.details
    assert details["input"]["shape"] == [2, 3, 60, 40] and details["opset"] == opset
    assert details["output"]["shape"] == [2, *wanted, 1]
    assert details["parity"]["max_rel"] < 1e-5
    exported = load_exported(folder)
    assert exported.input_size == (60, 40) and exported.batch == 2
    images = parity.render_images((60, 40), 3)
    estimator = DepthEstimator.load(folder)
    depth = estimator(images)
    assert depth.shape == (3, 60, 40), "in twos, the last one twice"
    expected = DepthEstimator(bright_is_far())(images / np.float32(255))
    np.testing.assert_allclose(depth.mean(), expected.mean(), rtol=1e-3)


def test_an_opset_that_is_not_offered(run, tmp_path):
    with pytest.raises(InputError, match="opset 12: ONNX is written in 11, 13, 17; choose one of"):
        Request(run, "onnx", tmp_path / "out", opset=12)


FITTED = [  # each fit, size of depth and way to write it, once
    ("saved_model", "letterbox", "input", "operator"),
    ("onnx", "letterbox", "network", "operator"),
    ("litert", "crop", "input", "operator"),
    ("onnx", "crop", "network", "matmul"),
]


@pytest.mark.parametrize("format, fit, output_size, resize", FITTED)
def test_images_of_another_shape(run, tmp_path, here, format, fit, output_size, resize):
    """Fitted within the graph as DepthEstimator fits them; there is no depth of what is cut off."""
    batch = None if format in ANY_BATCH else 1
    request = Request(
        run,
        format,
        tmp_path / "out",
        size=(45, 120),
        batch=batch,
        output_size=output_size,
        resize=resize,
        fit=fit,
    )
    written = exporter.export(request)[0]
    assert written.details["fit"] == fit and written.details["parity"]["max_rel"] < 1e-5
    image = parity.render_images((45, 120), 1)
    estimator = DepthEstimator.load(written.folder)
    assert estimator.fit == fit
    depth = estimator(image, resize=False)
    expected = DepthEstimator(bright_is_far(), fit=fit)(image, resize=output_size == "input")
    assert depth.shape == expected.shape
    np.testing.assert_allclose(depth, expected, atol=0.03)  # uint8 here, float32 in the graph
    assert (depth[0, :, :8] > 0).any() == (fit == "letterbox")


def test_the_fit_of_the_training(run, tmp_path, here, capsys):
    """It is written down, for who runs the network; a picture of its shape is not touched."""
    (run / "recipe.yaml").write_text("fit: letterbox\n")
    assert call(run, "--format", "onnx", "--output", tmp_path / "out") == 0
    estimator = DepthEstimator.load(tmp_path / "out")
    assert estimator.fit == "letterbox"
    assert call(run, "--format", "onnx", "--output", tmp_path / "out", "--fit", "box") == 2
    assert "invalid choice: 'box'" in capsys.readouterr().err
    picture = np.random.default_rng(0).integers(0, 256, (40, 120, 3), np.uint8)
    expected = DepthEstimator(bright_is_far(), fit="letterbox")(picture)
    np.testing.assert_allclose(estimator(picture), expected, atol=1e-4)


@pytest.mark.parametrize("opset", [11, 13])
def test_half_precision(run, tmp_path, here, opset):
    request = Request(run, "onnx", tmp_path / "out", precision="fp16", opset=opset)
    (written,) = exporter.export(request)
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
    RunFolder(tmp_path).write_camera(48.0, (30.0, 20.0), SIZE)
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
        fx, fy = written.details["camera"]["focal_length"]  # of images twice as large
        assert (fx, fy) == ((30.0, 20.0) if given else (60.0, 40.0))
        depth = load_exported(written.folder)(np.zeros((1, 64, 96, 3), np.uint8))
        np.testing.assert_allclose(depth, metres, rtol=1e-4)


def test_an_exported_network_is_scored(run, tmp_path, here):
    """As the run is: what rounding costs is a score."""
    (written,) = exporter.export(Request(run, "onnx", tmp_path / "out"))
    scores = []
    for scored in (run / "model.keras", written.folder):
        report, _ = evaluator.evaluate_run(
            scored, Frames("rooms", options={"count": 2}), output=tmp_path / scored.name
        )
        scores.append(report.scores["model"]["image"]["abs_rel"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-2), "metres are interpolated, not output"


def test_what_a_graph_cuts_off_is_not_scored(run, tmp_path, here):
    """It writes 0 there, whose error would be 1."""
    size = (SIZE[0], 2 * SIZE[1])
    request = Request(run, "onnx", tmp_path / "out", size=size, fit="crop")
    (written,) = exporter.export(request)
    frames = Frames("rooms", options={"count": 2, "size": size})
    report, _ = evaluator.evaluate_run(written.folder, frames, output=tmp_path / "scored")
    assert 0.45 < report.seen <= 0.5
    expected, _ = evaluator.evaluate_run(
        run / "model.keras", frames, output=tmp_path / "run", fit="crop"
    )
    scores = [one.scores["model"]["image"]["abs_rel"] for one in (report, expected)]
    assert scores[0] == pytest.approx(scores[1], rel=2e-2)


def test_an_exported_canonical_network_is_scored_in_each_frames_metres(
    run, tmp_path, here, monkeypatch
):
    monkeypatch.setattr(evaluator.figures, "sample_figure", lambda *arguments: None)
    (run / "recipe.yaml").write_text("canonical_focal_length: 40\n")
    RunFolder(run).write_camera(focal_length=(40.0, 40.0), size=SIZE)
    (written,) = exporter.export(Request(run, "onnx", tmp_path / "out"))
    assert written.details["canonical"]
    frames = Frames("rooms", options={"count": 2, "fov": [50, 90], "cameras": 2, "size": SIZE})
    report, _ = evaluator.evaluate_run(written.folder, frames, output=tmp_path / "report")
    estimator = DepthEstimator.load(run)
    scored = (estimator, frames.open(), protocols.get("full"), tmp_path / "expected")
    expected = evaluator.evaluate(*scored, model="", canonical=True)
    for one, other in zip(report.frames, expected.frames, strict=True):
        assert one["abs_rel"] == pytest.approx(other["abs_rel"], rel=1e-2)
    details = {**written.details, "camera": None}  # it was calibrated for one that was not named
    (written.folder / "export.json").write_text(json.dumps(details))
    with pytest.warns(UserWarning, match="metres are not scaled: .*export.json names none"):
        report, _ = evaluator.evaluate_run(written.folder, frames, output=tmp_path / "unscaled")
    plain = evaluator.evaluate(*scored, model="")
    for one, other in zip(report.frames, plain.frames, strict=True):
        assert one["abs_rel"] == pytest.approx(other["abs_rel"], rel=1e-2)
    assert abs(plain.frames[0]["abs_rel"] - expected.frames[0]["abs_rel"]) > 0.02


def test_half_precision_of_litert(run, tmp_path, here):
    request = Request(run, "litert", tmp_path / "out", batch=2, precision="fp16")
    (written,) = exporter.export(request)
    assert written.details["input"]["shape"][0] == 2


LOAD = """
import os
import sys
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
for twin in sys.argv[2:]:
    if tf.__version__ == "2.5.3" and twin.endswith("msfnet"):
        # It cannot fuse an activation with a grouped convolution on a CPU: docs/jetson.md.
        tf.config.optimizer.set_experimental_options({"remapping": False})
    loaded = tf.saved_model.load(twin + "/saved_model")
    image = np.load(twin + "/image.npy")
    depth = loaded.signatures["serving_default"](image=tf.constant(image))["depth"].numpy()
    np.save(f"{folder}/{os.path.basename(twin)}.npy", depth)
print(tf.__version__)
"""


@pytest.fixture(scope="module")
def frozen_twins(tmp_path_factory):
    """Of each decoder one network: a folder with its frozen twin, images, and Keras's depth."""
    twins = {}
    for name in ("lite_basic_interl_t", "optidepthnet_vgg", "vgg19_unet", "msfnet"):
        folder = tmp_path_factory.mktemp(name) / name
        folder.mkdir()
        lively(name).save(folder / "model.keras")
        stereo = 64.0 if name == "optidepthnet_vgg" else None
        request = Request(folder, "saved_model", folder / "out", focal_baseline=stereo)
        prepared = exporter.prepare(request)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parity, "run_alone", run_in_this_process)
            twin = exporter.write(prepared, request)[1].folder
        assert twin.parents[1].name == "frozen"
        twin.rename(folder / "saved_model")
        np.save(folder / "image.npy", prepared.images)
        twins[folder] = prepared.depth
    return twins


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.12.1", "2.5.3"])
def test_older_tensorflow_loads_the_frozen_twin(version, old_tensorflow, frozen_twins, tmp_path):
    """2.5 is JetPack 4's, 2.12 the first of JetPack 5; 2.17, the last: test_tftrt.py."""
    done = subprocess.run(
        [old_tensorflow(version), "-c", LOAD, tmp_path, *frozen_twins],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == version
    for twin, expected in frozen_twins.items():
        depth = np.load(tmp_path / f"{twin.name}.npy")
        assert parity.compare(expected, depth, "fp32").passed, twin.name


def test_metres_of_another_camera(run, tmp_path, here, capsys):
    output = tmp_path / "out"
    folder = RunFolder(run)
    assert call(run, "--format", "onnx", "--output", output, "--fov", 60) == 2
    message = "which camera its metres are right is not known (there is no"
    assert message in capsys.readouterr().err and not output.exists()
    folder.write_camera(focal_length=(40.0, 30.0), size=SIZE)
    own = exporter.export(Request(run, "onnx", output))[0]
    assert own.details["camera"] == {"focal_length": [40, 30]}
    assert call(run, "--format", "onnx", "--output", output, "--intrinsics", "160,30,47,15") == 2
    assert "intrinsics of another size" in capsys.readouterr().err
    asked = ["--intrinsics", "160,30,23.5,15.5"]
    assert call(run, "--format", "onnx", "--output", output, *asked) == 0
    assert "metres x 2: these pictures' focal length is 69 pixels at 32x48" in (
        capsys.readouterr().out
    )
    scaled = load_exported(output / "lite_basic_interl_t")
    assert scaled.focal_length == (160, 30)
    image = np.full((1, *SIZE, 3), 51, np.uint8)
    np.testing.assert_allclose(scaled(image), 2 * load_exported(own.folder)(image), rtol=1e-5)
    # Images twice as large: the same camera has twice the pixels.
    double = Request(run, "onnx", output, size=(64, 96), fov=90)
    details = exporter.prepare(double).details
    assert details["camera"]["focal_length"] == pytest.approx([48, 48])
    for given in ({"intrinsics": (1, 1, 1, 1), "fov": 60}, {"focal_baseline": 3.0, "fov": 60}):
        with pytest.raises(InputError, match="give one of them|leave it out, or --intrinsics"):
            Request(run, "onnx", output, **given)
