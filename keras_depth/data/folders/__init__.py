"""Reads a user's own RGB-D recordings: folders of images beside folders of depth maps.

    data_dir/rgb/1.jpg       images: rgb/, color/, colour/, image/ or images/
    data_dir/depth/1.png     depth of the same name: 16-bit PNG or PGM, or .npy in metres

Several recordings are in folders of their own, one or two levels down; train/, validation/ (or
val/) and test/ at the top are the splits. A recording with rgb.txt and depth.txt is one of the TUM
RGB-D benchmark (Sturm et al., IROS 2012): its images and depth maps are paired by their times.
"""

import io
import os
import re
import threading
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from keras_depth import depth_png
from keras_depth.data.reader import (
    Reader,
    Sample,
    check_split,
    make_sample,
    read_bytes,
)
from keras_depth.data.splits import check_hold_out, hold_out_scenes
from keras_depth.errors import InputError
from keras_depth.images import decode_rgb

_IMAGE_FOLDERS = ("rgb", "color", "colour", "image", "images")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm")
_DEPTH_FOLDERS = ("depth", "depths")
_DEPTH_SUFFIXES = (".png", ".pgm", ".npy")
_SPLIT_FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
_TUM_LISTS = ("rgb.txt", "depth.txt")
_TUM_UNITS = 5000.0  # of a depth picture, for one metre: the benchmark's file formats
_TUM_MAX_DIFFERENCE = 0.02  # seconds, as the benchmark's own association of the two cameras


class _Frame(NamedTuple):
    picture: Path
    depth: Path
    recording: Path


def open_folder(
    data_dir: str | Path,
    split: str | None = None,
    *,
    units_per_metre: float | None = None,
    hold_out: float = 0.1,
) -> "FolderReader":
    """Opens a folder of RGB-D recordings.

    Args:
        data_dir: a recording, or a folder of recordings.
        split: "train", "validation", "test", or None: the test/ folder's frames if there is one,
            otherwise all frames.
        units_per_metre: the value of a 16-bit depth image for one metre: 1000 for millimetres,
            5000 as TUM, 256 as KITTI. Not needed for .npy files, which hold metres, nor for TUM's
            recordings.
        hold_out: without a validation/ folder, the part of the training frames that "train" leaves
            to "validation": whole recordings, or the last frames of a single one, so that
            neighboring frames of a video are not in both. With 0, "validation" is the test/
            folder's frames.

    Raises:
        InputError: no recording is found, the unit is not given, a list is damaged, two folders
            compete, or the split has no frame.
    """
    path = Path(os.path.abspath(Path(data_dir).expanduser()))
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the folder that holds the recordings")
    check_split(split)
    if units_per_metre is not None and (
        not isinstance(units_per_metre, int | float) or not 0 < units_per_metre < np.inf
    ):
        raise InputError(
            f"data.units_per_metre is {units_per_metre!r}; give a number above 0, such as 1000 for "
            "depth in millimetres"
        )
    check_hold_out(hold_out)
    splits = {
        name: folder for name, folders in _SPLIT_FOLDERS.items() if (folder := _only(path, folders))
    }
    frames, alone = _frames(_sources(path, splits, split, hold_out))
    title = split or ("test" if "test" in splits else "all")
    if frames and hold_out and split in ("train", "validation") and "validation" not in splits:
        kept, rest, how = _hold_out(frames, hold_out, path)
        whole = {f.recording for f in kept} - {f.recording for f in rest}
        frames = kept if split == "validation" else rest
        alone = [f for f in alone if whole.isdisjoint(f.parents) == (split == "train")]
        title = f"{split} ({how} held out)"
    return FolderReader(path, title, frames, [str(file) for file in alone], units_per_metre)


class FolderReader(Reader):
    """Reads the frames of a folder of recordings.

    Args:
        path: the folder.
        title: the split, for the description.
        frames: image, depth and recording of each frame.
        missing: the files without a partner.
        units_per_metre: see `open_folder`.
    """

    def __init__(
        self,
        path: Path,
        title: str,
        frames: list[_Frame],
        missing: list[str],
        units_per_metre: float | None,
    ):
        self._path, self._frames, self.missing = path, frames, tuple(missing)
        self._units = {
            recording: units_per_metre or (_TUM_UNITS if _is_tum(recording) else None)
            for recording in {frame.recording for frame in frames}
        }
        lacking = f"; {len(missing)} files without partner, first {missing[0]}" if missing else ""
        if not frames:
            raise InputError(
                f"{path}, {title}: no frame has both a picture and a depth map{lacking}; give the "
                "two files of a frame the same name"
            )
        for frame in frames:
            if not _is_array(frame.depth) and self._units[frame.recording] is None:
                raise InputError(
                    f"{frame.depth}: a depth picture does not tell its unit; say what it stores "
                    "for one metre: --set data.units_per_metre=1000 (millimetres), 5000 (TUM), "
                    "256 (KITTI)"
                )
        self.description = f"RGB-D folder, {title}: {len(frames)} frames from {path}{lacking}"

    def __len__(self) -> int:
        return len(self._frames)

    def stored(self, index: int) -> Sample:
        picture, depth, recording = self._frames[index]
        data, units = read_bytes(depth), self._units[recording]
        if units is None or _is_array(depth):
            metres = _decode_array(data, str(depth))
        else:
            metres = depth_png.decode(data, str(depth), units)
        rgb = decode_rgb(read_bytes(picture), str(picture))
        return make_sample(rgb, metres, self.name(index))

    def name(self, index: int) -> str:
        return str(self._frames[index].picture)

    def key(self, index: int) -> str:
        picture = self._frames[index].picture
        return picture.relative_to(self._path).with_suffix("").as_posix()


