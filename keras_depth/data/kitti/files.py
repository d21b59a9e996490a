"""Finds KITTI's files: those of the frames of a list or a benchmark.

| list | folders, in the data folder or one folder down |
|---|---|
| of KITTI raw | <date>/<drive>/image_02 or image_03, velodyne_points |
| its annotated depth | {train,val}/<drive>/proj_depth/groundtruth |
| stereo2015 | training/image_2, image_3, disp_noc_0, calib_cam_to_cam |
| stereo2012 | training/colored_0, colored_1, disp_noc, calib |
| object | training/image_2, image_3, velodyne, calib |
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from keras_depth.data.kitti import lists
from keras_depth.data.reader import NoSplit
from keras_depth.data.splits import choose_held_out
from keras_depth.errors import InputError
from keras_depth.listing import Folders, check_links, ending


class Frame(NamedTuple):
    """Names the files of one frame; "" or () for files that the reader does not need.

    key: the image's path in the data set, without "data" and its ending.
    side: "l" or "r", the camera that took the image.
    drive: the folder of its drive; the benchmarks have none.
    calibration: the arguments of `read_calibration`.
    camera: the file of the cameras, for the focal length; "" if it is not there.
    """

    key: str
    side: str
    drive: str
    picture: str
    right: str
    depth: str
    calibration: tuple[str, ...]
    camera: str = ""

    def files(self) -> list[str]:
        wanted = (self.picture, self.right, self.depth, *self.calibration)
        return [file for file in wanted if file]


_DATE = re.compile(r"2011_\d\d_\d\d", re.ASCII)
_DRIVE = re.compile(r"2011_\d\d_\d\d_drive_(\d{4})_sync", re.ASCII)
_PICTURE = re.compile(r"(\d+)\.(?:png|jpg)", re.ASCII | re.IGNORECASE)


def has_splits(name: str) -> bool:
    """Tells whether `name` is a list with splits: a published one, or a folder of csv files."""
    if name in ("all", *BENCHMARKS) or ending(name) == ".csv":
        return False
    return name in lists.LISTS or Path(name).expanduser().is_dir()


def drives_there(path: Path) -> set[str]:
    """Returns the names of the folders of KITTI raw's drives."""
    folders = Folders()
    return {name for _, name, _ in _drives(_raw_root(path, folders), folders)}


def raw_frames(
    path: Path,
    name: str,
    split: str | None,
    stereo: bool,
    depth: str,
    folders: Folders,
    hold_out: float = 0.0,
) -> tuple[list[Frame], int, str]:
    """Returns the frames of a list of KITTI raw, whether their files exist or not.

    Args:
        path: the data folder.
        name: a list, a csv file or a folder of them, or "all".
        split: None: the test frames if the list has any, otherwise all.
        stereo: frames also need the right image and a calibration.
        depth: "lidar", "lidar_x", "annotated" or "none".
        folders: the files that exist.
        hold_out: for "all" and a csv file, the part of the drives kept for validation.

    Returns:
        The frames whose depth KITTI has; the number of others in the list; and what was held out,
        such as "2 of 10 drives", or "".

    Raises:
        InputError: no folder, or more than one, looks like KITTI raw; KITTI has no such depth of
            any frame; a right image is named as the left one of a stereo pair.
    """
    root = _raw_root(path, folders)
    annotated = _annotated_drives(path, folders) if depth == "annotated" else {}
    frames = []
    chosen = _found(root, folders) if name == "all" else _listed(name, split)
    held_out = ""
    if not has_splits(name) and split:
        chosen, held_out = _part(chosen, split, hold_out, path)
    measured = lists.with_depth(chosen, depth)
    if chosen and not measured:
        raise InputError(
            f"KITTI list {name}: KITTI has no {depth} depth of any of its {len(chosen)} frames; "
            "choose other frames, or another data.depth"
        )
    for listed in measured:
        date, number, side, picture = listed
        if stereo and side == "r":
            raise InputError(
                f"KITTI list {name}: {date}, drive {number:04d} names right pictures; a stereo "
                "pair is named by its left one: use list=eigen or list=kitti"
            )
        frames.append(_raw_frame(root, listed, stereo, depth, folders, annotated))
    return frames, len(chosen) - len(measured), held_out


