"""Readers: data sets as sequences of samples, image in [0, 1] and depth in metres."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_depth.data.reader import SPLITS, Reader, Sample, Subset, check_split
from keras_depth.errors import InputError, check_installed, unknown_name

__all__ = [
    "RENDERED",
    "SPLITS",
    "Reader",
    "Sample",
    "Subset",
    "open_reader",
    "reader_names",
    "reader_options",
]


def _synthetic(data_dir, split, *, count=1000, size=(240, 320), seed=0, noise=False, holes=False):
    from keras_depth.data.rendered.rooms import Rooms

    return Rooms(count, size, seed, _stream(data_dir, split), noise, holes)


def _drives(
    data_dir,
    split,
    *,
    count=1000,
    size=(128, 416),
    seed=0,
    frames_per_drive=10,
    stereo=False,
    noise=False,
):
    from keras_depth.data.rendered.drives import Drives

    return Drives(
        count, size, seed, _stream(data_dir, split), frames_per_drive, stereo=stereo, noise=noise
    )


def _stream(data_dir, split: str | None) -> str:
    """Returns which of the two random streams of a renderer a split is drawn from."""
    if data_dir is not None:
        raise InputError(f"rendered frames are not read; leave out the folder {data_dir}")
    return "train" if split == "train" else "test"


def _nyu(data_dir, split, *, list="official", depth="filled", hold_out=0.0, max_missing=0.02):
    from keras_depth.data.nyu import open_nyu

    options = {"list": list, "hold_out": hold_out, "max_missing": max_missing}
    return open_nyu(data_dir, split, depth, **options)


def _kitti(
    data_dir, split, *, list="eigen", stereo=False, depth="lidar", max_missing=0.02, hold_out=0.0
):
    from keras_depth.data.kitti import open_kitti

    options = {"stereo": stereo, "depth": depth, "max_missing": max_missing, "hold_out": hold_out}
    return open_kitti(data_dir, split, list=list, **options)


def _folder(data_dir, split, *, units_per_metre=None, hold_out=0.1):
    from keras_depth.data.folders import open_folder

    return open_folder(data_dir, split, units_per_metre=units_per_metre, hold_out=hold_out)


def _prepared(data_dir, split):
    check_installed("tfds", "tensorflow_datasets")
    from keras_depth.data.prepared.reader import open_prepared

    return open_prepared(data_dir, split)


# A data set is added here: its options are the keyword arguments.
_READERS: dict[str, Callable[..., Reader]] = {
    "synthetic": _synthetic,
    "drives": _drives,
    "nyu": _nyu,
    "kitti": _kitti,
    "folder": _folder,
    "prepared": _prepared,
}
# These draw their frames, as many as asked for and at the size asked for.
RENDERED = ("synthetic", "drives")


def reader_names() -> list[str]:
    """Returns the names that `open_reader` knows."""
    return list(_READERS)


def reader_options(name: str) -> list[str]:
    """Returns the options that a data set takes, see `open_reader`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _READERS:
        raise unknown_name("data set", name, _READERS)
    _, _, *options = inspect.signature(_READERS[name]).parameters  # after folder and split
    return options


def open_reader(
    name: str, data_dir: str | Path | None = None, split: str | None = "train", /, **options
) -> Reader:
    """Opens a data set.

    Args:
        name: one of `reader_names()`.
        data_dir: the data set's folder (or file); rendered frames have none.
        split: "train", "validation", "test", or None: the test frames if there are any, otherwise
            all. Without validation frames of its own, a data set gives its test frames for them.
        options: the reader's own, documented where it is:

            | name | reader | options |
            |---|---|---|
            | synthetic | `rooms.Rooms` | `count`, `size`, `seed`, `noise`, `holes` |
            | drives | `drives.Drives` | as synthetic but `holes`; `frames_per_drive`, `stereo` |
            | nyu | `nyu.open_nyu` | `list`, `depth`, `max_missing`, `hold_out` |
            | kitti | `kitti.open_kitti` | `list`, `stereo`, `depth`, `max_missing`, `hold_out` |
            | folder | `folders.open_folder` | `units_per_metre`, `hold_out` |
            | prepared | `prepared.reader.open_prepared` | none |

    Raises:
        InputError: an unknown name, split or option, no folder, or not the data set in it.
    """
    known = reader_options(name)
    check_split(split)
    for key, value in options.items():
        if key not in known:
            raise unknown_name(f"option of {name}", key, known)
        _check_value(key, value, inspect.signature(_READERS[name]).parameters[key].default)
    if data_dir is None and name not in RENDERED:
        raise InputError(f"{name}: give the folder that holds the data set with --data-dir")
    return _READERS[name](data_dir, split, **options)


def _check_value(key: str, value: Any, default: Any) -> None:
    """Raises InputError where an option's value is not of its default's kind."""
    if isinstance(default, bool):
        right, kind = isinstance(value, bool), "true or false"
    elif isinstance(default, tuple):
        right = isinstance(value, list | tuple) and len(value) == len(default)
        right = right and all(isinstance(side, int) for side in value)
        kind = "[height, width]"
    elif isinstance(default, int):
        right, kind = type(value) is int, "a whole number"
    elif isinstance(default, float) or default is None:
        right = value is default or type(value) in (int, float)
        kind = "a number"
    else:
        right, kind = isinstance(value, str | Path), "a text"
    if not right:
        raise InputError(f"data.{key} is {value!r}; give {kind}")
