"""Reads a user's own recordings: folders of pictures beside folders of depth, or stereo pairs.

    data_dir/rgb/1.jpg       pictures: rgb/, color/, colour/, image/, images/ or left/
    data_dir/depth/1.png     depth of the same name, see `depth_files.py`

    data_dir/left/1.jpg      stereo pairs, rectified
    data_dir/right/1.jpg     the right picture of the same name
    data_dir/depth/1.png     depth of the left picture, if there is any
    data_dir/camera.yaml     the calibration, see `camera.py`

Several recordings are in folders of their own, one or two levels down; train/ (or training/),
validation/ (or val/) and test/ (or testing/) at the top are the splits. A recording with rgb.txt
and depth.txt is one of the TUM RGB-D benchmark (Sturm et al., IROS 2012): its images and depth maps
are paired by their times.
"""

import itertools
import os
from pathlib import Path

import numpy as np

from keras_depth import images
from keras_depth.data.fit_depth import RESIZE_RULES
from keras_depth.data.folders.camera import Camera, find_camera, look_for_camera, read_camera
from keras_depth.data.folders.depth_files import find_units, read_depth
from keras_depth.data.folders.recordings import (
    DEPTH_ENDINGS,
    TUM_MAX_DIFFERENCE,
    Recording,
    find_recordings,
    is_tum,
    only_folder,
)
from keras_depth.data.reader import (
    NoSplit,
    Reader,
    Sample,
    check_split,
    make_sample,
    read_picture,
)
from keras_depth.data.splits import (
    check_hold_out,
    check_max_missing,
    choose_held_out,
    describe_missing,
)
from keras_depth.errors import InputError, check_choice
from keras_depth.listing import check_links, ending, look, named

_SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "validation"),
    "test": ("test", "testing"),
}
_TIMES = (
    "rgb.txt and depth.txt must both name files, with their times in seconds of one clock, those of"
    f" a frame at most {TUM_MAX_DIFFERENCE} s apart; correct the lists"
)
_TUM_UNITS = 5000.0  # of a depth picture, for one metre: the benchmark's file formats


