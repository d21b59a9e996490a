"""Brings pictures of another shape to a network's input within its graph, and the depth back.

The same functions as those of `Placement`, as products with constant matrices: no runtime lacks
them.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.layers.resize import RULES, multiply_sides
from keras_depth.letterbox import Placement, place


class _Placed(keras.layers.Layer):
    """Holds where pictures lie in the input of a network."""

    def __init__(
        self, picture_size: tuple[int, int], input_size: tuple[int, int], fit: str, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self._arguments = {"picture_size": picture_size, "input_size": input_size, "fit": fit}
        self.placement: Placement = place(picture_size, input_size, fit)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._arguments}


@keras.saving.register_keras_serializable("keras_depth")
class FitImage(_Placed):
    """Brings pictures to a network's input; see `Placement.fit`.

    Args:
        picture_size: (height, width) of the pictures.
        input_size: (height, width) of the input.
        fit: one of `letterbox.FITS`.

    Input: (B, height, width, C) of the pictures' size. Output: the same of the input's.
    """

    def call(self, x: KerasTensor) -> KerasTensor:
        placement = self.placement
        rows, columns = (
            placement.placing_weights(axis, RULES["image"](before, placement.inner[axis]))
            for axis, before in enumerate(placement.size)
        )
        return multiply_sides(x, rows, columns)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.placement.input_size, input_shape[3])


@keras.saving.register_keras_serializable("keras_depth")
class RestoreMap(_Placed):
    """Brings maps of a network's input back to the pictures; see `Placement.restore`.

    Args:
        size: (height, width) of the result, which covers the picture.
        picture_size, input_size, fit: as for `FitImage`.

    Input: (B, h, w, C). Output: (B, height, width, C).
    """

    def __init__(self, size: tuple[int, int], **kwargs: Any):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, x: KerasTensor) -> KerasTensor:
        rows, columns = (
            self.placement.restoring_weights(axis, x.shape[axis + 1], self.size[axis])
            for axis in (0, 1)
        )
        return multiply_sides(x, rows, columns)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_depth")
class HideUnseen(_Placed):
    """Sets depth to 0 where the input does not show the picture, as the fit crop does.

    Input: (B, h, w, C), which covers the picture. Output: the same.
    """

    def call(self, x: KerasTensor) -> KerasTensor:
        seen = self.placement.seen((x.shape[1], x.shape[2]))
        return x * ops.convert_to_tensor(seen[None, :, :, None], x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape
