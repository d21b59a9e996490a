"""Reads single records of tfrecord files, which are made to be read from start to end."""

import os
import struct
from pathlib import Path
from typing import NamedTuple

from keras_depth.errors import InputError


class Record(NamedTuple):
    """Locates a record's content."""

    file: Path
    start: int
    length: int


def index(path: Path) -> list[Record]:
    """Returns a file's records, reading their headers alone.

    Raises:
        InputError: the file cannot be read, or is cut short.
    """
    records = []
    try:
        size = path.stat().st_size
        with open(path, "rb") as stream:
            # A record: its length (8 bytes), a checksum (4), the content, a checksum (4).
            while header := stream.read(12):
                length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else size
                start = stream.tell()
                if start + length + 4 > size:
                    raise InputError(f"{path}: the file is cut short; prepare the data set again")
                records.append(Record(path, start, length))
                stream.seek(length + 4, os.SEEK_CUR)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore it") from None
    return records


def read(record: Record) -> bytes:
    """Returns a record's content; its checksum is not verified.

    Raises:
        InputError: the file is gone, or is shorter than it was.
    """
    try:
        with open(record.file, "rb", buffering=0) as stream:
            stream.seek(record.start)
            content = stream.read(record.length)
    except OSError as error:
        raise InputError(f"{record.file}: cannot be read ({error.strerror}); restore it") from None
    if len(content) < record.length:
        raise InputError(f"{record.file}: the file is cut short; prepare the data set again")
    return content
