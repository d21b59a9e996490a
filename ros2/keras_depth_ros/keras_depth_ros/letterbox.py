"""Brings pictures of another shape to a network's input, and depth back to the picture."""

from __future__ import annotations

import cv2
import numpy as np

FITS = ("stretch", "letterbox", "crop")
LARGEST = 2**26  # pixels of a resized picture; of a longer one a crop would keep next to nothing


class Placement:
    """Says where a picture lies in a network's input, as keras_depth.letterbox does.

    Args:
        size: (height, width) of the picture.
        input_size: (height, width) of the input.
        fit: "stretch" each side on its own; "letterbox", which keeps the shape, with black
            around it; or "crop", which keeps the shape and cuts the center out.

    Attributes:
        inner: (height, width) that the picture is resized to.
        start: (top, left) of it in the input, pixels; below 0 where it is cut.
        fills: whether it fills the input exactly.

    Raises:
        ValueError: the picture is too narrow to be cropped.
    """

    def __init__(self, size: tuple[int, int], input_size: tuple[int, int], fit: str):
        self.size, self.input_size = size, input_size
        self.inner, self.start = input_size, (0, 0)
        if fit != "stretch":
            scales = [whole / side for whole, side in zip(input_size, size)]
            scale = min(scales) if fit == "letterbox" else max(scales)
            self.inner = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
            self.start = (
                (input_size[0] - self.inner[0]) // 2,
                (input_size[1] - self.inner[1]) // 2,
            )
        if self.inner[0] * self.inner[1] > LARGEST:
            raise ValueError(f"pictures of {size[1]}x{size[0]} are too narrow for the fit crop")
        self.fills = self.inner == input_size

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Returns a picture (H, W, 3) at the input's size."""
        image = resize(image, self.inner)
        (top, left), (height, width) = self.start, self.input_size
        image = image[max(0, -top) : height - top, max(0, -left) : width - left]
        bottom, right = height - top - self.inner[0], width - left - self.inner[1]
        sides = [max(0, side) for side in (top, bottom, left, right)]
        return cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT) if any(sides) else image

    def map_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Returns the size of the picture in pixels of a map of the whole input."""
        height, width = (
            max(1, round(inner * side / whole))
            for inner, side, whole in zip(self.inner, shape, self.input_size)
        )
        return height, width

    def restore(self, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Brings depth of the whole input back to the picture; 0 where the input did not show it.

        Bilinear between depths; what is none or infinite stays as it is.

        Args:
            depth: float32 (h, w), metres; none where it is NaN, 0 or less.
            size: (height, width) of the result, which covers the picture.
        """
        if self.fills:
            return depth if depth.shape == tuple(size) else resize_depth(depth, size)
        rows, columns = (self._positions(axis, size[axis], depth.shape[axis]) for axis in (0, 1))
        known = (depth > 0) & np.isfinite(depth)
        restored = _interpolate(np.where(known, depth, np.float32(0)), rows, columns)
        if not known.all():
            # Bilinear weights of the known pixels alone, as in `resize_depth`.
            shares = _interpolate(known.astype(np.float32), rows, columns)
            nearest = depth[np.rint(rows).astype(int)[:, None], np.rint(columns).astype(int)]
            inside = (nearest > 0) & np.isfinite(nearest) & (shares > 0)
            restored = np.divide(restored, shares, out=nearest, where=inside)
        seen_rows, seen_columns = (self._seen(axis, size[axis]) for axis in (0, 1))
        return np.where(seen_rows[:, None] & seen_columns, restored, np.float32(0))

    def focal_length(self, fx: float, fy: float) -> float:
        """Returns the focal length of the picture's camera in pixels of the input, one number."""
        return float(np.sqrt(fx * self.inner[1] / self.size[1] * fy * self.inner[0] / self.size[0]))

    def _places(self, axis: int, count: int) -> np.ndarray:
        """Returns where the centers of the picture's rows or columns lie in the input, pixels."""
        return self.start[axis] + (np.arange(count) + 0.5) * (self.inner[axis] / count)

    def _positions(self, axis: int, count: int, side: int) -> np.ndarray:
        """Returns which row or column of a map each one of the picture is, within the map."""
        places = self._places(axis, count) * (side / self.input_size[axis]) - 0.5
        return np.clip(places, 0, side - 1)

    def _seen(self, axis: int, count: int) -> np.ndarray:
        places = self._places(axis, count)
        return (places >= 0) & (places <= self.input_size[axis])


def _interpolate(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolates float32 (h, w) at rows and columns that lie within it."""
    for axis, positions in ((1, columns), (0, rows)):
        first = np.minimum(positions.astype(int), max(values.shape[axis] - 2, 0))
        second = np.minimum(first + 1, values.shape[axis] - 1)
        weights = (positions - first).astype(np.float32)
        below, above = np.take(values, first, axis), np.take(values, second, axis)
        values = below + (above - below) * (weights if axis else weights[:, None])
    return values


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a picture as in training: along each side, area where it shrinks, else bilinear.

    Args:
        image: (H, W, 3).
        size: (height, width) of the result.
    """
    (height, width), (old_height, old_width) = size, image.shape[:2]
    if (height - old_height) * (width - old_width) < 0:  # OpenCV has one rule for both sides
        return resize(resize(image, (height, old_width)), size)
    if (height, width) == (old_height, old_width):
        return image
    shrinks = height < old_height or width < old_width
    rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=rule)


def resize_depth(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes depth: bilinear between depths, and what is none or infinite stays as it is.

    Args:
        depth: float32 (H, W), metres; none where it is NaN, 0 or less.
        size: (height, width) of the result.
    """
    to = size[::-1]
    known = (depth > 0) & np.isfinite(depth)
    if known.all():
        return cv2.resize(depth, to)
    # Bilinear weights of the known pixels alone: a mean with 0 would be a depth that is nowhere.
    shares = cv2.resize(known.astype(np.float32), to)
    sums = cv2.resize(np.where(known, depth, np.float32(0)), to)
    nearest = cv2.resize(depth, to, interpolation=cv2.INTER_NEAREST_EXACT)
    inside = (nearest > 0) & np.isfinite(nearest) & (shares > 0)
    return np.divide(sums, shares, out=nearest, where=inside)
