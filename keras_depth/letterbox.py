"""Fits: how a picture of another shape is brought to a network's input, and its depth back.

| fit | the picture | its depth |
|---|---|---|
| stretch | each side is resized on its own: circles become ellipses | covers it |
| letterbox | keeps its shape, centered; black around it | covers it |
| crop | keeps its shape; its center is cut out | 0 where the network saw nothing |

Where both have one shape, to a pixel, the three are the same. Black rather than the repeated border
of the picture: REL of a preset on wide real frames is a third less, and on tall ones at most 5 %
more (`evaluation/benchmarks/letterbox.py`).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from keras_depth import images
from keras_depth.errors import InputError, check_choice

FITS = ("stretch", "letterbox", "crop")
_LARGEST = 1 << 26  # pixels of a resized picture; of a longer one a crop would keep next to nothing


@dataclass(frozen=True)
class Placement:
    """Says where a picture lies in a network's input; `place` makes one.

    A position along a side of the picture, in pixels from its edge, times the scale plus the offset
    is the position in the input.

    Attributes:
        size: (height, width) of the picture.
        input_size: (height, width) of the input.
        inner: (height, width) that the picture is resized to.
        top, left: offset of the resized picture in the input, pixels; below 0 where it is cut.
    """

    size: tuple[int, int]
    input_size: tuple[int, int]
    inner: tuple[int, int]
    top: int
    left: int

    @property
    def scale_y(self) -> float:
        """Pixels of the input per pixel of the picture, vertically."""
        return self.inner[0] / self.size[0]

    @property
    def scale_x(self) -> float:
        """Pixels of the input per pixel of the picture, horizontally."""
        return self.inner[1] / self.size[1]

    @property
    def fills(self) -> bool:
        """Whether the picture fills the input exactly, as a stretched one does."""
        return self.inner == self.input_size

    def scale_focal_length(self, focal_length: tuple[float, float]) -> tuple[float, float]:
        """Converts a focal length (x, y) from pixels of the picture to pixels of the input."""
        return focal_length[0] * self.scale_x, focal_length[1] * self.scale_y

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Brings the picture to the input's size.

        Args:
            image: of `size`, (H, W, C) or (H, W), uint8 or float32.

        Returns:
            The same of `input_size`, in the type it came in.
        """
        image = images.resize(image, self.inner)
        (height, width), (bottom, right) = self.input_size, self._ends()
        image = image[max(0, -self.top) : height - self.top, max(0, -self.left) : width - self.left]
        up, down, before, after = (
            max(0, side) for side in (self.top, height - bottom, self.left, width - right)
        )
        if not (up or down or before or after):
            return image
        return cv2.copyMakeBorder(image, up, down, before, after, cv2.BORDER_CONSTANT)

    def map_size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Returns the size of the picture in pixels of a map.

        Args:
            shape: of a map of the whole input, (h, w, ...).
        """
        height, width = (
            max(1, round(inner * side / whole))
            for inner, side, whole in zip(self.inner, shape, self.input_size, strict=False)
        )
        return height, width

    def restore(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Brings a map of the whole input back to the picture, bilinear.

        Args:
            values: float32 (h, w) or (h, w, C), of any resolution.
            size: (height, width) of the result, which covers the picture: its own size, or
                `map_size` for the resolution of the map.

        Returns:
            float32 (height, width) or (height, width, C). Where the input does not show the
            picture (see `seen`), its border is repeated.
        """
        if values.shape[:2] == size and self.fills:
            return values
        if self.fills:
            resized = cv2.resize(values, size[::-1])
            return resized.reshape(*size, *values.shape[2:])  # OpenCV drops an axis of 1
        rows, columns = (self._positions(axis, size[axis], values.shape[axis]) for axis in (0, 1))
        return _interpolate(_interpolate(values, columns, 1), rows, 0)

    def seen(self, size: tuple[int, int]) -> np.ndarray:
        """Tells which pixels of the picture, resized to `size`, the input shows: bool (h, w)."""
        rows, columns = (
            (places >= 0) & (places <= whole)
            for places, whole in zip(self._places(size), self.input_size, strict=True)
        )
        return rows[:, None] & columns

    def placing_weights(self, axis: int, resizing: np.ndarray) -> np.ndarray:
        """Returns the weights of a picture's rows (axis 0) or columns (1) in those of the input.

        Args:
            axis: 0 or 1.
            resizing: the weights of them in those of the resized picture, (inner, size).

        Returns:
            (input, size), so that `fit` is a product of matrices.
        """
        rows = np.arange(self.input_size[axis]) - (self.top, self.left)[axis]
        inside = (rows >= 0) & (rows < self.inner[axis])  # what is around it is black
        return np.where(inside[:, None], resizing[np.where(inside, rows, 0)], np.float32(0))

    def restoring_weights(self, axis: int, before: int, after: int) -> np.ndarray:
        """Returns the weights of a map's rows (axis 0) or columns (1) in those of the picture.

        Args:
            axis: 0 or 1.
            before: rows or columns of the map.
            after: rows or columns of the result, which covers the picture.

        Returns:
            float32 (after, before), so that `restore` is a product of matrices.
        """
        places = self._positions(axis, after, before)
        return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(before))).astype(np.float32)

    def _ends(self) -> tuple[int, int]:
        return self.top + self.inner[0], self.left + self.inner[1]

    def _places(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the centers of the picture's rows and columns lie in the input, pixels."""
        rows, columns = (
            start + (np.arange(count) + 0.5) * (inner / count)
            for count, inner, start in zip(size, self.inner, (self.top, self.left), strict=True)
        )
        return rows, columns

    def _positions(self, axis: int, count: int, side: int) -> np.ndarray:
        """Returns which row or column of a map each one of the picture is.

        They are within those that show nothing but the picture: the black around it has no depth.
        """
        whole, start, end = self.input_size[axis], (self.top, self.left)[axis], self._ends()[axis]
        first, last = max(0, -(-start * side // whole)), min(side, end * side // whole) - 1
        if first > last:  # the picture is thinner than that
            first, last = 0, side - 1
        return np.clip(self._places((count, count))[axis] * (side / whole) - 0.5, first, last)


def place(size: tuple[int, int], input_size: tuple[int, int], fit: str) -> Placement:
    """Places a picture in a network's input.

    Args:
        size: (height, width) of the picture.
        input_size: (height, width) of the input.
        fit: one of `FITS`.

    Raises:
        InputError: there is no such fit, or the picture is too narrow to be cropped.
    """
    check_choice("fit", fit, FITS)
    if fit == "stretch":
        return Placement(size, input_size, input_size, 0, 0)
    scales = [inside / side for inside, side in zip(input_size, size, strict=True)]
    scale = min(scales) if fit == "letterbox" else max(scales)
    height, width = (max(1, round(side * scale)) for side in size)
    if height * width > _LARGEST:
        raise InputError(
            f"a picture of {size[0]}x{size[1]} is too narrow for the fit crop: of"
            f" {input_size[0]}x{input_size[1]} it shows next to nothing; choose letterbox"
        )
    top, left = (input_size[0] - height) // 2, (input_size[1] - width) // 2
    return Placement(size, input_size, (height, width), top, left)


def _interpolate(values: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """Interpolates between the two nearest rows (axis 0) or columns (1)."""
    first = np.minimum(positions.astype(int), max(values.shape[axis] - 2, 0))
    second = np.minimum(first + 1, values.shape[axis] - 1)
    shape = [1] * values.ndim
    shape[axis] = len(positions)
    weights = (positions - first).astype(np.float32).reshape(shape)
    below, above = np.take(values, first, axis), np.take(values, second, axis)
    return below + (above - below) * weights
