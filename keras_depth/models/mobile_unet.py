"""Small encoder-decoders with a frozen encoder, to a map of half the picture's size.

D. Wang, R. Wang, S. Chen, Y. Qiu: Monocular Depth Estimation Based on Convolutional Neural
Networks, and their repository, which has the widths that the paper leaves out.
"""

import keras
from keras import layers

from keras_depth.errors import InputError, unknown_name
from keras_depth.layers.preprocessing import Preprocessing
from keras_depth.layers.resize import BilinearResize
from keras_depth.models.backbones import applications
from keras_depth.models.backbones.squeezenet import SOURCE, load_torchvision, squeezenet
from keras_depth.models.blocks import check_sides

MULTIPLE = 16
SMALLEST = 32

_SCALINGS = ("imagenet", "none", "torch")
# Of batch norm, where the encoder is trained. keras.applications' 0.999 takes thousands of steps to
# follow weights that start at random.
_MOMENTUM = 0.98


def mobilenet_v2_unet(
    input_shape,
    weights,
    *,
    name,
    frozen=True,
    scaling="imagenet",
    align_corners=False,
):
    """Builds the network on MobileNetV2: four blocks, from a 32nd on.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None, or "imagenet".
        name: the architecture's name, which the model carries.
        frozen: the encoder is not trained, its batch statistics neither. (The authors' code keeps
            the weights and, by an oversight, moves the statistics.)
        scaling: "imagenet": -1..1, what Keras's weights were trained on; "none": RGB in [0, 1], as
            the authors give it to PyTorch's weights; "torch": by ImageNet's means and deviations,
            their normalisation.
        align_corners: how maps are enlarged, see `BilinearResize`; True as in the authors' code.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to (B, H / 2, W / 2, 1),
        centimetres.

    Raises:
        InputError: a size or an option the network cannot take, weights of another encoder.
    """
    image = _picture(input_shape, name, scaling)
    mode = None if scaling == "imagenet" else scaling
    backbone = applications.application("mobilenet_v2", image, weights, mode)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    scales = ("end", "sixteenth", "eighth", "quarter", "half")
    maps = applications.tapped(backbone, applications.MOBILENET_V2, *scales)
    return _decode(image, maps, frozen, align_corners, name)


def squeezenet_unet(
    input_shape,
    weights,
    *,
    name,
    frozen=True,
    scaling="imagenet",
    align_corners=False,
    padding="valid",
):
    """Builds the network on SqueezeNet 1.1: three blocks, from a 16th on.

    Args:
        weights: None, or the path of torchvision's .pth file.
        scaling: "imagenet" and "torch" are the same here.
        padding: the encoder's, "valid" as the authors have it, or "same": maps that double exactly.
        The others: as of `mobilenet_v2_unet`.

    Returns:
        As `mobilenet_v2_unet`.

    Raises:
        InputError: a size or an option the network cannot take, weights of another encoder.
    """
    image = _picture(input_shape, name, scaling)
    if padding not in ("valid", "same"):
        raise unknown_name(f"value of padding for {name}:", padding, ("valid", "same"))
    if weights == "imagenet":
        raise InputError(
            f"keras.applications has no SqueezeNet: give the path of {SOURCE} as weights"
        )
    picture = image if scaling == "none" else Preprocessing("torch", name="preprocessing")(image)
    maps = squeezenet(picture, padding)
    maps = [maps[layer] for layer in ("fire9", "fire5", "fire3", "conv1")]
    model = _decode(image, maps, frozen, align_corners, name)
    if weights is not None:
        load_torchvision(model, weights)
    return model


def _picture(input_shape, name, scaling):
    check_sides(input_shape, MULTIPLE, name, SMALLEST)
    if scaling not in _SCALINGS:
        raise unknown_name(f"value of scaling for {name}:", scaling, _SCALINGS)
    return keras.Input(input_shape, name="image")


def _decode(image, maps, frozen, align_corners, name):
    """Builds the model on an encoder's maps, the coarsest first."""
    x, *skips = maps
    if frozen:
        for layer in keras.Model(image, maps).layers:
            layer.trainable = False
    x = layers.ReLU(name="bridge_relu")(x)
    width = x.shape[-1]
    x = layers.Conv2D(width, 1, name="bridge")(x)
    for number, skip in enumerate(skips, start=1):
        width //= 2
        x = _block(x, skip, width, align_corners, f"up{number}")
    x = layers.Conv2D(1, 3, padding="same", dtype="float32", name="head")(x)
    half = (image.shape[1] // 2, image.shape[2] // 2)
    if x.shape[1:3] != half:  # SqueezeNet's unpadded maps are a row and a column short
        x = BilinearResize(half, align_corners, dtype="float32", name="depth")(x)
    return keras.Model(image, x, name=name)


def _block(x, skip, width, align_corners, name):
    """Brings maps to the size of the encoder's, joins them; two convolutions, one activation."""
    x = BilinearResize(skip.shape[1:3], align_corners, name=f"{name}_upsample")(x)
    x = layers.Concatenate(name=f"{name}_concat")([x, skip])
    for convolution in ("a", "b"):
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
