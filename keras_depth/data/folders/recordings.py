"""Finds recordings in folders, and the files of their frames.

| kind | folders of a recording | a frame's files |
|---|---|---|
| RGB-D | one of pictures, one of depth | have the same name |
| RGB-D of TUM | rgb.txt and depth.txt | were taken at the same time |
| stereo | left/ and right/, and depth/ of the left pictures if there is any | have the same name |
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from keras_depth import images
from keras_depth.data.reader import read_bytes
from keras_depth.data.text_files import is_heading, lines
from keras_depth.errors import InputError
from keras_depth.listing import (
    Folders,
    Listing,
    by_number,
    check_links,
    ending,
    look,
    named,
    walk,
)

_LEFT, _RIGHT = "left", "right"
_IMAGE_FOLDERS = ("rgb", "color", "colour", "image", "images", _LEFT)
_DEPTH_FOLDERS = ("depth", "depths")
DEPTH_ENDINGS = (".png", ".pgm", ".tif", ".tiff", ".npy")
_TUM_LISTS = ("rgb.txt", "depth.txt")
TUM_MAX_DIFFERENCE = 0.02  # seconds, as the benchmark's own association of the two cameras


_PARTS = (*_IMAGE_FOLDERS, _RIGHT, *_DEPTH_FOLDERS, *_TUM_LISTS)  # what makes a recording


class Frame(NamedTuple):
    """Names the files of a frame; None where its recording has no such files.

    time: seconds, as TUM's lists say.
    """

    recording: Path
    picture: Path
    depth: Path | None = None
    right: Path | None = None
    time: float | None = None


class Missing(NamedTuple):
    """Names a file of a frame that lacks another, and how many frames of its recording precede it.

    The file is one without partner or, of TUM's lists, one that is not there.
    """

    file: Path
    after: int = 0


class Recording(NamedTuple):
    """Holds the frames of a folder.

    path: the folder.
    stereo, measured: its frames have a right picture, and depth.
    frames: those that have all their files, in the order they were taken.
    missing: the other frames.
    unmatched: files of TUM's lists near whose time the other list has none, as is usual.
    unread: files in the folders of pictures and depth whose endings are not read.
    """

    path: Path
    stereo: bool
    measured: bool
    frames: list[Frame]
    missing: list[Missing]
    unmatched: list[Path]
    unread: list[Path]

    @property
    def apart(self) -> bool:
        """Tells whether TUM's lists have no two times that are near."""
        return bool(self.unmatched) and not self.frames and not self.missing

    @property
    def kind(self) -> str:
        if not self.stereo:
            return "RGB-D folder"
        return "stereo folder" if self.measured else "stereo folder without depth"


class _Parts(NamedTuple):
    """Names the folders of a recording's pictures, depth and right pictures."""

    picture: Path | None
    depth: Path | None
    right: Path | None

    @property
    def are_recording(self) -> bool:
        return bool(self.picture and (self.depth or self.right))


def find_recordings(folders: list[Path], stereo: bool) -> list[Recording]:
    """Returns the recordings in folders or up to two levels below, in order.

    Args:
        folders: where to look.
        stereo: whether left/ beside right/ is a recording of stereo pairs.

    Raises:
        InputError: there is none, or they are of several kinds; two folders or two files compete;
            a list of TUM's is damaged; what may be a recording, or a part of one, is a link that
            leads nowhere.
    """
    recordings, halves = [], []
    for folder in folders:
        for place, listing in walk(folder, levels=2):
            check_links(named(listing.lost, *_PARTS))
            parts = _parts(place, listing.folders, stereo)
            if _is_tum(listing):
                recordings.append(_pair_by_time(place, listing))
            elif parts.are_recording:
                recordings.append(_pair_by_name(place, parts))
            else:
                halves += [part for part in parts[:2] if part]
                check_links(listing.lost)  # any of them may be a recording
                continue
            listing.folders.clear()  # nothing in a recording is one
    if not recordings:
        names = ", ".join(_IMAGE_FOLDERS)
        raise InputError(
            f"{', '.join(map(str, folders))}: no recording found: looked for a folder of pictures "
            f"({names}) beside one of depth ({', '.join(_DEPTH_FOLDERS)}), and for {_LEFT} beside"
            f" {_RIGHT}, here and up to two levels down"
        )
    first = recordings[0]
    for other in recordings:
        if other.kind != first.kind:
            raise InputError(
                f"{first.path} is a recording of kind {first.kind!r}, and {other.path} of kind"
                f" {other.kind!r}; give recordings of one kind"
            )
    return recordings + [_half(part, first) for part in halves if _stands_apart(part, recordings)]


def is_tum(folder: Path) -> bool:
    """Tells whether a folder is a recording of the TUM RGB-D benchmark."""
    return _is_tum(look(folder))


def _is_tum(listing: Listing) -> bool:
    return len(named(listing.files, *_TUM_LISTS)) == len(_TUM_LISTS)


def only_folder(folder: Path, folders: Iterable[Path], names: tuple[str, ...]) -> Path | None:
    """Returns the one of `folders`, those in `folder`, that has one of these names, or None.

    Raises:
        InputError: there are two.
    """
    found = sorted(named(folders, *names), key=lambda path: names.index(path.name.lower()))
    if len(found) > 1:
        raise InputError(
            f"{folder}: holds {found[0].name}/ and {found[1].name}/, either of which may be meant; "
            "rename one"
        )
    return found[0] if found else None


