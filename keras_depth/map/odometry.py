"""Visual odometry: where a camera was, by sparse points and the depth of keyframes.

Corners of a keyframe are followed by optical flow. Where they are in space, which the keyframe's
depth says, and where they are seen give the camera's pose. The depth of other frames is not used:
predicted depth, whose scale changes from frame to frame, would otherwise enter each step. Where
flow fails, a keyframe is recognized by ORB features, and its corners are followed on.

Where the view is that of an earlier keyframe, the camera has come back: it goes on from that one.
The poses before are left as they are, so that the path has a step where drift is made good.

A frame without a pose is lost. The camera stays lost until a frame matches a keyframe: the motion
in between is not known, so that a new start would put the rest of the map in a wrong place.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.geometry import Intrinsics
from keras_depth.map.keyframes import Keyframe, Keyframes
from keras_depth.map.pnp import FEWEST, find_pose, invert, lift, move, project

_CORNERS = 400
_APART = 7  # pixels between corners
_WEAKEST = 5e-4  # of the strongest corner: a plain wall has some too, where there is texture at all
_FOLLOWED = 0.5  # of the keyframe's points; when fewer are left, the frame is the next keyframe
_TURN = 15.0  # degrees since the keyframe, likewise
_MOVE = 0.1  # of the distance of the points, likewise
_NEAR = 0.5  # of these two: an earlier keyframe that near is gone on from
# The part of a correction of scale, in its logarithm, that a keyframe takes over. With all of it,
# the first keyframe's scale would be handed on for ever, and drift; the rest is the network's own.
_TAKEN = 0.7
_DRIFT = 0.7  # pixels by which a point may miss its start when it is followed back
_WINDOW = (15, 15)  # pixels around a point that are compared
_LEVELS = 3  # of the pyramid, above the picture
_ENOUGH = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)
_TEXTURE = 3e-5  # the least eigenvalue of a window's gradients
_ALIKE = 0.8  # of a window's contrast; windows that differ more show a sensor's noise


class Located(NamedTuple):
    """Says where a frame was taken.

    pose: float64 (4, 4), camera to world, metres; the world is the first located camera.
    keyframe: the frame has become a keyframe.
    relocalized: flow had failed, and a keyframe was recognized.
    """

    pose: np.ndarray
    keyframe: bool
    relocalized: bool


class Odometry:
    """Locates the frames of a camera one after the other; its memory does not grow.

    Args:
        intrinsics: of the pictures.
        keyframe_scale: scale the depth of each keyframe to agree with the one before, by the median
            of the points that both see; for depth whose scale changes from frame to frame.
    """

    def __init__(self, intrinsics: Intrinsics, keyframe_scale: bool = False):
        self._intrinsics = intrinsics
        self._keyframe_scale = keyframe_scale
        self._keyframes = Keyframes(intrinsics)
        self._keyframe: Keyframe | None = None
        self._before = np.empty((0, 0), np.uint8)  # the last picture
        # The keyframe's corners that are still followed: where they are in space, in the
        # keyframe's camera; seen in the last picture; and from its camera. Empty: lost.
        self._points = np.empty((0, 3))
        self._pixels = np.empty((0, 2), np.float32)
        self._here = np.empty((0, 3))

    def __call__(self, gray: np.ndarray, depth: Callable[[], np.ndarray]) -> Located | None:
        """Locates the next frame.

        Args:
            gray: uint8 (H, W).
            depth: returns the frame's depth, (h, w) metres, 0 = none; called for keyframes alone.

        Returns:
            Where it was taken; None: lost.
        """
        if self._keyframe is None:
            begun = self._set_keyframe(gray, depth(), np.eye(4))
            return Located(np.eye(4), True, False) if begun else None
        pose = self._follow(gray, self._pixels)
        relocalized = pose is None
        if pose is None:
            pose = self._recognize(gray)
        if pose is None:
            return None
        if not self._is_far(pose):
            return Located(pose, False, relocalized)
        revisited = self._revisit(gray, pose)
        if revisited is not None:
            return Located(revisited, False, relocalized)
        return Located(pose, self._set_keyframe(gray, depth(), pose), relocalized)

    def _follow(self, gray: np.ndarray, guess: np.ndarray) -> np.ndarray | None:
        """Returns the frame's pose by optical flow, and keeps the points that agree with it.

        Args:
            gray: the frame.
            guess: float32 (N, 2), near where the points are seen in it.
        """
        if self._keyframe is None or len(self._points) < FEWEST:
            return None
        found = self._flow_to(gray, guess)
        if found is None or len(found[1]) < _FOLLOWED * len(self._points):
            # As when the exposure has changed.
            other = self._flow_to(_expose_like(self._before, gray), guess)
            found = max(filter(None, (found, other)), key=lambda each: len(each[1]), default=None)
        if found is None:
            self._points, self._here = self._points[:0], self._here[:0]
            return None
        to_camera, self._points, self._pixels = found
        self._before, self._here = gray, move(to_camera, self._points)
        return self._keyframe.pose @ invert(to_camera)

    def _flow_to(
        self, gray: np.ndarray, guess: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Returns what takes the points to a frame's camera, and the points and pixels that agree.

        None: too few do.
        """
        start = self._pixels
        ends, went, differ = _flow(self._before, gray, start, guess)
        back, came, _ = _flow(gray, self._before, ends, start)
        height, width = gray.shape
        good = went & came & (differ < _ALIKE * _contrast(self._before, start))
        good &= (np.abs(back - start) < _DRIFT).all(axis=1)
        good &= ((ends >= 0) & (ends <= (width - 1, height - 1))).all(axis=1)
        points, pixels = self._points[good], ends[good]
        found = find_pose(points, pixels, self._intrinsics)
        return found and (found[0], points[found[1]], pixels[found[1]])

    def _recognize(self, gray: np.ndarray) -> np.ndarray | None:
        """Returns the frame's pose by a keyframe that it resembles, and goes on from that.

        ORB features are less exact than flow, so they only say where its corners may be now.
        """
        found = self._keyframes.find(gray)
        if found is None:
            return None
        return self._go_on_from(*found, gray)

    def _revisit(self, gray: np.ndarray, pose: np.ndarray) -> np.ndarray | None:
        """Goes on from an earlier keyframe that has nearly this view, if there is one.

        So a camera that comes back neither drifts further nor maps the place once more.

        Returns:
            The pose by that keyframe; None: there is none, and all is as before.
        """
        before = self._keyframe, self._before, self._pixels, self._points, self._here
        found = None
        metres = _NEAR * _MOVE * float(np.median(self._here[:, 2]))
        if known := self._keyframes.near(pose, metres, _NEAR * _TURN):
            found = self._go_on_from(known, invert(pose) @ known.pose, gray)
        elif match := self._keyframes.find(gray, latest=False):
            found = self._go_on_from(*match, gray)
        if found is None or self._is_far(found):
            self._keyframe, self._before, self._pixels, self._points, self._here = before
            return None
        return found

    def _go_on_from(
        self, keyframe: Keyframe, to_camera: np.ndarray, gray: np.ndarray
    ) -> np.ndarray | None:
        """Returns a frame's pose by flow from a keyframe, whose points `to_camera` takes to it."""
        self._keyframe, self._before = keyframe, keyframe.gray
        self._pixels, self._points = keyframe.corners, keyframe.points
        seen = project(move(to_camera, self._points), self._intrinsics)
        return self._follow(gray, seen.astype(np.float32))

    def _is_far(self, pose: np.ndarray) -> bool:
        """Tells whether a frame, which was followed, is far enough from its keyframe."""
        assert self._keyframe
        step = invert(self._keyframe.pose) @ pose
        turn = np.degrees(np.linalg.norm(cv2.Rodrigues(step[:3, :3])[0]))
        move = np.linalg.norm(step[:3, 3]) / np.median(self._points[:, 2])
        few = len(self._points) < _FOLLOWED * len(self._keyframe.points)
        return bool(few or turn > _TURN or move > _MOVE)

    def _set_keyframe(self, gray: np.ndarray, depth: np.ndarray, pose: np.ndarray) -> bool:
        """Makes a frame the keyframe; returns False where too few corners have depth."""
        corners = cv2.goodFeaturesToTrack(gray, _CORNERS, _WEAKEST, _APART)
        if corners is None:
            return False
        pixels = corners.reshape(-1, 2)
        depth = depth * np.float32(self._fit_scale(depth) ** _TAKEN)
        points, there = lift(pixels, gray.shape[:2], depth, self._intrinsics)
        if np.count_nonzero(there) < FEWEST:
            return False
        self._keyframe = Keyframe(gray, pose, pixels[there], points[there])
        self._keyframes.add(self._keyframe, depth)
        self._before, self._pixels = gray, self._keyframe.corners
        self._points = self._here = self._keyframe.points
        return True

    def _fit_scale(self, depth: np.ndarray) -> float:
        """Returns what the last located frame's depth is multiplied by to suit its keyframe."""
        if not self._keyframe_scale or len(self._here) < FEWEST:
            return 1.0
        # Triangulated depth in the place of that moved from the keyframe was tried: no better.
        own, there = lift(self._pixels, self._before.shape[:2], depth, self._intrinsics)
        if np.count_nonzero(there) < FEWEST:
            return 1.0
        return float(np.median(self._here[there, 2] / own[there, 2]))


