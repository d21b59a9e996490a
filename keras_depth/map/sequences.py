"""Reads what is mapped: the frames of a video, a folder, a bag or a rendered walk, in order.

| input | times of its frames | depth and poses of its own |
|---|---|---|
| a video | number / rate | none |
| a folder of pictures | number, in seconds | none |
| a recording of `data.folders`, rgb/ beside depth/ | number, in seconds | depth |
| a recording in TUM's layout | those of rgb.txt, sorted | depth; groundtruth.txt |
| a bag | stamps of the pictures | depth, if it is asked for |
| walks:SEED, rendered | its own | depth and poses |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_depth import images, listing
from keras_depth.bag import frames as bag_frames
from keras_depth.bag import topics
from keras_depth.bag.reading import Bag, open_bag
from keras_depth.data import DATA_SETS
from keras_depth.data.folders import FolderReader
from keras_depth.data.folders.camera import Camera, look_for_camera, read_camera
from keras_depth.data.folders.recordings import is_tum
from keras_depth.data.reader import Reader
from keras_depth.data.rendered.walks import Walks
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics
from keras_depth.map import trajectories
from keras_depth.map.trajectories import Trajectory
from keras_depth.predict import image_sources, videos

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
    camera: the file that the intrinsics are of, where they are of one.
    """

    name: str
    open: Callable[[], AbstractContextManager[Iterable[Frame]]]
    count: int | None = None
    intrinsics: Intrinsics | None = None
    measured: bool = False
    truth: Trajectory | None = None
    folder: Path | None = None
    camera: Camera | None = None


class Asked(NamedTuple):
    """Says what the user has said of an input.

    truth: the depth of the recording is needed.
    intrinsics: of the pictures; None: the input says them.
    options: of the `folder` data set, for recordings with depth.
    topic, depth_topic: of a bag; None: the only one there is.
    """

    truth: bool = False
    intrinsics: Intrinsics | None = None
    options: Mapping[str, Any] = {}
    topic: str | None = None
    depth_topic: str | None = None


def folder_options() -> list[str]:
    """Returns the names of the options of a recording with depth."""
    return [*DATA_SETS["folder"].options]


def find(text: str, asked: Asked) -> Sequence:
    """Finds out what an input is.

    Args:
        text: a path, or walks:SEED.
        asked: what else the user says.

    Raises:
        InputError: it is none of the above, it cannot be read, or an option is not for it.
    """
    path = Path(text)
    if text.startswith("walks:"):
        kind = "walk"
    elif not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a video, a folder, a bag or walks:0"
        )
    elif listing.ending(path) in _BAGS or (path / "metadata.yaml").is_file():
        kind = "bag"
    else:
        kind = "folder" if path.is_dir() else "video"
    _check_options(text, kind, asked)
    if kind == "walk":
        return _walk(text, asked)
    if kind == "bag":
        return _bag(path, asked)
    return _folder(path, asked) if kind == "folder" else _video(path, asked)


def _check_options(text: str, kind: str, asked: Asked) -> None:
    """Raises InputError for an option that is not for this kind of input."""
    if asked.options and kind != "folder":
        raise InputError(
            f"{text}: --set data.{next(iter(asked.options))} is for folders; leave it out"
        )
    for option, value in (("--topic", asked.topic), ("--depth-topic", asked.depth_topic)):
        if value and kind != "bag":
            raise InputError(f"{text}: {option} is for bags; leave it out")
    if asked.depth_topic and not asked.truth:
        raise InputError(f"{text}: --depth-topic is for truth, which uses that depth; leave it out")


def _walk(text: str, asked: Asked) -> Sequence:
    seed = text.removeprefix("walks:")
    if not seed.isdecimal():
        raise InputError(f"{text}: give the walk's number, a whole number from 0, such as walks:0")
    if asked.intrinsics:
        raise InputError(f"{text}: its camera is known exactly; leave out --intrinsics")
    # Rooms that no network of `make train` has seen.
    walk = Walks(_WALK, seed=int(seed), split="test")
    truth = Trajectory(walk.times, walk.poses)
    return _read(text, walk, walk.times, intrinsics=walk.intrinsics, truth=truth)


def _folder(path: Path, asked: Asked) -> Sequence:
    there = listing.look(path)
    pictures = [file for file in there.files if listing.ending(file) in image_sources.STILLS]
    if pictures:
        return _pictures(path, pictures, asked)
    if not there.folders and not is_tum(path):
        others = image_sources.say_passed_over(path, image_sources.STILLS)
        raise InputError(
            others or f"{path}: an empty folder; give one of pictures, or of rgb/ beside depth/"
        )
    reader = DATA_SETS["folder"].open(path, None, **{"stereo": False, **asked.options})
    assert isinstance(reader, FolderReader)
    if asked.intrinsics:
        reader.cameras.clear()  # a camera.yaml of another size is then no error
    recordings = reader.recordings
    if len(recordings) > 1:
        names = ", ".join(map(str, recordings[:3])) + ", ..." * (len(recordings) > 3)
        raise InputError(f"{path}: holds {len(recordings)} recordings, {names}; map one at a time")
    own = _look_for_own(recordings[0], reader.path, asked)
    return _read(str(path), reader, reader.times, folder=path, **own)


