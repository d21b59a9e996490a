"""The statistics over a map's channels that spatial attention is computed from."""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import check_choice

STATISTICS = ("eda", "cbam")


@keras.saving.register_keras_serializable("keras_depth")
class ChannelStatistics(keras.layers.Layer):
    """Computes two statistics over the channels of each place.

    Args:
        kind: "cbam": mean and maximum (Woo et al., Convolutional Block Attention Module); "eda":
            the same less the minimum (MSFNet, equation 2). After a ReLU some channel is nearly
            always 0, which makes the two the same.

    Input: (B, H, W, C). Output: (B, H, W, 2).

    Raises:
        InputError: an unknown kind.
    """

    def __init__(self, kind: str, **kwargs: Any):
        super().__init__(**kwargs)
        check_choice("kind of ChannelStatistics", kind, STATISTICS)
        self.kind = kind

    def call(self, x: KerasTensor) -> KerasTensor:
        maps = ops.concatenate(
            [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)], axis=-1
        )
        return maps - ops.min(x, axis=-1, keepdims=True) if self.kind == "eda" else maps

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}
