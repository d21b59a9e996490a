"""The node `depth`: pictures and CameraInfo of a camera in, depth and its CameraInfo out."""

from __future__ import annotations

import re
import sys
import time
from array import array
from collections import deque
from typing import Any, Callable

import numpy as np
import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from keras_depth_ros import images
from keras_depth_ros.network import Network

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
# Takes any publisher, and the newest picture alone.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Serves reliable and best-effort listeners alike.
RELIABLE = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
QUIET = 30.0  # seconds between two lines that say the same
# Topics of pictures without distortion, to which P of CameraInfo belongs; to others K does.
_RECTIFIED = re.compile(r".*/(image_)?rect(ified)?(_\w+)?(/image)?(/compressed)?")
TIMED = 100  # pictures of which the median time is logged

# Name -> default, may be set while the node runs, what it is.
PARAMETERS = {
    "model": ("", False, "folder of keras-depth export --format onnx: NAME, or NAME/1"),
    "encoding": ("32FC1", False, "of the depth: 32FC1, metres, or 16UC1, millimetres"),
    "full_size": (False, False, "depth of the picture's size; false: of the network's"),
    "fit": ("", False, "stretch, letterbox or crop pictures of another shape; '': as exported"),
    "scale_by_camera": (True, False, "scale metres by the focal length that CameraInfo says"),
    "max_depth": (0.0, True, "metres; beyond it depth is +inf (16UC1: 0); 0: no limit"),
    "compressed": (False, False, "subscribe to image/compressed instead of image"),
    "lazy": (True, True, "compute only while somebody subscribes to depth/image"),
    "autostart": (True, False, "configure and activate at the start"),
}


