"""Keeps keyframes, and recognizes them by ORB features when optical flow has failed."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.geometry import Intrinsics
from keras_depth.map.pnp import find_pose, lift

_KEPT = 128  # keyframes, 20 MB of 320x240; when there are more, every second one is dropped
_TRIED = 8  # keyframes that one frame is compared with; the next frame goes on with others
_FEATURES = 800
_BORDER = 15  # pixels where there are none: half a feature's window
_UNLIKE = 64  # of 256 bits; features that differ in more are different things
_RATIO = 0.8  # of the best match to the second best; where it is higher, either may be meant


class Keyframe(NamedTuple):
    """Holds a picture whose depth and pose are known.

    gray: uint8 (H, W).
    pose: float64 (4, 4), camera to world.
    corners: float32 (N, 2), pixels, for optical flow.
    points: float64 (N, 3), metres, what the corners show, in the camera.
    """

    gray: np.ndarray
    pose: np.ndarray
    corners: np.ndarray
    points: np.ndarray


class _Features(NamedTuple):
    points: np.ndarray  # float64 (M, 3), metres, in the camera
    descriptors: np.ndarray  # uint8 (M, 32)


class Keyframes:
    """Keeps keyframes, a bounded number of them, spread over the whole way.

    Args:
        intrinsics: of the pictures.
    """

    def __init__(self, intrinsics: Intrinsics):
        self._intrinsics = intrinsics
        self._kept: list[tuple[Keyframe, _Features]] = []
        # By default, 20 and 31, it finds little indoors, and less in small pictures.
        self._orb = cv2.ORB.create(_FEATURES, fastThreshold=7, edgeThreshold=_BORDER)
        self._turn = 0  # of the earlier keyframes

    def add(self, keyframe: Keyframe, depth: np.ndarray) -> None:
        """Keeps a keyframe, whose depth is (h, w) metres."""
        pixels, descriptors = self._detect(keyframe.gray)
        points, there = lift(pixels, keyframe.gray.shape[:2], depth, self._intrinsics)
        self._kept.append((keyframe, _Features(points[there], descriptors[there])))
        if len(self._kept) > _KEPT:
            del self._kept[1:-1:2]

    def find(self, gray: np.ndarray, latest: bool = True) -> tuple[Keyframe, np.ndarray] | None:
        """Finds the keyframe that a picture has most in common with.

        Tries the latest keyframes, unless told otherwise, and others in turn from call to call.

        Returns:
            The keyframe, and what takes its points to the picture's camera, float64 (4, 4), to
            some pixels exactly; None: the picture matches none of those tried.
        """
        pixels, descriptors = self._detect(gray)
        most, best = 0, None
        for keyframe, features in self._choose(latest):
            pairs = _match(descriptors, features.descriptors)
            points = features.points[[there for _, there in pairs]]
            found = find_pose(points, pixels[[here for here, _ in pairs]], self._intrinsics)
            if found and len(found[1]) > most:
                most, best = len(found[1]), (keyframe, found[0])
        return best

    def near(self, pose: np.ndarray, metres: float, degrees: float) -> Keyframe | None:
        """Returns the keyframe nearest to a pose, at most so far and turned so much; or None."""
        poses = np.stack([keyframe.pose for keyframe, _ in self._kept])
        distances = np.linalg.norm(poses[:, :3, 3] - pose[:3, 3], axis=1)
        traces = np.einsum("nij,ij->n", poses[:, :3, :3], pose[:3, :3])
        near = (distances <= metres) & (traces >= 1 + 2 * np.cos(np.radians(degrees)))
        places = np.flatnonzero(near)
        return self._kept[places[np.argmin(distances[near])]][0] if len(places) else None

    def _choose(self, with_latest: bool) -> list[tuple[Keyframe, _Features]]:
        """Returns the keyframes to try: the latest, or none of them, and some of the others."""
        half = _TRIED // 2
        latest, earlier = self._kept[-half:], self._kept[:-half]
        count = min(len(earlier), half if with_latest else _TRIED)
        places = range(self._turn, self._turn + count)
        self._turn += count
        return latest * with_latest + [earlier[place % len(earlier)] for place in places]

    def _detect(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns float64 (N, 2) pixels and uint8 (N, 32) descriptors."""
        points, descriptors = self._orb.detectAndCompute(gray, None)
        if descriptors is None:
            return np.empty((0, 2)), np.empty((0, 32), np.uint8)
        return np.array([point.pt for point in points], np.float64), descriptors


def _match(these: np.ndarray, those: np.ndarray) -> list[tuple[int, int]]:
    """Returns the rows of two lists of descriptors that are alike, and like no others."""
    if len(these) == 0 or len(those) < 2:
        return []
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(these, those, k=2)
    return [
        (best.queryIdx, best.trainIdx)
        for best, second in pairs
        if best.distance < min(_UNLIKE, _RATIO * second.distance)
    ]
