"""What a backbone's published weights expect of their input."""

import keras
from keras import ops

from keras_depth.errors import unknown_name

_CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)  # ImageNet, grey levels 0..255


def _caffe(image):
    return image[..., ::-1] * 255.0 - ops.convert_to_tensor(_CAFFE_MEANS_BGR, image.dtype)


_MODES = {"caffe": _caffe}


@keras.saving.register_keras_serializable("keras_depth")
class Preprocessing(keras.layers.Layer):
    """Turns an RGB picture in [0, 1] into what a backbone was trained on.

    It is the first layer of every model, so that no caller can get it wrong.

    Args:
        mode: "caffe": BGR, grey levels 0..255 minus ImageNet's means, no scaling
            (ResNet50 in keras.applications).

    Input and output: (B, H, W, 3).
    """

    def __init__(self, mode, **kwargs):
        super().__init__(**kwargs)
        if mode not in _MODES:
            raise unknown_name("preprocessing mode", mode, _MODES)
        self.mode = mode

    def call(self, image):
        return _MODES[self.mode](image)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}
