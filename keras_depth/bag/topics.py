"""Chooses the topics of a bag: its pictures, their CameraInfo, and depth that was recorded."""

from __future__ import annotations

import re
import sys

from keras_depth.bag.reading import Bag, Topic
from keras_depth.bag.ros_images import DEPTH_ENCODINGS, check_camera
from keras_depth.errors import InputError, unknown_name

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_COMPRESSED_DEPTH = "compressedDepth"
_TRANSPORTS = (f"/{_COMPRESSED_DEPTH}", "/compressed")  # image_transport's, after a topic's name
# image_rect, image_rect_color and rect/image are; image_unrectified and image_direct are not.
_RECTIFIED = re.compile(r".*/(image_)?rect(ified)?(_\w+)?(/image)?")


def depth_encoding(bag: Bag, topic: str) -> str | None:
    """Returns how a topic stores depth, such as "16UC1"; None: it holds something else."""
    kind, count = bag.topics[topic]
    if kind not in (IMAGE, COMPRESSED) or not count:
        return None
    _, first = bag.first(topic)
    if kind == IMAGE:
        return first.encoding if first.encoding in DEPTH_ENCODINGS else None
    is_depth = first.format.startswith(DEPTH_ENCODINGS) or _COMPRESSED_DEPTH in first.format
    return first.format if is_depth else None


def choose_pictures(bag: Bag, asked: str | None = None) -> str:
    """Returns the topic of the pictures.

    Args:
        bag: the bag.
        asked: what the user says; None: the only one there is.

    Raises:
        InputError: there is none or several, or the topic that was asked for holds something else.
    """
    found = _pictures(bag)
    if asked is not None:
        _check_asked(bag, asked, found)
        return asked
    if not found:
        raise InputError(
            f"{bag.name}: holds no pictures, which are messages of {IMAGE} or {COMPRESSED}; it"
            f" holds {_listed(bag.topics) or 'nothing'}"
        )
    if len(found) > 1:
        raise InputError(
            f"{bag.name}: holds pictures on several topics, {_listed(found)}; add --topic"
            f" {next(iter(found))}, or another of them"
        )
    return next(iter(found))


def _pictures(bag: Bag) -> dict[str, Topic]:
    """Returns the topics that hold pictures."""
    return {
        topic: about
        for topic, about in bag.topics.items()
        if about.type in (IMAGE, COMPRESSED) and about.messages and not depth_encoding(bag, topic)
    }


def _check_asked(bag: Bag, asked: str, found: dict[str, Topic]) -> None:
    topics = bag.topics
    if asked not in topics:
        raise InputError(f"{bag.name}: {unknown_name('topic', asked, topics)}")
    if asked in found:
        return
    if encoding := depth_encoding(bag, asked):
        problem = f"holds depth ({encoding}), not pictures"
    elif topics[asked].type in (IMAGE, COMPRESSED):
        problem = "has no messages"
    else:
        problem = f"holds {topics[asked].type}, not pictures"
    others = f"give one of {', '.join(found)}" if found else "no topic of this bag holds pictures"
    raise InputError(f"{bag.name}: topic {asked} {problem}; {others}")


def _listed(topics: dict[str, Topic]) -> str:
    return ", ".join(f"{name} ({about.type}, {about.messages})" for name, about in topics.items())


def namespace(topic: str) -> str:
    """Returns a camera's namespace by its pictures: /front of /front/image_raw/compressed."""
    return _raw(topic).rpartition("/")[0]


def depth_namespace(bag: Bag, pictures: str) -> str:
    """Returns where the depth of pictures goes: beside them, below them if others are there too."""
    name = namespace(pictures)
    others = {_raw(topic) for topic in _pictures(bag) if namespace(topic) == name}
    return name if len(others) == 1 else _raw(pictures)


def is_rectified(topic: str) -> bool:
    """Tells by a topic's name whether its pictures are without distortion."""
    return _RECTIFIED.fullmatch(_raw(topic)) is not None


def _raw(topic: str) -> str:
    """Returns the topic that image_transport compresses onto this one, or this one itself."""
    for ending in _TRANSPORTS:
        topic = topic.removesuffix(ending)
    return topic


def find_camera_info(bag: Bag, pictures: str, size: tuple[int, int]) -> str | None:
    """Returns the topic of the pictures' CameraInfo; None, with a warning, if there is none.

    Args:
        bag: the bag.
        pictures: their topic.
        size: (height, width) of the first.
    """
    found = [
        topic for topic, about in bag.topics.items() if about.type == CAMERA_INFO and about.messages
    ]
    if (own := f"{namespace(pictures)}/camera_info") in found:
        return own
    only = found[0] if len(found) == 1 else None
    other = _other_camera(bag, only, pictures, size) if only else None
    if only and not other:
        say = f"no {own}; {only} is taken, the only CameraInfo in it"
    else:
        say = f"no {own}, so the camera of {pictures} is not known; points and maps need it"
    if other:
        say += f" ({only} is not taken: {other})"
    print(f"warning: {bag.name}: {say}", file=sys.stderr)
    return None if other else only


def _other_camera(bag: Bag, topic: str, pictures: str, size: tuple[int, int]) -> str | None:
    """Returns why a CameraInfo is not that of the pictures; None: it may be."""
    _, info = bag.first(topic)
    _, picture = bag.first(pictures)
    if info.header.frame_id != picture.header.frame_id:
        return f"its frame is {info.header.frame_id!r}, theirs {picture.header.frame_id!r}"
    try:
        check_camera(info, size)
    except ValueError as error:
        return str(error).partition(";")[0]
    return None


def choose_depth(bag: Bag, pictures: str, asked: str | None = None) -> str:
    """Returns the topic of depth that was recorded, as the camera of `pictures` sees it.

    Args:
        bag: the bag.
        pictures: their topic.
        asked: what the user says; None: the one in the same frame as the pictures.

    Raises:
        InputError: there is none or several, or none is in the frame of the pictures.
    """
    found = [topic for topic in bag.topics if depth_encoding(bag, topic)]
    if asked is not None:
        if asked not in found:
            known = f"depth is on {', '.join(found)}" if found else "no topic of this bag does"
            raise InputError(f"{bag.name}: topic {asked} holds no depth; {known}")
        return asked
    # Of the same depth, raw and compressed, the raw.
    found = [topic for topic in found if _raw(topic) == topic or _raw(topic) not in found]
    if not found:
        raise InputError(
            f"{bag.name}: holds no depth, which is messages of {IMAGE} with encoding"
            f" {' or '.join(DEPTH_ENCODINGS)}; give a network in the place of truth"
        )
    frames = {topic: bag.first(topic)[1].header.frame_id for topic in found}
    frame = bag.first(pictures)[1].header.frame_id
    registered = [topic for topic in found if frames[topic] == frame]
    if len(registered) == 1:
        return registered[0]
    if registered:
        raise InputError(
            f"{bag.name}: holds depth on several topics, {', '.join(registered)}; add --depth-topic"
            f" {registered[0]}, or another of them"
        )
    raise InputError(
        f"{bag.name}: the pictures are of frame {frame!r} and the depth on {found[0]} of"
        f" {frames[found[0]]!r}, so it is not registered to them; record registered (aligned)"
        f" depth, or add --depth-topic {found[0]} if both frames are the same camera"
    )
