"""Opens ROS bags: of ROS 2 (mcap or sqlite3) and ROS 1, in the one way that the rest reads them."""

from __future__ import annotations

import heapq
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from keras_depth.errors import InputError, check_installed, first_line
from keras_depth.listing import ending

if TYPE_CHECKING:  # it comes with an extra
    from rosbags import rosbag1, rosbag2
    from rosbags.interfaces import Connection
    from rosbags.typesys.store import Typestore

_FILES = (".mcap", ".db3", ".bag")
_METADATA = "metadata.yaml"
NOT_IN_SQLITE = "?#%"  # rosbags opens a database by its path as it is, as a URI
_MCAP = b"\x89MCAP0\r\n"  # how the file begins, and how it ends


class Message(NamedTuple):
    """Holds a message as it is stored.

    connection: its topic, type and so on.
    time: when it was recorded, nanoseconds.
    raw: its bytes.
    """

    connection: Connection
    time: int
    raw: bytes | memoryview


class Topic(NamedTuple):
    """Names the type of a topic's messages, and how many there are."""

    type: str
    messages: int


@dataclass
class Bag:
    """An open bag; `open_bag` gives it.

    Attributes:
        name: for messages to the user.
        paths: its files, or its folder.
        ros: 1 or 2.
        readers: those of rosbags, one a path.
        store: of the standard message types.
    """

    name: str
    paths: Sequence[Path]
    ros: int
    readers: Sequence[rosbag1.Reader | rosbag2.Reader]
    store: Typestore

    @property
    def connections(self) -> list[Connection]:
        return [each for reader in self.readers for each in reader.connections]

    @property
    def topics(self) -> dict[str, Topic]:
        """The topics by name, in the order of the alphabet."""
        topics: dict[str, Topic] = {}
        for each in sorted(self.connections, key=lambda each: each.topic):
            before = topics.get(each.topic)
            count = each.msgcount + (before.messages if before else 0)
            topics[each.topic] = Topic(before.type if before else each.msgtype, count)
        return topics

    @property
    def storage(self) -> str:
        """How it is stored: "mcap", "sqlite3", or "bag" for ROS 1."""
        path = self.paths[0]
        if path.is_file():
            return {".mcap": "mcap", ".db3": "sqlite3"}.get(ending(path), "bag")
        metadata = yaml.safe_load((path / _METADATA).read_text(encoding="utf-8"))
        return metadata["rosbag2_bagfile_information"]["storage_identifier"]

    @property
    def count(self) -> int:
        """How many messages its index promises."""
        return sum(reader.message_count for reader in self.readers)

    def messages(self, *topics: str) -> Iterator[Message]:
        """Yields the messages of some topics, or of all, in the order of their times.

        Raises:
            InputError: the bag is damaged.
        """
        streams = []
        for reader in self.readers:
            wanted = [each for each in reader.connections if not topics or each.topic in topics]
            if wanted:
                streams.append(reader.messages(wanted))
        try:
            for item in heapq.merge(*streams, key=lambda item: item[1]):
                yield Message(*item)
        # rosbags lets through whatever its decoders raise: struct.error, zstd's, SQLite's.
        except Exception as error:
            raise InputError(
                f"{self.name}: damaged ({first_line(error)}); copy it again, or repair it"
                f" ({_repair(self.paths[0])})"
            ) from error

    def read(self, *topics: str) -> Iterator[tuple[Message, Any]]:
        """Yields the messages of topics of standard types, as stored and as objects."""
        for message in self.messages(*topics):
            yield message, self.parse(message)

    def first(self, topic: str) -> tuple[Message, Any]:
        """Returns the first message of a topic, which has one, as stored and as an object."""
        for first in self.read(topic):
            return first
        raise InputError(
            f"{self.name}: its index promises messages on {topic}, and there are none; repair it"
            f" ({_repair(self.paths[0])})"
        )

    def parse(self, message: Message) -> Any:
        """Returns a message of a standard type as an object.

        Raises:
            InputError: its bytes are no such message.
        """
        store, kind = self.store, message.connection.msgtype
        deserialize = store.deserialize_cdr if self.ros == 2 else store.deserialize_ros1
        try:
            return deserialize(message.raw, kind)
        # As above: of bytes that are no such message.
        except Exception as error:
            raise self.bad(message, f"the message is damaged ({first_line(error)})") from error

    def serialize(self, message: Any, kind: str) -> memoryview:
        """Returns the bytes of an object of a standard type."""
        store = self.store
        serialize = store.serialize_cdr if self.ros == 2 else store.serialize_ros1
        return serialize(message, kind)

    def bad(self, message: Message, problem: object) -> InputError:
        """Returns the error for a message, which names its topic and its time."""
        topic, time = message.connection.topic, seconds(message.time)
        return InputError(f"{self.name}: topic {topic}, time {time}: {problem}")


def seconds(nanoseconds: int) -> str:
    """Writes a time in seconds, with all its digits."""
    whole, rest = divmod(abs(nanoseconds), 10**9)
    return f"{'-' * (nanoseconds < 0)}{whole}.{rest:09d}"


