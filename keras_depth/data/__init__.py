"""Readers: data sets as sequences of samples, image in [0, 1] and depth in metres."""

from collections.abc import Callable
from pathlib import Path

from keras_depth.data.reader import Reader, Sample, Subset
from keras_depth.errors import InputError, check_keywords, unknown_name

__all__ = ["Reader", "Sample", "Subset", "open_reader", "reader_names"]


def _synthetic(data_dir, split, *, count=1000, size=(240, 320), seed=0, noise=False, holes=False):
    from keras_depth.data.synthetic import Rooms

    if data_dir is not None:
        raise InputError(
            f"synthetic: rooms are rendered, not read; leave out the folder {data_dir}"
        )
    return Rooms(count, size, seed, split or "test", noise, holes)


def _nyu(data_dir, split, *, depth="filled"):
    from keras_depth.data.nyu import open_nyu

    if data_dir is None:
        raise InputError("nyu: give the folder that holds NYU Depth v2 with --data-dir")
    return open_nyu(data_dir, split, depth)


# A data set is added here: its options are the keyword arguments.
_READERS: dict[str, Callable[..., Reader]] = {"synthetic": _synthetic, "nyu": _nyu}


def reader_names() -> list[str]:
    """Returns the names that `open_reader` knows."""
    return list(_READERS)


def open_reader(
    name: str, data_dir: str | Path | None = None, split: str | None = "train", **options
) -> Reader:
    """Opens a data set.

    Args:
        name: "synthetic" or "nyu".
        data_dir: the data set's folder (or file); rendered rooms have none.
        split: "train", "test", or None: the test frames if there are any, otherwise all.
        options: synthetic: `count`, `size`, `seed`, `noise`, `holes`, see `synthetic.Rooms`;
            nyu: `depth`, "filled" or "raw", see `nyu.open_nyu`.

    Raises:
        InputError: an unknown name or option, no folder, or not the data set in it.
    """
    if name not in _READERS:
        raise unknown_name("data set", name, _READERS)
    check_keywords(f"option of {name}", _READERS[name], options)
    return _READERS[name](data_dir, split, **options)
