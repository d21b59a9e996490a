"""Maps a sequence: depth, odometry and fusion, frame by frame, each timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from keras_depth import images
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics, scale_intrinsics
from keras_depth.map.fusion import VoxelMap
from keras_depth.map.odometry import Odometry
from keras_depth.map.sequences import Frame
from keras_depth.map.trajectories import Trajectory

PARTS = ("network", "odometry", "fusion")
_SIDE = 640  # pixels of the longer side of the pictures that odometry works on, at most

Depth = Callable[[Frame], np.ndarray]


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
        keyframes, relocalized: how many there were.
        milliseconds: of each call, by its part of `PARTS`.
    """

    depth: Depth
    intrinsics: Intrinsics
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.cloud = VoxelMap(self.options.voxel, self.options.far)
        self.frames = self.keyframes = self.relocalized = 0
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

    def skip(self, frame: Frame) -> None:
        """Counts a frame as lost."""
        self.frames += 1
        self.lost.append((frame.number, frame.time))
