"""Reads NYU Depth v2 in the layouts in which it is distributed, recognized by their files.

| layout | what is stored | metres |
|---|---|---|
| labelled | nyu_depth_v2_labeled.mat (HDF5, axes reversed), splits.mat | float32; holes filled |
| DenseDepth | nyu2_{train,test}.csv and pictures, folder or zip | uint8 / 255 * 10, uint16 / 1000 |
| FastDepth | train/<scene>/*.h5, val/official/*.h5 | float32 |
| tfds | a prepared `nyu_depth_v2` of tensorflow_datasets | float16: steps of 8 mm at 8 m |
| BTS | <scene>/rgb_*.jpg with sync_depth_*.png | uint16 / 1000; holes are 0 |
| raw | <scene>/r-*.ppm with d-*.pgm, as recorded | 351.3 / (1092.5 - v); holes are 0 |

The labelled and the DenseDepth layout have filled holes, so scores on them differ from those on
the BTS layout.
"""

import os
from pathlib import Path
from typing import Any

from keras_depth.data.nyu.layouts import LAYOUTS, Labelled, Layout, scene_of
from keras_depth.data.nyu.lists import LISTS, choose
from keras_depth.data.reader import NoSplit, Reader, Sample, check_split, make_sample
from keras_depth.data.splits import (
    check_hold_out,
    check_max_missing,
    choose_held_out,
    describe_missing,
)
from keras_depth.errors import InputError, check_choice
from keras_depth.geometry import NYU, scale_intrinsics

__all__ = ["LAYOUTS", "NyuReader", "open_nyu"]


def open_nyu(
    data_dir: str | Path,
    split: str | None = None,
    *,
    list: str = "official",
    depth: str = "filled",
    hold_out: float = 0.0,
    max_missing: float = 0.02,
) -> "NyuReader":
    """Opens NYU Depth v2 in whatever layout `data_dir` holds.

    Frames that lack a file are left out, see `Reader.missing`.

    Args:
        data_dir: the data set's folder, the folder it stands in, or its .mat or .zip file.
        split: "train", "validation", "test", or None: the test frames if there are any, otherwise
            all frames.
        depth: "filled", or "raw" for the labelled file's depth as measured, holes 0.
        hold_out: the part of the training scenes that "train" leaves to "validation": whole ones,
            or the last frames of a single one. With 0, "validation" is the test frames.
        max_missing: the share of the split's frames, 0 to 1, that may be left out.
        list: "official", or one of the splits that papers made of their own, see `nyu.lists`.

    Raises:
        InputError: the folder holds no layout or several; the split has no frame, its list or
            folder is empty, or too many are left out; scenes are to be held out, but the layout
            does not store them.
    """
    # The folder's own name may be the scene's, so "." will not do.
    path = Path(os.path.abspath(Path(data_dir).expanduser()))
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give the folder that holds NYU Depth v2")
    check_split(split)
    check_choice("depth", depth, ("filled", "raw"))
    check_hold_out(hold_out)
    check_max_missing(max_missing)
    found = {layout: at for layout in LAYOUTS if (at := layout.find(path))}
    if not found:
        sought = "; ".join(f"{layout.title}: {layout.sought}" for layout in LAYOUTS)
        raise InputError(f"{path}: no layout of NYU Depth v2 is recognized. Looked for {sought}")
    if len(found) > 1:
        places = ", ".join(f"{layout.title} ({at})" for layout, at in found.items())
        raise InputError(f"{path}: holds several layouts: {places}; give the path of one of them")
    ((kind, at),) = found.items()
    if depth == "raw" and kind is not Labelled:
        raise InputError(
            f"{at}: only the labelled layout has raw depth beside the filled one; leave data.depth "
            f"out, the {kind.title} layout has one depth"
        )
    layout = kind(at, raw=depth == "raw")
    layout.remark += LISTS[list]
    if list != "official":
        if hold_out:
            raise InputError(f"list {list} has its own validation frames; leave out data.hold_out")
        layout.frames, layout.missing = choose(layout, list)
        layout.empty = {}  # the list has other parts
    return NyuReader(layout, split, hold_out, max_missing)


class NyuReader(Reader):
    """Reads one split of a layout; see `open_nyu` for the arguments."""

    def __init__(
        self,
        layout: Layout,
        split: str | None = None,
        hold_out: float = 0.0,
        max_missing: float = 0.02,
    ):
        self._layout = layout
        self._frames, files, chosen = _choose(layout, split, hold_out)
        self.missing = tuple(files)
        title = f"NYU Depth v2, {layout.title}, {chosen}"
        lack = describe_missing(
            f"{layout.path}: {title}", len(self), self.missing, max_missing, layout.missing_word
        )
        apart = "" if chosen == "all" else layout.unlisted()
        apart = apart and f"; {apart}"
        if not self._frames:
            raise NoSplit(
                f"{layout.path}: no {chosen} frames in the {layout.title} layout "
                f"({_counts(layout)} there){layout.remark}{apart}; ask for another split, or"
                " complete the folder"
            )
        self.description = (
            f"{title}: {len(self)} frames from {layout.path}{layout.remark}{lack}{apart}"
        )

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        return self._layout.name(self._frames[index])

    def key(self, index: int) -> str:
        return self._layout.key(self._frames[index])

    def stored(self, index: int) -> Sample:
        frame = self._frames[index]
        picture, metres = self._layout.load(frame)
        name, orientation = self._layout.name(frame), picture.orientation
        camera = scale_intrinsics(NYU, (480, 640), picture.rgb.shape[:2])
        return make_sample(
            picture.rgb,
            metres,
            name,
            orientation=orientation,
            focal_length=(camera.fx, camera.fy),
        )


def _choose(layout: Layout, split: str | None, hold_out: float) -> tuple[list[Any], list[str], str]:
    """Returns a split's frames, a file of each missing one, and the split's title."""
    frames, files = layout.frames, layout.missing
    train, test = frames.get("train"), frames.get("test", [])
    # If all test frames are missing, that is an error; do not take the training frames instead.
    tested = test or files.get("test")
    own = split == "train" or (split == "validation" and (hold_out or "validation" in frames))
    layout.check_part("train" if own else "test")
    if split is None and not tested and "validation" not in frames:
        layout.check_part("train")
        return sum(frames.values(), []), sum(files.values(), []), "all"
    if split == "validation" and not hold_out and "validation" not in frames:
        if not tested:
            raise NoSplit(
                f"{layout.path}: no test frames to validate on in the {layout.title} layout "
                f"({_counts(layout)} there); keep some training scenes for it with --set "
                "data.hold_out=0.05"
            )
        return test, files.get("test", []), "validation, which are the test frames"
    if split in ("train", "validation") and hold_out and train:
        scenes = [layout.scene(frame) for frame in train]
        held, how = choose_held_out(scenes, hold_out, layout.path, "training scenes")
        wanted = split == "validation"
        chosen = [frame for frame, out in zip(train, held, strict=True) if out == wanted]
        # Of a single scene, what is missing is counted as training's.
        kept = {scene for scene, out in zip(scenes, held, strict=True) if out}
        kept = kept if len(set(scenes)) > 1 else set()
        missing = [file for file in files.get("train", []) if (scene_of(file) in kept) == wanted]
        return chosen, missing, f"{split} ({how} held out)"
    part = split or "test"
    return frames.get(part, []), files.get(part, []), part


def _counts(layout: Layout) -> str:
    counts = (f"{len(frames)} {name}" for name, frames in layout.frames.items())
    return ", ".join(counts) or "none"