def open_folder(
    data_dir: str | Path,
    split: str | None = None,
    *,
    stereo: bool = True,
    units_per_metre: float | None = None,
    resize_depth: str = "none",
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
            5000 as TUM, 256 as KITTI. Not needed for .npy and floating .tiff files, which hold
            metres, for PNG files that name it (see `depth_png.py`), nor for TUM's recordings.
        resize_depth: "nearest" gives each pixel of a picture the nearest value of its depth map,
            where the map is of another size and shows the same view, its sides in the same ratio;
            "none" takes maps of the picture's size alone.
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
    check_choice("data.resize_depth", resize_depth, RESIZE_RULES)
    check_max_missing(max_missing)
    check_hold_out(hold_out)
    there = look(path)
    splits = {}
    for name, folders in _SPLIT_FOLDERS.items():
        check_links(named(there.lost, *folders))
        if folder := only_folder(path, there.folders, folders):
            splits[name] = folder
    recordings = find_recordings(_sources(path, splits, split, hold_out), stereo)
    title = split or ("test" if "test" in splits else "all")
    lack = _lack(path, title, recordings, max_missing)
    divided = hold_out and split in ("train", "validation") and "validation" not in splits
    if divided:
        kept, rest, how = _hold_out(recordings, hold_out, path)
        recordings = kept if split == "validation" else rest
        title = f"{split} ({how} held out)"
        lack = _lack(path, title, recordings, max_missing=1)  # of the whole it was checked above
    count = sum(len(each.frames) for each in recordings)
    description = f"{recordings[0].kind}, {title}: {count} frames from {path}{lack}"
    return FolderReader(path, recordings, units_per_metre, resize_depth, description)


class FolderReader(Reader):
    """Reads the frames of a folder of recordings.

    Args:
        path: the folder.
        recordings: those of the split, of one kind.
        units_per_metre, resize_depth: see `open_folder`.
        description: see `Reader`.

    Attributes:
        path: the folder, absolute.
        recordings: the folders of those that have a whole frame.
        cameras: what camera.yaml says of a recording, by its folder, where there is one.
    """

    def __init__(
        self,
        path: Path,
        recordings: list[Recording],
        units_per_metre: float | None,
        resize_depth: str,
        description: str,
    ):
        self.path, self._resize_depth, self.description = path, resize_depth, description
        self.recordings = [each.path for each in recordings if each.frames]
        self.stereo, self.measured = recordings[0].stereo, recordings[0].measured
        self.missing = tuple(str(each.file) for one in recordings for each in one.missing)
        self._frames = [frame for each in recordings for frame in each.frames]
        self._asked = units_per_metre
        self._usual: dict[Path, float | None] = {}
        units = self._find_units()
        self.units_per_metre = units.pop() if len(units) == 1 else None
        self.cameras = _read_cameras(path, recordings, self.stereo)

    def _find_units(self) -> set[float]:
        """Returns the units of the first depth pictures, and keeps those of files that name none.

        Raises:
            InputError: nothing says what it is, or a file says another than was asked for.
        """
        units: set[float] = set()
        known: set[tuple[Path, str]] = set()  # the files of a recording's ending are of one kind
        for frame in self._frames:
            if not frame.depth or (frame.recording, ending(frame.depth)) in known:
                continue
            known.add((frame.recording, ending(frame.depth)))
            usual = _TUM_UNITS if is_tum(frame.recording) else None
            found = find_units(frame.depth, self._asked, usual)
            if found:
                units.add(found)
                self._usual[frame.recording] = usual if found == usual else None
        return units

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def times(self) -> np.ndarray:
        """When each frame was taken, as TUM's lists say: seconds, (N,); others are numbered."""
        times = [frame.time for frame in self._frames]
        return np.array([i if time is None else time for i, time in enumerate(times)], np.float64)

    def stored(self, index: int) -> Sample:
        frame, name = self._frames[index], self.name(index)
        rgb, orientation = read_picture(frame.picture)
        if frame.depth:
            metres = read_depth(frame.depth, self._asked, self._usual.get(frame.recording))
        else:
            metres = np.zeros(rgb.shape[:2], np.float32)
        camera = self.cameras.get(frame.recording)
        if not frame.right or not camera:
            if camera:
                exchanged = orientation >= 5
                camera.check_size(frame.picture, rgb.shape[1::-1] if exchanged else rgb.shape[:2])
            return make_sample(
                rgb,
                metres,
                name,
                orientation=orientation,
                resize_depth=self._resize_depth,
                depth_file=frame.depth,
                focal_length=camera and camera.focal_length,
            )
        right = read_picture(frame.right)
        turned = max(orientation, right.orientation)
        if turned == 1:  # otherwise it is the turn that is wrong, see `make_sample`
            camera.check_size(frame.picture, rgb.shape[:2])
        return make_sample(
            rgb,
            metres,
            name,
            right.rgb,
            camera.focal_baseline,
            turned,
            self._resize_depth,
            frame.depth,
            camera.focal_length,
        )

    def name(self, index: int) -> str:
        return str(self._frames[index].picture)

    def key(self, index: int) -> str:
        picture = self._frames[index].picture
        return picture.relative_to(self.path).with_suffix("").as_posix()


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
    raise NoSplit(f"{path}: no {split} frames: there is no {source}/ folder; {remedy}")


def _hold_out(
    recordings: list[Recording], part: float, path: Path
) -> tuple[list[Recording], list[Recording], str]:
    """Returns the recordings for validation, the others, and how they were divided."""
    names = [each.path.relative_to(path).as_posix() for each in recordings for _ in each.frames]
    held, how = choose_held_out(names, part, path, "recordings")
    flags = iter(held)
    kept, rest = [], []
    for each in recordings:
        first = len(each.frames) - sum(itertools.islice(flags, len(each.frames)))
        if first == len(each.frames):  # none is held out
            rest.append(each)
        elif first == 0:
            kept.append(each)
        else:  # the last ones are
            # Nobody knows how many there would be of each if none were missing.
            late = [one for one in each.missing if one.after > first]
            rest.append(each._replace(frames=each.frames[:first]))
            kept.append(each._replace(frames=each.frames[first:], missing=late))
    return kept, rest, how


def _lack(path: Path, title: str, recordings: list[Recording], max_missing: float) -> str:
    """Returns the part of a description that counts the frames that lack a file.

    Raises:
        InputError: no frame has all its files, or too many have not.
    """
    kind, count = recordings[0].kind, sum(len(each.frames) for each in recordings)
    missing = [str(one.file) for each in recordings for one in each.missing]
    alone = [file for each in recordings for file in each.unmatched]
    apart = f"; {len(alone)} files without partner near their time, first " if alone else ""
    apart += str(alone[0]) if alone else ""
    unread = _unread(recordings)
    timeless = [each.path for each in recordings if each.apart]
    if timeless and count:
        raise InputError(f"{timeless[0]}: no two files are near in time; {_TIMES}")
    if not count:
        needed = "both pictures" if recordings[0].stereo else "both a picture"
        needed += " and a depth map" if recordings[0].measured else ""
        lacking = f"; {len(missing)} files without partner, first {missing[0]}" if missing else ""
        remedy = unread or (_TIMES if timeless else "give the files of a frame the same name")
        raise InputError(f"{path}, {title}: no frame has {needed}{lacking}{apart}; {remedy}")
    halves = [each.path for each in recordings if not each.frames]
    detail = f"{len(halves)} recordings have no whole frame, first {halves[0]}" if halves else ""
    lack = describe_missing(
        f"{path}: {kind}, {title}",
        count,
        missing,
        max_missing,
        word="without all their files",
        detail=detail,
        remedy=unread or "give the files of a frame the same name",
        named=3,
    )
    return lack + apart


def _unread(recordings: list[Recording]) -> str:
    """Returns a sentence on the files whose endings are not read; "" if there are none."""
    files = [file for each in recordings for file in each.unread]
    if not files:
        return ""
    endings = ", ".join(sorted({ending(file) or "no ending" for file in files}))
    pictures, depth = (", ".join(each) for each in (images.ENDINGS, DEPTH_ENDINGS))
    return (
        f"{len(files)} files are of endings that are not read ({endings}), first {files[0]}: read"
        f" are {pictures} as pictures, {depth} as depth; convert pictures to .png, depth to .tiff"
        " or .npy"
    )


def _read_cameras(path: Path, recordings: list[Recording], stereo: bool) -> dict[Path, Camera]:
    """Returns the camera of each recording that has one, by its folder; stereo pairs must."""
    find = find_camera if stereo else look_for_camera
    found = {each.path: find(each.path, path) for each in recordings}
    files = {recording: file for recording, file in found.items() if file}
    cameras = {file: read_camera(file, stereo) for file in set(files.values())}
    return {recording: cameras[file] for recording, file in files.items()}
