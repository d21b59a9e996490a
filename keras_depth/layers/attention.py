"""What spatial attention looks at: statistics over a map's channels."""

import keras
from keras import ops

from keras_depth.errors import unknown_name

STATISTICS = ("eda", "cbam")


@keras.saving.register_keras_serializable("keras_depth")
class ChannelStatistics(keras.layers.Layer):
    """Two maps of the channels at each place.

    Args:
        kind: "cbam": mean and maximum (Woo et al., Convolutional Block Attention Module); "eda":
            mean and maximum above the minimum (MSFNet, equation 2). After a ReLU, where some
            channel is nearly always 0, the two are the same.

    Input: (B, H, W, C). Output: (B, H, W, 2).
    """

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        if kind not in STATISTICS:
            raise unknown_name("kind of ChannelStatistics", kind, STATISTICS)
        self.kind = kind

    def call(self, x):
        maps = ops.concatenate(
            [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)], axis=-1
        )
        return maps - ops.min(x, axis=-1, keepdims=True) if self.kind == "eda" else maps

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
