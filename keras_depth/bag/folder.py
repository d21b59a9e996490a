"""Writes the pictures of a bag and their depth as a data set of the layout `folder`.

rgb/SECONDS.jpg     the pictures: compressed ones as they are, raw ones as PNG
depth/SECONDS.png   their depth, 16 bit, millimetres, 0 = none
camera.yaml         the camera, if the bag has its CameraInfo
rgb.txt, depth.txt  the times, as in the TUM RGB-D benchmark
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from keras_depth import depth_png, images
from keras_depth.bag import frames, topics
from keras_depth.bag.cameras import Cameras, open_cameras, same_camera
from keras_depth.bag.depth_bag import Estimate
from keras_depth.bag.reading import Bag, seconds
from keras_depth.bag.summary import Summary
from keras_depth.bag.writing import whole
from keras_depth.data.folders.camera import FILE as CAMERA
from keras_depth.data.folders.camera import write_camera
from keras_depth.errors import InputError

_KINDS = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}  # how files begin that are written as they are


def write_folder(
    bag: Bag,
    topic: str,
    depth: str | Estimate,
    output: Path,
    *,
    limit: int | None = None,
    max_depth: float = np.inf,
    progress: Callable[[], object] = lambda: None,
) -> Summary:
    """Writes pictures with their depth.

    Args:
        bag: the bag.
        topic: that of the pictures.
        depth: the topic of depth that was recorded, or a network.
        output: the new folder, which must not be there yet.
        limit: stop after so many pictures; None: at the end.
        max_depth: metres; what is farther, or farther than 65.535 m, is no depth.
        progress: called after each picture.

    Raises:
        InputError: a message is damaged, a picture has another size than the first, no picture
            has depth, or the folder cannot be written. Nothing is left then.
    """
    summary = Summary()
    farthest = min(max_depth, depth_png.farthest())
    first = frames.stamp(*bag.first(topic))
    size = frames.decode_picture(bag, first.message, first.parsed).shape[:2]
    info_topic = topics.find_camera_info(bag, topic, size)
    infos = open_cameras(bag, info_topic) if info_topic else nullcontext()
    with infos as cameras, whole(output) as partial, _open_files(partial) as files:
        camera = _Camera(bag, topic, cameras)
        for frame, estimate in _frames(bag, topic, depth):
            if files.has(frame):  # a driver sent it twice
                continue
            with frames.saying_where(summary.count):
                picture = frames.decode_picture(bag, frame.message, frame.parsed)
                _check_size(bag, frame, picture, size)
                start = time.perf_counter()
                metres = estimate(picture)
            took = time.perf_counter() - start
            if not summary.count:
                _warn_size(bag, metres.shape, size)
            camera.follow(frame, partial, size)
            metres = np.where(metres <= farthest, metres, 0)
            files.add(frame, picture, metres)
            summary.add(metres, took)
            progress()
            if summary.count == limit:
                break
        else:
            _check_left_out(bag, topic, depth, summary.count)
    return summary


def _frames(
    bag: Bag, topic: str, depth: str | Estimate
) -> Iterator[tuple[frames.Stamped, Estimate]]:
    """Yields pictures, each with what gives its depth."""
    if isinstance(depth, str):
        for frame, recorded in frames.pairs(bag, topic, depth):
            yield frame, _recorded(bag, recorded)
    else:
        for frame in frames.stamped(bag, topic):
            yield frame, depth


def _recorded(bag: Bag, message: frames.Stamped) -> Estimate:
    return lambda picture: frames.decode_depth(bag, message)


def _check_size(
    bag: Bag, frame: frames.Stamped, picture: np.ndarray, size: tuple[int, int]
) -> None:
    """Raises InputError for a picture of another size than the first."""
    height, width = picture.shape[:2]
    if (height, width) != size:
        raise bag.bad(
            frame.message,
            f"a picture of {width}x{height} pixels after those of {size[1]}x{size[0]}, and a folder"
            " holds pictures of one size",
        )


def _warn_size(bag: Bag, depth: tuple[int, int], pictures: tuple[int, int]) -> None:
    """Says how to read a folder whose depth has another size than its pictures."""
    if depth != pictures:
        print(
            f"warning: {bag.name}: the depth is {depth[1]}x{depth[0]}, the pictures"
            f" {pictures[1]}x{pictures[0]}: read the folder with --set data.resize_depth=nearest if"
            " both show the same view",
            file=sys.stderr,
        )


def _check_left_out(bag: Bag, topic: str, depth: str | Estimate, count: int) -> None:
    """Says how many pictures were left out; raises InputError if all were."""
    near = f"at most {frames.MAX_DIFFERENCE / 1e9} s from"
    if not count:
        raise InputError(
            f"{bag.name}: no picture on {topic} has depth on {depth} {near} it; compare the stamps"
            " of both"
        )
    total = bag.topics[topic].messages
    if count < total:
        reason = f"no depth {near} them, or " if isinstance(depth, str) else ""
        print(
            f"warning: {bag.name}: {total - count} of {total} pictures were left out: they have"
            f" {reason}the stamp of another",
            file=sys.stderr,
        )


class _Camera:
    """Writes the camera of the first picture, and says so if it changes.

    Args:
        bag: the bag.
        topic: that of the pictures.
        cameras: their CameraInfos; None: there are none.
    """

    def __init__(self, bag: Bag, topic: str, cameras: Cameras | None):
        self._bag, self._topic, self._cameras = bag, topic, cameras
        self._first: Any = None

    def follow(self, frame: frames.Stamped, folder: Path, size: tuple[int, int]) -> None:
        """Looks at the CameraInfo of a picture.

        Raises:
            InputError: that of the first does not fit it.
        """
        if self._cameras is None:
            return
        _, message, info = self._cameras.of(frame)
        if self._first is None:
            self._first = info
            frames.check_camera(self._bag, message, info, size)
            self._write(folder, message.connection.topic, size)
        elif not same_camera(info, self._first):
            self._cameras = None
            self._warn(
                f"the CameraInfo on {message.connection.topic} changes at"
                f" {seconds(message.time)}; {CAMERA} holds the first"
            )

    def _write(self, folder: Path, info_topic: str, size: tuple[int, int]) -> None:
        if intrinsics := frames.camera_of(self._bag, self._topic, self._first):
            write_camera(folder / CAMERA, intrinsics, size)
        else:
            self._warn(
                f"the CameraInfo on {info_topic} is not calibrated (K is 0), so there is no"
                f" {CAMERA}; calibrate the camera to make points or a map"
            )

    def _warn(self, sentence: str) -> None:
        print(f"warning: {self._bag.name}: {sentence}", file=sys.stderr)


class _Files:
    """Writes pictures and their depth, each named by its stamp; `_open_files` gives it."""

    def __init__(self, folder: Path, rgb: TextIO, depth: TextIO):
        self._folder, self._rgb, self._depth = folder, rgb, depth

    def has(self, frame: frames.Stamped) -> bool:
        """Tells whether there is a picture of this stamp."""
        return (self._folder / f"depth/{seconds(frame.stamp)}.png").exists()

    def add(self, frame: frames.Stamped, picture: np.ndarray, metres: np.ndarray) -> None:
        """Writes a picture and its depth."""
        stem = seconds(frame.stamp)
        self._write(self._rgb, f"rgb/{stem}", *_picture_file(frame, picture))
        self._write(self._depth, f"depth/{stem}", ".png", depth_png.encode(metres))

    def _write(self, listing: TextIO, name: str, ending: str, content: bytes) -> None:
        (self._folder / f"{name}{ending}").write_bytes(content)
        listing.write(f"{name.partition('/')[2]} {name}{ending}\n")


@contextmanager
def _open_files(folder: Path) -> Iterator[_Files]:
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    with (folder / "rgb.txt").open("w") as rgb, (folder / "depth.txt").open("w") as depth:
        for each in (rgb, depth):
            each.write("# seconds file\n")
        yield _Files(folder, rgb, depth)


def _picture_file(frame: frames.Stamped, picture: np.ndarray) -> tuple[str, bytes]:
    """Returns the ending and the content of a picture's file."""
    if frame.message.connection.msgtype == topics.COMPRESSED:
        content = bytes(frame.parsed.data)
        ending = _KINDS.get(content[:2])
        # A reader would turn a JPEG by its EXIF data; depth is of the picture as it lies.
        if ending and b"Exif\0" not in content[:64]:
            return ending, content
    return ".png", images.encode_png(picture)
