"""Upsampling by channels that become pixels."""

import keras
from keras import ops

from keras_depth.errors import InputError


@keras.saving.register_keras_serializable("keras_depth")
class SubPixel(keras.layers.Layer):
    """Lays factor x factor channels out as that many pixels (ESPCN, Shi et al. 2016).

    Args:
        factor: how many times higher and wider the result is.

    Input: (B, h, w, factor² C). Output: (B, factor h, factor w, C).

    Raises:
        InputError: the factor is no whole number of 2 or more.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(factor, int) or factor < 2:
            raise InputError(f"SubPixel: factor={factor!r}: give a whole number of 2 or more")
        self.factor = factor

    def call(self, x):
        return ops.depth_to_space(x, self.factor)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        sides = (side and self.factor * side for side in (height, width))
        return (batch, *sides, channels // self.factor**2)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
