"""Keeps a second process out of a run folder that is being trained in."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from keras_depth.errors import InputError, cannot_write
from keras_depth.files import lock, make_folder
from keras_depth.run_folder import LOCK


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Makes a folder, and holds it for this process until the block ends or the process dies.

    Raises:
        InputError: another process holds it, or it cannot be written.
    """
    make_folder(folder)
    path = folder / LOCK
    # Unbuffered: what a full disk refuses must not be written again when the file is closed.
    with path.open("ab+", buffering=0) as file:
        try:
            lock(file, folder, "trains in this folder")
        except BlockingIOError as error:
            file.seek(0)
            raise InputError(
                f"{folder}: {_describe(file.read())} trains in this folder; wait until it has"
                " ended, stop it, or give --output another folder"
            ) from error
        try:
            file.truncate(0)
            file.write(_holder())
        except OSError as error:
            raise cannot_write(path, error) from error
        yield


def _holder() -> bytes:
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    return json.dumps(holder).encode()


def _describe(holder: bytes) -> str:
    try:
        return "process {pid} on {host}, since {since},".format(**json.loads(holder))
    except (ValueError, LookupError, TypeError):  # it is about to write who it is
        return "another process"
