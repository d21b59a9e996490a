"""Writes bags in the format of the one that was read, and outputs that are whole or not there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_depth.bag.reading import NOT_IN_SQLITE, Bag, Message
from keras_depth.errors import InputError, cannot_write
from keras_depth.files import check_writable, lock, make_folder, printable

if TYPE_CHECKING:  # it comes with an extra
    from rosbags.interfaces import Connection, Qos

_ENDINGS = {"mcap": ".mcap", "sqlite3": ".db3"}  # of ROS 2's storages
# Of ROS 2 Iron. Humble cannot read Jazzy's 9, which writes QoS profiles in another way.
_METADATA_VERSION: Literal[8] = 8
_LOCK = ".lock"
# Of a type whose definition the bag lacks, as in bags of Humble and before.
_UNKNOWN_HASH = f"RIHS01_{64 * '0'}"


def check_output(bag: Bag, output: Path) -> None:
    """Raises InputError unless `output` can become a bag of the format of `bag`."""
    if printable(str(output)) != str(output):
        raise InputError(f"{output}: a bag's own name is UTF-8; give such a name")
    if bag.ros == 1:
        if output.suffix != ".bag":
            raise InputError(f"{output}: a ROS 1 bag is one file; give a name that ends in .bag")
        return
    storage = bag.storage
    if output.suffix in {".bag", *_ENDINGS.values()} - {_ENDINGS[storage]}:
        raise InputError(
            f"{output}: {bag.name} is a ROS 2 bag of {storage}; give the name of a folder, or one"
            f" that ends in {_ENDINGS[storage]}"
        )
    if storage == "sqlite3" and set(NOT_IN_SQLITE) & set(str(output)):
        raise InputError(f"{output}: SQLite takes no path with ?, # or %; give another name")


def check_new(output: Path, inputs: list[Path]) -> None:
    """Checks that an output can be made.

    Raises:
        InputError: the output is there already, is in an input, or cannot be written.
    """
    _check_absent(output)
    for path in inputs:
        if output.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{output}: in {path}, which is the input; give another folder")
    check_writable(output.absolute().parent)


def _check_absent(output: Path) -> None:
    if os.path.lexists(output):
        raise InputError(f"{output}: exists already and is not overwritten; give another name")


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """Yields a path; what was written there becomes `output` in one step.

    Until then it is in a folder beside it, `.partial-NAME`. What a killed process left there is
    removed first.

    Raises:
        InputError: it cannot be written, the disk is full, another process writes it, or it is
            there by now.
    """
    make_folder(output.absolute().parent)
    partial = output.with_name(f".partial-{output.name}")
    try:
        with _held(partial, output):
            yield partial / output.name
            _check_absent(output)
            os.rename(partial / output.name, output)
    except (OSError, sqlite3.Error) as error:
        raise cannot_write(output, error) from error


@contextmanager
def _held(partial: Path, output: Path) -> Iterator[None]:
    """Makes an empty folder that is this process's alone, and removes it at the end.

    Raises:
        InputError: another process holds it, or it holds something else than what `whole` writes.
    """
    partial.mkdir(exist_ok=True)
    left = {each.name for each in partial.iterdir()}
    if partial.is_symlink() or left - {_LOCK, output.name, output.stem}:
        raise InputError(
            f"{partial}: in the way of {output.name}, which is made there; rename it, or give"
            " another name"
        )
    with (partial / _LOCK).open("wb") as file:
        try:
            lock(file, output, "makes it")
        except BlockingIOError as error:
            raise InputError(
                f"{output}: another process is making it; wait until it has ended, stop it, or give"
                " another name"
            ) from error
        try:
            for each in left - {_LOCK}:
                _remove(partial / each)
            yield
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


class BagWriter:
    """Writes what a bag holds, byte for byte, and messages beside it; `writing_like` gives it.

    Args:
        writer: an open one of rosbags.
        bag: the bag whose topics are copied.
    """

    def __init__(self, writer: Any, bag: Bag):
        self._writer, self._bag = writer, bag
        self._connections: dict[str, Connection] = {}
        for each in bag.connections:
            key = _key(each)
            if key not in self._connections:  # the parts of a split bag have it each
                self._connections[key] = self._add(each)
        self._by_source = {_source(each): self._connections[_key(each)] for each in bag.connections}

    def copy(self, message: Message) -> None:
        """Writes a message of the bag as it is."""
        connection = self._by_source[_source(message.connection)]
        self._writer.write(connection, message.time, message.raw)

    def add_topic(self, topic: str, kind: str) -> Connection:
        """Adds a topic of a standard type, reliable, as the ROS node publishes it."""
        store = self._bag.store
        if self._bag.ros == 1:
            return self._writer.add_connection(topic, kind, typestore=store)
        return self._writer.add_connection(
            topic, kind, typestore=store, offered_qos_profiles=[_reliable()]
        )

    def write(self, connection: Connection, time: int, message: Any) -> None:
        """Writes an object of a standard type to a topic of `add_topic`."""
        self._writer.write(connection, time, self._bag.serialize(message, connection.msgtype))

    def _add(self, connection: Connection) -> Connection:
        definition, digest = connection.msgdef.data, connection.digest
        if self._bag.ros == 1:
            return self._writer.add_connection(
                connection.topic,
                connection.msgtype,
                msgdef=definition,
                md5sum=digest,
                **connection.ext._asdict(),
            )
        if not definition and connection.msgtype in self._bag.store.fielddefs:
            definition, _ = self._bag.store.generate_msgdef(connection.msgtype, ros_version=2)
        return self._writer.add_connection(
            connection.topic,
            connection.msgtype,
            msgdef=definition,
            rihs01=digest or self._hash(connection.msgtype),
            **connection.ext._asdict(),
        )

    def _hash(self, kind: str) -> str:
        store = self._bag.store
        return store.hash_rihs01(kind) if kind in store.fielddefs else _UNKNOWN_HASH


@contextmanager
def writing_like(bag: Bag, output: Path) -> Iterator[BagWriter]:
    """Yields a writer of a new bag in the format of `bag`; it is whole when the context ends.

    Args:
        bag: an open bag.
        output: a file for ROS 1; for ROS 2 a folder, or a file that ends as the bag's storage does.

    Raises:
        InputError: it cannot be written, or the disk is full.
    """
    from rosbags import rosbag1, rosbag2

    alone = bag.ros == 2 and output.suffix in _ENDINGS.values()
    with whole(output) as partial, ExitStack() as stack:
        if bag.ros == 1:
            yield BagWriter(stack.enter_context(rosbag1.Writer(partial)), bag)
            return
        folder = partial.with_suffix("") if alone else partial
        plugin = rosbag2.StoragePlugin[bag.storage.upper()]
        writer = rosbag2.Writer(folder, version=_METADATA_VERSION, storage_plugin=plugin)
        mode = getattr(bag.readers[0], "compression_mode", None)
        if mode and not alone:
            compression = rosbag2.CompressionMode[mode.upper()]
            writer.set_compression(compression, rosbag2.CompressionFormat.ZSTD)
        stack.enter_context(writer)
        if database := getattr(writer.storage, "conn", None):  # SQLite's
            # Waiting for the disk would take as long as the rest; a bag that is lost is a partial.
            database.execute("PRAGMA synchronous = OFF")
        yield BagWriter(writer, bag)
        stack.close()
        if alone:
            os.rename(folder / f"{folder.name}{output.suffix}", partial)


def _source(connection: Connection) -> tuple[int, int]:
    """Returns what tells connections of several readers apart."""
    return id(connection.owner), connection.id


def _key(connection: Connection) -> str:
    """Returns what tells connections of one bag apart."""
    return repr((connection.topic, connection.msgtype, connection.digest, connection.ext))


def _reliable() -> Qos:
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    never = QosTime(0, 0)
    return Qos(
        QosHistory.KEEP_LAST,
        2,
        QosReliability.RELIABLE,
        QosDurability.VOLATILE,
        never,
        never,
        QosLiveliness.AUTOMATIC,
        never,
        False,
    )
