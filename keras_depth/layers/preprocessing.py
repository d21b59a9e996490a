"""Scales images to what a backbone's published weights were trained on."""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import check_choice

# ImageNet's: BGR in levels 0..255, and RGB in [0, 1].
_CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
_TORCH_MEANS, _TORCH_DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _caffe(image: KerasTensor) -> KerasTensor:
    return image[..., ::-1] * 255.0 - ops.convert_to_tensor(_CAFFE_MEANS_BGR, image.dtype)


def _torch(image: KerasTensor) -> KerasTensor:
    means, deviations = (
        ops.convert_to_tensor(values, image.dtype) for values in (_TORCH_MEANS, _TORCH_DEVIATIONS)
    )
    return (image - means) / deviations


def _tf(image: KerasTensor) -> KerasTensor:
    return image * 2.0 - 1.0


def _minmax(image: KerasTensor) -> KerasTensor:
    lowest, highest = (f(image, axis=(1, 2, 3), keepdims=True) for f in (ops.min, ops.max))
    # An image of one color becomes black.
    return (image - lowest) / ops.maximum(highest - lowest, 1e-3)


MODES = {"caffe": _caffe, "torch": _torch, "tf": _tf, "minmax": _minmax}


@keras.saving.register_keras_serializable("keras_depth")
class Preprocessing(keras.layers.Layer):
    """Scales an RGB image in [0, 1] to what a backbone was trained on.

    It is the first layer of a model on such a backbone, so that no caller can get it wrong.

    Args:
        mode: the first three are those of keras.applications:

            | mode | what it gives | backbones |
            |---|---|---|
            | "caffe" | BGR, levels 0..255 minus ImageNet's means | ResNet, VGG |
            | "torch" | RGB minus ImageNet's means, over its deviations | DenseNet, PyTorch's |
            | "tf" | -1..1 | Inception-ResNet-v2, MobileNetV2 |
            | "minmax" | 0..1 from the image's lowest to its highest value | Das et al. |

    Input and output: (B, H, W, 3).

    Raises:
        InputError: an unknown mode.
    """

    def __init__(self, mode: str, **kwargs: Any):
        super().__init__(**kwargs)
        check_choice("mode of Preprocessing", mode, MODES)
        self.mode = mode

    def call(self, image: KerasTensor) -> KerasTensor:
        return MODES[self.mode](image)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
