"""Parts that the networks share, as functions of functional tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers

from keras_depth.errors import InputError


class Sides(NamedTuple):
    """The image sides that a network takes, in pixels.

    Attributes:
        multiple: both sides must be multiples of this.
        smallest: neither may be shorter than this.
    """

    multiple: int = 1
    smallest: int = 1


def image_input(input_shape: Sequence[int], sides: Sides, name: str) -> KerasTensor:
    """Makes a network's input, and refuses a size that the network cannot take.

    Args:
        input_shape: (height, width, 3).
        sides: the sides that the network takes.
        name: the architecture's name, for the message.

    Returns:
        The Keras input `image`: (B, height, width, 3).

    Raises:
        InputError: `input_shape` is not three whole numbers, there are not three channels, or a
            side is too short or no multiple.
    """
    _check_shape(input_shape, sides, name)
    return keras.Input(tuple(input_shape), name="image")


def _check_shape(shape: Sequence[int], sides: Sides, name: str) -> None:
    multiple, smallest = sides
    wanted = f"{name}: input_shape must be (height, width, 3)"
    if multiple > 1:
        wanted += f" with sides that are multiples of {multiple}"
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise InputError(f"{wanted}, got {shape!r}; give for example (240, 320, 3)")
    got = f"got {tuple(shape)}"
    if len(shape) == 2:
        raise InputError(f"{wanted}, {got}; add the 3 color channels")
    if len(shape) == 3 and shape[0] == 3 != shape[2]:
        raise InputError(f"{wanted}, {got}; put the channels last")
    if len(shape) != 3 or not all(_is_side(side) for side in shape) or shape[2] != 3:
        raise InputError(f"{wanted}, {got}; give whole numbers, such as (240, 320, 3)")
    if any(side % multiple for side in shape[:2]):
        least = -(-smallest // multiple)
        near = (multiple * max(least, round(side / multiple)) for side in shape[:2])
        raise InputError(f"{wanted}, {got}; the nearest is {(*near, 3)}")
    if min(shape[:2]) < smallest:
        raise InputError(f"{name}: the sides of input_shape must be {smallest} or more, {got}")


def _is_side(side: object) -> bool:
    return (type(side) is int or isinstance(side, np.integer)) and bool(side > 0)


def batch_norm(x: KerasTensor, momentum: float, name: str) -> KerasTensor:
    """Adds batch normalization with the epsilon of keras.applications' ResNet."""
    return layers.BatchNormalization(momentum=momentum, epsilon=1.001e-5, name=name)(x)


def factorized_non_bottleneck(
    x: KerasTensor, filters: int, momentum: float, name: str
) -> KerasTensor:
    """Adds two 3x3 convolutions, each as 3x1 then 1x3, and a ReLU.

    As the notebooks of Bokovoy et al. write them: unlike ERFNet's block there is no residual
    addition and no activation between the four convolutions, and the first 3x1 changes the width.

    Args:
        x: (B, H, W, in).
        filters: output channels.
        momentum: of the batch normalization between the two pairs.
        name: prefix of the layers' names.

    Returns:
        (B, H, W, filters).
    """
    for pair in (1, 2):
        if pair == 2:
            x = batch_norm(x, momentum, f"{name}_bn")
        for kernel in ((3, 1), (1, 3)):
            label = f"{name}_conv{pair}_{kernel[0]}x{kernel[1]}"
            x = layers.Conv2D(filters, kernel, padding="same", name=label)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def crop_to(x: KerasTensor, skip: KerasTensor, name: str) -> KerasTensor:
    """Drops the last rows and columns of `x` where the encoder's map of that scale is smaller."""
    rows, columns = (have - want for have, want in zip(x.shape[1:3], skip.shape[1:3], strict=True))
    if not rows and not columns:
        return x
    return layers.Cropping2D(((0, rows), (0, columns)), name=name)(x)
