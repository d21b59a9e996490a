"""Finds the recipes, the published tables and the op's sources, in a checkout and in a wheel."""

from pathlib import Path

from keras_depth.errors import InputError

# A wheel carries these folders inside the package (see setup.py); in a checkout they stand
# beside it.
_FOLDERS = {
    "training": "training",
    "published": "evaluation/published",
    "custom_ops": "custom_ops",
}


def folder(name: str) -> Path:
    """Returns the folder `name`: "training", "published" or "custom_ops".

    Raises:
        InputError: the installation lacks the folder.
    """
    package = Path(__file__).resolve().parent
    for path in (package / name, package.parent / _FOLDERS[name]):
        if path.is_dir():
            return path
    raise InputError(f"{package}: this installation lacks its folder {name!r}; install it again")
