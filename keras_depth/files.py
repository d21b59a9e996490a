"""Files written whole or not at all, and the folders that travel with the package."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from keras_depth.errors import InputError, cannot_write

if TYPE_CHECKING:  # matplotlib is imported where it is used: `--help` should not wait for it
    from matplotlib.figure import Figure

# A wheel carries these folders inside the package (see setup.py); in a checkout they stand
# beside it.
_RESOURCES = {
    "training": "training",
    "published": "evaluation/published",
    "custom_ops": "custom_ops",
}


def read_json(path: Path) -> Any:
    """Reads a JSON file that a command has written.

    Raises:
        InputError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path}: damaged ({error}); restore it, or delete it and run the command again"
        ) from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a path beside `target`; what was written there takes its place in one step.

    Where the block raises, `target` stays as it was and nothing is left beside it.

    Raises:
        InputError: the folder cannot be written, or its disk is full.
    """
    # The ending stays: writers of pictures and videos choose the format by it.
    partial = target.with_name(f".partial-{target.name}")
    try:
        yield partial
        os.replace(partial, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with suppress(NotADirectoryError):  # that is said already
            partial.unlink(missing_ok=True)


def lock(file: IO, place: Path, other: str) -> None:
    """Locks an open file until it is closed or this process dies; warns where a disk has no locks.

    Args:
        file: open for writing.
        place: what the lock keeps other processes out of, for the warning.
        other: what no other process may do meanwhile, such as "trains in this folder".

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:  # some network drives
        warnings.warn(
            f"{place}: this disk has no locks ({error.strerror}), so take care that no other"
            f" process {other}",
            stacklevel=3,
        )


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, in UTF-8, whole or not at all."""
    write_bytes(path, printable(text).encode("utf-8"))


def printable(text: str) -> str:
    """Returns text that can be written and drawn: a name's bytes that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def check_utf8(path: Path) -> None:
    """Raises InputError if TensorFlow could not open a path, because it is not UTF-8."""
    if printable(str(path)) != str(path):
        raise not_utf8(str(path))


def not_utf8(path: str) -> InputError:
    """Returns the error for a path that TensorFlow cannot open."""
    return InputError(
        f"{path}: a name that is not UTF-8, which TensorFlow cannot open; rename the file or folder"
    )


def write_figure(figure: Figure, path: str | Path) -> None:
    """Draws a figure into a picture file, whole or not at all; this needs no display.

    Raises:
        InputError: the folder cannot be written, or its disk is full.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # a font has no sign for a name that is no UTF-8
        text.set_text(printable(text.get_text()))
    with replacing(Path(path)) as partial:
        FigureCanvasAgg(figure).print_figure(partial, format=partial.suffix[1:] or "png")


def make_folder(path: Path) -> None:
    """Makes a folder and those above it.

    Raises:
        InputError: it cannot be made, or nothing can be written in it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    check_writable(path)


def check_writable(folder: Path) -> None:
    """Checks that files can be written in a folder, which may not be there yet; leaves nothing.

    Raises:
        InputError: the folder, or the nearest above it that is there, cannot be written.
    """
    nearest = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def distinct(folder: Path, content: str) -> Path:
    """Returns the folder beside `folder` for other content of the same name; always the same."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()
    return folder.with_name(f"{folder.name}-{digest[:8]}")


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resource_folder(name: str) -> Path:
    """Returns the folder "training", "published" or "custom_ops", of a checkout or a wheel.

    Raises:
        InputError: the installation lacks the folder.
    """
    package = Path(__file__).resolve().parent
    for path in (package / name, package.parent / _RESOURCES[name]):
        if path.is_dir():
            return path
    raise InputError(f"{package}: this installation lacks its folder {name!r}; install it again")
