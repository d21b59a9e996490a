"""Keeps keyframes by their ORB features, to locate a camera whose optical flow failed."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.geometry import Intrinsics
from keras_depth.map.pnp import find_pose, invert, lift

_KEPT = 128  # keyframes, 7 MB; when there are more, every second one is dropped
_TRIED = 8  # keyframes that one frame is compared with; the next frame goes on with others
_FEATURES = 800
_UNLIKE = 64  # of 256 bits; features that differ in more are different things
_RATIO = 0.8  # of the best match to the second best; where it is higher, either may be meant


class _Keyframe(NamedTuple):
    pose: np.ndarray  # float64 (4, 4), camera to world
    points: np.ndarray  # float64 (N, 3), metres, in the camera
    descriptors: np.ndarray  # uint8 (N, 32)


class Keyframes:
    """Keeps keyframes, a bounded number of them, spread over the whole way.

    Args:
        intrinsics: of the pictures.
    """

    def __init__(self, intrinsics: Intrinsics):
        self._intrinsics = intrinsics
        self._kept: list[_Keyframe] = []
        self._orb = cv2.ORB.create(_FEATURES, fastThreshold=7)  # 20 finds little indoors
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
        self._turn = 0

    def add(self, gray: np.ndarray, depth: np.ndarray, pose: np.ndarray) -> None:
        """Keeps a picture, uint8 (H, W), whose depth, (h, w) metres, and pose are known."""
        pixels, descriptors = self._detect(gray)
        points, there = lift(pixels, gray.shape[:2], depth, self._intrinsics)
        self._kept.append(_Keyframe(pose, points[there], descriptors[there]))
        if len(self._kept) > _KEPT:
            del self._kept[1:-1:2]

    def find(self, gray: np.ndarray) -> np.ndarray | None:
        """Returns the pose, camera to world, of a picture; None: it matches no keyframe tried.

        The latest keyframes are tried first, and others in turn from call to call.
        """
        pixels, descriptors = self._detect(gray)
        if len(pixels) < 2:
            return None
        recent, earlier = self._kept[-_TRIED // 2 :][::-1], self._kept[: -_TRIED // 2][::-1]
        count = min(len(earlier), _TRIED - _TRIED // 2)
        others = [earlier[(self._turn + i) % len(earlier)] for i in range(count)]
        self._turn += count
        for keyframe in recent + others:
            if len(keyframe.descriptors) < 2:
                continue
            pairs = self._matcher.knnMatch(descriptors, keyframe.descriptors, k=2)
            good = [
                best
                for best, second in pairs
                if best.distance < min(_UNLIKE, _RATIO * second.distance)
            ]
            points = keyframe.points[[match.trainIdx for match in good]]
            seen = pixels[[match.queryIdx for match in good]]
            if good and (found := find_pose(points, seen, self._intrinsics)):
                self._turn = 0
                return keyframe.pose @ invert(found[0])
        return None

    def _detect(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns float64 (N, 2) pixels and uint8 (N, 32) descriptors."""
        points, descriptors = self._orb.detectAndCompute(gray, None)
        if descriptors is None:
            return np.empty((0, 2)), np.empty((0, 32), np.uint8)
        return np.array([point.pt for point in points], np.float64), descriptors