def _raw_root(path: Path, folders: Folders) -> str:
    return _root(
        path,
        folders,
        "KITTI raw, i.e. dates such as 2011_09_26",
        lambda folder: any(map(_DATE.fullmatch, folders[folder])),
    )


def _listed(name: str, split: str | None) -> list[lists.Frame]:
    if ending(name) == ".csv":
        return lists.load(name, "")
    known = lists.splits(name)
    if split is None and "test" not in known:
        # A user's training and validation frames may be the same.
        return [*dict.fromkeys(f for part in known for f in lists.load(name, part))]
    return lists.load(name, split or "test")


def _part(
    frames: list[lists.Frame], split: str, hold_out: float, path: Path
) -> tuple[list[lists.Frame], str]:
    """Returns the frames of the drives that are held out, or of the others; and what is."""
    if split == "test":
        raise NoSplit(
            f"{path}: a csv file and list=all have no test frames of their own; leave out the"
            " split to take all, or let list be a folder with test.csv"
        )
    if not hold_out:
        raise NoSplit(
            f"{path}: a csv file and list=all have no split of their own; keep some drives for"
            " validation: --set data.hold_out=0.1"
        )
    drives = [f"{frame.date}/{frame.drive:04d}" for frame in frames]
    held, how = choose_held_out(drives, hold_out, path, "drives")
    wanted = split == "validation"
    return [frame for frame, out in zip(frames, held, strict=True) if out == wanted], how


def _found(root: str, folders: Folders) -> list[lists.Frame]:
    """Returns every left picture of KITTI raw's folder."""
    frames = []
    check_links(Path(root, date) for date in folders[root] if _DATE.fullmatch(date))
    for date, name, number in _drives(root, folders):
        data = Path(root, date, name, "image_02/data")
        check_links([data.parent.parent, data.parent, data])  # a lost drive would be frames less
        stems = _stems(folders[str(data)])
        frames += [lists.Frame(date, number, "l", int(stem)) for stem in stems]
    return frames


def _drives(root: str, folders: Folders) -> Iterator[tuple[str, str, int]]:
    """Yields date, folder and number of the drives that are there."""
    for date in sorted(filter(_DATE.fullmatch, folders[root])):
        for name in sorted(folders[f"{root}/{date}"]):
            if drive := _DRIVE.fullmatch(name):
                yield date, name, int(drive[1])


def _annotated_drives(path: Path, folders: Folders) -> dict[str, str]:
    """Returns the folder of each drive's annotated depth."""

    def drives(root: str) -> dict[str, str]:
        return {
            name: f"{root}/{part}/{name}"
            for part in ("train", "val")
            for name in folders[f"{root}/{part}"]
            if _DRIVE.fullmatch(name)
            and "groundtruth" in folders[f"{root}/{part}/{name}/proj_depth"]
        }

    sought = "annotated depth, {train,val}/<drive>/proj_depth/groundtruth"
    roots = _roots(path, folders, sought, lambda root: bool(drives(root)))
    return {drive: folder for root in roots for drive, folder in drives(root).items()}


def _raw_frame(
    root: str,
    listed: lists.Frame,
    stereo: bool,
    depth: str,
    folders: Folders,
    annotated: dict[str, str],
) -> Frame:
    date, number, side, picture = listed
    stem, camera = f"{picture:010d}", {"l": "image_02", "r": "image_03"}[side]
    name = f"{date}_drive_{number:04d}_sync"
    drive = f"{root}/{date}/{name}"
    measured = ""
    calibration = [f"{root}/{date}/calib_cam_to_cam.txt"] if stereo else []
    if depth in ("lidar", "lidar_x"):
        measured = f"{drive}/velodyne_points/data/{stem}.bin"
        calibration = [f"{root}/{date}/calib_{file}_to_cam.txt" for file in ("cam", "velo")]
    elif depth == "annotated":
        # For a drive without one, name the place where it would be, beside another drive.
        beside = os.path.dirname(next(iter(annotated.values())))
        place = annotated.get(name, f"{beside}/{name}")
        measured = f"{place}/proj_depth/groundtruth/{camera}/{stem}.png"
    return Frame(
        key=f"{date}/{name}/{camera}/{stem}",
        side=side,
        drive=drive,
        picture=_picture(folders, f"{drive}/{camera}/data", stem),
        right=_picture(folders, f"{drive}/image_03/data", stem) if stereo else "",
        depth=folders.find(measured) or measured,
        calibration=tuple(folders.find(file) or file for file in calibration),
        camera=folders.find(f"{root}/{date}/calib_cam_to_cam.txt") or "",
    )


