"""Fuses depth maps into one cloud of colored points: the averages in small cubes (voxels)."""

import cv2
import numpy as np

from keras_depth import images
from keras_depth.geometry import Intrinsics, back_project, measured, scale_intrinsics
from keras_depth.map.pnp import move

REACH = 1 << 20  # voxels on either side of the origin, in each direction: 21 bits
_MERGED = 300_000  # voxels of single frames that wait to be merged
_NEIGHBORS = np.ones((3, 3), np.uint8)
_STEEP = 0.1  # of the depth: where neighbors differ more, a blurred edge puts points in the air


class VoxelMap:
    """Keeps the mean position and color of what is seen in each voxel.

    Its memory grows with the space that is seen and not with the time: 36 bytes a voxel.

    Args:
        voxel: metres, the side of a voxel.
        far: metres along the optical axis; depth beyond is left out, being the least exact.
    """

    def __init__(self, voxel: float = 0.03, far: float = 6.0):
        self._voxel, self._far = voxel, far
        self._keys = np.empty(0, np.int64)  # sorted
        # Of each voxel, sums: metres from its corner (x, y, z), color (r, g, b), points.
        self._sums = np.empty((0, 7), np.float32)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []  # keys and sums of single frames

    def add(
        self, image: np.ndarray, depth: np.ndarray, intrinsics: Intrinsics, pose: np.ndarray
    ) -> None:
        """Adds what a frame shows.

        Args:
            image: uint8 RGB (H, W, 3).
            depth: (h, w) of the same view, metres, 0 = none.
            intrinsics: of the image.
            pose: (4, 4), camera to world.
        """
        depth = np.where((depth < self._far) & ~_edges(depth), depth, np.float32(0))
        camera = scale_intrinsics(intrinsics, image.shape[:2], depth.shape)
        points = move(pose, back_project(depth, camera).astype(np.float64))
        colors = images.resize(image, depth.shape)[measured(depth)]
        cells = np.floor(points / self._voxel)
        near = (np.abs(cells) < REACH).all(axis=1)
        points, colors, cells = points[near], colors[near], cells[near]
        if not len(points):
            return
        x, y, z = (cells.astype(np.int64) + REACH).T
        values = np.ones((len(points), 7), np.float32)
        values[:, :3], values[:, 3:6] = points - cells * self._voxel, colors
        self._waiting.append(_add_equal(x << 42 | y << 21 | z, values))
        if sum(len(keys) for keys, _ in self._waiting) > max(_MERGED, len(self._keys) // 2):
            self._merge()

    def cloud(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the points and their colors.

        Returns:
            float32 (N, 3), metres, in the world of the poses; uint8 (N, 3), RGB.
        """
        self._merge()
        keys, sums = self._keys, self._sums
        mask = 2 * REACH - 1
        cells = np.stack([keys >> 42, keys >> 21 & mask, keys & mask], axis=-1) - REACH
        means = sums[:, :6] / sums[:, 6:7]
        points = cells * self._voxel + means[:, :3]
        return points.astype(np.float32), np.rint(means[:, 3:]).astype(np.uint8)

    def _merge(self) -> None:
        parts = [(self._keys, self._sums), *self._waiting]
        keys, sums = (np.concatenate(each) for each in zip(*parts, strict=True))
        self._keys, self._sums = _add_equal(keys, sums)
        self._waiting = []


def _edges(depth: np.ndarray) -> np.ndarray:
    """Returns where a neighbor's depth differs much, or there is none: boolean (H, W)."""
    near, far = cv2.erode(depth, _NEIGHBORS), cv2.dilate(depth, _NEIGHBORS)
    return far - near > _STEEP * near


def _add_equal(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sorted keys without repetition, and the sums of the values of equal ones."""
    # A stable sort takes advantage of parts that are sorted already.
    if not len(keys):
        return keys, values
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[starts], np.add.reduceat(values[order], starts)
