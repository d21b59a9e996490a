"""Trajectories: reads, writes, associates, aligns and compares them.

A trajectory's file has the layout of the TUM RGB-D benchmark: `time tx ty tz qx qy qz qw` in each
line, seconds and metres, the pose from the camera's axes to the world's.

To compare an estimated trajectory with the true one:

    estimated, truth = associate(read("trajectory.txt"), read("groundtruth.txt"))
    aligned = align(estimated, truth, scale=False).apply(estimated)  # scale=True: Sim(3)
    absolute_error(aligned, truth).rmse  # metres

Sources: Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", PAMI 1991; Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems",
IROS 2012.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from keras_depth import files
from keras_depth.data.folders.recordings import TUM_MAX_DIFFERENCE, pair_times
from keras_depth.data.reader import read_bytes
from keras_depth.data.text_files import is_heading, lines
from keras_depth.errors import InputError, shown

_COLUMNS = "time tx ty tz qx qy qz qw"
_OFF_UNIT = 0.01  # a quaternion's length may differ from 1 by rounding, but not by more than this
FEWEST = 3  # poses that can be compared: any two trajectories of fewer agree


@dataclass(frozen=True)
class Trajectory:
    """Holds the poses of a camera.

    times: float64 (N,), seconds, growing. poses: float64 (N, 4, 4), camera (x right, y down, z
    forward) to world, metres.
    """

    times: np.ndarray
    poses: np.ndarray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def positions(self) -> np.ndarray:
        """The camera's positions: float64 (N, 3), metres."""
        return self.poses[:, :3, 3]

    def take(self, places: np.ndarray) -> "Trajectory":
        """Returns the poses at the given places, in their order."""
        return Trajectory(self.times[places], self.poses[places])


def read(path: str | Path) -> Trajectory:
    """Reads a trajectory in TUM's layout.

    Comments (#), blank lines and a heading are skipped; poses are sorted by time, and quaternions
    scaled to length 1.

    Raises:
        InputError: the file cannot be read, holds no pose, or a line is no pose.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the file of the true poses in it")
    rows: list[list[float]] = []
    for number, line in lines(read_bytes(path), str(path)):
        row = _numbers(line)
        if line.startswith("#") or (not rows and not row and is_heading(line.split())):
            continue
        _check_row(row, line, f"{path}, line {number}")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: holds no pose; give lines of '{_COLUMNS}'")
    table = np.array(sorted(rows, key=lambda row: row[0]))
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(table[:, 4:]).as_matrix()
    poses[:, :3, 3] = table[:, 1:4]
    return Trajectory(table[:, 0], poses)


def _numbers(line: str) -> list[float]:
    """Returns the numbers of a line; none if one of its words is no number."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _check_row(row: list[float], line: str, where: str) -> None:
    if len(row) == 12:
        raise InputError(
            f"{where}: twelve numbers, as KITTI's poses have; write them as '{_COLUMNS}'"
        )
    if len(row) != len(_COLUMNS.split()) or not np.isfinite(row).all():
        raise InputError(f"{where}: {shown(line)} is not '{_COLUMNS}', eight numbers; correct it")
    length = float(np.linalg.norm(row[4:]))
    if abs(length - 1) > _OFF_UNIT:
        raise InputError(
            f"{where}: the quaternion qx qy qz qw has length {length:.4g}, not 1; correct it, or"
            " the order of the columns"
        )


def write(path: str | Path, trajectory: Trajectory) -> None:
    """Writes a trajectory in TUM's layout; a file that exists is replaced.

    Raises:
        InputError: the file cannot be written.
    """
    quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat(canonical=True)
    table = np.column_stack([trajectory.positions, quaternions])
    text = f"# {_COLUMNS}, camera to world\n"
    for time, row in zip(trajectory.times, table, strict=True):
        text += f"{time:.6f} {' '.join(f'{number:.9f}' for number in row)}\n"
    files.write_text(Path(path), text)


def associate(estimated: Trajectory, truth: Trajectory) -> tuple[Trajectory, Trajectory]:
    """Returns the poses of both that were taken at the same time, less than 0.02 s apart.

    Each of a pair is the other's nearest, so that no pose is used twice.

    Raises:
        InputError: there are no such poses.
    """
    places, others = pair_times(estimated.times, truth.times).T
    if not len(places):
        spans = [
            f"{each.times[0]:.2f} to {each.times[-1]:.2f} s" if len(each) else "none"
            for each in (estimated, truth)
        ]
        raise InputError(
            f"no estimated pose ({spans[0]}) is within {TUM_MAX_DIFFERENCE} s of a true one"
            f" ({spans[1]}); give both in seconds of one clock"
        )
    return estimated.take(places), truth.take(others)


