"""Resizes maps to a fixed size, by each of the rules that networks are published with.

Every rule but the nearest pixel is a linear function of the rows and then of the columns, so two
matrix multiplications with constants compute it. Aligned corners have no operator and are always
computed like this; the others where a runtime lacks their operator
(`reparameterize.simplify_resizing`).
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_choice, check_flag, shown


class _Resize(keras.layers.Layer):
    """Holds the size, and derives the shapes from it."""

    def __init__(self, size: tuple[int, int], **kwargs: Any):
        super().__init__(**kwargs)
        sides = size if isinstance(size, list | tuple) else []
        if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
            raise InputError(
                f"{type(self).__name__}: size={shown(size)}: give (height, width) in pixels"
            )
        self.size = size[0], size[1]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_depth")
class BilinearResize(_Resize):
    """Resizes maps to a size, without antialiasing.

    Args:
        size: (height, width) of the result.
        align_corners: True keeps the centers of the corner pixels where they are, as in PyTorch;
            False keeps the corners of the frame (half-pixel centers). Defaults to False.

    Input: (B, h, w, C). Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0.
    """

    def __init__(self, size: tuple[int, int], align_corners: bool = False, **kwargs: Any):
        super().__init__(size, **kwargs)
        check_flag("BilinearResize: align_corners", align_corners)
        self.align_corners = align_corners

    def call(self, x: KerasTensor) -> KerasTensor:
        if self.align_corners:
            return _matmul_resize(x, self.size, _aligned)
        return ops.image.resize(x, self.size, interpolation="bilinear")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "align_corners": self.align_corners}


@keras.saving.register_keras_serializable("keras_depth")
class NearestResize(_Resize):
    """Resizes maps to a size by copying the nearest pixel.

    Args:
        size: (height, width) of the result.

    Input: (B, h, w, C). Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0.
    """

    def call(self, x: KerasTensor) -> KerasTensor:
        return ops.image.resize(x, self.size, interpolation="nearest")


@keras.saving.register_keras_serializable("keras_depth")
class MatmulResize(_Resize):
    """Resizes maps to a size by two matrix multiplications with constants.

    Args:
        size: (height, width) of the result.
        rule: how a new value is computed, along each axis:

            | rule | a new value is |
            |---|---|
            | "bilinear" | between the nearest two, half-pixel centers, no antialiasing |
            | "aligned" | the same, but the centers of the corner pixels stay where they are |
            | "image" | the mean of the area it covers where the axis shrinks, else "bilinear" |
            | "adaptive" | the mean of the values it touches (adaptive average pooling) |

    Input: (B, h, w, C), h and w fixed. Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0, or there is no such rule.
    """

    def __init__(self, size: tuple[int, int], rule: str, **kwargs: Any):
        super().__init__(size, **kwargs)
        check_choice("rule of MatmulResize", rule, RULES)
        self.rule = rule

    def call(self, x: KerasTensor) -> KerasTensor:
        return _matmul_resize(x, self.size, RULES[self.rule])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rule": self.rule}


def _matmul_resize(
    x: KerasTensor, size: tuple[int, int], rule: Callable[[int, int], np.ndarray]
) -> KerasTensor:
    """Multiplies rows and columns by a rule's weights, where their number changes."""
    rows, columns = (
        None if before == after else rule(before, after)
        for before, after in zip(x.shape[1:3], size, strict=True)
    )
    return multiply_sides(x, rows, columns)


def multiply_sides(
    x: KerasTensor, rows: np.ndarray | None, columns: np.ndarray | None
) -> KerasTensor:
    """Multiplies the rows and the columns of maps (B, h, w, C) by constant weights.

    Args:
        x: the maps.
        rows, columns: the weights of the old rows, or columns, in each new one: (new, old); None
            keeps them.
    """
    # Everything has rank 4, which TensorRT takes with and without a batch of its own. Channels come
    # first, as exporters put them around it. The constant stands on the left: on the right of
    # several one-channel maps it makes TensorFlow (2.21, CPU) write past the result.
    x = ops.transpose(x, (0, 3, 1, 2))
    if rows is not None:
        x = ops.matmul(ops.convert_to_tensor(rows, x.dtype)[None, None], x)
    if columns is None:
        return ops.transpose(x, (0, 2, 3, 1))
    weights = ops.convert_to_tensor(columns, x.dtype)[None, None]
    x = ops.matmul(weights, ops.transpose(x, (0, 1, 3, 2)))
    return ops.transpose(x, (0, 3, 2, 1))


def _aligned(before: int, after: int) -> np.ndarray:
    """Returns the weights of the old values in each new one: (after, before)."""
    return _between(np.arange(after) * ((before - 1) / max(after - 1, 1)), before)


def _bilinear(before: int, after: int) -> np.ndarray:
    places = (np.arange(after) + 0.5) * (before / after) - 0.5
    return _between(np.clip(places, 0, before - 1), before)


def _between(places: np.ndarray, before: int) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(before))).astype(np.float32)


def _image(before: int, after: int) -> np.ndarray:
    if after >= before:
        return _bilinear(before, after)
    edges = np.arange(after + 1)[:, None] * (before / after)
    covered = np.clip(edges - np.arange(before), 0, 1)  # of each value, up to each edge
    return (np.diff(covered, axis=0) * (after / before)).astype(np.float32)


def _adaptive(before: int, after: int) -> np.ndarray:
    number, value = np.arange(after)[:, None], np.arange(before)
    first, last = number * before // after, -((number + 1) * before // -after)
    touched = (value >= first) & (value < last)
    return (touched / touched.sum(axis=1, keepdims=True)).astype(np.float32)


RULES: dict[str, Callable[[int, int], np.ndarray]] = {
    "bilinear": _bilinear,
    "aligned": _aligned,
    "image": _image,
    "adaptive": _adaptive,
}
