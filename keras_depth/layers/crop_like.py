"""Cutting a map down to another map's size."""

import keras
from keras import ops

from keras_depth.errors import InputError


@keras.saving.register_keras_serializable("keras_depth")
class CropLike(keras.layers.Layer):
    """Drops the last rows and columns of a map so that it has the size of another.

    Input: [x (B, H, W, C), reference (B, h, w, *)] with h <= H and w <= W.
    Output: (B, h, w, C).

    Raises:
        InputError: the reference is larger than the map.
    """

    def call(self, inputs):
        x, reference = inputs
        height, width = ops.shape(reference)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        for have, want in zip(x[1:3], reference[1:3], strict=True):
            if have is not None and want is not None and have < want:
                raise InputError(f"cannot crop a map {tuple(x)} to the size of {tuple(reference)}")
        return (x[0], *reference[1:3], x[3])
