"""Backbones and the places where decoders tap them."""

from dataclasses import dataclass, replace

import keras

from keras_depth.errors import InputError
from keras_depth.layers.preprocessing import Preprocessing


@dataclass(frozen=True)
class Taps:
    """Layer names of a backbone: its end, and the map of each scale a shortcut may start from."""

    end: str
    half: str
    quarter: str
    eighth: str
    sixteenth: str


# Shortcuts start before the activation: at the last residual unit's addition, and at the batch
# norm after the first convolution (the notebooks of Bokovoy et al.).
RESNET50 = Taps(
    end="conv5_block3_out",
    half="conv1_bn",
    quarter="conv2_block3_add",
    eighth="conv3_block4_add",
    sixteenth="conv4_block6_add",
)
# Without the last residual stack: 8,589,184 parameters instead of 23,587,712.
RESNET50_LITE = replace(RESNET50, end="conv4_block6_out")


def resnet50(image, weights=None):
    """Builds keras.applications' ResNet50, preprocessing first, on the input `image`.

    Args:
        image: Keras input (B, H, W, 3), RGB in [0, 1].
        weights: None, or "imagenet" (downloaded and cached by Keras).

    Returns:
        The backbone as a functional model, from `image` to its last map.

    Raises:
        InputError: the ImageNet weights cannot be had.
    """
    preprocessed = Preprocessing("caffe", name="preprocessing")(image)
    arguments = {"include_top": False, "input_tensor": preprocessed, "name": "resnet50"}
    try:
        return keras.applications.ResNet50(weights=weights, **arguments)
    except Exception as error:
        # keras.utils.get_file raises a bare Exception when a download fails.
        known = ("fetch failure", "corrupted")
        if weights != "imagenet" or not any(text in str(error) for text in known):
            raise
        raise InputError(
            "ImageNet weights of ResNet50 could not be downloaded"
            f" ({error}); connect this machine once, or copy"
            " resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 from another machine's"
            " ~/.keras/models into this one's, or train with --weights none"
        ) from error
