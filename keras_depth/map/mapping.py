"""Maps a sequence: depth, odometry and fusion, frame by frame, each timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from keras_depth import images
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics, measured, scale_intrinsics
from keras_depth.map.fusion import VoxelMap
from keras_depth.map.odometry import Odometry
from keras_depth.map.sequences import Frame
from keras_depth.map.trajectories import Trajectory

PARTS = ("network", "odometry", "fusion")
_SIDE = 640  # pixels of the longer side of the pictures that odometry works on, at most

Depth = Callable[[Frame], np.ndarray]  # metres (h, w), at any size


@dataclass
class Options:
    """Says how to map.

    every: frames from one that is fused to the next; keyframes are fused too.
    voxel, far: metres, see `VoxelMap`.
    keyframe_scale: see `Odometry`.
    """

    every: int = 4
    voxel: float = 0.03
    far: float = 6.0
    keyframe_scale: bool = False


@dataclass
class Mapper:
    """Builds the map of a camera's frames, given one after the other.

    Args:
        depth: estimates a frame's depth, (h, w) metres, at any size; called for the frames alone
            that need it.
        intrinsics: of the pictures.
        options: how.

    Attributes:
        cloud: the map.
        lost: numbers and times of the frames without a pose.
        fused: whether the last frame is in the map.
        keyframes, relocalized: how many there were.
        unread: lost frames that cannot be read, or are of another size.
        without_depth: frames whose depth is 0, negative or no number everywhere.
        milliseconds: of each call, by its part of `PARTS`.
    """

    depth: Depth
    intrinsics: Intrinsics
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.cloud = VoxelMap(self.options.voxel, self.options.far)
        self.frames = self.keyframes = self.relocalized = self.without_depth = self.unread = 0
        self.fused = False
        self.lost: list[tuple[int, float]] = []
        self.milliseconds: dict[str, list[float]] = {part: [] for part in PARTS}
        self._times: list[float] = []
        self._poses: list[np.ndarray] = []
        self._size: tuple[int, int] | None = None
        self._odometry: Odometry | None = None

    @property
    def trajectory(self) -> Trajectory:
        """The poses of the frames that are not lost."""
        return Trajectory(np.array(self._times), np.array(self._poses).reshape(-1, 4, 4))

    def add(self, frame: Frame) -> np.ndarray | None:
        """Maps the next frame.

        Returns:
            Its pose, camera to world, float64 (4, 4); None: it is lost.

        Raises:
            InputError: the frame cannot be read, or is of another size than the first; it is
                counted as lost.
        """
        self.frames += 1
        self.fused = False
        self.unread += 1  # until it is read
        self.lost.append((frame.number, frame.time))  # until it is found
        if frame.image is None:
            raise frame.error or InputError(f"{frame.name}: has no picture")
        gray = self._prepare(frame.name, frame.image)
        self.unread -= 1
        depth = _Once(lambda: self._estimate(frame))
        assert self._odometry
        start = time.perf_counter()
        located = self._odometry(gray, depth)
        self._record("odometry", time.perf_counter() - start - depth.seconds)
        if located is None:
            return None
        self.lost.pop()
        self._times.append(frame.time)
        self._poses.append(located.pose)
        self.keyframes += located.keyframe
        self.relocalized += located.relocalized
        if located.keyframe or frame.number % self.options.every == 0:
            metres = depth()
            start = time.perf_counter()
            self.cloud.add(frame.image, metres, self.intrinsics, located.pose)
            self.fused = True
            self._record("fusion", time.perf_counter() - start)
        if depth.seconds:
            self._record("network", depth.seconds)
        return located.pose

    def _estimate(self, frame: Frame) -> np.ndarray:
        depth = self.depth(frame)
        self.without_depth += not measured(depth).any()
        return depth

    def _prepare(self, name: str, image: np.ndarray) -> np.ndarray:
        """Returns the gray picture for odometry, uint8, of a bounded size."""
        size = image.shape[:2]
        scale = min(1.0, _SIDE / max(size))
        small = round(size[0] * scale), round(size[1] * scale)
        if self._size is None:
            self._size = size
            self._odometry = Odometry(
                scale_intrinsics(self.intrinsics, size, small), self.options.keyframe_scale
            )
        if size != self._size:
            raise InputError(
                f"{name}: the picture is {size}, and the first one {self._size} (rows,"
                " columns); give pictures of one camera, all of one size"
            )
        return cv2.cvtColor(images.to_uint8(images.resize(image, small)), cv2.COLOR_RGB2GRAY)

    def _record(self, part: str, seconds: float) -> None:
        self.milliseconds[part].append(1000 * seconds)


class _Once:
    """Computes a frame's depth when it is first asked for, and keeps it and the time it took."""

    def __init__(self, compute: Callable[[], np.ndarray]):
        self.seconds = 0.0
        self._compute = compute
        self._depth: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        if self._depth is None:
            start = time.perf_counter()
            self._depth = self._compute()
            self.seconds = time.perf_counter() - start
        return self._depth
