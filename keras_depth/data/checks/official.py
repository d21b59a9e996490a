"""How many frames a data set has as published, and which of KITTI's drives a folder lacks."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from keras_depth.data.kitti import lists as kitti_lists
from keras_depth.data.kitti.files import drives_there, has_splits
from keras_depth.data.nyu import lists as nyu_lists
from keras_depth.data.nyu.layouts import LAYOUTS
from keras_depth.data.reader import Reader

# Labelled: the official split. DenseDepth: the rows of its csv files. FastDepth's files, from
# which tfds prepares its copy. BTS: its list of training frames; copies of the folder differ.
_NYU = {
    "labelled": {"train": 795, "test": 654},
    "DenseDepth": {"train": 50_688, "test": 654},
    "FastDepth": {"train": 47_584, "test": 654},
    "tfds": {"train": 47_584, "test": 654},
    "BTS": {"train": 24_231, "test": 654},
}
_KITTI = {"stereo2015": 200, "stereo2012": 194, "object": 7_481}
# Other data sets may have all three, and say so when asked for one they have not.
_SPLITS = {
    "synthetic": ("train", "test"),
    "drives": ("train", "test"),
    "prepared": ("train", "validation"),
}
_DRIVE = re.compile(r"(\d{4}_\d\d_\d\d)_drive_(\d{4})_sync")

Drive = tuple[str, int]


class Official(NamedTuple):
    """How many frames there should be.

    frames: as published, those alone that have the depth that was asked for.
    about: copies differ by a few per cent.
    """

    frames: int
    about: bool = False

    def met_by(self, frames: int) -> bool:
        return frames == self.frames or (self.about and frames > 0.95 * self.frames)


def splits(name: str, options: dict[str, Any]) -> tuple[str | None, ...]:
    """Returns the splits to look for; None: the data set is not split."""
    if name == "kitti":
        listed = str(options.get("list", "eigen"))
        return tuple(kitti_lists.splits(listed)) if has_splits(listed) else (None,)
    return _SPLITS.get(name, ("train", "test", "validation"))


def official(
    name: str, data_dir: str | Path | None, options: dict[str, Any], split: str | None
) -> Official | None:
    """Returns the published number of a split's frames; None where there is none."""
    if name == "kitti":
        listed = str(options.get("list", "eigen"))
        if listed == "all":
            return None  # KITTI has more drives than the lists use, and one need not have them
        return Official(_KITTI.get(listed) or _drives(options, split).total())
    # Of training scenes that are held out, nobody has published a number.
    if name != "nyu" or data_dir is None or (options.get("hold_out") and split != "test"):
        return None
    path = Path(data_dir).expanduser().absolute()
    title = next((layout.title for layout in LAYOUTS if layout.find(path)), "")
    counts, listed = _NYU.get(title, {}), str(options.get("list", "official"))
    if listed != "official" and title == "DenseDepth":
        counts = nyu_lists.sizes(listed, counts["train"])
    count = counts.get(split or "")
    return Official(count, about=(title, split) == ("BTS", "train")) if count else None


def lacking_drives(
    reader: Reader, data_dir: str | Path, options: dict[str, Any], split: str | None
) -> tuple[dict[str, str], list[str]]:
    """Returns KITTI's drives that are not wholly there: name -> "0 of 108"; and who has no folder.

    With list=all there is no drive that one should have, and none without a folder is named.
    """
    listed = str(options.get("list", "eigen"))
    if listed in _KITTI:
        return {}, []
    keys = (_DRIVE.search(reader.key(index)) for index in range(len(reader)))
    found = Counter((key[1], int(key[2])) for key in keys if key)
    there = drives_there(Path(data_dir).expanduser())
    lacking = {
        name: f"{found[date, drive]} of {count}"
        for (date, drive), count in sorted(_drives(options, split).items())
        if found[date, drive] < count
        and ((name := f"{date}_drive_{drive:04d}_sync") in there or listed != "all")
    }
    return lacking, [name for name in lacking if name not in there]


def _drives(options: dict[str, Any], split: str | None) -> Counter[Drive]:
    """Returns how many frames each drive should have."""
    listed = str(options.get("list", "eigen"))
    if listed == "all":
        frames = [
            kitti_lists.Frame(*drive, "l", number)
            for drive, length in kitti_lists.drives().items()
            for number in range(length)
        ]
    else:
        frames = kitti_lists.load(listed, split or "")
    measured = kitti_lists.with_depth(frames, options.get("depth") or "lidar")
    return Counter((frame.date, frame.drive) for frame in measured)
