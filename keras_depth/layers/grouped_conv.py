"""Grouped convolution at the speed that its multiplications take.

Keras sends it through XLA, whose gradient takes hundreds of times longer on a CPU
(`evaluation/benchmarks/grouped.py`). TensorFlow's own operator takes groups too, and on CPUs where
it has their gradient, with oneDNN, nothing that was tried is faster. `keras.ops` has no way to it,
so this layer, unlike the others, calls TensorFlow.
"""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_depth.errors import InputError


@keras.saving.register_keras_serializable("keras_depth")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D(groups=...)`: the same arguments, the same weights, the same result.

    Raises:
        InputError: channels are not last.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.data_format != "channels_last":
            raise InputError(
                f"GroupedConv2D: data_format={self.data_format!r}: give maps as (B, H, W, channels)"
            )

    def convolution_op(self, inputs, kernel):
        if has_native_gradient(self.compute_dtype):
            return tf.nn.conv2d(
                inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate
            )
        parts = zip(
            ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1), strict=True
        )
        return ops.concatenate([super(GroupedConv2D, self).convolution_op(*p) for p in parts], -1)


@functools.cache
def has_native_gradient(dtype: str) -> bool:
    """Tells whether TensorFlow's own operator has a gradient here, by taking one."""
    with tf.init_scope():  # at once, whatever graph is being made
        # Not smaller: of a kernel as large as its map the groups are not looked at.
        image, kernel = tf.ones((1, 4, 4, 4), dtype), tf.ones((3, 3, 2, 8), dtype)
        upstream = tf.nn.conv2d(image, kernel, 1, "SAME")
        arguments = {"out_backprop": upstream, "strides": [1, 1, 1, 1], "padding": "SAME"}
        try:
            tf.raw_ops.Conv2DBackpropInput(input_sizes=image.shape, filter=kernel, **arguments)
            tf.raw_ops.Conv2DBackpropFilter(input=image, filter_sizes=kernel.shape, **arguments)
        except tf.errors.OpError:
            return False
    return True
