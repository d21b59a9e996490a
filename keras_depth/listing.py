"""Lists folders by one rule: readers of data sets and commands find the same files in them.

| name | rule |
|---|---|
| `.DS_Store`, `._1.png`, `lost+found`: hidden, or the system's own | is not listed |
| `1.PNG`, `1.png` | have the same `ending` |
| `2.png`, `10.png` | are in this order |
| a link | is what it leads to; one that leads nowhere, or to itself, is `lost` |
| a folder that several links lead to, or a link to a folder above | is walked once |
| a name that is not UTF-8 | is one like others; `files.printable` shows it |
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from keras_depth.errors import InputError

# Folders that systems make on a disk, in a share or in an archive.
_SYSTEM = ("lost+found", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "@eaDir")


class Listing(NamedTuple):
    """What is in a folder, each list in the order of `by_number`.

    files: those that are there, of any ending.
    folders: those in it.
    lost: links that lead nowhere, or to themselves.
    """

    files: list[Path]
    folders: list[Path]
    lost: list[Path]


def look(folder: Path) -> Listing:
    """Lists a folder.

    Raises:
        InputError: there is no such folder, or it may not be read.
    """
    found = Listing([], [], [])
    for name, entry in sorted(_entries(folder).items(), key=lambda item: by_number(item[0])):
        if entry.is_symlink() and not _leads_somewhere(entry):
            found.lost.append(Path(folder, name))
        elif entry.is_dir():
            found.folders.append(Path(folder, name))
        else:
            found.files.append(Path(folder, name))
    return found


def names(folder: str | Path) -> list[str]:
    """Returns the names in a folder but the hidden ones, in no order; see `look`."""
    return [*_entries(folder)]


def _entries(folder: str | Path) -> dict[str, os.DirEntry]:
    """Returns what is in a folder by name: one request, and not one for each file."""
    try:
        with os.scandir(folder) as entries:
            return {each.name: each for each in entries if not is_hidden(each.name)}
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); restore the folder"
        ) from error


def is_hidden(name: str) -> bool:
    """Tells whether a name is left out of every listing."""
    return name.startswith(".") or name in _SYSTEM


def _leads_somewhere(link: os.DirEntry) -> bool:
    try:
        link.stat()
    except OSError:
        return False
    return True


def check_links(paths: Iterable[Path]) -> None:
    """Raises InputError for the first that is a link to what is not there, such as a lost disk.

    A link to itself hides nothing, so it is no error.
    """
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            if path.is_symlink() and error.errno != errno.ELOOP:
                raise InputError(
                    f"{path}: this link leads to {os.readlink(path)}, which is not there"
                    f" ({error.strerror}); restore that, or remove the link"
                ) from error


def walk(top: Path, levels: int = 20) -> Iterator[tuple[Path, Listing]]:
    """Yields a folder and what is in it, then the same of the folders below, each of them once.

    The caller may take folders out of a listing, as with `os.walk`: they are not walked.

    Args:
        top: the first folder.
        levels: how far below it the last ones are.

    Raises:
        InputError: a folder may not be read, see `look`.
    """
    seen: set[tuple[int, int]] = set()

    def visit(folder: Path, left: int) -> Iterator[tuple[Path, Listing]]:
        place = os.stat(folder)
        if (place.st_dev, place.st_ino) in seen:
            return
        seen.add((place.st_dev, place.st_ino))
        listing = look(folder)
        yield folder, listing
        # Links last: a folder keeps its own name, and not that of a link to it.
        for below in sorted(listing.folders, key=Path.is_symlink) if left else ():
            yield from visit(below, left - 1)

    yield from visit(Path(top), levels)


def named(paths: Iterable[Path], *names: str) -> list[Path]:
    """Returns the paths with one of these names, in capitals or not."""
    return [path for path in paths if path.name.lower() in names]


def ending(file: str | Path) -> str:
    """Returns the ending of a file's name in small letters, such as ".jpg"; "" for none."""
    return os.path.splitext(file)[1].lower()


def by_number(name: str) -> list[str | int]:
    """Sorts 2.png before 10.png, as the frames of a video were taken."""
    parts = re.split("([0-9]+)", name)  # every second part is a number
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


class Folders(dict[str, frozenset[str]]):
    """Maps a folder to the names in it, none where it is not there; each folder is read once.

    A training list names 100,000 files. Asking a network disk for each of them takes minutes.
    """

    def __init__(self, known: Mapping[str, frozenset[str]] | None = None):
        super().__init__(known or {})
        self._endings: dict[str, dict[str, str]] = {}  # folder -> name, its ending small -> name

    def __missing__(self, folder: str) -> frozenset[str]:
        self[folder] = frozenset(names(folder) if os.path.isdir(folder) else ())
        return self[folder]

    def find(self, file: str) -> str | None:
        """Returns a file that a list names, its ending in capitals or not; None: not there."""
        folder, name = os.path.split(file)
        if name in self[folder]:
            return file
        if folder not in self._endings:
            self._endings[folder] = {_small_ending(each): each for each in sorted(self[folder])}
        found = self._endings[folder].get(_small_ending(name))
        return found and os.path.join(folder, found)


def _small_ending(name: str) -> str:
    return os.path.splitext(name)[0] + ending(name)
