"""Reads a user's own recordings: folders of pictures beside folders of depth, or stereo pairs.

    data_dir/rgb/1.jpg       pictures: rgb/, color/, colour/, image/, images/ or left/
    data_dir/depth/1.png     depth of the same name: 16-bit PNG or PGM, or .npy in metres

    data_dir/left/1.jpg      stereo pairs, rectified
    data_dir/right/1.jpg     the right picture of the same name
    data_dir/depth/1.png     depth of the left picture, if there is any
    data_dir/camera.yaml     the calibration, see `camera.py`

Several recordings are in folders of their own, one or two levels down; train/, validation/ (or
val/) and test/ at the top are the splits. A recording with rgb.txt and depth.txt is one of the TUM
RGB-D benchmark (Sturm et al., IROS 2012): its images and depth maps are paired by their times.
"""

import io
import os
import threading
from pathlib import Path

import numpy as np

from keras_depth import depth_png
from keras_depth.data.folders.camera import Camera, find_camera, read_camera
from keras_depth.data.folders.recordings import (
    Frame,
    Recording,
    find_recordings,
    is_tum,
    only_folder,
)
from keras_depth.data.reader import (
    Reader,
    Sample,
    check_split,
    make_sample,
    read_bytes,
)
from keras_depth.data.splits import (
    check_hold_out,
    check_max_missing,
    describe_missing,
    hold_out_scenes,
)
from keras_depth.errors import InputError
from keras_depth.images import decode_rgb

_SPLIT_FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
_TUM_UNITS = 5000.0  # of a depth picture, for one metre: the benchmark's file formats


