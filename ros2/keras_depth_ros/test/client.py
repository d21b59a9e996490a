"""A node in a process of its own, and the camera and the listener that it stands between."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="there is no ROS 2 here (rclpy), so no node can run")
pytest.importorskip("onnx", reason="onnx is not installed, which writes the tests' network")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed, so no node can run")

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

WAIT = 20.0  # seconds for what must come
AGAIN = 5.0  # seconds after which a picture is sent again
QUIET = 0.25  # seconds for what must not
K = [26.0, 0, 16, 0, 26, 12, 0, 0, 1]  # of pictures of 24x32
P = [26.0, 0, 16, -2, 0, 26, 12, 0, 0, 0, 1, 0]


class Process:
    """A node that runs.

    Args:
        process: of the system.
        log: the file of what it prints.
    """

    def __init__(self, process, log):
        self.process, self._log = process, log

    def lines(self):
        """Returns what was logged so far, a level and a message a line."""
        self._log.flush()
        with open(self._log.name, encoding="utf-8") as text:
            return re.findall(r"^\[(\w+)\] \[[\d.]+\] \[[\w.]+\]: (.*)$", text.read(), re.MULTILINE)

    def errors(self):
        return [message for level, message in self.lines() if level in ("ERROR", "WARN")]

    def printed(self):
        with open(self._log.name, encoding="utf-8") as text:
            return text.read()

    def wait_for(self, text):
        until = time.monotonic() + WAIT
        while text not in self.printed():
            assert time.monotonic() < until, f"never logged: {text}\n{self.printed()}"
            assert self.process.poll() is None, self.printed()
            time.sleep(0.02)


@contextmanager
def started(*arguments):
    """Starts a node with these ROS arguments, and kills it if a test has left it running."""
    with tempfile.NamedTemporaryFile("w") as log:
        command = [sys.executable, "-m", "keras_depth_ros", "--ros-args", *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield Process(process, log)
        finally:
            process.kill()
            process.wait()


@contextmanager
def running(*arguments, end=signal.SIGINT):
    """Runs a node, active unless it does not start by itself; at the end it leaves with 0."""
    with started(*arguments) as node:
        if "autostart:=false" not in arguments:
            node.wait_for("publishes")
        yield node
        node.process.send_signal(end)
        assert node.process.wait(WAIT) == 0, node.printed()
        assert "Traceback" not in node.printed(), node.printed()


class Client:
    """Publishes pictures, and keeps what comes back.

    Args:
        image, camera_info, depth: topics; of `depth`, `NAME/image` and `NAME/camera_info`.
        kind: of the pictures' messages.
        qos: of both sides; reliable by default.
        listens: to depth.

    Attributes:
        depths, infos: what was received.
    """

    def __init__(
        self,
        image="image",
        camera_info="camera_info",
        depth="depth",
        kind=Image,
        qos=None,
        listens=True,
    ):
        qos = qos or QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self.node = rclpy.create_node("client")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.depths, self.infos = [], []
        listen, self.listeners = self.node.create_subscription, []
        if listens:
            self.listeners = [
                listen(Image, f"{depth}/image", self.depths.append, qos),
                listen(CameraInfo, f"{depth}/camera_info", self.infos.append, qos),
            ]
        self.image = self.node.create_publisher(kind, image, qos)
        self.camera = self.node.create_publisher(CameraInfo, camera_info, qos)

    def close(self):
        self._executor.shutdown()
        self.node.destroy_node()

    def spin(self, done, seconds=WAIT):
        """Waits until `done` returns something true, and returns it; None: it did not in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if result := done():
                return result
            self._executor.spin_once(timeout_sec=0.02)
        return None

    def meet(self):
        """Waits until the node and this client have found each other, in both directions."""

        def met():
            return (
                self.image.get_subscription_count()
                and self.camera.get_subscription_count()
                and all(self.node.count_publishers(each.topic_name) for each in self.listeners)
            )

        assert self.spin(met), "the node was not found"
        self.spin(lambda: False, 0.1)  # the node has to find our listeners too

    def ask(self, picture, camera=None, seconds=WAIT):
        """Sends a picture, its camera before it; returns depth and its CameraInfo, None if none.

        As a camera it sends again: what is published before both sides know each other is lost.
        """
        self.meet()
        self.depths.clear()
        self.infos.clear()
        until = time.monotonic() + seconds
        while not self.depths and time.monotonic() < until:
            if camera:
                self.camera.publish(camera)
                self.spin(lambda: False, 0.1)
            self.image.publish(picture)
            self.spin(lambda: self.depths, min(AGAIN, seconds))
        info = self.depths and self.spin(lambda: self.infos, QUIET if camera is None else seconds)
        return self.depths[-1] if self.depths else None, info[-1] if info else None

    def send(self, kind, service, **fields):
        """Calls a service of the node; returns the answer to come."""
        caller = self.node.create_client(kind, service)
        assert self.spin(caller.service_is_ready), service
        return caller.call_async(kind.Request(**fields))

    def call(self, kind, service, **fields):
        """Calls a service of the node; returns the answer."""
        future = self.send(kind, service, **fields)
        assert self.spin(future.done), f"{service}: no answer"
        return future.result()

    def change(self, label):
        """Asks the node for a transition; tells whether it succeeded."""
        transition = Transition(label=label)
        return self.call(ChangeState, "depth/change_state", transition=transition).success

    def state(self):
        return self.call(GetState, "depth/get_state").current_state.label

    def set(self, name, value):
        """Sets a parameter of the node; returns why that was refused, or ''."""
        parameter = Parameter(name, value=value).to_parameter_msg()
        (result,) = self.call(SetParameters, "depth/set_parameters", parameters=[parameter]).results
        assert result.successful != bool(result.reason)
        return result.reason

    def describe(self, *names):
        return self.call(DescribeParameters, "depth/describe_parameters", names=names).descriptors


def picture(value=7, size=(24, 32), encoding="rgb8", second=5):
    """Returns a picture of one gray value, or of the given pixels."""
    pixels = np.broadcast_to(np.uint8(value), (*size, 3)) if np.ndim(value) == 0 else value
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step, message.data = pixels.shape[1] * 3, pixels.tobytes()
    message.header.stamp.sec, message.header.stamp.nanosec = second, 123456789
    message.header.frame_id = "camera_optical"
    return message


def compressed(value=7, size=(24, 32)):
    """Returns a picture of one gray value, or of the given pixels, as JPEG."""
    import cv2

    pixels = np.full((*size, 3), value, np.uint8) if np.ndim(value) == 0 else value
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.data = cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()
    message.header.frame_id = "camera_optical"
    return message


def camera(size=(24, 32), k=K, p=P, **fields):
    """Returns the CameraInfo of such pictures."""
    message = CameraInfo(height=size[0], width=size[1], k=k, p=p, r=[1.0, 0, 0, 0, 1, 0, 0, 0, 1])
    message.distortion_model, message.d = "plumb_bob", [0.1, -0.2, 0.0, 0.0, 0.0]
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def metres(message):
    """Returns the values of a depth message, (H, W)."""
    kind = {"32FC1": "<f4", "16UC1": "<u2"}[message.encoding]
    assert not message.is_bigendian
    assert message.step == message.width * np.dtype(kind).itemsize
    return np.frombuffer(message.data, kind).reshape(message.height, message.width)
