"""Unpooling: a map at twice its size, zeros between the values."""

import keras
from keras import ops


def unpool(x):
    """Writes each value into the top-left of a 2x2 cell of zeros.

    Args:
        x: (B, H, W, C).

    Returns:
        (B, 2H, 2W, C) of the same dtype.
    """
    channels = x.shape[-1]
    padded = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 3 * channels)))
    return ops.depth_to_space(padded, 2)


@keras.saving.register_keras_serializable("keras_depth")
class Unpool(keras.layers.Layer):
    """Doubles a map's sides with zeros; the value stands top-left, as in Bokovoy et al. 2019.

    Input: (B, H, W, C). Output: (B, 2H, 2W, C).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, x):
        return unpool(x)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)
