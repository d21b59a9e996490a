"""Relates a picture's pixels to points in space: by depth, and by the camera's pose (PnP).

Uses the functions of OpenCV that versions 4 and 5 share.
"""

import cv2
import numpy as np

from keras_depth.geometry import Intrinsics, measured

FEWEST = 20  # points that must agree on a pose
_AGREE = 2.0  # pixels between where a point is seen and where the pose puts it
_EXACT = 1.0  # likewise; the pose is refined by the points that agree so well
_ROUNDS = 3


def lift(
    pixels: np.ndarray, size: tuple[int, int], depth: np.ndarray, intrinsics: Intrinsics
) -> tuple[np.ndarray, np.ndarray]:
    """Looks up the points in space that pixels show.

    Args:
        pixels: (N, 2), x and y in the picture.
        size: (height, width) of the picture.
        depth: (h, w), metres, of the same view at any size.
        intrinsics: of the picture.

    Returns:
        float64 (N, 3), metres, x right, y down, z forward; and boolean (N,), where there is depth.
    """
    fx, fy, cx, cy = intrinsics
    height, width = depth.shape
    # Both show the same view up to their edges, half a pixel outside the centers of pixels.
    scale = np.array([width / size[1], height / size[0]])
    places = np.rint((pixels + 0.5) * scale - 0.5).astype(int)
    x, y = np.clip(places, 0, (width - 1, height - 1)).T
    z = depth[y, x].astype(np.float64)
    points = np.stack([(pixels[:, 0] - cx) / fx * z, (pixels[:, 1] - cy) / fy * z, z], axis=-1)
    return points, measured(z)


def find_pose(
    points: np.ndarray, pixels: np.ndarray, intrinsics: Intrinsics
) -> tuple[np.ndarray, np.ndarray] | None:
    """Finds the pose of a camera by points and where it sees them; some may be wrong.

    Args:
        points: float64 (N, 3).
        pixels: (N, 2), x and y.
        intrinsics: of the picture.

    Returns:
        float64 (4, 4), which takes the points to the camera; and the indices of those that agree.
        None: too few do.
    """
    if len(points) < FEWEST:
        return None
    fx, fy, cx, cy = intrinsics
    camera = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    pixels = np.asarray(pixels, np.float64)
    found, _, _, inliers = cv2.solvePnPRansac(
        points,
        pixels,
        camera,
        None,
        iterationsCount=100,
        reprojectionError=_AGREE,
        confidence=0.999,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or inliers is None or len(inliers) < FEWEST:
        return None
    # The pose that comes with the inliers is by EPnP, which on a plane may be metres off. SQPnP
    # is right there too.
    best = inliers.ravel()
    found, turn, shift = cv2.solvePnP(
        points[best], pixels[best], camera, None, flags=cv2.SOLVEPNP_SQPNP
    )
    if not found:
        return None
    for _ in range(_ROUNDS):
        turn, shift = cv2.solvePnPRefineLM(points[best], pixels[best], camera, None, turn, shift)
        transform = np.eye(4)
        transform[:3, :3], transform[:3, 3] = cv2.Rodrigues(turn)[0], shift.ravel()
        misses = np.linalg.norm(project(move(transform, points), intrinsics) - pixels, axis=1)
        exact = np.flatnonzero(misses < _EXACT)
        if len(exact) < FEWEST:
            break
        best = exact
    agree = np.flatnonzero(misses < _AGREE)  # none where a number is not finite
    return (transform, agree) if len(agree) >= FEWEST else None


def invert(transform: np.ndarray) -> np.ndarray:
    """Returns the inverse of a turn and a shift, (4, 4)."""
    inverse = np.eye(4)
    inverse[:3, :3] = transform[:3, :3].T
    inverse[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return inverse


def move(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Applies a turn and a shift, (4, 4), to points (N, 3)."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def project(points: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Returns where a camera sees points (N, 3): (N, 2), x and y in pixels."""
    fx, fy, cx, cy = intrinsics
    x, y, z = points.T
    z = np.maximum(z, 1e-6)  # behind the camera: somewhere far outside the picture
    return np.stack([x / z * fx + cx, y / z * fy + cy], axis=-1)
