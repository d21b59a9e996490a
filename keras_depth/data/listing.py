"""Which files a data set's folders hold, asked once a folder and not once a file."""

import os
from collections.abc import Callable
from pathlib import Path

from keras_depth.errors import InputError


class Folders(dict[str, frozenset[str]]):
    """The names in a folder, each of which is read once.

    A training list names 100,000 files; asking a network disk for one after another takes minutes.
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
        """Returns a picture's file: .png as published, or .jpg as many convert them to."""
        names = self[folder]
        jpg = f"{stem}.jpg" in names and f"{stem}.png" not in names
        return f"{folder}/{stem}{'.jpg' if jpg else '.png'}"

    def roots(self, path: Path, sought: str, wanted: Callable[[str], bool]) -> list[str]:
        """Returns `path` if it is wanted, otherwise the folders in it that are.

        Raises:
            InputError: none is; `sought` says what was looked for.
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
        """Returns the one of `roots`; InputError: there are several."""
        found = self.roots(path, sought, wanted)
        if len(found) > 1:
            raise InputError(f"{path}: found {sought}, in {', '.join(found)}; give one of these")
        return found[0]