@contextmanager
def open_bag(*paths: str | Path) -> Iterator[Bag]:
    """Opens a bag.

    Args:
        paths: the folder of a ROS 2 bag, or its .mcap or .db3 file alone, or a ROS 1 .bag file.
            Several, all of one kind, are read as one.

    Raises:
        InputError: there is none, it was not closed, it is damaged or of a format that is not
            read; or the extra `bag` is not installed.

    Example:
        >>> with open_bag("walk.mcap") as bag:
        ...     print(bag.topics)
    """
    check_installed("bag", "rosbags")
    from rosbags import rosbag1, rosbag2
    from rosbags.typesys import Stores, get_typestore

    files = [Path(path) for path in paths]
    kinds = [_check(path) for path in files]
    if len(set(kinds)) > 1:
        raise InputError(f"{files[0]} and others: bags of ROS 1 and of ROS 2; give those of one")
    ros = kinds[0]
    name = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    store = get_typestore(Stores.ROS2_HUMBLE if ros == 2 else Stores.ROS1_NOETIC)
    with ExitStack() as stack:
        readers: list[rosbag1.Reader | rosbag2.Reader] = []
        for path in files:
            try:
                if ros == 2:
                    readers.append(stack.enter_context(rosbag2.Reader(path)))
                else:
                    readers.append(stack.enter_context(rosbag1.Reader(path)))
            # rosbags lets through whatever its decoders raise: struct.error, zstd's, SQLite's.
            except Exception as error:
                raise _unreadable(path, error) from error
        yield Bag(name, files, ros, readers, store)


def _check(path: Path) -> int:
    """Returns 1 or 2, for ROS 1 or ROS 2.

    Raises:
        InputError: there is no such bag, or it was not closed.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check its name")
    if path.is_dir():
        _check_folder(path)
        return 2
    _check_path(path)
    if path.name.endswith(".bag.active"):
        raise _not_closed(path)
    if ending(path) not in _FILES:
        raise InputError(
            f"{path}: not a bag; give the folder that `ros2 bag record` wrote, or a file that ends"
            f" in {', '.join(_FILES)}"
        )
    _check_closed(path)
    return 1 if ending(path) == ".bag" else 2


def _check_folder(folder: Path) -> None:
    """Raises InputError unless a folder is a bag whose files were closed."""
    files = sorted(path for path in folder.iterdir() if ending(path) in _FILES)
    for file in files:
        _check_path(file)
        if ending(file) == ".mcap":
            _check_closed(file)
    if (folder / _METADATA).exists():
        return
    if not files:
        raise InputError(
            f"{folder}: not a bag: this folder has no {_METADATA}; give the folder that `ros2 bag"
            f" record` wrote, or a file that ends in {', '.join(_FILES)}"
        )
    if ending(files[0]) == ".bag":
        raise InputError(
            f"{folder}: a folder of ROS 1 bags; give the files themselves, such as {files[0]}"
        )
    raise InputError(
        f"{folder}: holds {files[0].name} but no {_METADATA}: its recorder was stopped before it"
        f" closed the bag; repair it: {_repair(folder)}"
    )


def _check_path(file: Path) -> None:
    """Raises InputError for a database that rosbags cannot open because of its path."""
    if ending(file) == ".db3" and set(NOT_IN_SQLITE) & set(str(file)):
        raise InputError(f"{file}: SQLite opens no path with ?, # or %; rename it")


def _check_closed(file: Path) -> None:
    """Raises InputError for a file that its recorder did not close, as far as a look shows it."""
    if ending(file) == ".mcap":
        with file.open("rb") as content:
            start = content.read(len(_MCAP))
            content.seek(max(0, file.stat().st_size - len(_MCAP)))
            end = content.read()
        if start == _MCAP and (end != _MCAP or file.stat().st_size == len(_MCAP)):
            raise _not_closed(file)
    beside = [file.with_name(f"{file.name}-{kind}") for kind in ("wal", "journal")]
    if ending(file) == ".db3" and any(log.is_file() and log.stat().st_size for log in beside):
        raise _not_closed(file)


def _not_closed(file: Path) -> InputError:
    return InputError(
        f"{file}: was not closed, because its recorder was stopped, still runs, or the copy is cut"
        f" short; repair it: {_repair(file)}"
    )


def _repair(path: Path) -> str:
    """Returns the command that repairs a bag."""
    name = shlex.quote(str(path))
    if ending(path) == ".mcap":
        repaired = path.with_name(f"{path.stem}_repaired.mcap")
        return f"mcap recover {name} -o {shlex.quote(str(repaired))}"
    if ending(path) == ".db3":
        return f"ros2 bag reindex {shlex.quote(str(path.parent))}"
    if ending(path) in (".bag", ".active") and not path.is_dir():
        return f"rosbag reindex {name}"
    return f"ros2 bag reindex {name}"


def _unreadable(path: Path, error: Exception) -> InputError:
    """Returns the error for a bag that rosbags cannot open."""
    if isinstance(error, PermissionError):
        return InputError(f"{path}: cannot be read ({error.strerror}); ask its owner")
    reason = first_line(error).rstrip(".")
    if ending(path) == ".bag" and "ndex" in reason:
        return _not_closed(path)
    if "Profile is not" in reason:
        return InputError(f"{path}: an mcap file of another kind than ROS 2's; give a ROS 2 bag")
    if "ompression format" in reason:
        return InputError(f"{path}: {reason}; decompress it with `ros2 bag convert`")
    return InputError(
        f"{path}: cannot be read as a bag ({reason}); copy it again, or repair it ({_repair(path)})"
    )
