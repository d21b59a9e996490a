"""The up-convolution: unpool, then 5x5; or the same function without multiplying zeros.

Three quarters of the multiplications of "unpool, then 5x5" are by zero. An output pixel at an even
row and an even column needs only the kernel's taps at even rows and even columns, and so on for the
other three kinds of pixel. Each kind is therefore a small convolution of the low-resolution map:

| output pixel | taps of the 5x5 kernel | small kernel |
|---|---|---|
| A (even row, even column) | rows 0 2 4, columns 0 2 4 | 3x3 |
| B (even row, odd column) | rows 0 2 4, columns 1 3 | 3x2 |
| C (odd row, even column) | rows 1 3, columns 0 2 4 | 2x3 |
| D (odd row, odd column) | rows 1 3, columns 1 3 | 2x2 |

The value stands in the top-left of each 2x2 cell, so the small kernels of even size need their
zero padding at the bottom and the right, which is what `padding="same"` means in TensorFlow.
Laina's published code pads the top and the left, which is a different function.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_choice, shown
from keras_depth.layers.interleave import custom_op_available, interleave

BRANCHES = ("a", "b", "c", "d")
SMALL_KERNELS = {"a": (3, 3), "b": (3, 2), "c": (2, 3), "d": (2, 2)}
FORMS = ("interleaved", "unpool")


def unpool(x: KerasTensor) -> KerasTensor:
    """Doubles a map's sides with zeros: each value stands top-left in a 2x2 cell.

    Args:
        x: (B, H, W, C).

    Returns:
        (B, 2H, 2W, C) of the same dtype.

    Source: Bokovoy et al. 2019, section III-B.
    """
    channels = x.shape[-1]
    padded = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 3 * channels)))
    return ops.depth_to_space(padded, 2)


def split_kernel(kernel: KerasTensor) -> tuple[KerasTensor, ...]:
    """Slices a 5x5 kernel (5, 5, in, out) into the four of the interleaved form, A to D."""
    return tuple(kernel[row::2, column::2] for row in (0, 1) for column in (0, 1))


def _convolve_and_interleave(
    x: KerasTensor, kernels: Sequence[KerasTensor], biases: Sequence[KerasTensor]
) -> KerasTensor:
    return interleave(
        *(
            ops.conv(x, kernel, padding="same") + ops.cast(bias, x.dtype)
            for kernel, bias in zip(kernels, biases, strict=True)
        )
    )


class _Doubling(keras.layers.Layer):
    """Holds the number of filters, and derives the shapes: twice the height and width."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        if type(filters) is not int or filters < 1:
            raise InputError(
                f"{type(self).__name__}: filters={shown(filters)}: give a whole number of 1 or more"
            )
        self.filters = filters
        self.supports_jit = not custom_op_available()  # XLA cannot compile it
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, _ = input_shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("keras_depth")
class UpConvolution(_Doubling):
    """Doubles a map's sides with one 5x5 kernel, in either of two equal forms.

    Both forms are the same function of the same weights, with the same gradients, so a model
    trained in one runs in the other; "interleaved" takes a quarter of the multiplications.

    Args:
        filters: output channels.
        form: "interleaved", or "unpool" as the paper trains it. Defaults to "interleaved".

    Input: (B, H, W, in). Output: (B, 2H, 2W, filters).

    Raises:
        InputError: filters below 1, or an unknown form.

    Source: Bokovoy et al. 2019, section III-B and Algorithm 1.
    """

    def __init__(self, filters: int, form: str = "interleaved", **kwargs: Any):
        super().__init__(filters, **kwargs)
        check_choice("form of UpConvolution", form, FORMS)
        self.form = form

    def build(self, input_shape: tuple) -> None:
        self.kernel = self.add_weight(
            shape=(5, 5, input_shape[-1], self.filters),
            initializer="glorot_uniform",
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x: KerasTensor) -> KerasTensor:
        if self.form == "unpool":
            return ops.conv(unpool(x), self.kernel, padding="same") + self.bias
        kernel = ops.convert_to_tensor(self.kernel)
        return _convolve_and_interleave(x, split_kernel(kernel), [self.bias] * 4)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "form": self.form}


@keras.saving.register_keras_serializable("keras_depth")
class InterleavedConvolution(_Doubling):
    """Doubles a map's sides with four small kernels and biases of their own, interleaved.

    The paper calls this interleaving without transfer. `reparameterize.to_interleaved` makes it
    from an `UpConvolution`.

    Args:
        filters: output channels.

    Input: (B, H, W, in). Output: (B, 2H, 2W, filters).

    Raises:
        InputError: filters below 1.

    Source: Bokovoy et al. 2019, section III-B.
    """

    def build(self, input_shape: tuple) -> None:
        self.kernels = [
            self.add_weight(
                shape=(*SMALL_KERNELS[branch], input_shape[-1], self.filters),
                initializer="glorot_uniform",
                name=f"kernel_{branch}",
            )
            for branch in BRANCHES
        ]
        self.biases = [
            self.add_weight(shape=(self.filters,), initializer="zeros", name=f"bias_{branch}")
            for branch in BRANCHES
        ]

    def call(self, x: KerasTensor) -> KerasTensor:
        kernels = [ops.convert_to_tensor(kernel) for kernel in self.kernels]
        return _convolve_and_interleave(x, kernels, self.biases)
