"""Whether depth lies on its picture: edges of the one should meet edges of the other."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.images import to_uint8

_PIXELS = 240 * 320  # edges are compared at about this size
_REACH = 12  # pixels of that size by which depth is moved to and fro
_SMALLEST = 64  # pixels on the shorter side
_DENSE = 0.5  # the share of pixels measured below which there are no edges to speak of
_FEWEST = 5  # frames; a single one's edges may meet anywhere


class EdgeMatch(NamedTuple):
    """How edges of depth and picture correlate.

    scores: float32 (3, 25, 25): of the depth as it is, mirrored and upside down; at [k, 12 + y,
        12 + x], moved by y rows down and x columns to the right.
    scale: pixels of the picture in one of these.
    """

    scores: np.ndarray
    scale: float


def match_edges(image: np.ndarray, depth: np.ndarray) -> EdgeMatch | None:
    """Compares the edges of a frame's depth with those of its picture.

    Args:
        image: RGB (H, W, 3), uint8 or floating in [0, 1].
        depth: floating (H, W), metres, 0 = not measured.

    Returns:
        None where the depth is sparse, has no edge, or the frame is small.
    """
    scale = max(1.0, (depth.size / _PIXELS) ** 0.5)
    height, width = (round(side / scale) for side in depth.shape)
    if min(height, width) < _SMALLEST or (depth > 0).mean() < _DENSE:
        return None
    picture = cv2.resize(to_uint8(image), (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = _gradient(grey)
    # Neither the strongest edges nor the nearest shall decide alone.
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
    """Returns how log depth changes, and where it is known: float32 (H, W) each."""
    known = cv2.erode((depth > 0).astype(np.float32), np.ones((3, 3), np.uint8))
    log = np.log(np.where(depth > 0, depth, 1)).astype(np.float32)
    steps = np.minimum(_gradient(log) / 8, 0.2) * known
    return cv2.GaussianBlur(steps, (0, 0), 1) * known, known


def _slide(edges: np.ndarray, steps: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Returns the correlation at every shift of depth, the first row for 12 rows up."""
    inner = slice(_REACH, -_REACH)
    template, mask = (np.ascontiguousarray(a[inner, inner]) for a in (steps, measured))
    scores = cv2.matchTemplate(edges, template, cv2.TM_CCOEFF_NORMED, mask=mask)
    return np.nan_to_num(scores, posinf=0, neginf=0).clip(-1, 1)


def alignment_doubts(matches: list[EdgeMatch]) -> list[str]:
    """Says, as a hint, that depth seems mirrored, upside down or shifted."""
    if len(matches) < _FEWEST:
        return []
    scores = np.stack([match.scores for match in matches])
    mean = scores.mean(0)
    plain = float(mean[0].max())
    # A turned map is turned about its middle, so that it needs no shift to speak of.
    near = slice(_REACH - 2, _REACH + 3)
    mirrored, upside_down = (float(one[near, near].max()) for one in mean[1:])
    turned = max(mirrored, upside_down)
    if turned > max(0.1, 1.5 * plain):
        how = "mirrored" if mirrored > upside_down else "upside down"
        return [
            f"hint: depth looks {how} against the picture (turned back, its edges correlate by"
            f" {turned:.2f} with the picture's, as stored by {plain:.2f})"
        ]
    return _shift_doubt(scores[:, 0], matches[0].scale)


def _shift_doubt(scores: np.ndarray, scale: float) -> list[str]:
    mean = scores.mean(0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    down, right = int(row) - _REACH, int(column) - _REACH
    if np.hypot(down, right) < 2.5 or max(abs(down), abs(right)) == _REACH:
        return []  # on its place; or no peak, only a slope that rises beyond our reach
    here, there = scores[:, _REACH, _REACH], scores[:, row, column]
    if there.mean() < max(0.1, here.mean() + 0.03) or (there > here).mean() < 0.75:
        return []
    # It lies where it has to be moved back from.
    by = f"({round(-down * scale):+d}, {round(-right * scale):+d})"
    return [
        f"hint: depth seems shifted by about {by} pixels (down, right) against the picture (moved"
        f" back, its edges correlate by {there.mean():.2f} with the picture's, as stored by"
        f" {here.mean():.2f})"
    ]