def _parts(recording: Path, folders: list[Path], stereo: bool) -> _Parts:
    picture = only_folder(recording, folders, _IMAGE_FOLDERS)
    depth = only_folder(recording, folders, _DEPTH_FOLDERS)
    pairs = stereo and picture is not None and picture.name.lower() == _LEFT
    return _Parts(picture, depth, only_folder(recording, folders, (_RIGHT,)) if pairs else None)


def _stands_apart(part: Path, recordings: list[Recording]) -> bool:
    """Tells whether a folder, of pictures or depth alone, is no part of a recording's path."""
    return not any(each.path.is_relative_to(part.parent) for each in recordings)


def _half(part: Path, like: Recording) -> Recording:
    """Returns the recording of a folder whose partner is not there: all its frames are missing."""
    endings = DEPTH_ENDINGS if part.name.lower() in _DEPTH_FOLDERS else images.ENDINGS
    files = [Missing(file) for file in look(part).files if ending(file) in endings]
    return Recording(part.parent, like.stereo, like.measured, [], files, [], [])


def _pair_by_name(recording: Path, parts: _Parts) -> Recording:
    endings = {"picture": images.ENDINGS, "depth": DEPTH_ENDINGS, "right": images.ENDINGS}
    listings = {key: look(folder) for key, folder in parts._asdict().items() if folder}
    files = {key: _by_stem(listing, endings[key]) for key, listing in listings.items()}
    lost = {file for listing in listings.values() for file in listing.lost}
    frames: list[Frame] = []
    missing = []
    for stem in sorted(set().union(*files.values()), key=by_number):
        found = {key: stems[stem] for key, stems in files.items() if stem in stems}
        absent = [file for file in found.values() if file in lost]
        if len(found) == len(files) and not absent:
            picture, depth, right = (found.get(key) for key in endings)
            assert picture
            frames.append(Frame(recording, picture, depth, right))
        else:
            missing.append(Missing([*absent, *found.values()][0], after=len(frames)))
    unread = _unread(listings, files)
    stereo, measured = parts.right is not None, parts.depth is not None
    return Recording(recording, stereo, measured, frames, missing, [], unread)


def _unread(listings: dict[str, Listing], files: dict[str, dict[str, Path]]) -> list[Path]:
    """Returns the files that would be of a frame by their names, if their endings were read."""
    stems = {key: {file.stem for file in listing.files} for key, listing in listings.items()}
    return [
        file
        for key, listing in listings.items()
        for file in listing.files
        if file.stem not in files[key]
        and any(file.stem in stems[other] for other in stems if other != key)
    ]


def _by_stem(listing: Listing, endings: tuple[str, ...]) -> dict[str, Path]:
    """Returns the files of a folder that have one of the endings, by their names without it."""
    files: dict[str, Path] = {}
    for file in (*listing.files, *listing.lost):
        if ending(file) not in endings:
            continue
        if file.stem in files:
            raise InputError(
                f"{file.parent}: holds {files[file.stem].name} and {file.name}, either of which may"
                " be meant; rename one"
            )
        files[file.stem] = file
    return files


def _pair_by_time(recording: Path, listing: Listing) -> Recording:
    lists = sorted(named(listing.files, *_TUM_LISTS), key=lambda path: path.name.lower())
    (depth_times, depths), (times, pictures) = map(_tum_list, lists)
    near = pair_times(times, depth_times)
    pairs = [(pictures[i], depths[k]) for i, k in near]
    folders = Folders()
    frames: list[Frame] = []
    missing = []
    for (i, _), pair in zip(near, pairs, strict=True):
        found = [folders.find(str(file)) for file in pair]
        if None in found:
            missing.append(Missing(pair[found.index(None)], after=len(frames)))
        else:
            picture, depth = (Path(str(file)) for file in found)
            frames.append(Frame(recording, picture, depth, time=float(times[i])))
    used = {file for pair in pairs for file in pair}
    unmatched = [file for file in (*pictures, *depths) if file not in used]
    return Recording(recording, False, True, frames, missing, unmatched, [])


def pair_times(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pairs the times of two lists that are less than `TUM_MAX_DIFFERENCE` apart.

    Args:
        times, others: (N,) and (M,), seconds.

    Returns:
        int (K, 2): places in `times`, growing, and in `others`. Each is the other's nearest, so
        that no time is used twice.
    """
    first, second = times.reshape(-1, 1), others.reshape(-1, 1)
    _, nearest = KDTree(second).query(first, distance_upper_bound=TUM_MAX_DIFFERENCE)
    _, back = KDTree(first).query(second, distance_upper_bound=TUM_MAX_DIFFERENCE)
    near = np.flatnonzero(nearest < len(others))  # an index past the end: nothing is near
    near = near[back[nearest[near]] == near]
    return np.stack([near, nearest[near]], 1)


def _tum_list(path: Path) -> tuple[np.ndarray, list[Path]]:
    """Returns float64 (N,) seconds and the N files of one of TUM's lists."""
    times, files = [], []
    content = [
        (number, line.split())
        for number, line in lines(read_bytes(path), str(path))
        if not line.startswith("#")
    ]
    for place, (number, words) in enumerate(content):
        if place == 0 and is_heading(words):
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
    return np.array(times, np.float64), files
