"""Finds recordings in folders, and the files of their frames.

| kind | folders of a recording | a frame's files |
|---|---|---|
| RGB-D | one of pictures, one of depth | have the same name |
| RGB-D of TUM | rgb.txt and depth.txt | were taken at the same time |
| stereo | left/ and right/, and depth/ of the left pictures if there is any | have the same name |
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from keras_depth.data.reader import read_bytes
from keras_depth.errors import InputError

_LEFT, _RIGHT = "left", "right"
_IMAGE_FOLDERS = ("rgb", "color", "colour", "image", "images", _LEFT)
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm")
_DEPTH_FOLDERS = ("depth", "depths")
_DEPTH_SUFFIXES = (".png", ".pgm", ".npy")
_TUM_LISTS = ("rgb.txt", "depth.txt")
_TUM_MAX_DIFFERENCE = 0.02  # seconds, as the benchmark's own association of the two cameras


class Frame(NamedTuple):
    """Names the files of a frame; None where its recording has no such files."""

    recording: Path
    picture: Path
    depth: Path | None = None
    right: Path | None = None


class Recording(NamedTuple):
    """Holds the frames of a folder.

    path: the folder.
    stereo, measured: its frames have a right picture, and depth.
    frames: those that have all their files, in the order they were taken.
    missing: a file of each other frame: one without partner or, of TUM's lists, one not there.
    unmatched: files of TUM's lists near whose time the other list has none, as is usual.
    """

    path: Path
    stereo: bool
    measured: bool
    frames: list[Frame]
    missing: list[Path]
    unmatched: list[Path]

    @property
    def kind(self) -> str:
        if not self.stereo:
            return "RGB-D folder"
        return "stereo folder" if self.measured else "stereo folder without depth"


def find_recordings(folders: list[Path], stereo: bool) -> list[Recording]:
    """Returns the recordings in folders or up to two levels below, in order.

    Args:
        folders: where to look.
        stereo: whether left/ beside right/ is a recording of stereo pairs.

    Raises:
        InputError: there is none, or they are of several kinds; two folders or two files compete;
            a list of TUM's is damaged.
    """
    places = [place for folder in folders for place in _places(folder, stereo, levels=2)]
    if not places:
        names = ", ".join(_IMAGE_FOLDERS)
        raise InputError(
            f"{', '.join(map(str, folders))}: no recording found: looked for a folder of pictures "
            f"({names}) beside one of depth ({', '.join(_DEPTH_FOLDERS)}), and for {_LEFT} beside"
            f" {_RIGHT}, here and up to two levels down"
        )
    recordings = [
        _pair_by_time(place) if is_tum(place) else _pair_by_name(place, stereo) for place in places
    ]
    first = recordings[0]
    for other in recordings:
        if other.kind != first.kind:
            raise InputError(
                f"{first.path} is a recording of kind {first.kind!r}, and {other.path} of kind"
                f" {other.kind!r}; give recordings of one kind"
            )
    return recordings


def is_tum(folder: Path) -> bool:
    """Tells whether a folder is a recording of the TUM RGB-D benchmark."""
    return all((folder / name).is_file() for name in _TUM_LISTS)


def only_folder(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Returns the one folder of these names in `folder`, or None.

    Raises:
        InputError: there are two.
    """
    found = [folder / name for name in names if (folder / name).is_dir()]
    if len(found) > 1:
        raise InputError(
            f"{folder}: holds {found[0].name}/ and {found[1].name}/, either of which may be meant; "
            "rename one"
        )
    return found[0] if found else None


def _places(folder: Path, stereo: bool, levels: int) -> list[Path]:
    """Returns the folders of recordings at `folder` or down to `levels` below it."""
    if is_tum(folder):
        return [folder]
    pictures, depth, right = _parts(folder, stereo)
    if pictures and (depth or right):
        return [folder]
    if not levels:
        return []
    folders = [f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")]
    return [
        place
        for below in sorted(folders, key=lambda f: _by_number(f.name))
        for place in _places(below, stereo, levels - 1)
    ]


def _parts(recording: Path, stereo: bool) -> tuple[Path | None, Path | None, Path | None]:
    """Returns the folders of pictures, depth and right pictures."""
    pictures = only_folder(recording, _IMAGE_FOLDERS)
    depth = only_folder(recording, _DEPTH_FOLDERS)
    pairs = stereo and pictures is not None and pictures.name == _LEFT
    return pictures, depth, only_folder(recording, (_RIGHT,)) if pairs else None


def _by_number(name: str) -> list[str | int]:
    """Sorts 2.png before 10.png, as the frames of a video were taken."""
    return [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", name)]


def _pair_by_name(recording: Path, stereo: bool) -> Recording:
    pictures, depth, right = _parts(recording, stereo)
    suffixes = {
        "picture": (pictures, _IMAGE_SUFFIXES),
        "depth": (depth, _DEPTH_SUFFIXES),
        "right": (right, _IMAGE_SUFFIXES),
    }
    files = {key: _by_stem(*value) for key, value in suffixes.items() if value[0]}
    frames, missing = [], []
    for stem in sorted(set().union(*files.values()), key=_by_number):
        found = {key: stems[stem] for key, stems in files.items() if stem in stems}
        if len(found) == len(files):
            frames.append(Frame(recording, **found))
        else:
            missing.append(next(iter(found.values())))
    return Recording(recording, right is not None, depth is not None, frames, missing, [])


def _by_stem(folder: Path | None, suffixes: tuple[str, ...]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(name)
        # A leading dot marks macOS's metadata files.
        if suffix.lower() not in suffixes or name.startswith("."):
            continue
        if stem in files:
            raise InputError(
                f"{folder}: holds {files[stem].name} and {name}, either of which may be meant; "
                "rename one"
            )
        files[stem] = Path(folder or "", name)
    return files


def _pair_by_time(recording: Path) -> Recording:
    (times, pictures), (depth_times, depths) = (_tum_list(recording / n) for n in _TUM_LISTS)
    _, nearest = KDTree(depth_times).query(times, distance_upper_bound=_TUM_MAX_DIFFERENCE)
    _, back = KDTree(times).query(depth_times, distance_upper_bound=_TUM_MAX_DIFFERENCE)
    # Each is the other's nearest, so that no file is used twice. KDTree gives an index past the end
    # if nothing is near.
    pairs = [
        (pictures[i], depths[k]) for i, k in enumerate(nearest) if k < len(depths) and back[k] == i
    ]
    absent = [next((file for file in pair if not file.exists()), None) for pair in pairs]
    used = {file for pair in pairs for file in pair}
    return Recording(
        recording,
        stereo=False,
        measured=True,
        frames=[
            Frame(recording, *pair) for pair, file in zip(pairs, absent, strict=True) if not file
        ],
        missing=[file for file in absent if file],
        unmatched=[file for file in (*pictures, *depths) if file not in used],
    )


def _tum_list(path: Path) -> tuple[np.ndarray, list[Path]]:
    """Returns float64 (N, 1) seconds and the N files of one of TUM's lists."""
    times, files = [], []
    for number, line in enumerate(read_bytes(path).decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        try:
            time, name = float(words[0]), PurePosixPath(*words[1:])
        except ValueError:
            raise InputError(f"{where}: not 'seconds file'; restore the list") from None
        if len(words) != 2 or not np.isfinite(time):
            raise InputError(f"{where}: not 'seconds file'; restore the list")
        if name.is_absolute() or ".." in name.parts:
            raise InputError(
                f"{where}: {words[1]!r} is not a path within the recording; correct it"
            )
        times.append(time)
        files.append(path.parent / name)
    return np.array(times).reshape(-1, 1), files
