"""Writes ROS bags for tests, by rosbags."""

from pathlib import Path
from typing import Any, NamedTuple

from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore

STORES = {
    "humble": get_typestore(Stores.ROS2_HUMBLE),
    "jazzy": get_typestore(Stores.ROS2_JAZZY),
    "noetic": get_typestore(Stores.ROS1_NOETIC),
}


class Stored(NamedTuple):
    topic: str
    type: str
    time: int  # nanoseconds
    message: Any  # an object of `STORES`, or bytes
    extra: dict = {}  # of add_connection


def write_bag(path: Path, messages: list[Stored], storage="mcap", distro="jazzy") -> Path:
    """Writes a bag; `storage` is "mcap", "sqlite3" or, for ROS 1, "bag"."""
    store = STORES["noetic" if storage == "bag" else distro]
    serialize = store.serialize_ros1 if storage == "bag" else store.serialize_cdr
    if storage == "bag":
        writer = rosbag1.Writer(path)
    else:
        plugin = rosbag2.StoragePlugin[storage.upper()]
        writer = rosbag2.Writer(path, version=9 if distro == "jazzy" else 8, storage_plugin=plugin)
    with writer:
        topics = {}
        for topic, kind, time, message, extra in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, **{"typestore": store, **extra})
            raw = message if isinstance(message, bytes) else serialize(message, kind)
            writer.write(topics[topic], time, raw)
    return path
