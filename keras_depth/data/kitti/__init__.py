"""Reads KITTI: frames of the raw recordings by a list, and three of the benchmarks.

| list | what is stored as depth | metres |
|---|---|---|
| of KITTI raw, "all" | a LiDAR scan, or a 16-bit picture | z of its points, or uint16 / 256 |
| object | a LiDAR scan | z of its points |
| stereo2015, stereo2012 | disparity, uint16 / 256 pixels | focal_baseline / disparity |

Every depth is sparse, 0 = not measured: about 4 % of the pixels with one scan, 20 % annotated.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_depth import depth_png
from keras_depth.data.kitti import lists
from keras_depth.data.kitti.calibration import Calibration, read_calibration
from keras_depth.data.kitti.files import BENCHMARKS, Frame, benchmark_frames, has_splits, raw_frames
from keras_depth.data.kitti.lidar import depth_map, read_points
from keras_depth.data.reader import (
    Reader,
    Sample,
    check_split,
    make_sample,
    read_bytes,
    read_picture,
)
from keras_depth.data.splits import check_hold_out, check_max_missing, describe_missing
from keras_depth.errors import InputError, unknown_name
from keras_depth.listing import Folders, ending

_TITLES = {
    "lidar": "LiDAR",
    "lidar_x": "LiDAR (its own x)",
    "annotated": "annotated depth",
    "disparity": "depth of its disparity",
    "none": "no depth",
}
# Values of the argument `depth`, by list -> the kind of file that it means.
_RAW = {"lidar": "lidar", "lidar_x": "lidar_x", "annotated": "annotated", "none": "none"}
_BENCHMARK = {
    "object": {"lidar": "lidar", "lidar_x": "lidar_x", "none": "none"},
    "stereo2015": {"lidar": "disparity", "none": "none"},
    "stereo2012": {"lidar": "disparity", "none": "none"},
}


def open_kitti(
    data_dir: str | Path,
    split: str | None = None,
    *,
    list: str | Path = "eigen",
    stereo: bool = False,
    depth: str = "lidar",
    max_missing: float = 0.02,
    hold_out: float = 0.0,
) -> "KittiReader":
    """Opens frames of KITTI; those that lack a file are left out, see `Reader.missing`.

    Args:
        data_dir: the folder that holds the data, or the one above it.
        split: "train", "validation", "test", or None: the test frames if the list has any,
            otherwise all frames. The benchmarks are not split.
        list: of KITTI raw: one of `kitti.lists.LISTS`, a csv file like them, a folder of train.csv,
            validation.csv and test.csv or some of them, or "all" for every left image there; or a
            benchmark's training set: "stereo2015", "stereo2012", "object".
        stereo: samples also hold the right picture and `focal_baseline`.
        depth: the kind of depth. Frames for which KITTI has none of this kind are left out, and the
            description counts them: 45 of Eigen's 697, for example, have no annotated depth;
            list="eigen_benchmark" has the other 652.
            "lidar": distance along the camera's axis of the points of a scan or, in the stereo
            benchmarks, of the published disparity.
            "lidar_x": distance along the scanner's own axis, which the published scores on Eigen's
            test frames use.
            "annotated": ground truth of the depth benchmark, accumulated over several scans; for
            KITTI raw alone.
            "none": 0 everywhere.
        max_missing: the share of the list's other frames, 0 to 1, that may lack files.
        hold_out: the part of the drives of "all" or of a csv file that "train" leaves to
            "validation": whole ones, or the last frames of a single one. The other lists have
            validation frames of their own.

    Raises:
        InputError: an unknown name, other data in the folder, or too many frames left out.
    """
    path, name = Path(data_dir).expanduser(), str(list)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the one that holds KITTI")
    check_split(split)
    kind = _kind(name, depth)
    check_max_missing(max_missing)
    check_hold_out(hold_out)
    if hold_out and (has_splits(name) or name in BENCHMARKS):
        raise InputError(f"KITTI list {name} has its own split; leave out data.hold_out")

    title, folders = f"KITTI {name}", Folders()
    if has_splits(name):
        split = split or ("test" if "test" in lists.splits(name) else None)
        title += f", {split or 'all splits'}"
    if name in BENCHMARKS:
        frames, without = [*benchmark_frames(path, name, stereo, kind, folders)], 0
    else:
        frames, without, held_out = raw_frames(path, name, split, stereo, kind, folders, hold_out)
        title += f", {split} ({held_out} held out)" if held_out else ""
    if not frames:
        raise InputError(f"{path}: {title}: there is no picture; give the folder that holds them")
    absent = [next((f for f in frame.files() if not folders.find(f)), "") for frame in frames]
    kept = [frame for frame, file in zip(frames, absent, strict=True) if not file]
    missing = [file for file in absent if file]
    drives = _absent_drives(frames, folders) if missing else ""
    lack = describe_missing(f"{path}: {title}", len(kept), missing, max_missing, detail=drives)
    description = f"{title}, {_TITLES[kind]}: {len(kept)} frames from {path}"
    if without:
        what = "annotated depth" if kind == "annotated" else "LiDAR scan"
        description += f"; {without} of {len(frames) + without} frames have no {what}"
    return KittiReader(kept, kind, stereo, description + lack, missing)


def _kind(name: str, depth: str) -> str:
    """Returns the kind of file that holds the depth of a list, see `KittiReader`."""
    known = (*lists.LISTS, "all", *BENCHMARKS)
    if name not in known and not has_splits(name) and ending(name) != ".csv":
        raise unknown_name("KITTI list", name, known)
    kinds = _BENCHMARK.get(name, _RAW)
    if depth not in kinds:
        raise unknown_name(f"depth of KITTI list {name}", depth, kinds)
    return kinds[depth]


def _absent_drives(frames: Sequence[Frame], folders: Folders) -> str:
    """Names the drives of the frames that have no folder; "" if all have."""
    drives = {frame.drive for frame in frames if frame.drive}
    absent = sorted(os.path.basename(drive) for drive in drives if not folders[drive])
    if not absent:
        return ""
    more = ", ..." if len(absent) > 5 else ""
    return f"{len(absent)} of {len(drives)} drives are not there: {', '.join(absent[:5])}{more}"


class KittiReader(Reader):
    """Reads frames whose files existed when it was opened.

    Args:
        frames: their files.
        depth: what the files hold: "lidar", "lidar_x", "annotated", "disparity" or "none".
        stereo, description, missing: see `Reader`.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        depth: str,
        stereo: bool,
        description: str,
        missing: Sequence[str],
    ):
        self._frames, self._depth = frames, depth
        self.stereo, self.description, self.missing = stereo, description, missing
        self.measured = depth != "none"
        # Two threads may read the same file; both store the same.
        self._calibrations: dict[tuple[str, ...], Calibration] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        return self._frames[index].picture

    def key(self, index: int) -> str:
        return self._frames[index].key

    def stored(self, index: int) -> Sample:
        frame = self._frames[index]
        rgb, orientation = read_picture(Path(frame.picture))
        size = rgb.shape[:2]
        metres, focal_length = self._metres(frame, size), self._focal_length(frame, size)
        if not frame.right:
            return make_sample(
                rgb, metres, frame.picture, orientation=orientation, focal_length=focal_length
            )
        right = read_picture(Path(frame.right))
        focal_baseline = self._calibration(frame, size).focal_baseline
        turned = max(orientation, right.orientation)
        return make_sample(
            rgb,
            metres,
            frame.picture,
            right.rgb,
            focal_baseline,
            turned,
            focal_length=focal_length,
        )

    def _focal_length(self, frame: Frame, size: tuple[int, int]) -> tuple[float, float] | None:
        """Returns fx and fy; None where no file says them, or says them for another size."""
        files = frame.calibration or ((frame.camera,) if frame.camera else ())
        if not files:
            return None
        calibration = self._read_calibration(files)
        if self._depth != "disparity" and calibration.size not in (None, size):
            return None
        camera = calibration.intrinsics(frame.side)
        return camera.fx, camera.fy

    def _metres(self, frame: Frame, size: tuple[int, int]) -> np.ndarray:
        if self._depth == "none":
            return np.zeros(size, np.float32)
        if self._depth == "annotated":
            return _sixteen_bits(frame.depth)
        calibration = self._calibration(frame, size)
        if self._depth == "disparity":
            disparity = _sixteen_bits(frame.depth)
            metres = np.zeros_like(disparity)
            return np.divide(calibration.focal_baseline, disparity, metres, where=disparity > 0)
        projection = calibration.lidar_to_image(frame.side)
        value = "x" if self._depth == "lidar_x" else "z"
        return depth_map(read_points(frame.depth), projection, size, value)

    def _calibration(self, frame: Frame, size: tuple[int, int]) -> Calibration:
        calibration = self._read_calibration(frame.calibration)
        # `make_sample` refuses a disparity map of another size than the image.
        if self._depth != "disparity" and calibration.size not in (None, size):
            raise InputError(
                f"{frame.picture}: the picture is {size} but {calibration.file} is for"
                f" {calibration.size} (rows, columns); give the pictures at their own size"
            )
        return calibration

    def _read_calibration(self, files: tuple[str, ...]) -> Calibration:
        if files not in self._calibrations:
            self._calibrations[files] = read_calibration(*files)
        return self._calibrations[files]


def _sixteen_bits(file: str) -> np.ndarray:
    """Returns metres of an annotated depth map, or pixels of a disparity map: 256 steps to one."""
    return depth_png.decode(read_bytes(Path(file)), file, depth_png.KITTI)