class _Benchmark(NamedTuple):
    """Names the folders in training/.

    frames: how many it was published with.
    scenes: a frame is the first image, _10, of a numbered scene; else each image is one.
    """

    left: str
    right: str
    depth: str
    ending: str
    calibration: str
    frames: int
    scenes: bool = True


BENCHMARKS = {
    "stereo2015": _Benchmark("image_2", "image_3", "disp_noc_0", ".png", "calib_cam_to_cam", 200),
    "stereo2012": _Benchmark("colored_0", "colored_1", "disp_noc", ".png", "calib", 194),
    "object": _Benchmark("image_2", "image_3", "velodyne", ".bin", "calib", 7_481, scenes=False),
}


def benchmark_frames(
    path: Path, name: str, stereo: bool, depth: str, folders: Folders
) -> Iterator[Frame]:
    """Yields the frames of a benchmark's training set, whether their files exist or not.

    Args:
        path: the data folder.
        name: one of `BENCHMARKS`.
        stereo: frames also need the right image.
        depth: "none" if frames need none.
        folders: the files that exist.

    Raises:
        InputError: no folder, or more than one, looks like the benchmark.
    """
    benchmark = BENCHMARKS[name]
    root = _root(
        path,
        folders,
        f"KITTI {name}, i.e. training/{benchmark.left} with training/{benchmark.depth}",
        lambda folder: {benchmark.left, benchmark.depth} <= folders[f"{folder}/training"],
    )
    training = f"{root}/training"
    if benchmark.scenes:
        # The second image of a scene, _11, has no disparity.
        stems = [f"{number:06d}_10" for number in range(benchmark.frames)]
    else:
        stems = _stems(folders[f"{training}/{benchmark.left}"])
    for stem in stems:
        measured = f"{training}/{benchmark.depth}/{stem}{benchmark.ending}"
        calibration = f"{training}/{benchmark.calibration}/{stem[:6]}.txt"
        yield Frame(
            key=f"training/{benchmark.left}/{stem}",
            side="l",
            drive="",
            picture=_picture(folders, f"{training}/{benchmark.left}", stem),
            right=_picture(folders, f"{training}/{benchmark.right}", stem) if stereo else "",
            depth=(folders.find(measured) or measured) if depth != "none" else "",
            calibration=(folders.find(calibration) or calibration,)
            if stereo or depth != "none"
            else (),
            camera=folders.find(calibration) or "",
        )


def _stems(names: Iterable[str]) -> list[str]:
    """Returns the numbers of the images among the files, each once."""
    return sorted({picture[1] for name in names if (picture := _PICTURE.fullmatch(name))})


def _picture(folders: Folders, folder: str, stem: str) -> str:
    """Returns the file of an image: .png as published, or the .jpg that many convert it to."""
    png, jpg = (f"{folder}/{stem}{suffix}" for suffix in (".png", ".jpg"))
    return folders.find(png) or folders.find(jpg) or png


def _roots(path: Path, folders: Folders, sought: str, wanted: Callable[[str], bool]) -> list[str]:
    """Finds the roots of a data set: `path` itself, or else folders in it.

    Args:
        path: where to look.
        folders: what is in each folder.
        sought: what a root is, for the message.
        wanted: tells whether a folder is a root.

    Raises:
        InputError: there is none.
    """
    if wanted(str(path)):
        return [str(path)]
    found = [f"{path}/{name}" for name in sorted(folders[str(path)]) if wanted(f"{path}/{name}")]
    if not found:
        raise InputError(
            f"{path}: looked here and one folder down for {sought} and found none; give the "
            "folder that holds it"
        )
    return found


def _root(path: Path, folders: Folders, sought: str, wanted: Callable[[str], bool]) -> str:
    """Finds the only root of a data set, see `_roots`.

    Raises:
        InputError: there is none, or more than one.
    """
    found = _roots(path, folders, sought, wanted)
    if len(found) > 1:
        raise InputError(f"{path}: found {sought}, in {', '.join(found)}; give one of these")
    return found[0]
