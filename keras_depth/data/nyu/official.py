"""How many frames NYU Depth v2 has in each layout."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_depth.data.nyu.layouts import LAYOUTS
from keras_depth.data.nyu.lists import sizes
from keras_depth.data.official import Count, Official

# Labelled: the official split. DenseDepth: the rows of its csv files. FastDepth's files, from
# which tfds prepares its copy. BTS: its list of training frames; copies of the folder differ.
_COUNTS = {
    "labelled": {"train": 795, "test": 654},
    "DenseDepth": {"train": 50_688, "test": 654},
    "FastDepth": {"train": 47_584, "test": 654},
    "tfds": {"train": 47_584, "test": 654},
    "BTS": {"train": 24_231, "test": 654},
}


class NyuOfficial(Official):
    """The published numbers of frames of NYU Depth v2's layouts and lists."""

    def count(
        self, data_dir: str | Path | None, options: Mapping[str, Any], split: str | None
    ) -> Count | None:
        # Nobody has published a number of training scenes that are held out.
        if data_dir is None or (options.get("hold_out") and split != "test"):
            return None
        path = Path(data_dir).expanduser().absolute()
        title = next((layout.title for layout in LAYOUTS if layout.find(path)), "")
        counts, name = _COUNTS.get(title, {}), str(options.get("list", "official"))
        if name != "official" and title == "DenseDepth":
            counts = sizes(name, counts["train"])
        count = counts.get(split or "")
        return Count(count, about=(title, split) == ("BTS", "train")) if count else None
