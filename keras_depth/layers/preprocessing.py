"""What a backbone's published weights expect of their input."""

import keras
from keras import ops

from keras_depth.errors import unknown_name

# Of ImageNet: BGR in grey levels 0..255; RGB in [0, 1].
_CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
_TORCH_MEANS, _TORCH_DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _caffe(image):
    return image[..., ::-1] * 255.0 - ops.convert_to_tensor(_CAFFE_MEANS_BGR, image.dtype)


def _torch(image):
    means, deviations = (
        ops.convert_to_tensor(values, image.dtype) for values in (_TORCH_MEANS, _TORCH_DEVIATIONS)
    )
    return (image - means) / deviations


def _tf(image):
    return image * 2.0 - 1.0


def _minmax(image):
    lowest, highest = (f(image, axis=(1, 2, 3), keepdims=True) for f in (ops.min, ops.max))
    # A picture of one colour becomes black.
    return (image - lowest) / ops.maximum(highest - lowest, 1e-3)


MODES = {"caffe": _caffe, "torch": _torch, "tf": _tf, "minmax": _minmax}


@keras.saving.register_keras_serializable("keras_depth")
class Preprocessing(keras.layers.Layer):
    """Turns an RGB picture in [0, 1] into what a backbone was trained on.

    It is the first layer of a model on such a backbone, so that no caller can get it wrong.

    Args:
        mode: the first three are those of keras.applications:

            | mode | what it gives | backbones |
            |---|---|---|
            | "caffe" | BGR, grey levels 0..255 minus ImageNet's means | ResNet, VGG |
            | "torch" | RGB minus ImageNet's means, by its deviations | DenseNet, PyTorch's |
            | "tf" | -1..1 | Inception-ResNet-v2, MobileNetV2 |
            | "minmax" | 0..1 from the picture's lowest to its highest value | Das et al. |

    Input and output: (B, H, W, 3).
    """

    def __init__(self, mode, **kwargs):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise unknown_name("preprocessing mode", mode, MODES)
        self.mode = mode

    def call(self, image):
        return MODES[self.mode](image)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}
