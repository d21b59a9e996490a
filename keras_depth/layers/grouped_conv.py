"""Grouped convolution whose gradient is fast on a CPU.

Keras compiles grouped convolutions with XLA, whose gradient takes hundreds of times longer on a CPU
(`evaluation/benchmarks/grouped.py`). TensorFlow's own operator takes groups too. Where it has their
gradient (CPUs with oneDNN), nothing that was tried is faster; elsewhere each group is a convolution
of its own. `keras.ops` does not reach the operator, so this layer calls TensorFlow.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError

_undivided_asked = 0  # number of open `undivided_groups()` blocks, of all threads


@contextlib.contextmanager
def undivided_groups() -> Iterator[None]:
    """Writes each grouped convolution as one operator in what is traced within this block.

    For graphs that another runtime computes, which has no use for 64 convolutions in place of one.
    TensorFlow may refuse to run such a graph: without oneDNN it fuses the activation into the
    convolution and then says that this has no groups.
    """
    global _undivided_asked
    _undivided_asked += 1
    try:
        yield
    finally:
        _undivided_asked -= 1


@keras.saving.register_keras_serializable("keras_depth")
class GroupedConv2D(keras.layers.Conv2D):
    """Computes `keras.layers.Conv2D(groups=...)`: same arguments, same weights, same result.

    Input: (B, H, W, in). Output: (B, h, w, filters).

    Raises:
        InputError: channels are not last.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.data_format != "channels_last":
            raise InputError(
                f"GroupedConv2D: data_format={self.data_format!r}: give 'channels_last'"
            )

    def convolution_op(self, inputs: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        if _undivided_asked or has_native_gradient(self.compute_dtype):
            import tensorflow as tf

            return tf.nn.conv2d(
                inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate
            )
        parts = zip(
            ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1), strict=True
        )
        return ops.concatenate([super(GroupedConv2D, self).convolution_op(*p) for p in parts], -1)


@functools.cache
def has_native_gradient(dtype: str) -> bool:
    """Returns whether TensorFlow's own operator has a gradient here, by taking one."""
    import tensorflow as tf

    with tf.init_scope():  # now, even while a graph is traced
        # Not smaller: where the kernel is as large as its map, TensorFlow ignores the groups.
        image, kernel = tf.ones((1, 4, 4, 4), dtype), tf.ones((3, 3, 2, 8), dtype)
        upstream = tf.nn.conv2d(image, kernel, 1, "SAME")
        arguments = {"out_backprop": upstream, "strides": [1, 1, 1, 1], "padding": "SAME"}
        try:
            tf.raw_ops.Conv2DBackpropInput(input_sizes=image.shape, filter=kernel, **arguments)
            tf.raw_ops.Conv2DBackpropFilter(input=image, filter_sizes=kernel.shape, **arguments)
        except tf.errors.OpError:
            return False
    return True
