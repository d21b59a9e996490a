"""Bilinear resizing to a fixed size, by either of the rules that networks are published with."""

import keras
from keras import ops

from keras_depth.errors import InputError


@keras.saving.register_keras_serializable("keras_depth")
class BilinearResize(keras.layers.Layer):
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
        super().__init__(**kwargs)
        if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
            raise InputError(f"BilinearResize: size={size!r}: give (height, width) in pixels")
        self.size = tuple(size)
        self.align_corners = align_corners

    def call(self, x):
        if not self.align_corners:
            return ops.image.resize(x, self.size, interpolation="bilinear")
        rows, columns = (
            ops.cast(_aligned(before, after), x.dtype)
            for before, after in zip(ops.shape(x)[1:3], self.size, strict=True)
        )
        return ops.einsum("Yy,byxc,Xx->bYXc", rows, x, columns)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self):
        config = {"size": self.size, "align_corners": self.align_corners}
        return {**super().get_config(), **config}


def _aligned(before, after):
    """Returns the weights of `before` values in each of `after`: float32 (after, before)."""
    values = ops.cast(ops.arange(before), "float32")
    places = ops.arange(after, dtype="float32") * (values[-1] / max(after - 1, 1))
    return ops.maximum(0, 1 - ops.abs(places[:, None] - values))