def _sources(path: Path, splits: dict[str, Path], split: str | None, hold_out: float) -> list[Path]:
    """Returns the folders that hold the recordings of a split."""
    if split is None:
        return [splits["test"]] if "test" in splits else list(splits.values()) or [path]
    source = split
    if split == "validation" and "validation" not in splits:
        source = "train" if hold_out else "test"
    if source in splits:
        return [splits[source]]
    if source == "train" and not splits:
        return [path]
    remedy = (
        "keep some training frames for it with --set data.hold_out=0.1"
        if split == "validation"
        else "make one, or ask for another split"
    )
    raise InputError(f"{path}: no {split} frames: there is no {source}/ folder; {remedy}")


def _frames(folders: list[Path]) -> tuple[list[_Frame], list[Path]]:
    """Returns the frames of the folders in order, and the files without a partner."""
    recordings = [found for folder in folders for found in _recordings(folder, levels=2)]
    if not recordings:
        raise InputError(
            f"{', '.join(map(str, folders))}: no recording found: looked for a folder of pictures "
            f"({', '.join(_IMAGE_FOLDERS)}) beside one of depth ({', '.join(_DEPTH_FOLDERS)}), here"
            " and up to two levels down"
        )
    frames: list[_Frame] = []
    alone: list[Path] = []
    for recording in recordings:
        pairs, files = (_pairs_by_time if _is_tum(recording) else _pairs_by_name)(recording)
        frames += [_Frame(picture, depth, recording) for picture, depth in pairs]
        alone += files
    return frames, alone


def _hold_out(
    frames: list[_Frame], part: float, path: Path
) -> tuple[list[_Frame], list[_Frame], str]:
    """Returns the frames for validation, the rest, and how they were divided."""
    recordings = [frame.recording.relative_to(path).as_posix() for frame in frames]
    if len(set(recordings)) > 1:
        names = hold_out_scenes(recordings, part, path)
        kept = [f for f, name in zip(frames, recordings, strict=True) if name in names]
        rest = [f for f, name in zip(frames, recordings, strict=True) if name not in names]
        return kept, rest, f"{len(names)} of {len(set(recordings))} recordings"
    if len(frames) == 1:
        raise InputError(f"{path}: has only one frame; leave data.hold_out at 0, or add frames")
    count = min(max(1, round(part * len(frames))), len(frames) - 1)
    return frames[-count:], frames[:-count], f"the last {count} of {len(frames)} frames"


def _recordings(folder: Path, levels: int) -> list[Path]:
    """Returns the recordings at `folder` or down to `levels` below it."""
    if _is_tum(folder) or (_only(folder, _IMAGE_FOLDERS) and _only(folder, _DEPTH_FOLDERS)):
        return [folder]
    if not levels:
        return []
    folders = [f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")]
    return [
        recording
        for below in sorted(folders, key=lambda f: _by_number(f.name))
        for recording in _recordings(below, levels - 1)
    ]


def _is_tum(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _TUM_LISTS)


def _only(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Returns the one folder of these names, if there is one."""
    found = [folder / name for name in names if (folder / name).is_dir()]
    if len(found) > 1:
        raise InputError(
            f"{folder}: holds {found[0].name}/ and {found[1].name}/, either of which may be meant; "
            "rename one"
        )
    return found[0] if found else None


def _by_number(name: str) -> list[str | int]:
    """Sorts 2.png before 10.png, as the frames of a video were taken."""
    return [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", name)]


def _pairs_by_name(recording: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    pictures = _by_stem(_only(recording, _IMAGE_FOLDERS), _IMAGE_SUFFIXES)
    depths = _by_stem(_only(recording, _DEPTH_FOLDERS), _DEPTH_SUFFIXES)
    both = sorted(pictures.keys() & depths.keys(), key=_by_number)
    one = sorted(pictures.keys() ^ depths.keys(), key=_by_number)
    return (
        [(pictures[stem], depths[stem]) for stem in both],
        [pictures.get(stem) or depths[stem] for stem in one],
    )


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


def _pairs_by_time(recording: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    (times, pictures), (depth_times, depths) = (_tum_list(recording / n) for n in _TUM_LISTS)
    _, nearest = KDTree(depth_times).query(times, distance_upper_bound=_TUM_MAX_DIFFERENCE)
    _, back = KDTree(times).query(depth_times, distance_upper_bound=_TUM_MAX_DIFFERENCE)
    # Each is the other's nearest, so that no file is used twice. KDTree gives an index past the end
    # if nothing is near.
    pairs = [(i, k) for i, k in enumerate(nearest) if k < len(depths) and back[k] == i]
    found = [
        (pictures[i], depths[k]) for i, k in pairs if pictures[i].exists() and depths[k].exists()
    ]
    used = {file for pair in found for file in pair}
    return found, [file for file in (*pictures, *depths) if file not in used]


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


def _is_array(depth: Path) -> bool:
    return depth.suffix.lower() == ".npy"


# Python up to 3.11 parses a header as code, which fails in several threads (cpython issue 106905).
_HEADER_LOCK = threading.Lock()


def _decode_array(data: bytes, name: str) -> np.ndarray:
    """Decodes an .npy file to (H, W) metres."""
    try:
        with _HEADER_LOCK:
            metres = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except ValueError:
        raise InputError(
            f"{name}: not an array that numpy.save wrote, or cut short; restore the file"
        ) from None
    if metres.dtype.kind != "f":
        raise InputError(
            f"{name}: the depth is stored as {metres.dtype}, where .npy holds metres as float; "
            "divide by its units and save it again"
        )
    return metres[..., 0] if metres.ndim == 3 and metres.shape[2] == 1 else metres
