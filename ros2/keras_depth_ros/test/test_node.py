"""The node for real: its depth, its cameras, its QoS, its parameters, its life and its end."""

import signal

import dummy_network
import numpy as np
import pytest
from client import (
    QUIET,
    Client,
    camera,
    compressed,
    metres,
    picture,
    running,
    started,
)
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, RegionOfInterest


def test_depth_of_a_picture(shared, client):
    pixels = np.full((24, 32, 3), 7, np.uint8)
    pixels[:2] = 0  # no depth
    depth, info = client.ask(picture(pixels), camera())
    for message in (depth, info):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 123456789)
        assert message.header.frame_id == "camera_optical"
        assert (message.height, message.width) == (12, 16)
    assert depth.encoding == "32FC1"
    values = metres(depth)
    assert np.isnan(values[0]).all() and (values[1:] == 7).all()
    # Half the size: half the focal length, and (c + 0.5) / 2 - 0.5.
    assert list(info.k) == [13, 0, 7.75, 0, 13, 5.75, 0, 0, 1]
    assert list(info.p) == [13, 0, 7.75, -1, 0, 13, 5.75, 0, 0, 0, 1, 0]
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.1, -0.2, 0, 0, 0])


CAMERAS = {
    "another size": (camera((480, 640)), "is for pictures of 640x480, and these are 32x24"),
    "binning": (camera(binning_x=2, binning_y=2), "2x2 pixels are binned"),
    "a region": (camera(roi=RegionOfInterest(width=8, height=8)), "region of interest (8x8"),
}


@pytest.mark.parametrize("what", CAMERAS)
def test_a_camera_that_does_not_fit(shared, client, what):
    info, message = CAMERAS[what]
    client.meet()
    client.camera.publish(info)
    client.spin(lambda: False, 0.1)
    depth, info = client.ask(picture())
    assert (metres(depth) == 7).all() and info is None
    assert [line for line in shared.errors() if message in line]


def test_a_camera_that_is_not_calibrated(shared, client):
    depth, info = client.ask(picture(), camera(k=[0.0] * 9, p=[0.0] * 12))
    assert depth and not np.any(info.k) and not np.any(info.p)
    assert "/camera_info: the camera is not calibrated (K is zeros); so is depth" in shared.errors()


def test_pictures_that_cannot_be_used(shared, client):
    """Are reported once, not thirty times a second; and the node lives on."""
    client.meet()
    for _ in range(3):
        assert client.ask(picture(encoding="16UC3"), seconds=QUIET) == (None, None)
    assert sum("encoding '16UC3' cannot be used" in line for line in shared.errors()) == 1
    assert (metres(client.ask(picture())[0]) == 7).all()


def test_no_camera_yet(model, client):
    with running("-p", f"model:={model}", end=signal.SIGTERM) as node:
        depth, info = client.ask(picture())
        assert (metres(depth) == 7).all() and info is None
        (line,) = node.errors()
        assert line == "/camera_info: no CameraInfo yet; depth is published without one"


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE])
def test_every_publisher_and_every_listener(shared, reliability):
    client = Client(qos=QoSProfile(depth=1, reliability=reliability))
    try:
        assert client.ask(picture(), camera())[0]
        (offered,) = client.node.get_publishers_info_by_topic("/depth/image")
        assert offered.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert offered.qos_profile.durability == DurabilityPolicy.VOLATILE
        (wanted,) = client.node.get_subscriptions_info_by_topic("/image")
        assert wanted.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    finally:
        client.close()


def test_parameters(shared, client):
    names = ["model", "encoding", "full_size", "max_depth", "compressed", "lazy", "autostart"]
    described = client.describe(*names)
    assert all(each.description for each in described)
    assert [each.name for each in described if not each.read_only] == ["max_depth", "lazy"]
    assert "read-only" in client.set("encoding", "16UC1")
    assert "out of range" in client.set("max_depth", -1.0)
    assert not client.set("max_depth", 5.0)
    assert np.isposinf(metres(client.ask(picture())[0])).all()
    assert not client.set("max_depth", 0.0)
    assert (metres(client.ask(picture())[0]) == 7).all()


def test_lazy(model, client):
    """Without a listener no picture is looked at, not even a bad one."""
    with running("-p", f"model:={model}") as node:
        client.meet()
        for listener in client.listeners:
            client.node.destroy_subscription(listener)
        client.spin(lambda: False, 0.2)
        client.image.publish(picture(encoding="none"))
        client.spin(lambda: False, QUIET)
        assert not node.errors()
        assert not client.set("lazy", False)
        client.image.publish(picture(encoding="none"))
        assert client.spin(node.errors)


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


def test_a_life(tmp_path, client):
    """A bad network fails the transition alone; mended, the same node runs."""
    folder = dummy_network.write(tmp_path / "net")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[:-1])
    with running("-p", f"model:={folder}", "-p", "autostart:=false") as node:
        assert not client.change("configure") and client.state() == "unconfigured"
        (line,) = node.errors()
        assert "model.onnx: not the file that was exported" in line
        for wrong in ({"label": "activate"}, {"number": Transition.TRANSITION_ACTIVATE}):
            assert not client.change(**wrong)  # not of this state
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
