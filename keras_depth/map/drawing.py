"""Draws a map as seen from above, with the camera's path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from scipy.spatial import KDTree

from keras_depth.files import write_figure
from keras_depth.map.trajectories import Trajectory

if TYPE_CHECKING:  # matplotlib is imported where it is used: `--help` should not wait for it
    from matplotlib.axes import Axes

_OVERHEAD = 0.3  # metres above the camera: what is higher, such as a ceiling, would hide the rest
_CELLS = 500  # of the picture, from side to side, at most
_SAMPLE = 4000  # points whose normals tell where up is
_NEIGHBORS = 16  # points that a normal is computed from


def draw_above(
    points: np.ndarray,
    colors: np.ndarray,
    path: Path,
    trajectory: Trajectory,
    truth: Trajectory | None = None,
) -> None:
    """Draws a map from above; the first camera looks up in the picture.

    Args:
        points: (N, 3), metres.
        colors: uint8 RGB (N, 3).
        path: the picture file to write, 1000 pixels wide.
        trajectory: poses of the camera in the world of the points.
        truth: its true poses there, as far as they are known.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure((10, 10), dpi=100, layout="constrained")
    draw_map(figure.subplots(), points, colors, trajectory, truth)
    write_figure(figure, path)


def draw_map(
    axes: Axes,
    points: np.ndarray,
    colors: np.ndarray,
    trajectory: Trajectory,
    truth: Trajectory | None = None,
) -> None:
    """Draws a map from above into a panel, see `draw_above`."""
    axes.set_aspect("equal")
    axes.set_xlabel("m")
    axes.set_ylabel("m")
    if not len(trajectory):
        axes.set_title("nothing is mapped: no frame has a pose")
        return
    plane = _find_plane(points, trajectory)
    places = (points - trajectory.positions[0]) @ plane.T
    path = (trajectory.positions - trajectory.positions[0]) @ plane.T
    low = places[:, 2] < path[:, 2].mean() + _OVERHEAD
    _draw_points(axes, places[low], colors[low])
    if truth is not None:
        true_path = (truth.positions - trajectory.positions[0]) @ plane.T
        axes.plot(*true_path[:, :2].T, color="black", lw=1.5, ls="--", label="true path")
    axes.plot(*path[:, :2].T, color="red", lw=1.5, label="path")
    axes.plot(*path[0, :2], "o", color="red", ms=6, label="start")
    axes.legend(loc="upper right")
    _draw_scale_bar(axes)


def _draw_points(axes: Axes, places: np.ndarray, colors: np.ndarray) -> None:
    """Paints cells with the color of the highest point in them."""
    if not len(places):
        return
    low, high = np.percentile(places[:, :2], (0.2, 99.8), axis=0)
    low, high = low - 0.2, high + 0.2
    cell = max(0.02, (high - low).max() / _CELLS)
    width, height = np.ceil((high - low) / cell).astype(int)
    order = np.argsort(places[:, 2])  # the highest last: it stays
    x, y = np.floor((places[order, :2] - low) / cell).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[y[inside], x[inside]] = colors[order][inside]
    painted = np.zeros((height, width, 1), np.float32)
    painted[y[inside], x[inside]] = 1
    # Cells between points get the mean color of their neighbors.
    share = cv2.boxFilter(painted, -1, (3, 3))[..., None]
    mean = cv2.boxFilter(picture * painted, -1, (3, 3)) / np.maximum(share, 1e-6)
    picture = np.where((painted == 0) & (share > 0.3), np.rint(mean).astype(np.uint8), picture)
    extent = (low[0], low[0] + width * cell, low[1], low[1] + height * cell)
    axes.imshow(picture, origin="lower", extent=extent, interpolation="nearest")


def _draw_scale_bar(axes: Axes) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    longest = max(0.3 * (right - left), 0.1)
    length = max(n for n in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if n <= longest)
    x, y = left + 0.05 * (right - left), bottom + 0.05 * (top - bottom)
    style: dict[str, Any] = {"ha": "center", "va": "bottom", "backgroundcolor": "white"}
    axes.text(x + length / 2, y + 0.02 * (top - bottom), f"{length:g} m", **style)
    axes.plot([x, x + length], [y, y], color="black", lw=5, solid_capstyle="butt")


def _find_plane(points: np.ndarray, trajectory: Trajectory) -> np.ndarray:
    """Returns the axes of the picture: right, upward in it and up in space, the rows of (3, 3)."""
    up = find_up(points, -trajectory.poses[:, :3, 1].mean(axis=0))
    forward = trajectory.poses[0, :3, 2]
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-3:  # the camera looks straight up or down
        right = trajectory.poses[0, :3, 0] - up * (trajectory.poses[0, :3, 0] @ up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(up, right), up])


def find_up(points: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Finds which way is up, by floors and walls.

    Takes turns in telling surfaces that lie from those that stand, and in finding the direction
    that suits both best (Gupta, Arbelaez, Malik, CVPR 2013).

    Args:
        points: (N, 3).
        guess: (3,), a direction some 30 degrees off at most, such as the camera's own up.

    Returns:
        float64 (3,), of length 1.
    """
    up = guess / max(np.linalg.norm(guess), 1e-9)
    points = points[:: max(1, len(points) // _SAMPLE)].astype(np.float64)
    if len(points) < 10 * _NEIGHBORS:
        return up
    _, nearest = KDTree(points).query(points, k=_NEIGHBORS)
    around = points[nearest]
    around -= around.mean(axis=1, keepdims=True)
    _, directions = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
    normals = directions[:, :, 0]
    for degrees in (45, 45, 30, 30, 15, 15, 15):
        slant = np.abs(normals @ up)
        lying = normals[slant > np.cos(np.radians(degrees))]
        standing = normals[slant < np.sin(np.radians(degrees))]
        _, found = np.linalg.eigh(standing.T @ standing - lying.T @ lying)
        up = found[:, 0] * np.sign(found[:, 0] @ up or 1)
    return up