def _pictures(path: Path, pictures: list[Path], asked: Asked) -> Sequence:
    if asked.options:
        raise InputError(
            f"{path}: --set data.{next(iter(asked.options))} is for recordings with depth, and this"
            " folder holds pictures alone; leave it out"
        )

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        yield (_try(i, i, str(file), partial(_picture, file)) for i, file in enumerate(pictures))

    own = _look_for_own(path, path, asked)
    return Sequence(str(path), frames, len(pictures), folder=path, **own)


def _picture(file: Path) -> Mapping[str, np.ndarray]:
    return {"image": images.read(file)}


def _look_for_own(recording: Path, top: Path, asked: Asked) -> dict[str, Any]:
    """Returns what a recording's own files say: camera, intrinsics and truth of `Sequence`.

    Args:
        recording: its folder, within `top` or `top` itself.
        top: the last folder to look for its camera.
        asked: with other intrinsics, its camera is not used.
    """
    poses = listing.named(listing.look(recording).files, _GROUND_TRUTH)
    truth = trajectories.read(poses[0]) if poses else None
    if asked.intrinsics:
        return {"intrinsics": asked.intrinsics, "truth": truth}
    file = look_for_camera(recording, top)
    camera = read_camera(file, stereo=False) if file else None
    return {"camera": camera, "intrinsics": camera and camera.intrinsics, "truth": truth}


def _read(name: str, reader: Reader, times: np.ndarray, **about: Any) -> Sequence:
    """Returns the sequence of a reader's frames: by time, one at a time; see `Sequence`."""
    times, places = np.unique(times, return_index=True)

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        yield (
            _try(i, time, reader.name(place), partial(reader.stored, place))
            for i, (time, place) in enumerate(zip(times, map(int, places), strict=True))
        )

    return Sequence(name, frames, len(times), measured=True, **about)


def _try(
    number: int, time: float, file: str | None, read: Callable[[], Mapping[str, np.ndarray]]
) -> Frame:
    try:
        sample = read()
    except InputError as error:
        return Frame(number, float(time), error=error, file=file)
    image = images.to_uint8(sample["image"])
    return Frame(number, float(time), image, sample.get("depth"), file=file)


def _bag(path: Path, asked: Asked) -> Sequence:
    with open_bag(path) as bag:
        topic = topics.choose_pictures(bag, asked.topic)
        depth_topic = topics.choose_depth(bag, topic, asked.depth_topic) if asked.truth else None
        intrinsics = asked.intrinsics or bag_frames.intrinsics(bag, topic)
        count = bag.topics[topic].messages

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        with open_bag(path) as bag:
            yield _with_depth(bag, topic, depth_topic) if depth_topic else _of_bag(bag, topic)

    folder = path if path.is_dir() else None
    return Sequence(str(path), frames, count, intrinsics, measured=asked.truth, folder=folder)


def _of_bag(bag: Bag, topic: str) -> Iterator[Frame]:
    for i, picture in enumerate(bag_frames.stamped(bag, topic)):
        yield _try(i, picture.stamp / 1e9, None, partial(_decode, bag, picture))


def _with_depth(bag: Bag, topic: str, depth_topic: str) -> Iterator[Frame]:
    """Yields the pictures that have depth near their time; says how many have none."""
    count, total = 0, bag.topics[topic].messages
    for picture, depth in bag_frames.pairs(bag, topic, depth_topic):
        yield _try(count, picture.stamp / 1e9, None, partial(_decode, bag, picture, depth))
        count += 1
    if count < total:
        warnings.warn(
            f"{bag.name}: {total - count} of {total} pictures have no depth on {depth_topic} within"
            f" {bag_frames.MAX_DIFFERENCE / 1e9:g} s of their time; they are left out",
            stacklevel=2,
        )


def _decode(
    bag: Bag, picture: bag_frames.Stamped, depth: bag_frames.Stamped | None = None
) -> Mapping[str, np.ndarray]:
    sample = {"image": bag_frames.decode_picture(bag, picture.message, picture.parsed)}
    return sample | ({"depth": bag_frames.decode_depth(bag, depth)} if depth else {})


def _video(path: Path, asked: Asked) -> Sequence:
    source = image_sources.ImageSource(path)
    if listing.ending(path) in image_sources.STILLS:
        raise InputError(
            f"{path}: one picture makes no map; give a video, or the folder of pictures that a"
            " moving camera took"
        )
    image_sources.check_video(source)
    if not source.is_video:
        raise InputError(
            f"{path}: not a video, folder or bag; give a video ({', '.join(videos.SUFFIXES)}), a"
            " folder of pictures, a recording with depth or a ROS bag"
        )

    @contextmanager
    def frames() -> Iterator[Iterable[Frame]]:
        with image_sources.frames(source) as (pictures, rate):
            yield (Frame(i, i / rate, image) for i, image in enumerate(pictures))

    return Sequence(str(path), frames, videos.count(path), asked.intrinsics)
