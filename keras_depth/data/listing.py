"""Lists the files of a data set's folders: one request per folder, not one per file."""

import os
from collections.abc import Callable
from pathlib import Path

from keras_depth.errors import InputError


class Folders(dict[str, frozenset[str]]):
    """Maps a folder to the names in it; each folder is read once.

    A training list names 100,000 files. Asking a network disk for each of them takes minutes.
    """

    def __missing__(self, folder: str) -> frozenset[str]:
        try:
            names = frozenset(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            names = frozenset()
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be read ({error.strerror}); restore the folder"
            ) from None
        self[folder] = names
        return names

    def have(self, file: str) -> bool:
        folder, name = os.path.split(file)
        return name in self[folder]

    def picture(self, folder: str, stem: str) -> str:
        """Returns the file of an image: .png as published, or the .jpg that many convert it to."""
        names = self[folder]
        jpg = f"{stem}.jpg" in names and f"{stem}.png" not in names
        return f"{folder}/{stem}{'.jpg' if jpg else '.png'}"

    def roots(self, path: Path, sought: str, wanted: Callable[[str], bool]) -> list[str]:
        """Finds the roots of a data set: `path` itself, or else folders in it.

        Args:
            path: where to look.
            sought: what a root is, for the message.
            wanted: tells whether a folder is a root.

        Raises:
            InputError: there is none.
        """
        if wanted(str(path)):
            return [str(path)]
        found = [f"{path}/{name}" for name in sorted(self[str(path)]) if wanted(f"{path}/{name}")]
        if not found:
            raise InputError(
                f"{path}: looked here and one folder down for {sought} and found none; give the "
                "folder that holds it"
            )
        return found

    def root(self, path: Path, sought: str, wanted: Callable[[str], bool]) -> str:
        """Finds the only root of a data set, see `roots`.

        Raises:
            InputError: there is none, or more than one.
        """
        found = self.roots(path, sought, wanted)
        if len(found) > 1:
            raise InputError(f"{path}: found {sought}, in {', '.join(found)}; give one of these")
        return found[0]