class Similarity(NamedTuple):
    """Maps a world to another: x -> scale * rotation @ x + translation.

    rotation: float64 (3, 3). translation: float64 (3,), metres. scale: 1 = a rigid motion.
    """

    rotation: np.ndarray
    translation: np.ndarray
    scale: float

    def apply(self, trajectory: Trajectory) -> Trajectory:
        """Returns the trajectory in the other world."""
        poses = trajectory.poses.copy()
        poses[:, :3, :3] = self.rotation @ poses[:, :3, :3]
        poses[:, :3, 3] = self.scale * trajectory.positions @ self.rotation.T + self.translation
        return Trajectory(trajectory.times, poses)


def align(estimated: Trajectory, truth: Trajectory, scale: bool) -> Similarity:
    """Returns what brings the estimated positions nearest to the true ones (Umeyama 1991).

    A camera that stands still, or moves on a line, leaves some of it open: then it is one of the
    solutions that are equally good, and the scale is 1 where one of the two stands still.

    Args:
        estimated, truth: associated poses, see `associate`.
        scale: whether the scale may differ from 1: a similarity, Sim(3), and not a motion, SE(3).

    Raises:
        InputError: there are fewer than 3 poses.
    """
    if len(estimated) < FEWEST:
        raise InputError(
            f"{len(estimated)} estimated poses have a true one; to compare trajectories takes"
            f" {FEWEST} or more"
        )
    source, target = estimated.positions, truth.positions
    source_mean, target_mean = source.mean(0), target.mean(0)
    source, target = source - source_mean, target - target_mean
    left, size, right = np.linalg.svd(target.T @ source / len(source))
    sign = np.array([1, 1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * sign @ right  # not a mirror image
    moves = _moves(source, source_mean) and _moves(target, target_mean)
    factor = float((size * sign).sum() / (source**2).sum(1).mean()) if scale and moves else 1.0
    return Similarity(rotation, target_mean - factor * rotation @ source_mean, factor)


def _moves(offsets: np.ndarray, mean: np.ndarray) -> bool:
    """Tells whether positions differ, by their offsets from the mean, (N, 3)."""
    # Rounding alone spreads positions by some 1e-16 of their distance from the origin.
    return bool((offsets**2).sum(1).mean() > (1e-12 * (1 + np.abs(mean).max())) ** 2)


class Errors(NamedTuple):
    """Summarizes the errors of poses, in metres or degrees."""

    rmse: float
    median: float
    max: float


def absolute_error(aligned: Trajectory, truth: Trajectory) -> Errors:
    """Returns the absolute pose error (APE): the distances of positions, in metres.

    Args:
        aligned, truth: associated poses in one world, see `align`.
    """
    return _summarize(np.linalg.norm(aligned.positions - truth.positions, axis=1))


def relative_error(aligned: Trajectory, truth: Trajectory, delta: int = 1) -> tuple[Errors, Errors]:
    """Returns the relative pose error (RPE): how wrong the motion over `delta` poses is.

    Args:
        aligned, truth: associated poses. Alignment changes the result by its scale alone.
        delta: poses from the start to the end of each motion; all starts count.

    Returns:
        Errors of translation in metres, and of rotation in degrees.

    Raises:
        InputError: `delta` is below 1, or there are no `delta` + 1 poses.
    """
    if not 1 <= delta < len(truth):
        raise InputError(f"delta={delta}: give 1 or more, and fewer than the {len(truth)} poses")
    motion, true_motion = (
        np.linalg.inv(poses[:-delta]) @ poses[delta:] for poses in (aligned.poses, truth.poses)
    )
    wrong = np.linalg.inv(true_motion) @ motion
    angles = Rotation.from_matrix(wrong[:, :3, :3]).magnitude()
    return _summarize(np.linalg.norm(wrong[:, :3, 3], axis=1)), _summarize(np.degrees(angles))


def _summarize(errors: np.ndarray) -> Errors:
    return Errors(
        float(np.sqrt(np.mean(errors**2))), float(np.median(errors)), float(np.max(errors))
    )
