"""Splits of NYU Depth v2 that papers made themselves.

| list | of the layout | train, validation, test | whose |
|---|---|---|---|
| das2024 | labelled | none, none, the first 654 images of the file | Das et al., their code |
| | DenseDepth | 70 %, 30 % and none of the training frames | the same |
| wang | DenseDepth | 79.2 %, 19.8 % and 1 % of the training frames | Wang et al., section 2.4 |
| wang_small | DenseDepth | the same of 4 % of them | Wang et al., section 3.4 |

They draw frames, not scenes, so nearly the same image is in training and in test: scores on them
say little about new rooms. 386 of the first 654 labelled images are official training images. The
papers do not publish which frames they drew; here the frames' names decide, so that a copy that
lacks some draws the same ones.
"""

import hashlib
import os
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from keras_depth.data.nyu.layouts import DenseDepth, Labelled, Layout
from keras_depth.errors import InputError
from keras_depth.registry import Registry

# List -> what the description of its frames says about it.
LISTS: Registry[str] = Registry("list", {
    "official": "",
    "das2024": ", list das2024: frames drawn from the training sequences, or the first 654 labelled"
    " images, of which 386 are official training images",
    "wang": ", list wang: every split is drawn from the training sequences",
    "wang_small": ", list wang_small: every split is drawn from the training sequences",
})  # fmt: skip
_DAS_TEST = 654
_WANG_SMALL = 0.04


def choose(layout: Layout, name: str) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
    """Returns the frames of each split of a list, and a missing file of each other frame.

    Raises:
        InputError: the list is of another layout, or there are no frames to draw from.
    """
    if name == "das2024" and isinstance(layout, Labelled):
        test = sorted(sum(layout.frames.values(), []))[:_DAS_TEST]
        return {"train": [], "test": test}, layout.missing
    if not isinstance(layout, DenseDepth):
        known = "labelled or DenseDepth" if name == "das2024" else "DenseDepth"
        raise InputError(
            f"{layout.path}: list {name} is of the {known} layout, this is the {layout.title} one;"
            " give --set data.list=official"
        )
    layout.check_part("train")
    drawn = iter(_shuffle(layout))
    frames: dict[str, list[Any]] = {}
    missing: dict[str, list[str]] = {}
    all_frames = sum(len(each.get("train", [])) for each in (layout.frames, layout.missing))
    for split, count in sizes(name, all_frames).items():
        rows = list(islice(drawn, count))
        frames[split] = [frame for frame, _ in rows if frame is not None]
        missing[split] = [file for _, file in rows if file is not None]
    return frames, missing


def sizes(name: str, frames: int) -> dict[str, int]:
    """Returns how many of the DenseDepth layout's training frames are in each split of a list."""
    if name == "das2024":
        train = int(0.7 * frames)
        return {"train": train, "validation": frames - train}
    if name == "wang_small":
        frames = round(_WANG_SMALL * frames)
    train, validation = (int(frames * 0.99 * part) for part in (0.8, 0.2))
    return {"train": train, "validation": validation, "test": frames - train - validation}


def _shuffle(layout: DenseDepth) -> list[tuple[Any, str | None]]:
    """Returns (frame, None) or (None, the file it lacks) of all training frames, shuffled."""
    rows: list[tuple[Any, str | None]] = [(row, None) for row in layout.frames.get("train", [])]
    rows += [(None, file) for file in layout.missing.get("train", [])]

    def place(row):
        frame, file = row
        # An image and its depth differ only in their ending.
        name = (file or layout.name(frame)).removeprefix(f"{layout.path}/")
        return hashlib.sha256(os.fsencode(PurePosixPath(name).with_suffix(""))).digest()

    return sorted(rows, key=place)
