"""Reads what a bag recorded: pictures, pictures with their depth, and the camera."""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from keras_depth.bag import depth_messages, ros_images, topics
from keras_depth.bag.reading import Bag, Message, open_bag
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics

MAX_DIFFERENCE = 20_000_000  # nanoseconds between a picture and its depth, as in TUM's data
_LATE = 8  # how many messages later than its stamp says a message may come in a recording


class Stamped(NamedTuple):
    """Holds a message of pictures or depth.

    stamp: when it was taken, nanoseconds: the header's, or that of the bag where it is 0.
    message: as it is stored.
    parsed: as an object.
    """

    stamp: int
    message: Message
    parsed: Any


def stamped(bag: Bag, topic: str) -> Iterator[Stamped]:
    """Yields the messages of a topic whose messages have a header."""
    for message, parsed in bag.read(topic):
        yield stamp(message, parsed)


def stamp(message: Message, parsed: Any) -> Stamped:
    """Returns a message that has a header with its time."""
    time = parsed.header.stamp
    return Stamped(time.sec * 10**9 + time.nanosec or message.time, message, parsed)


def decode_picture(bag: Bag, message: Message, parsed: Any) -> np.ndarray:
    """Returns the picture of a message: uint8 RGB (H, W, 3).

    Raises:
        InputError: its encoding is not known, or it is damaged.
    """
    raw = message.connection.msgtype == topics.IMAGE
    try:
        return ros_images.decode_image(parsed) if raw else ros_images.decode_compressed(parsed)
    except ValueError as error:
        raise bag.bad(message, error) from error


@contextmanager
def saying_where(count: int) -> Iterator[None]:
    """Adds to the error of a picture how to stop before it, after `count` good ones."""
    try:
        yield
    except InputError as error:
        if not count:
            raise
        raise InputError(f"{error}; --frames {count} stops before it") from error


def decode_depth(bag: Bag, frame: Stamped) -> np.ndarray:
    """Returns the depth of a message: float32 (h, w), metres, 0 = none.

    Raises:
        InputError: it is damaged, or compressed in a way that is not read.
    """
    raw = frame.message.connection.msgtype == topics.IMAGE
    decode = depth_messages.decode if raw else depth_messages.decode_compressed
    try:
        return decode(frame.parsed)
    except ValueError as error:
        raise bag.bad(frame.message, error) from error


def pictures(bag: Bag, topic: str | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """Yields pictures with their times: seconds and uint8 RGB (H, W, 3).

    Args:
        bag: the bag.
        topic: that of the pictures; None: the only one there is.

    Raises:
        InputError: there is no such topic, or a picture is damaged.
    """
    for frame in stamped(bag, topics.choose_pictures(bag, topic)):
        yield frame.stamp / 1e9, decode_picture(bag, frame.message, frame.parsed)


def intrinsics(bag: Bag, topic: str | None = None) -> Intrinsics | None:
    """Returns the camera in pixels of its pictures; None: there is none, or it is not calibrated.

    Args:
        bag: the bag.
        topic: that of the pictures; None: the only one there is.

    Raises:
        InputError: there is no such topic, or the CameraInfo is for pictures of another size.
    """
    topic = topics.choose_pictures(bag, topic)
    size = _find_size(bag, topic)
    if (info_topic := topics.find_camera_info(bag, topic, size)) is None:
        return None
    info_message, info = bag.first(info_topic)
    check_camera(bag, info_message, info, size)
    return camera_of(bag, topic, info)


def _find_size(bag: Bag, topic: str) -> tuple[int, int]:
    """Returns (height, width) of the first picture that can be decoded.

    Raises:
        InputError: none can.
    """
    first: InputError | None = None
    for message, parsed in bag.read(topic):
        try:
            height, width, _ = decode_picture(bag, message, parsed).shape
        except InputError as error:
            first = first or error
        else:
            return height, width
    raise first or InputError(f"{bag.name}: topic {topic} has no messages")


def check_camera(bag: Bag, message: Message, info: Any, size: tuple[int, int]) -> None:
    """Raises InputError unless a CameraInfo describes pictures of `size` as they are."""
    try:
        ros_images.check_camera(info, size)
    except ValueError as error:
        raise bag.bad(message, error) from error


def camera_of(bag: Bag, topic: str, info: Any) -> Intrinsics | None:
    """Returns the camera of the pictures on a topic by a CameraInfo; None: it is not calibrated."""
    k, p = (np.reshape(matrix, (3, -1)) for matrix in matrices(info))
    if not ros_images.is_calibrated(k):
        return None
    rectified = topics.is_rectified(topic)
    if not rectified and np.any(info.d if hasattr(info, "d") else info.D):
        print(
            f"warning: {bag.name}: the lens distortion of {topic} is left out of its camera; for"
            " points and maps, take rectified pictures (image_rect)",
            file=sys.stderr,
        )
    matrix = p if rectified and p[0, 0] else k  # K is that of the raw pictures
    return Intrinsics(*(float(v) for v in (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])))


def matrices(info: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns K and P of a CameraInfo; ROS 1 writes them in capitals."""
    return (info.k, info.p) if hasattr(info, "k") else (info.K, info.P)


def pairs(bag: Bag, topic: str, depth_topic: str) -> Iterator[tuple[Stamped, Stamped]]:
    """Yields pictures with the depth map nearest in time, if it is near and each is the other's.

    They come by stamp, one of each.
    """
    with open_bag(*bag.paths) as beside:  # rosbags reads one place of a file at a time
        yield from _pairs(_in_order(stamped(bag, topic)), _in_order(stamped(beside, depth_topic)))


def _in_order(frames: Iterator[Stamped]) -> Iterator[Stamped]:
    """Yields messages by stamp, one of each; they may come a few messages late."""
    for _, same in itertools.groupby(_sorted(frames), key=lambda frame: frame.stamp):
        yield next(same)


def _sorted(frames: Iterator[Stamped]) -> Iterator[Stamped]:
    waiting: list[tuple[int, int, Stamped]] = []
    for count, frame in enumerate(frames):
        heapq.heappush(waiting, (frame.stamp, count, frame))
        if len(waiting) > _LATE:
            yield heapq.heappop(waiting)[-1]
    while waiting:
        yield heapq.heappop(waiting)[-1]


def _pairs(
    frames: Iterator[Stamped], depths: Iterator[Stamped]
) -> Iterator[tuple[Stamped, Stamped]]:
    before: Stamped | None = None
    after = next(depths, None)
    frame = next(frames, None)
    while frame:
        following = next(frames, None)
        while after and after.stamp <= frame.stamp:
            before, after = after, next(depths, None)
        near = [(abs(each.stamp - frame.stamp), each) for each in (before, after) if each]
        difference, best = min(near, key=lambda pair: pair[0], default=(np.inf, None))
        if best and difference <= MAX_DIFFERENCE:
            if following is None or abs(best.stamp - following.stamp) >= difference:
                yield frame, best
                before, after = None, after if best is before else next(depths, None)
        frame = following
