"""What the tests of bags share: a camera's messages, and a network whose depth is known."""

from pathlib import Path

import cv2
import keras
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from keras_depth.bag import __main__ as bag_command
from tests.helpers.commands import call
from tests.helpers.write_bag import STORES, Stored, write_bag

IMAGE, COMPRESSED, INFO = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)
START = 1_700_000_000 * 10**9
SIZE, NETWORK = (40, 60), (32, 48)
K = (52.0, 0, 29.5, 0, 51.0, 20.5, 0, 0, 1)
P = (52.0, 0, 29.5, 1.5, 0, 51.0, 20.5, 0, 0, 0, 1, 0)


def write_network(folder: Path) -> Path:
    """A network whose depth is 10 m times the mean of R, G and B."""
    image = keras.Input((*NETWORK, 3), name="image")
    layer = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(10 / 3))
    keras.Model(image, layer(image), name="lite_basic_interl_t").save(folder / "model.keras")
    return folder


class Camera:
    """Makes the messages of one ROS distribution: humble, jazzy or noetic."""

    def __init__(self, distro="jazzy", namespace="/front", frame="front_optical"):
        self.types, self.ros1 = STORES[distro].types, distro == "noetic"
        self.namespace, self.frame = namespace, frame

    def header(self, time, frame=None):
        stamp = self.types["builtin_interfaces/msg/Time"](time // 10**9, time % 10**9)
        extra = {"seq": 7} if self.ros1 else {}
        header = self.types["std_msgs/msg/Header"]
        return header(stamp=stamp, frame_id=self.frame if frame is None else frame, **extra)

    def pixels(self, index, size=SIZE):
        """A ramp, which each index makes lighter."""
        ramp = np.linspace(20, 120, size[1], dtype=np.uint8) + np.uint8(20 * (index % 6))
        return np.repeat(np.tile(ramp, (size[0], 1))[..., None], 3, axis=2)

    def image(self, time, pixels, encoding="rgb8", topic="image_raw", frame=None, step=None):
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
        step = step or len(data) // height
        header = self.header(time, frame)
        message = self.types[IMAGE](header, height, width, encoding, 0, step, data)
        return Stored(f"{self.namespace}/{topic}", IMAGE, time + 5_000_000, message)

    def jpeg(self, time, pixels, topic="image_raw/compressed", cut=None):
        content = cv2.imencode(".jpg", pixels[..., ::-1])[1].reshape(-1)[:cut]
        message = self.types[COMPRESSED](self.header(time), "rgb8; jpeg compressed bgr8", content)
        return Stored(f"{self.namespace}/{topic}", COMPRESSED, time + 5_000_000, message)

    def info(self, time, size=SIZE, k=K, p=P, binning=0, topic="camera_info"):
        roi = self.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        d, r = np.array([0.1, -0.2, 0, 0, 0]), np.eye(3).reshape(-1)
        k, p = np.array(k, np.float64), np.array(p, np.float64)
        message = self.types[INFO](
            self.header(time), *size, "plumb_bob", d, k, r, p, binning, binning, roi
        )
        return Stored(f"{self.namespace}/{topic}", INFO, time + 6_000_000, message)

    def depth(self, time, metres, encoding="16UC1", topic="aligned/image_raw", frame=None):
        metres = np.asarray(metres, np.float32)
        pixels = metres if encoding == "32FC1" else np.rint(1000 * metres).astype(np.uint16)
        return self.image(time, pixels, encoding, topic, frame)._replace(time=time + 7_000_000)


def walk(camera, count=3, compressed=False, step=100_000_000):
    """A short recording: pictures each followed by its CameraInfo."""
    messages = []
    for index in range(count):
        time = START + index * step
        take = camera.jpeg if compressed else camera.image
        messages += [take(time, camera.pixels(index)), camera.info(time)]
    return messages


def read(path: Path):
    """Every message of a bag: topic, type, time, bytes, and the object of standard types."""
    with AnyReader([Path(path)], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        return [
            (each.topic, each.msgtype, time, bytes(raw), reader.deserialize(raw, each.msgtype))
            for each, time, raw in reader.messages()
        ]


def run(*arguments):
    return call(bag_command, arguments)


def write_walks(folder: Path, pictures: list[np.ndarray], depths: list[np.ndarray]) -> None:
    """Writes walk/ (ROS 2) and walk.bag (ROS 1): a camera, and depth as it sees it.

    Args:
        folder: where to.
        pictures: uint8 RGB (H, W, 3).
        depths: metres (H, W).
    """
    for name, storage, camera in (
        ("walk", "mcap", Camera()),
        ("walk.bag", "bag", Camera("noetic")),
    ):
        messages = []
        for index, (picture, depth) in enumerate(zip(pictures, depths, strict=True)):
            time = START + index * 100_000_000
            info = camera.info(time, picture.shape[:2])
            messages += [camera.image(time, picture), info, camera.depth(time, depth)]
        write_bag(folder / name, messages, storage)