def open_folder(
    data_dir: str | Path,
    split: str | None = None,
    *,
    stereo: bool = True,
    units_per_metre: float | None = None,
    max_missing: float = 0.02,
    hold_out: float = 0.1,
) -> "FolderReader":
    """Opens a folder of recordings; frames that lack a file are left out, see `Reader.missing`.

    Args:
        data_dir: a recording, or a folder of recordings.
        split: "train", "validation", "test", or None: the test/ folder's frames if there is one,
            otherwise all frames.
        stereo: of recordings with left/ and right/, samples also hold the right picture and
            `focal_baseline`; with False the left pictures and their depth are read alone.
        units_per_metre: the value of a 16-bit depth image for one metre: 1000 for millimetres,
            5000 as TUM, 256 as KITTI. Not needed for .npy files, which hold metres, nor for TUM's
            recordings.
        max_missing: the share of the frames, 0 to 1, that may lack a file.
        hold_out: without a validation/ folder, the part of the training frames that "train" leaves
            to "validation": whole recordings, or the last frames of a single one, so that
            neighboring frames of a video are not in both. With 0, "validation" is the test/
            folder's frames.

    Raises:
        InputError: no recording is found, recordings are of several kinds, the unit or the camera
            is not given, a list is damaged, two folders compete, too many frames lack a file, or
            the split has no frame.
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
    check_max_missing(max_missing)
    check_hold_out(hold_out)
    splits = {
        name: folder
        for name, folders in _SPLIT_FOLDERS.items()
        if (folder := only_folder(path, folders))
    }
    recordings = find_recordings(_sources(path, splits, split, hold_out), stereo)
    title = split or ("test" if "test" in splits else "all")
    divided = hold_out and split in ("train", "validation") and "validation" not in splits
    if divided and any(recording.frames for recording in recordings):
        kept, rest, how = _hold_out(recordings, hold_out, path)
        recordings = kept if split == "validation" else rest
        title = f"{split} ({how} held out)"
    description = _describe(path, title, recordings, max_missing)
    return FolderReader(path, recordings, units_per_metre, description)


class FolderReader(Reader):
    """Reads the frames of a folder of recordings.

    Args:
        path: the folder.
        recordings: those of the split, of one kind.
        units_per_metre: see `open_folder`.
        description: see `Reader`.
    """

    def __init__(
        self,
        path: Path,
        recordings: list[Recording],
        units_per_metre: float | None,
        description: str,
    ):
        self._path, self.description = path, description
        self.stereo, self.measured = recordings[0].stereo, recordings[0].measured
        self.missing = tuple(str(file) for each in recordings for file in each.missing)
        self._frames = [frame for each in recordings for frame in each.frames]
        self._units = {
            each.path: units_per_metre or (_TUM_UNITS if is_tum(each.path) else None)
            for each in recordings
        }
        self.units_per_metre = self._common_unit()
        self._cameras = _read_cameras(path, recordings) if self.stereo else {}

    def _common_unit(self) -> float | None:
        """Returns the unit of the depth pictures; None if there are none, or of several units.

        Raises:
            InputError: nothing says what it is.
        """
        pictures = [each for each in self._frames if each.depth and not _is_array(each.depth)]
        for frame in pictures:
            if self._units[frame.recording] is None:
                raise InputError(
                    f"{frame.depth}: a depth picture does not tell its unit; say what it stores "
                    "for one metre, 1000 (millimetres), 5000 (TUM) or 256 (KITTI): train --set "
                    "data.units_per_metre=1000, evaluate --data-option units_per_metre=1000"
                )
        units = {self._units[frame.recording] for frame in pictures}
        return units.pop() if len(units) == 1 else None

    def __len__(self) -> int:
        return len(self._frames)

    def stored(self, index: int) -> Sample:
        frame, name = self._frames[index], self.name(index)
        rgb = _picture(frame.picture)
        metres = self._metres(frame, rgb.shape[:2])
        if not frame.right:
            return make_sample(rgb, metres, name)
        camera = self._cameras[frame.recording]
        camera.check_size(frame.picture, rgb.shape[:2])
        return make_sample(rgb, metres, name, _picture(frame.right), camera.focal_baseline)

    def _metres(self, frame: Frame, size: tuple[int, int]) -> np.ndarray:
        if not frame.depth:
            return np.zeros(size, np.float32)
        data, units = read_bytes(frame.depth), self._units[frame.recording]
        if units is None or _is_array(frame.depth):
            return _decode_array(data, str(frame.depth))
        return depth_png.decode(data, str(frame.depth), units)

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


def _hold_out(
    recordings: list[Recording], part: float, path: Path
) -> tuple[list[Recording], list[Recording], str]:
    """Returns the recordings for validation, the others, and how they were divided."""
    names = {each.path.relative_to(path).as_posix(): each for each in recordings if each.frames}
    if len(names) > 1:
        kept = [names[name] for name in hold_out_scenes(names, part, path)]
        kept = [each for each in recordings if each in kept]  # in order
        rest = [each for each in recordings if each not in kept]
        return kept, rest, f"{len(kept)} of {len(names)} recordings"
    (single,) = names.values()
    total = len(single.frames)
    if total == 1:
        raise InputError(f"{path}: has only one frame; leave data.hold_out at 0, or add frames")
    count = min(max(1, round(part * total)), total - 1)
    last = single._replace(frames=single.frames[-count:], missing=[], unmatched=[])
    rest = [
        each._replace(frames=each.frames[:-count]) if each is single else each
        for each in recordings
    ]
    return [last], rest, f"the last {count} of {total} frames"


def _describe(path: Path, title: str, recordings: list[Recording], max_missing: float) -> str:
    """Returns a reader's description.

    Raises:
        InputError: no frame has all its files, or too many have not.
    """
    kind, count = recordings[0].kind, sum(len(each.frames) for each in recordings)
    missing = [str(file) for each in recordings for file in each.missing]
    alone = [file for each in recordings for file in each.unmatched]
    apart = f"; {len(alone)} files without partner near their time, first " if alone else ""
    apart += str(alone[0]) if alone else ""
    if not count:
        needed = "both pictures" if recordings[0].stereo else "both a picture"
        needed += " and a depth map" if recordings[0].measured else ""
        lacking = f"; {len(missing)} files without partner, first {missing[0]}" if missing else ""
        raise InputError(
            f"{path}, {title}: no frame has {needed}{lacking}{apart}; give the files of a frame the"
            " same name"
        )
    lack = describe_missing(
        f"{path}: {kind}, {title}",
        count,
        missing,
        max_missing,
        word="without all their files",
        remedy="give the files of a frame the same name",
        named=3,
    )
    return f"{kind}, {title}: {count} frames from {path}{lack}{apart}"


def _read_cameras(path: Path, recordings: list[Recording]) -> dict[Path, Camera]:
    """Returns the camera of each recording, by its folder."""
    files = {each.path: find_camera(each.path, path) for each in recordings}
    cameras = {file: read_camera(file) for file in set(files.values())}
    return {recording: cameras[file] for recording, file in files.items()}


def _picture(file: Path) -> np.ndarray:
    return decode_rgb(read_bytes(file), str(file))


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
