"""Checks that depth is aligned with its image: their edges should coincide."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.images import to_uint8

_PIXELS = 240 * 320  # edges are compared at about this size
_REACH = 12  # pixels of that size by which depth is shifted, either way
_MIN_SIDE = 64  # pixels on the shorter side
_DENSE = 0.5  # share of measured pixels; depth below it is too sparse to have edges
_MIN_FRAMES = 5  # the edges of a single frame may coincide by chance


class EdgeMatch(NamedTuple):
    """Holds how edges of depth and image correlate.

    scores: float32 (3, 25, 25), for the depth as it is, mirrored and upside down; at [k, 12 + y,
        12 + x], shifted by y rows down and x columns to the right.
    scale: pixels of the image per pixel of a shift.
    """

    scores: np.ndarray
    scale: float


def match_edges(image: np.ndarray, depth: np.ndarray) -> EdgeMatch | None:
    """Compares the edges of a frame's depth with those of its image.

    Args:
        image: RGB (H, W, 3), uint8 or floating in [0, 1].
        depth: floating (H, W), metres, 0 = not measured.

    Returns:
        None if the depth is sparse or has no edge, or the frame is small.
    """
    scale = max(1.0, (depth.size / _PIXELS) ** 0.5)
    height, width = (round(side / scale) for side in depth.shape)
    if min(height, width) < _MIN_SIDE or (depth > 0).mean() < _DENSE:
        return None
    picture = cv2.resize(to_uint8(image), (width, height), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = _gradient(gray)
    # Limit the strongest edges, and below the nearest ones, so that they do not decide alone.
    edges = cv2.GaussianBlur(np.minimum(edges, 4 * edges.mean()), (0, 0), 1)
    steps, measured = _depth_edges(
        cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
    )
    if edges.std() == 0 or steps.std() == 0:
        return None
    scores = [
        _slide(edges, turn(steps), turn(measured))
        for turn in (lambda a: a, lambda a: a[:, ::-1], lambda a: a[::-1])
    ]
    return EdgeMatch(np.stack(scores), scale)


def _gradient(values: np.ndarray) -> np.ndarray:
    return np.hypot(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1))


def _depth_edges(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the slope of log depth, and where it is known: float32 (H, W) each."""
    known = cv2.erode((depth > 0).astype(np.float32), np.ones((3, 3), np.uint8))
    log = np.log(np.where(depth > 0, depth, 1)).astype(np.float32)
    steps = np.minimum(_gradient(log) / 8, 0.2) * known
    return cv2.GaussianBlur(steps, (0, 0), 1) * known, known


def _slide(edges: np.ndarray, steps: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Returns the correlation at every shift of depth; the first row is 12 rows up."""
    inner = slice(_REACH, -_REACH)
    template, mask = (np.ascontiguousarray(a[inner, inner]) for a in (steps, measured))
    scores = cv2.matchTemplate(edges, template, cv2.TM_CCOEFF_NORMED, mask=mask)
    return np.nan_to_num(scores, posinf=0, neginf=0).clip(-1, 1)


def find_alignment_faults(matches: list[EdgeMatch]) -> list[str]:
    """Returns a hint if depth seems mirrored, upside down or shifted."""
    if len(matches) < _MIN_FRAMES:
        return []
    scores = np.stack([match.scores for match in matches])
    mean = scores.mean(0)
    plain = float(mean[0].max())
    # A map is mirrored about its middle, so it needs hardly any shift.
    near = slice(_REACH - 2, _REACH + 3)
    mirrored, upside_down = (float(one[near, near].max()) for one in mean[1:])
    turned = max(mirrored, upside_down)
    if turned > max(0.1, 1.5 * plain):
        how = "mirrored" if mirrored > upside_down else "upside down"
        return [
            f"hint: depth looks {how} against the picture (turned back, its edges correlate by"
            f" {turned:.2f} with the picture's, as stored by {plain:.2f})"
        ]
    return _find_shift(scores[:, 0], matches[0].scale)


def _find_shift(scores: np.ndarray, scale: float) -> list[str]:
    mean = scores.mean(0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    down, right = int(row) - _REACH, int(column) - _REACH
    if np.hypot(down, right) < 2.5 or max(abs(down), abs(right)) == _REACH:
        return []  # in place; or no peak, the scores still rise at the largest shift
    here, there = scores[:, _REACH, _REACH], scores[:, row, column]
    if there.mean() < max(0.1, here.mean() + 0.03) or (there > here).mean() < 0.75:
        return []
    # The depth is shifted by the opposite of the shift that aligns it.
    by = f"({round(-down * scale):+d}, {round(-right * scale):+d})"
    return [
        f"hint: depth seems shifted by about {by} pixels (down, right) against the picture (moved"
        f" back, its edges correlate by {there.mean():.2f} with the picture's, as stored by"
        f" {here.mean():.2f})"
    ]