def _flow(
    before: np.ndarray, after: np.ndarray, start: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follows points from a picture to another, by Lucas and Kanade's method on pyramids.

    Returns:
        float32 (N, 2), where they are; boolean (N,), whether they were found; and float32 (N,), by
        how many gray levels their windows differ in the mean.
    """
    ends, found, differ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        start,
        guess.copy(),
        winSize=_WINDOW,
        maxLevel=_LEVELS,
        criteria=_ENOUGH,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=_TEXTURE,
    )
    return np.asarray(ends), np.asarray(found).ravel() == 1, np.asarray(differ).ravel()


def _expose_like(before: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """Returns a picture with the mean and the deviation of the gray levels of the one before."""
    deviation = gray.std()
    gain = before.std() / deviation if deviation else 1
    levels = (np.arange(256) - gray.mean()) * gain + before.mean()
    return np.asarray(cv2.LUT(gray, np.rint(np.clip(levels, 0, 255)).astype(np.uint8)))


def _contrast(gray: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of gray levels in the windows around pixels, (N,)."""
    mean, square = (
        cv2.boxFilter(each, cv2.CV_32F, _WINDOW) for each in (gray, gray.astype(np.float32) ** 2)
    )
    x, y = np.rint(pixels).astype(int).T
    return np.sqrt(np.maximum(square[y, x] - mean[y, x] ** 2, 0))
