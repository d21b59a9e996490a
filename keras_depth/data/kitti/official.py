"""How many frames KITTI's lists and benchmarks have, and which drives a folder lacks."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_depth.data.kitti import lists
from keras_depth.data.kitti.files import BENCHMARKS, drives_there, has_splits
from keras_depth.data.official import Count, Official
from keras_depth.data.reader import Reader

_DRIVE = re.compile(r"(\d{4}_\d\d_\d\d)_drive_(\d{4})_sync", re.ASCII)

Drive = tuple[str, int]  # date and number


class KittiOfficial(Official):
    """The published numbers of frames of KITTI's lists, and of each of their drives."""

    def splits(self, options: Mapping[str, Any]) -> tuple[str | None, ...]:
        name = _list(options)
        return tuple(lists.splits(name)) if has_splits(name) else (None,)

    def count(
        self, data_dir: str | Path | None, options: Mapping[str, Any], split: str | None
    ) -> Count | None:
        name = _list(options)
        if name == "all":
            return None  # KITTI has more drives than the lists use, and nobody needs them all
        if name in BENCHMARKS:
            return Count(BENCHMARKS[name].frames)
        return Count(_drives(options, split).total())

    def incomplete_drives(
        self, reader: Reader, data_dir: str | Path, options: Mapping[str, Any], split: str | None
    ) -> tuple[dict[str, str], list[str]]:
        name = _list(options)
        if name in BENCHMARKS:
            return {}, []
        keys = (_DRIVE.search(reader.key(index)) for index in range(len(reader)))
        found = Counter((key[1], int(key[2])) for key in keys if key)
        folders = drives_there(Path(data_dir).expanduser())
        incomplete = {
            folder: f"{found[date, drive]} of {count}"
            for (date, drive), count in sorted(_drives(options, split).items())
            if found[date, drive] < count
            # No drive is needed for list=all: those without a folder are not named.
            and ((folder := f"{date}_drive_{drive:04d}_sync") in folders or name != "all")
        }
        return incomplete, [folder for folder in incomplete if folder not in folders]


def _list(options: Mapping[str, Any]) -> str:
    return str(options.get("list", "eigen"))


def _drives(options: Mapping[str, Any], split: str | None) -> Counter[Drive]:
    """Returns how many frames each drive should have."""
    name = _list(options)
    if name == "all":
        frames = [
            lists.Frame(*drive, "l", number)
            for drive, length in lists.drives().items()
            for number in range(length)
        ]
    else:
        frames = lists.load(name, split or "")
    measured = lists.with_depth(frames, options.get("depth") or "lidar")
    return Counter((frame.date, frame.drive) for frame in measured)
