"""Nodes with a process each: how they start, live with other settings, and end."""

import json
import signal

import numpy as np
import pytest
from client import QUIET, Client, camera, compressed, metres, picture, running, started
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import CompressedImage


def test_lazy(model):
    """Without a listener no picture is looked at, not even a bad one."""
    client = Client(listens=False)
    try:
        with running("-p", f"model:={model}") as node:
            client.meet()
            client.image.publish(picture(encoding="none"))
            client.spin(lambda: False, QUIET)
            assert not node.errors()
            assert not client.set("lazy", False)
            client.image.publish(picture(encoding="none"))
            assert client.spin(node.errors)
    finally:
        client.close()


def test_no_camera_yet(model, client):
    with running("-p", f"model:={model}", end=signal.SIGTERM) as node:
        depth, info = client.ask(picture())
        assert (metres(depth) == 7).all() and info is None
        (line,) = node.errors()
        assert line == "/camera_info: no CameraInfo yet; depth is published without one"


def test_other_names_and_parameters(model, tmp_path):
    """Remapped topics, a namespace, a file of parameters; compressed, in millimetres, full size."""
    (tmp_path / "depth.yaml").write_text(
        f"/**:\n  ros__parameters:\n    model: {model}\n    encoding: 16UC1\n    compressed: true\n"
        "    full_size: true\n    max_depth: 100.0\n"
    )
    client = Client("cam/image_raw/compressed", "cam/info", "robot/depth", CompressedImage)
    remaps = ["image:=/cam/image_raw", "camera_info:=/cam/info", "__ns:=/robot", "__node:=eye"]
    arguments = [part for remap in remaps for part in ("-r", remap)]
    try:
        with running(*arguments, "--params-file", str(tmp_path / "depth.yaml")):
            depth, info = client.ask(compressed(7), camera())
            assert depth.encoding == "16UC1" and (metres(depth) == 7000).all()
            assert (depth.height, depth.width) == (24, 32) and list(info.k) == list(camera().k)
            assert not metres(client.ask(compressed(200))[0]).any()
    finally:
        client.close()


def test_a_life(write_network, tmp_path, client):
    """A bad network fails the transition alone; mended, the same node runs."""
    folder = write_network(tmp_path / "net")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[:-1])
    with running("-p", f"model:={folder}", "-p", "autostart:=false") as node:
        assert not client.change("configure") and client.state() == "unconfigured"
        (line,) = node.errors()
        assert "model.onnx: not the file that was exported" in line
        assert not client.change("activate")  # not of this state; by its number rcl throws, too:
        client.send(ChangeState, "depth/change_state", transition=Transition(id=3))
        assert client.state() == "unconfigured"
        (folder / "model.onnx").write_bytes(content)
        for _ in range(2):
            assert client.change("configure") and client.state() == "inactive"
            assert not client.node.count_subscribers("/image")
            assert client.change("activate") and client.state() == "active"
            assert (metres(client.ask(picture())[0]) == 7).all()
            assert client.change("deactivate") and client.state() == "inactive"
            assert client.spin(lambda: not client.node.count_subscribers("/image"))
            assert client.change("cleanup") and client.state() == "unconfigured"
            assert client.spin(lambda: not client.node.count_publishers("/depth/image"))
        assert client.change("configure") and client.change("activate")
        assert client.change("shutdown") and client.state() == "finalized"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["model:=/none/such"], "/none/such: no such folder; give that of keras-depth export"),
        (["lazy:=true"], "no network; set the parameter model to a folder"),
        (["model:=/none/such", "encoding:=64FC1"], "encoding '64FC1'; give one of 32FC1, 16UC1"),
        (["max_depth:=10"], "error: Trying to set parameter 'max_depth' to '10' of type 'INTEGER'"),
    ],
)
def test_a_start_that_fails(arguments, message):
    """One line, and the exit status 1."""
    given = [part for argument in arguments for part in ("-p", argument)]
    with started(*given) as node:
        assert node.process.wait(20) == 1
        (line,) = node.printed().splitlines()
        assert message in line


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_modules_are_imported(model, tmp_path, monkeypatch, end):
    (tmp_path / "cv2.py").write_text("print('importing', flush=True)\nimport time\ntime.sleep(20)")
    monkeypatch.syspath_prepend(tmp_path)
    with started("-p", f"model:={model}") as node:
        node.wait_for("importing")
        node.process.send_signal(end)
        assert node.process.wait(5) == 0
        assert node.printed() == "importing\n"


def test_a_broken_tensorrt(write_network, tmp_path, monkeypatch):
    """Is said, and model.onnx runs."""
    folder = write_network(tmp_path / "net")
    (folder / "model.engine").touch()
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    with running("-p", f"model:={folder}") as node:
        (line,) = node.errors()
        assert "libnvinfer.so.10: cannot open), so model.onnx runs instead" in line


@pytest.fixture
def letterboxing(write_network, tmp_path):
    """A network that letterboxes, and whose camera is known."""
    folder = write_network(tmp_path / "net")
    details = json.loads((folder / "export.json").read_text())
    details.update(fit="letterbox", camera={"focal_length": [26, 26]})
    (folder / "export.json").write_text(json.dumps(details))
    return folder


def test_another_camera(letterboxing, client):
    """Metres follow the focal length; pictures of another shape are letterboxed, as exported."""
    with running("-p", f"model:={letterboxing}", "-p", "full_size:=true") as node:
        depth, _ = client.ask(picture(8), camera())  # of 26 pixels, 13 in the network's input
        assert (metres(depth) == 4).all()
        wide = picture(8, (12, 64))
        depth, info = client.ask(wide, camera((12, 64), k=[52.0, 0, 32, 0, 52.0, 6, 0, 0, 1]))
        assert (depth.height, depth.width, info.width) == (12, 64, 64)
        assert (metres(depth) == 4).all()
        assert "metres x 0.5: these pictures' focal length is 13 pixels at 12x16" in node.printed()


def test_rectified_pictures_have_the_focal_length_of_p(letterboxing):
    client = Client("camera/image_rect")
    try:
        with running("-p", f"model:={letterboxing}", "-r", "image:=camera/image_rect"):
            rectified = [52.0, 0, 16, 0, 0, 52.0, 12, 0, 0, 0, 1, 0]
            depth, _ = client.ask(picture(8), camera(p=rectified))
            assert (metres(depth) == 8).all(), "26 pixels in the network's input; K says 13"
    finally:
        client.close()


def test_the_fit_and_the_scale_are_parameters(letterboxing, client):
    with running("-p", f"model:={letterboxing}", "-p", "scale_by_camera:=false", "-p", "fit:=crop"):
        depth, _ = client.ask(picture(8, (12, 64)), camera((12, 64)))
        assert (metres(depth)[:, 24:40] == 8).all() and np.isnan(metres(depth)[:, :24]).all()
