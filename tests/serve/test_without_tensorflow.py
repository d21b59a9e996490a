"""ONNX and LiteRT networks are run where TensorFlow and Keras cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from keras_depth.export import litert, onnx
from tests.helpers.exporting import write_tiny
from tests.helpers.serving import Server

SIZE = (8, 12)
WRITERS = {"onnx": onnx.write, "litert": litert.write}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network of each format, which letterboxes and knows its camera."""
    folder = tmp_path_factory.mktemp("exported")
    write_tiny(
        folder,
        WRITERS,
        1,
        SIZE,
        input={"name": "image", "dtype": "uint8", "shape": [1, *SIZE, 3], "layout": "NHWC"},
        output={"name": "depth", "dtype": "float32", "shape": [1, *SIZE, 1]},
        fit="letterbox",
        camera={"focal_length": [10, 10]},
    )
    return folder


@pytest.fixture
def without(tmp_path, monkeypatch):
    """The environment of processes in which TensorFlow and Keras raise when they are imported."""
    for name in ("tensorflow", "keras", "tensorflow_serving"):
        (tmp_path / "no" / name).mkdir(parents=True)
        (tmp_path / "no" / name / "__init__.py").write_text("raise ImportError(__name__)\n")
    path = os.pathsep.join([str(tmp_path / "no"), str(Path(__file__).parents[2])])
    monkeypatch.setenv("PYTHONPATH", path)
    picture = np.full((20, 60, 3), 51, np.uint8)  # 1.2 m
    cv2.imwrite(str(tmp_path / "room.png"), picture)
    return tmp_path


def predict(folder, without, *options):
    command = [sys.executable, "-m", "keras_depth.predict", str(folder), "room.png"]
    command += ["--output", "out", "--format", "npy,color,ply", "--fov", "90", *options]
    return subprocess.run(command, cwd=without, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("format", WRITERS)
def test_predict(exported, without, format):
    done = predict(exported / format, without)
    assert done.returncode == 0, done.stderr
    # 90 degrees: half the width, 30 pixels; letterboxed to 12 columns, 6.
    assert done.stdout.startswith(
        "metres x 0.6: these pictures' focal length is 6 pixels at 8x12, the network's camera has"
        " 10\n"
    )
    depth = np.load(without / "out" / "room_depth.npy")
    assert depth.shape == (20, 60)
    np.testing.assert_allclose(depth, 0.72, rtol=1e-5)


def test_the_processes_have_no_tensorflow(without):
    """The test above would say nothing if it could be imported."""
    code = "import keras"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode and "ImportError: keras" in done.stderr


def test_serve(exported, without):
    pytest.importorskip("kserve", reason="serving needs pip install 'keras_depth[serve]'")
    with Server(exported, "--intrinsics", "30,30,29.5,9.5") as server:
        server.wait()
        body = (without / "room.png").read_bytes()
        kind = {"Content-Type": "image/png"}
        for format in WRITERS:
            status, answer, _ = server.post(f"/v1/models/{format}:predict", body, kind)
            assert status == 200, answer
            depth = np.array(json.loads(answer)["predictions"])
            assert depth.shape == (1, 20, 60, 1)
            np.testing.assert_allclose(depth, 0.72, rtol=1e-5)
            assert server.get(f"/v1/models/{format}/metadata")[0] == 200
        # The camera of pictures of 60x20 is not that of 400x300.
        other = cv2.imencode(".png", np.zeros((300, 400, 3), np.uint8))[1].tobytes()
        status, answer, _ = server.post("/v1/models/onnx:predict", other, kind)
        assert status == 400
        assert json.loads(answer)["error"] == (
            "intrinsics with their center at 29.5,9.5, but the picture is 400x300 pixels:"
            " intrinsics of another size; give those of this picture"
        )
    server.process.wait()