class DepthNode(LifecycleNode):
    """Computes the depth of each picture of a topic by an exported network.

    configure loads the network, activate subscribes; deactivate and cleanup undo that.
    """

    def __init__(self) -> None:
        super().__init__("depth")
        self._network: Network | None = None
        self._camera: CameraInfo | None = None
        self._from_image = self._from_camera = self._to_depth = self._to_info = None
        self._said: dict[str, float] = {}
        self._scaled = False  # and it was said
        self._seconds: deque[float] = deque(maxlen=TIMED)
        for name, (default, runs, what) in PARAMETERS.items():
            descriptor = ParameterDescriptor(description=what, read_only=not runs)
            if name == "max_depth":
                descriptor.floating_point_range = [FloatingPointRange(to_value=1000.0)]
            self.declare_parameter(name, default, descriptor)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def start(self) -> bool:
        """Configures and activates the node, as `autostart` asks for; tells whether it runs."""
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        try:
            if self._value("encoding") not in images.DEPTH_ENCODINGS:
                raise ValueError(
                    f"encoding {self._value('encoding')!r}; give one of"
                    f" {', '.join(images.DEPTH_ENCODINGS)}"
                )
            self._network = Network(
                self._value("model"), self.get_logger().warning, self._value("fit")
            )
        except ValueError as error:
            self.get_logger().error(str(error))
            return FAILURE
        except Exception as error:  # rclpy would end the node's life, and say nothing
            self.get_logger().error(f"{type(error).__name__}: {error}")
            return FAILURE
        self._to_info = self.create_lifecycle_publisher(CameraInfo, "depth/camera_info", RELIABLE)
        self._to_depth = self.create_lifecycle_publisher(Image, "depth/image", RELIABLE)
        height, width = self._network.input_size
        self.get_logger().info(
            f"{self._network.name} of {width}x{height} is loaded, by {self._network.runtime}"
        )
        return SUCCESS

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        self._said.clear()
        self._scaled = False
        self._camera = None
        take = self.create_subscription
        self._from_camera = take(CameraInfo, "camera_info", self._keep_camera, NEWEST)
        if self._value("compressed"):
            topic = f"{self.resolve_topic_name('image')}/compressed"
            self._from_image = take(CompressedImage, topic, self._take_compressed, NEWEST)
        else:
            self._from_image = take(Image, "image", self._take_image, NEWEST)
        lazily = ", while somebody listens" if self._value("lazy") else ""
        self.get_logger().info(
            f"publishes {self._to_depth.topic_name} ({self._value('encoding')}) and"
            f" {self._to_info.topic_name}, from {self._from_image.topic_name} and"
            f" {self._from_camera.topic_name}{lazily}"
        )
        return super().on_activate(state)

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        self._unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        self._free()
        return SUCCESS

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        self._unsubscribe()
        self._free()
        return SUCCESS

    def _unsubscribe(self) -> None:
        for subscription in (self._from_image, self._from_camera):
            if subscription:
                self.destroy_subscription(subscription)
        self._from_image = self._from_camera = None

    def _free(self) -> None:
        for publisher in (self._to_depth, self._to_info):
            if publisher:
                self.destroy_lifecycle_publisher(publisher)
        self._to_depth = self._to_info = self._network = None

    def _keep_camera(self, message: CameraInfo) -> None:
        self._camera = message

    def _take_image(self, message: Image) -> None:
        self._compute(message, images.decode_image)

    def _take_compressed(self, message: CompressedImage) -> None:
        self._compute(message, images.decode_compressed)

    def _compute(self, message: Any, decode: Callable[[Any], np.ndarray]) -> None:
        """Publishes the depth of a picture, or says once in a while why there is none."""
        if self._value("lazy") and not self._to_depth.get_subscription_count():
            return
        start = time.perf_counter()
        try:
            rgb = decode(message)
            depth = self._network(rgb, self._value("full_size"))
        except ValueError as error:
            self._complain(f"{self._from_image.topic_name}: {error}")
            return
        size = rgb.shape[:2]
        info = self._camera_of(message.header, size, depth.shape)
        if info:
            depth = depth * np.float32(self._ratio(size))
            self._to_info.publish(info)
        self._to_depth.publish(self._image_of(message.header, depth))
        self._time(time.perf_counter() - start)

    def _image_of(self, header: Any, depth: np.ndarray) -> Image:
        """Returns depth as a message: stamp and frame are the picture's."""
        encoding = self._value("encoding")
        pixels = images.encode_depth(depth, encoding, self._value("max_depth") or np.inf)
        return Image(
            header=header,
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=pixels.strides[0],
            data=array("B", pixels.tobytes()),  # every other type is checked byte by byte
        )

    def _camera_of(
        self, header: Any, size: tuple[int, int], depth_size: tuple[int, int]
    ) -> CameraInfo | None:
        """Returns the camera of the depth; None, with a line that says why, if it is not known."""
        camera, topic = self._camera, self._from_camera.topic_name
        if camera is None:
            self._warn(f"{topic}: no CameraInfo yet; depth is published without one")
            return None
        try:
            images.check_camera(camera, size)
            _check_frames(camera.header.frame_id, header.frame_id)
        except ValueError as error:
            self._complain(f"{topic}: {error}; depth is published without a CameraInfo")
            return None
        if not images.is_calibrated(camera.k):
            self._warn(f"{topic}: the camera is not calibrated (K is zeros); so is depth")
        k, p = images.scale_camera(camera.k, camera.p, size, depth_size)
        return CameraInfo(
            header=header,
            height=depth_size[0],
            width=depth_size[1],
            distortion_model=camera.distortion_model,
            d=camera.d,
            k=k,
            r=camera.r,
            p=p,
        )

    def _ratio(self, size: tuple[int, int]) -> float:
        """Returns by what metres are multiplied for the camera of pictures of this size."""
        k, p, network = self._camera.k, self._camera.p, self._network.focal_length
        if not (self._value("scale_by_camera") and network and images.is_calibrated(k)):
            return 1.0
        rectified = _RECTIFIED.fullmatch(self._from_image.topic_name) and p[0] > 0
        fx, fy = (p[0], p[5]) if rectified else (k[0], k[4])
        pictures = self._network.place(size).focal_length(fx, fy)
        if not self._scaled:
            self._scaled = True
            height, width = self._network.input_size
            self.get_logger().info(
                f"metres x {pictures / network:.3g}: these pictures' focal length is"
                f" {pictures:.0f} pixels at {height}x{width}, the network's camera has"
                f" {network:.0f}"
            )
        return pictures / network

    def _is_news(self, message: str) -> bool:
        """Tells whether nothing was said a short while ago that differs in its numbers at most."""
        key, now = re.sub(r"\d+", "#", message), time.monotonic()
        if now - self._said.get(key, -QUIET) < QUIET:
            return False
        self._said[key] = now
        return True

    # Two methods, as rclpy refuses two levels from one line.
    def _warn(self, message: str) -> None:
        if self._is_news(message):
            self.get_logger().warning(message)

    def _complain(self, message: str) -> None:
        if self._is_news(message):
            self.get_logger().error(message)

    def _time(self, seconds: float) -> None:
        self._seconds.append(seconds)
        if len(self._seconds) == TIMED:
            median = 1000 * float(np.median(self._seconds))
            self.get_logger().debug(f"{median:.1f} ms a picture, median of {TIMED}")
            self._seconds.clear()


def _check_frames(camera: str, picture: str) -> None:
    """Raises ValueError if a CameraInfo and a picture name two cameras; '' names none."""
    names = {frame.lstrip("/") for frame in (camera, picture)} - {""}
    if len(names) > 1:
        raise ValueError(
            f"the CameraInfo is of the frame {camera!r}, and the pictures are of {picture!r};"
            " remap camera_info to that of the pictures"
        )


def run() -> int:
    """Runs the node until it is interrupted; returns the exit status."""
    rclpy.init()
    node = None
    try:
        node = DepthNode()
        if node.get_parameter("autostart").value and not node.start():
            return int(rclpy.ok())  # not if it was interrupted
        _spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except RuntimeError:  # rcl's, if a signal came while the network was loaded
        if rclpy.ok():
            raise
    except ParameterException as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if node:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(node: DepthNode) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        try:
            executor.spin_once(timeout_sec=1.0)  # rclpy may miss a signal, and wait on
        except RuntimeError as error:  # rcl's, of a transition that is none of the node's state
            node.get_logger().error(str(error))
