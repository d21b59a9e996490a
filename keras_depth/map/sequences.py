"""Reads what is mapped: the frames of a video, a folder, a bag or a rendered walk, in order.

| input | times of its frames | depth and poses of its own |
|---|---|---|
| a video | number / rate | none |
| a folder of pictures | number, in seconds | none |
| a recording of `data.folders`, rgb/ beside depth/ | number, in seconds | depth |
| a recording in TUM's layout | those of rgb.txt | depth; groundtruth.txt |
| a bag | stamps of the pictures | depth, if it is asked for |
| walks:SEED, rendered | its own | depth and poses |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_depth import images, listing
from keras_depth.bag import frames as bag_frames
from keras_depth.bag.reading import open_bag
from keras_depth.data import DATA_SETS
from keras_depth.data.folders import FolderReader
from keras_depth.data.folders.camera import FILE as CAMERA_FILE
from keras_depth.data.folders.camera import read_camera
from keras_depth.data.reader import Reader
from keras_depth.data.rendered.walks import Walks
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics
from keras_depth.map import trajectories
from keras_depth.map.trajectories import Trajectory
from keras_depth.predict import image_sources

_BAGS = (".mcap", ".db3", ".bag", ".active")
_WALK = 240  # frames
_GROUND_TRUTH = "groundtruth.txt"


class Frame(NamedTuple):
    """Holds a frame of a sequence.

    number: from 0. time: seconds. image: uint8 RGB (H, W, 3). depth: the recording's own, (h, w)
    metres, 0 = none; None: it has none. error: why the frame cannot be read; it has no image then.
    file: of the picture, where it has one.
    """

    number: int
    time: float
    image: np.ndarray | None = None
    depth: np.ndarray | None = None
    error: InputError | None = None
    file: str | None = None

    @property
    def name(self) -> str:
        return self.file or f"frame {self.number}"


@dataclass(frozen=True)
class Sequence:
    """Names what is mapped, and reads it.

    Attributes:
        name: what the user calls it.
        open: opens it; at the end of the block a damaged video raises InputError.
        count: frames; None: it is not known.
        intrinsics: of the pictures, as far as the input says them.
        measured: the frames have depth.
        truth: the poses that are known.
        folder: that of the input, where it is one.
    """

    name: str
    open: Callable[[], AbstractContextManager[Iterable[Frame]]]
    count: int | None = None
    intrinsics: Intrinsics | None = None
    measured: bool = False
    truth: Trajectory | None = None
    folder: Path | None = None


class Topics(NamedTuple):
    """Names topics of a bag; None: the only one there is."""

    pictures: str | None = None
    depth: str | None = None


_ANY = Topics()


def folder_options() -> list[str]:
    """Returns the names of the options of a recording with depth."""
    return [*DATA_SETS["folder"].options]


def find(
    text: str, options: Mapping[str, Any], truth: bool = False, topics: Topics = _ANY
) -> Sequence:
    """Finds out what an input is.

    Args:
        text: a path, or walks:SEED.
        options: of the `folder` data set, for recordings with depth.
        truth: the depth of the recording is needed.
        topics: of a bag.

    Raises:
        InputError: it is none of the above, or cannot be read.
    """
    path = Path(text)
    if text.startswith("walks:"):
        sequence = _walk(text)
    elif not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a video, a folder, a bag or walks:0"
        )
    elif path.suffix in _BAGS or (path.is_dir() and (path / "metadata.yaml").is_file()):
        sequence = _bag(path, truth, topics)
    elif path.is_dir():
        return _folder(path, options)
    else:
        sequence = _video(path)
    if options:
        raise InputError(f"{text}: --set data.{next(iter(options))} is for folders; leave it out")
    return sequence


def _walk(text: str) -> Sequence:
    seed = text.removeprefix("walks:")
    if not seed.isdecimal():
        raise InputError(f"{text}: give the walk's number, a whole number from 0, such as walks:0")
    # Rooms that no network of `make train` has seen.
    walk = Walks(_WALK, seed=int(seed), split="test")
    truth = Trajectory(walk.times, walk.poses)
    return _read(text, walk, walk.times, walk.intrinsics, truth)


def _folder(path: Path, options: Mapping[str, Any]) -> Sequence:
    there = listing.look(path)
    cameras = listing.named(there.files, CAMERA_FILE)
    intrinsics = read_camera(cameras[0], stereo=False).intrinsics if cameras else None
    poses = listing.named(there.files, _GROUND_TRUTH)
    truth = trajectories.read(poses[0]) if poses else None
    pictures = [file for file in there.files if listing.ending(file) in image_sources.STILLS]
    if not pictures:
        reader = DATA_SETS["folder"].open(path, None, **{"stereo": False, **options})
        assert isinstance(reader, FolderReader)
        return _read(str(path), reader, reader.times, intrinsics, truth, path)
    if options:
        raise InputError(
            f"{path}: --set data.{next(iter(options))} is for recordings with depth, and this"
            " folder holds pictures alone; leave it out"
        )

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        yield (_try(i, i, str(file), partial(_picture, file)) for i, file in enumerate(pictures))

    return Sequence(str(path), frames, len(pictures), intrinsics, truth=truth, folder=path)


def _picture(file: Path) -> Mapping[str, np.ndarray]:
    return {"image": images.read(file)}


def _read(
    name: str,
    reader: Reader,
    times: np.ndarray,
    intrinsics: Intrinsics | None,
    truth: Trajectory | None,
    folder: Path | None = None,
) -> Sequence:
    """Returns the sequence of a reader's frames."""

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        yield (
            _try(i, time, reader.name(i), partial(reader.stored, i)) for i, time in enumerate(times)
        )

    return Sequence(name, frames, len(reader), intrinsics, True, truth, folder)


def _try(
    number: int, time: float, file: str, read: Callable[[], Mapping[str, np.ndarray]]
) -> Frame:
    try:
        sample = read()
    except InputError as error:
        return Frame(number, float(time), error=error, file=file)
    image = images.to_uint8(sample["image"])
    return Frame(number, float(time), image, sample.get("depth"), file=file)


def _bag(path: Path, truth: bool, topics: Topics) -> Sequence:
    with open_bag(path) as bag:
        intrinsics = bag_frames.intrinsics(bag, topics.pictures)

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        with open_bag(path) as bag:
            if truth:
                pairs = bag_frames.pictures_with_depth(bag, topics.pictures, topics.depth)
                yield (Frame(i, *pair) for i, pair in enumerate(pairs))
            else:
                pictures = bag_frames.pictures(bag, topics.pictures)
                yield (Frame(i, *picture) for i, picture in enumerate(pictures))

    return Sequence(str(path), frames, None, intrinsics, measured=truth)


def _video(path: Path) -> Sequence:
    source = image_sources.ImageSource(path)
    if not source.is_video:
        raise InputError(
            f"{path}: one picture makes no map; give a video, or the folder of pictures that a"
            " moving camera took"
        )

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        with image_sources.frames(source) as (pictures, rate):
            yield (Frame(i, i / rate, image) for i, image in enumerate(pictures))

    return Sequence(str(path), frames)
