"""Adds the depth of a bag's pictures to a copy of the bag."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth.bag import ros_images, topics
from keras_depth.bag.cameras import Cameras, open_cameras
from keras_depth.bag.frames import (
    Stamped,
    check_camera,
    decode_picture,
    matrices,
    saying_where,
    stamp,
)
from keras_depth.bag.reading import Bag
from keras_depth.bag.summary import Summary
from keras_depth.bag.writing import BagWriter, writing_like
from keras_depth.errors import InputError

# Returns the depth, (h, w) metres, of a picture, uint8 RGB (H, W, 3).
Estimate = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Topics:
    """Names the topics of a camera, and those of its depth.

    Attributes:
        pictures: that of the pictures.
        info: that of their CameraInfo; None: there is none.
        depth, depth_info: what is added.
    """

    pictures: str
    info: str | None
    depth: str
    depth_info: str


def choose_topics(bag: Bag, asked: str | None) -> Topics:
    """Chooses the topics, and checks the first picture and the first CameraInfo.

    Args:
        bag: the bag.
        asked: the topic of the pictures, as the user says it; None: the only one there is.

    Raises:
        InputError: there is no such topic, depth is there already, the encoding of the pictures is
            not known, or their CameraInfo does not fit them.
    """
    pictures = topics.choose_pictures(bag, asked)
    name = topics.depth_namespace(bag, pictures)
    depth, depth_info = f"{name}/depth/image", f"{name}/depth/camera_info"
    for each in (depth, depth_info):
        if each in bag.topics:
            raise InputError(
                f"{bag.name}: has a topic {each} already, where the depth would go; give the bag"
                " without it, or `--format folder`"
            )
    frame = stamp(*bag.first(pictures))
    size = decode_picture(bag, frame.message, frame.parsed).shape[:2]
    if info_topic := topics.find_camera_info(bag, pictures, size):
        with open_cameras(bag, info_topic) as cameras:
            info = _info(bag, cameras, frame, size)
        if not ros_images.is_calibrated(matrices(info)[0]):
            print(
                f"warning: {bag.name}: the CameraInfo on {info_topic} is not calibrated (K is 0),"
                f" and so is that of the depth; calibrate the camera to make points or a map of it",
                file=sys.stderr,
            )
    return Topics(pictures, info_topic, depth, depth_info)


def add_depth(
    bag: Bag,
    chosen: Topics,
    estimate: Estimate,
    output: Path,
    *,
    encoding: str = ros_images.DEPTH_ENCODINGS[0],
    max_depth: float = np.inf,
    frames: int | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Summary:
    """Writes a copy of a bag with depth after each picture.

    Args:
        bag: the bag.
        chosen: its topics.
        estimate: the network.
        output: the new bag, which must not be there yet.
        encoding: "32FC1", metres, or "16UC1", millimetres.
        max_depth: metres; what is farther is +inf in 32FC1, 0 in 16UC1.
        frames: stop after so many pictures; None: at the end.
        progress: called after each picture.

    Raises:
        InputError: a message is damaged, a CameraInfo does not fit its picture, or the bag cannot
            be written. Nothing is left then.
    """
    summary = Summary()
    infos = open_cameras(bag, chosen.info) if chosen.info else nullcontext()
    with infos as cameras, writing_like(bag, output) as writer:
        added = _Added(writer, bag, chosen, encoding, max_depth)
        count = 0
        for message in bag.messages():
            count += 1
            writer.copy(message)
            if message.connection.topic != chosen.pictures:
                continue
            with saying_where(summary.count):
                frame = stamp(message, bag.parse(message))
                picture = decode_picture(bag, message, frame.parsed)
                info = _info(bag, cameras, frame, picture.shape[:2])
            start = time.perf_counter()
            depth = estimate(picture)
            summary.add(depth, time.perf_counter() - start)
            added.write(frame, picture.shape[:2], depth, info)
            progress()
            if summary.count == frames:
                break
        else:
            _warn_missing(bag, count)
    return summary


def _info(bag: Bag, cameras: Cameras | None, frame: Stamped, size: tuple[int, int]) -> Any:
    """Returns the CameraInfo of a picture; None: its topic has none.

    Raises:
        InputError: it does not fit the picture.
    """
    if cameras is None:
        return None
    _, message, info = cameras.of(frame)
    check_camera(bag, message, info, size)
    return info


class _Added:
    """Writes depth and its CameraInfo to the topics that are added to a bag; see `add_depth`."""

    def __init__(
        self, writer: BagWriter, bag: Bag, chosen: Topics, encoding: str, max_depth: float
    ):
        self._writer, self._image = writer, bag.store.types[topics.IMAGE]
        self._encoding, self._max_depth = encoding, max_depth
        self._depth = writer.add_topic(chosen.depth, topics.IMAGE)
        if chosen.info:
            self._info = writer.add_topic(chosen.depth_info, topics.CAMERA_INFO)

    def write(self, picture: Stamped, size: tuple[int, int], depth: np.ndarray, info: Any) -> None:
        """Writes the depth of a picture of `size`, and its CameraInfo unless `info` is None."""
        pixels = ros_images.encode_depth(depth, self._encoding, self._max_depth)
        height, width = pixels.shape
        header, time = picture.parsed.header, picture.message.time
        image = self._image(
            header=header,
            height=height,
            width=width,
            encoding=self._encoding,
            is_bigendian=0,
            step=width * pixels.itemsize,
            data=pixels.reshape(-1).view(np.uint8),
        )
        self._writer.write(self._depth, time, image)
        if info:
            self._writer.write(self._info, time, _scaled(info, header, size, depth.shape))


def _scaled(info: Any, header: Any, from_size: tuple[int, int], to_size: tuple[int, int]) -> Any:
    """Returns the CameraInfo of a depth map: that of its picture, resized."""
    k, p = ros_images.scale_camera(*matrices(info), from_size, to_size)
    names = ("k", "p") if hasattr(info, "k") else ("K", "P")
    height, width = to_size
    changed = {"header": header, "height": height, "width": width, names[0]: k, names[1]: p}
    roi = dataclasses.replace(info.roi, height=0, width=0)  # the whole, whatever size it has
    return dataclasses.replace(info, **changed, roi=roi)


def _warn_missing(bag: Bag, count: int) -> None:
    """Says that fewer messages came than the bag promises."""
    if count < bag.count:
        print(
            f"warning: {bag.name}: {count} of its {bag.count} messages could be read; if that is"
            " unexpected, repair its index with `ros2 bag reindex`",
            file=sys.stderr,
        )
