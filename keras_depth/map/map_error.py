"""Compares a map with that of the true depth at the true poses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from keras_depth.data.folders.recordings import TUM_MAX_DIFFERENCE
from keras_depth.geometry import Intrinsics
from keras_depth.map.fusion import VoxelMap
from keras_depth.map.sequences import Frame
from keras_depth.map.trajectories import Trajectory

DISTANCES = (0.05, 0.10)  # metres of the F-scores


class MapError(NamedTuple):
    """Says how far a map is from the true one.

    accuracy: metres from a point of the map to the nearest true one, the mean of all.
    completeness: metres from a true point to the nearest one of the map, the mean of all.
    f_score: by distance: the harmonic mean of the shares of points, of the map and of the truth,
        that are nearer than that to the other.
    """

    accuracy: float
    completeness: float
    f_score: dict[float, float]


class Reference:
    """Builds the map of true depth at true poses, by the same fusion.

    It takes the frames that are in the map, so that both show the same places, and of those that
    are lost some too: the map lacks what they show.

    Args:
        truth: the poses, camera to world.
        intrinsics: of the pictures.
        voxel, far: see `VoxelMap`.

    Attributes:
        cloud: the map.
        mapped: how many of its frames are in the other map.
        unknown: how many more are there, and their true poses are not known.
    """

    def __init__(self, truth: Trajectory, intrinsics: Intrinsics, voxel: float, far: float):
        self._truth, self._intrinsics = truth, intrinsics
        self.cloud = VoxelMap(voxel, far)
        self.mapped = self.unknown = 0

    def add(self, frame: Frame, mapped: bool) -> None:
        """Adds a frame; one whose pose or depth is not known is passed over.

        Args:
            frame: the frame.
            mapped: it is in the other map.
        """
        if frame.image is None or frame.depth is None:
            return
        near = int(np.argmin(np.abs(self._truth.times - frame.time)))
        if abs(self._truth.times[near] - frame.time) >= TUM_MAX_DIFFERENCE:
            self.unknown += mapped
            return
        self.mapped += mapped
        pose = self._truth.poses[near]
        self.cloud.add(frame.image, frame.depth, self._intrinsics, pose)


def compare(points: np.ndarray, truth: np.ndarray) -> MapError | None:
    """Compares two clouds, (N, 3) and (M, 3) metres, in one world; None: one of them is empty."""
    if not len(points) or not len(truth):
        return None
    to_truth, _ = KDTree(truth).query(points)
    to_map, _ = KDTree(points).query(truth)
    scores = {}
    for distance in DISTANCES:
        precision, recall = (to_truth < distance).mean(), (to_map < distance).mean()
        total = precision + recall
        scores[distance] = float(2 * precision * recall / total) if total else 0.0
    return MapError(float(to_truth.mean()), float(to_map.mean()), scores)
