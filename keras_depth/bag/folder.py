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
from pathlib import Path
from typing import TextIO

import numpy as np

from keras_depth import depth_png, images
from keras_depth.bag import frames, topics
from keras_depth.bag.reading import Bag
from keras_depth.bag.summary import Summary
from keras_depth.bag.writing import whole
from keras_depth.data.folders.camera import FILE as CAMERA
from keras_depth.data.folders.camera import write_camera
from keras_depth.errors import InputError

_KINDS = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}  # how files begin that are written as they are


def write_folder(
    bag: Bag,
    topic: str,
    depth: str | Callable[[np.ndarray], np.ndarray],
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
        max_depth: metres; what is farther is no depth.
        progress: called after each picture.

    Raises:
        InputError: a message is damaged, no picture has depth, or the folder cannot be written.
            Nothing is left then.
    """
    summary = Summary()
    with whole(output) as partial:
        for name in ("rgb", "depth"):
            (partial / name).mkdir(parents=True)
        with (partial / "rgb.txt").open("w") as rgb, (partial / "depth.txt").open("w") as maps:
            for each in (rgb, maps):
                each.write("# seconds file\n")
            for frame, picture, metres, seconds in _frames(bag, topic, depth):
                if not summary.count:
                    _describe(bag, topic, partial, picture, metres)
                stem = f"{frame.stamp // 10**9}.{frame.stamp % 10**9:09d}"
                if (partial / f"depth/{stem}.png").exists():  # a driver sent it twice
                    continue
                metres = np.where(metres <= max_depth, metres, 0)
                _write(partial, rgb, f"rgb/{stem}", *_picture_file(frame, picture))
                _write(partial, maps, f"depth/{stem}", ".png", depth_png.encode(metres))
                summary.add(metres, seconds)
                progress()
                if summary.count == limit:
                    break
        if not summary.count:
            raise InputError(
                f"{bag.name}: no picture on {topic} has depth on {depth} at most"
                f" {frames.MAX_DIFFERENCE / 1e9} s from it; compare the stamps of both"
            )
    return summary


def _frames(
    bag: Bag, topic: str, depth: str | Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[frames.Stamped, np.ndarray, np.ndarray, float]]:
    """Yields pictures as stored, decoded, and with their depth and the seconds it took."""
    if isinstance(depth, str):
        for count, (frame, recorded) in enumerate(frames.pairs(bag, topic, depth)):
            start = time.perf_counter()
            with frames.saying_where(count):
                picture = frames.decode_picture(bag, frame.message, frame.parsed)
                metres = frames.decode_depth(bag, recorded)
            yield frame, picture, metres, time.perf_counter() - start
        return
    for count, frame in enumerate(frames.stamped(bag, topic)):
        with frames.saying_where(count):
            picture = frames.decode_picture(bag, frame.message, frame.parsed)
        start = time.perf_counter()
        yield frame, picture, depth(picture), time.perf_counter() - start


def _describe(bag: Bag, topic: str, folder: Path, picture: np.ndarray, metres: np.ndarray) -> None:
    """Writes camera.yaml; warns about what a user of the folder must know."""
    size = picture.shape[:2]
    if metres.shape != size:
        print(
            f"warning: {bag.name}: the depth is {metres.shape[1]}x{metres.shape[0]}, the pictures"
            f" {size[1]}x{size[0]}: read the folder with --set data.resize_depth=nearest if both"
            " show the same view",
            file=sys.stderr,
        )
    if (info_topic := topics.find_camera_info(bag, topic)) is None:
        return
    if intrinsics := frames.camera_of(bag, topic, info_topic, size):
        write_camera(folder / CAMERA, intrinsics, size)
    else:
        print(
            f"warning: {bag.name}: the CameraInfo on {info_topic} is not calibrated (K is 0), so"
            f" there is no {CAMERA}; calibrate the camera to make points or a map",
            file=sys.stderr,
        )


def _picture_file(frame: frames.Stamped, picture: np.ndarray) -> tuple[str, bytes]:
    """Returns the ending and the content of a picture's file."""
    if frame.message.connection.msgtype == topics.COMPRESSED:
        content = bytes(frame.parsed.data)
        ending = _KINDS.get(content[:2])
        # A reader would turn a JPEG by its EXIF data; depth is of the picture as it lies.
        if ending and b"Exif\0" not in content[:64]:
            return ending, content
    return ".png", images.encode_png(picture)


def _write(folder: Path, listing: TextIO, name: str, ending: str, content: bytes) -> None:
    (folder / f"{name}{ending}").write_bytes(content)
    listing.write(f"{name.partition('/')[2]} {name}{ending}\n")
