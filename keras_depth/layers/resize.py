"""Resizing to a fixed size, by each of the rules that networks are published with.

Every one but the nearest pixel is a linear function of the rows and then of the columns, so it can
be written as two matrix products with constants. Aligned corners have no operator and always are;
the others become so where a runtime lacks their operator (`transfer.resize_by_products`).
"""

import keras
import numpy as np
from keras import ops

from keras_depth.errors import InputError, unknown_name


class _Resize(keras.layers.Layer):
    """What all have in common: a size, and the shapes."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
            raise InputError(
                f"{type(self).__name__}: size={size!r}: give (height, width) in pixels"
            )
        self.size = tuple(size)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_depth")
class BilinearResize(_Resize):
    """Resizes maps to a size, without antialiasing.

    Args:
        size: (height, width) of the result.
        align_corners: the middles of the corner pixels stay where they are, as in PyTorch's
            `align_corners=True`; False: the corners of the frame do (half-pixel centres). Defaults
            to False.

    Input: (B, h, w, C). Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0.
    """

    def __init__(self, size, align_corners=False, **kwargs):
        super().__init__(size, **kwargs)
        self.align_corners = align_corners

    def call(self, x):
        if self.align_corners:
            return _products(x, self.size, _aligned)
        return ops.image.resize(x, self.size, interpolation="bilinear")

    def get_config(self):
        return {**super().get_config(), "align_corners": self.align_corners}


@keras.saving.register_keras_serializable("keras_depth")
class NearestResize(_Resize):
    """Resizes maps to a size; each pixel is a copy of the nearest.

    Args:
        size: (height, width) of the result.

    Input: (B, h, w, C). Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0.
    """

    def call(self, x):
        return ops.image.resize(x, self.size, interpolation="nearest")


@keras.saving.register_keras_serializable("keras_depth")
class ProductResize(_Resize):
    """Resizes maps to a size by two matrix products with constants.

    Args:
        size: (height, width) of the result.
        rule: which values a new one is made of, along each axis:

            | rule | a new value is |
            |---|---|
            | "bilinear" | between the nearest two, centres of pixels at halves, no antialiasing |
            | "aligned" | the same, the middles of the corner pixels stay where they are |
            | "picture" | the mean of the area it covers where the axis shrinks, else "bilinear" |
            | "adaptive" | the mean of the whole values it touches (adaptive average pooling) |

    Input: (B, h, w, C), h and w fixed. Output: (B, height, width, C).

    Raises:
        InputError: the size is not two whole numbers above 0, or there is no such rule.
    """

    def __init__(self, size, rule, **kwargs):
        super().__init__(size, **kwargs)
        if rule not in RULES:
            raise unknown_name("rule of ProductResize", rule, RULES)
        self.rule = rule

    def call(self, x):
        return _products(x, self.size, RULES[self.rule])

    def get_config(self):
        return {**super().get_config(), "rule": self.rule}


def _products(x, size, rule):
    """Multiplies rows and columns by a rule's weights, where they change at all."""
    rows, columns = (
        None if before == after else ops.convert_to_tensor(rule(before, after), x.dtype)
        for before, after in zip(x.shape[1:3], size, strict=True)
    )
    # All of rank 4, as TensorRT takes it whichever way it counts the batch. Channels first, as
    # exporters have them around it. And the constant on the left: on the right of several
    # one-channel maps it makes TensorFlow (2.21, CPU) write past the result.
    x = ops.transpose(x, (0, 3, 1, 2))
    if rows is not None:
        x = ops.matmul(rows[None, None], x)
    if columns is None:
        return ops.transpose(x, (0, 2, 3, 1))
    x = ops.matmul(columns[None, None], ops.transpose(x, (0, 1, 3, 2)))
    return ops.transpose(x, (0, 3, 2, 1))


def _aligned(before, after):
    """Returns the weight of each of `before` values in each of the result's: (after, before)."""
    return _between(np.arange(after) * ((before - 1) / max(after - 1, 1)), before)


def _bilinear(before, after):
    places = (np.arange(after) + 0.5) * (before / after) - 0.5
    return _between(np.clip(places, 0, before - 1), before)


def _between(places, before):
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(before))).astype(np.float32)


def _picture(before, after):
    if after >= before:
        return _bilinear(before, after)
    edges = np.arange(after + 1)[:, None] * (before / after)
    covered = np.clip(edges - np.arange(before), 0, 1)  # of each value, up to each edge
    return (np.diff(covered, axis=0) * (after / before)).astype(np.float32)


def _adaptive(before, after):
    number, value = np.arange(after)[:, None], np.arange(before)
    first, last = number * before // after, -((number + 1) * before // -after)
    touched = (value >= first) & (value < last)
    return (touched / touched.sum(axis=1, keepdims=True)).astype(np.float32)


RULES = {
    "bilinear": _bilinear,
    "aligned": _aligned,
    "picture": _picture,
    "adaptive": _adaptive,
}
