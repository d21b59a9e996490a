"""Data sets as sequences of samples: image in [0, 1], depth in metres."""

from pathlib import Path
from typing import Any

from keras_depth.data.dataset import DATA_SETS, DataSet
from keras_depth.data.reader import SPLITS, Reader, Sample, Subset

__all__ = [
    "DATA_SETS",
    "SPLITS",
    "DataSet",
    "Reader",
    "Sample",
    "Subset",
    "open_reader",
]


def open_reader(
    name: str, data_dir: str | Path | None = None, split: str | None = "train", /, **options: Any
) -> Reader:
    """Opens a data set.

    Args:
        name: one of `DATA_SETS`.
        data_dir: the data set's folder (or file); rendered frames have none.
        split: "train", "validation", "test", or None: the test frames if there are any, otherwise
            all. A data set without validation frames gives its test frames for them.
        options: the data set's own; the function or class that opens it documents them:

            | name | opened by | options |
            |---|---|---|
            | rooms | `rendered.rooms.Rooms` | `count`, `size`, `seed`, `noise`, `holes` |
            | drives | `rendered.drives.Drives` | rooms' but `holes`; `frames_per_drive`, `stereo` |
            | walks | `rendered.walks.Walks` | rooms' but `holes`; `frames_per_walk` |
            | nyu | `nyu.open_nyu` | `list`, `depth`, `max_missing`, `hold_out` |
            | kitti | `kitti.open_kitti` | `list`, `stereo`, `depth`, `max_missing`, `hold_out` |
            | folder | `folders.open_folder` | kitti's but `list`, `depth`; `units_per_metre` |
            | prepared | `prepared.reader.open_prepared` | none |

    Returns:
        A sequence of samples, see `reader.py`.

    Raises:
        InputError: an unknown name, split or option, no folder, or not the data set in it.

    Example:
        >>> rooms = open_reader("rooms", count=2, size=(48, 64))
        >>> rooms[0]["depth"].shape
        (48, 64)
    """
    return DATA_SETS[name].open(data_dir, split, **options)
