"""A node that runs: its depth, its cameras, its QoS and its parameters."""

import numpy as np
import pytest
from client import QUIET, Client, camera, metres, picture, running
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header


@pytest.fixture(scope="module")
def node(model):
    """A node with the defaults, which no test changes for good."""
    with running("-p", f"model:={model}") as node:
        yield node


def test_depth_of_a_picture(node, client):
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
    "another frame": (
        camera(header=Header(frame_id="rear")),
        "the CameraInfo is of the frame 'rear', and the pictures are of 'camera_optical'; remap",
    ),
    "a region": (camera(roi=RegionOfInterest(width=8, height=8)), "region of interest (8x8"),
}


@pytest.mark.parametrize("what", CAMERAS)
def test_a_camera_that_does_not_fit(node, client, what):
    info, message = CAMERAS[what]
    client.meet()
    client.camera.publish(info)
    client.spin(lambda: False, 0.1)
    depth, info = client.ask(picture())
    assert (metres(depth) == 7).all() and info is None
    assert [line for line in node.errors() if message in line]


@pytest.mark.parametrize("frame", ["", "camera_optical", "/camera_optical"])
def test_a_camera_of_the_frame_or_of_none(node, client, frame):
    assert client.ask(picture(), camera(header=Header(frame_id=frame)))[1]


def test_a_camera_that_is_not_calibrated(node, client):
    depth, info = client.ask(picture(), camera(k=[0.0] * 9, p=[0.0] * 12))
    assert depth and not np.any(info.k) and not np.any(info.p)
    assert "/camera_info: the camera is not calibrated (K is zeros); so is depth" in node.errors()


def test_pictures_that_cannot_be_used(node, client):
    """Are reported once, not thirty times a second; and the node lives on."""
    client.meet()
    for _ in range(3):
        assert client.ask(picture(encoding="16UC3"), seconds=QUIET) == (None, None)
    assert sum("encoding '16UC3' cannot be used" in line for line in node.errors()) == 1
    assert (metres(client.ask(picture())[0]) == 7).all()


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE])
def test_every_publisher_and_every_listener(node, reliability):
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


def test_parameters(node, client):
    names = ["model", "encoding", "full_size", "fit", "scale_by_camera"]
    names += ["max_depth", "compressed", "lazy", "autostart"]
    described = client.describe(*names)
    assert all(each.description for each in described)
    assert [each.name for each in described if not each.read_only] == ["max_depth", "lazy"]
    assert "read-only" in client.set("encoding", "16UC1")
    assert "out of range" in client.set("max_depth", -1.0)
    assert not client.set("max_depth", 5.0)
    assert np.isposinf(metres(client.ask(picture())[0])).all()
    assert not client.set("max_depth", 0.0)
    assert (metres(client.ask(picture())[0]) == 7).all()
