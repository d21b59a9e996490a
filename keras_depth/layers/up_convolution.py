"""The up-convolution: unpool, then 5x5; or the same function without multiplying zeros.

Three quarters of the products of "unpool, then 5x5" multiply zeros. An output pixel at (even row,
even column) meets only the kernel's taps at even rows and even columns, and so on for the other
three kinds of pixel; each kind is therefore a small convolution of the low-resolution map:

| output pixel | taps of the 5x5 kernel | small kernel |
|---|---|---|
| A (even row, even column) | rows 0 2 4, columns 0 2 4 | 3x3 |
| B (even row, odd column) | rows 0 2 4, columns 1 3 | 3x2 |
| C (odd row, even column) | rows 1 3, columns 0 2 4 | 2x3 |
| D (odd row, odd column) | rows 1 3, columns 1 3 | 2x2 |

The value stands in the top-left of each 2x2 cell, so the small kernels of even size need their
zero padding at the bottom and the right, which is what `padding="same"` means in TensorFlow.
Laina's published code pads the top and the left and is a different function.
"""

import keras
from keras import ops

from keras_depth.errors import InputError
from keras_depth.layers.interleave import custom_op_available, interleave
from keras_depth.layers.unpool import unpool

BRANCHES = ("a", "b", "c", "d")
SMALL_KERNELS = {"a": (3, 3), "b": (3, 2), "c": (2, 3), "d": (2, 2)}


def split_kernel(kernel):
    """Slices a 5x5 kernel (5, 5, in, out) into the four of the interleaved form, A to D."""
    return tuple(kernel[row::2, column::2] for row in (0, 1) for column in (0, 1))


def _convolve_and_interleave(x, kernels, biases):
    return interleave(
        *(
            ops.conv(x, kernel, padding="same") + ops.cast(bias, x.dtype)
            for kernel, bias in zip(kernels, biases, strict=True)
        )
    )


class _Doubling(keras.layers.Layer):
    """What both up-convolutions share: their shapes."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(filters, int) or filters < 1:
            raise InputError(f"filters must be a positive whole number, got {filters!r}")
        self.filters = filters
        self.supports_jit = not custom_op_available()  # XLA cannot compile it
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("keras_depth")
class UpConvolution(_Doubling):
    """Doubles a map's sides with one 5x5 kernel, in either of two equal forms.

    Both forms are the same function of the same weights, with the same gradients, so a model
    trained in one runs in the other; "interleaved" takes a quarter of the multiplications.

    Args:
        filters: output channels.
        form: "interleaved" (default), or "unpool" as the paper trains it.

    Input: (B, H, W, in). Output: (B, 2H, 2W, filters).
    Source: Bokovoy et al. 2019, section III-B and Algorithm 1.
    """

    def __init__(self, filters, form="interleaved", **kwargs):
        super().__init__(filters, **kwargs)
        if form not in ("interleaved", "unpool"):
            raise InputError(f"form must be 'interleaved' or 'unpool', got {form!r}")
        self.form = form

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(5, 5, input_shape[-1], self.filters),
            initializer="glorot_uniform",
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x):
        if self.form == "unpool":
            return ops.conv(unpool(x), self.kernel, padding="same") + self.bias
        kernel = ops.convert_to_tensor(self.kernel)
        return _convolve_and_interleave(x, split_kernel(kernel), [self.bias] * 4)

    def get_config(self):
        return {**super().get_config(), "form": self.form}


@keras.saving.register_keras_serializable("keras_depth")
class InterleavedConvolution(_Doubling):
    """Doubles a map's sides with four small kernels and biases of their own, interleaved.

    It is what the paper calls interleaving without transfer. `transfer.to_interleaved` fills it
    from an `UpConvolution`.

    Input: (B, H, W, in). Output: (B, 2H, 2W, filters).
    Source: Bokovoy et al. 2019, section III-B.
    """

    def build(self, input_shape):
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

    def call(self, x):
        kernels = [ops.convert_to_tensor(kernel) for kernel in self.kernels]
        return _convolve_and_interleave(x, kernels, self.biases)
