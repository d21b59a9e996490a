"""Small encoder-decoders with a frozen encoder, to a map of half the image's size.

The paper leaves out the decoder's widths; they are those of the authors' repository.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import KerasTensor, layers

from keras_depth.errors import InputError, check_choice
from keras_depth.layers import BilinearResize, Preprocessing
from keras_depth.models.architecture import Architecture, is_encoder_h5, register
from keras_depth.models.backbones import applications
from keras_depth.models.backbones.squeezenet import (
    CAFFE,
    TORCHVISION,
    load_caffe,
    load_torchvision,
    squeezenet,
)
from keras_depth.models.blocks import Sides, image_input

CITATION = (
    "D. Wang, R. Wang, S. Chen, Y. Qiu: Monocular Depth Estimation Based on Convolutional Neural"
    " Networks. University of Michigan, 2021"
)
SIDES = Sides(multiple=16, smallest=32)

_SCALINGS = ("imagenet", "none", "torch")
# Momentum of batch norms where the encoder is trained. The 0.999 of keras.applications takes
# thousands of steps to follow weights that start at random.
_MOMENTUM = 0.98

# How the names of the decoder's layers begin.
DECODER = ("bridge", "up", "head", "depth")


def mobilenet_v2_unet(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    frozen: bool = True,
    scaling: str = "imagenet",
    align_corners: bool = False,
) -> keras.Model:
    """Builds the network on MobileNetV2: four blocks, from a 32nd of the image on.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None, or "imagenet".
        name: the architecture's name, which the model carries.
        frozen: trains neither the encoder nor its batch statistics. (The authors' code keeps the
            weights and, by an oversight, moves the statistics.)
        scaling: "imagenet": -1..1, what Keras's weights were trained on; "none": RGB in [0, 1], as
            the authors give it to PyTorch's weights; "torch": by ImageNet's means and deviations,
            the normalization of those weights.
        align_corners: how maps are enlarged, see `BilinearResize`; True as in the authors' code.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to depth
        (B, H / 2, W / 2, 1), centimetres.

    Raises:
        InputError: a size or an option the network cannot take, weights of another encoder.
    """
    check_choice(f"scaling of {name}", scaling, _SCALINGS)
    image = image_input(input_shape, SIDES, name)
    mode = None if scaling == "imagenet" else scaling
    backbone = applications.application("mobilenet_v2", image, weights, mode)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    scales = ("end", "sixteenth", "eighth", "quarter", "half")
    maps = applications.feature_maps(backbone, applications.MOBILENET_V2, *scales)
    return _decode(image, maps, frozen, align_corners, name)


def squeezenet_unet(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    frozen: bool = True,
    scaling: str = "imagenet",
    align_corners: bool = False,
    padding: str = "valid",
) -> keras.Model:
    """Builds the network on SqueezeNet 1.1: three blocks, from a 16th of the image on.

    Args:
        input_shape, name, frozen, align_corners: as for `mobilenet_v2_unet`.
        weights: None, or the path of torchvision's .pth file or of the authors' .h5 file.
        scaling: as for `mobilenet_v2_unet`; "imagenet" and "torch" are the same here. "caffe": BGR
            levels minus ImageNet's means, for the authors' weights, whose file chooses it.
        padding: the encoder's, "valid" as the authors have it, or "same": maps that double exactly.

    Returns:
        As `mobilenet_v2_unet`.

    Raises:
        InputError: a size or an option the network cannot take, weights of another encoder.
    """
    check_choice(f"scaling of {name}", scaling, (*_SCALINGS, "caffe"))
    check_choice(f"padding of {name}", padding, ("valid", "same"))
    if weights == "imagenet":
        raise InputError(
            f"keras.applications has no SqueezeNet: give the path of {TORCHVISION}, or of {CAFFE},"
            " as weights"
        )
    image = image_input(input_shape, SIDES, name)
    mode = "caffe" if scaling == "caffe" else "torch"
    scaled = image if scaling == "none" else Preprocessing(mode, name="preprocessing")(image)
    features = squeezenet(scaled, padding)
    maps = [features[layer] for layer in ("fire9", "fire5", "fire3", "conv1")]
    model = _decode(image, maps, frozen, align_corners, name)
    if weights is not None:
        load = load_caffe if weights.endswith(".h5") else load_torchvision
        load(model, weights)
    return model


def _decode(
    image: KerasTensor, maps: Sequence[KerasTensor], frozen: bool, align_corners: bool, name: str
) -> keras.Model:
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


def _block(
    x: KerasTensor, skip: KerasTensor, width: int, align_corners: bool, name: str
) -> KerasTensor:
    """Resizes a map to the encoder's, joins both; adds two convolutions and an activation."""
    x = BilinearResize(skip.shape[1:3], align_corners, name=f"{name}_upsample")(x)
    x = layers.Concatenate(name=f"{name}_concat")([x, skip])
    for convolution in ("a", "b"):
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)


_entry = partial(
    Architecture,
    paper="mobile_unet",
    citation=CITATION,
    sides=lambda **options: SIDES,
    encoding="centimetres",
    size=(480, 640),
    decoder=DECODER,
)

register(
    _entry(
        name="mobilenet_v2_unet",
        description="frozen MobileNetV2, four bilinear blocks, to half the image's size",
        build=mobilenet_v2_unet,
        recipe="row1_mobilenet_v2",
        parameters=(19_279_985, 17_022_001),
    )
)
register(
    _entry(
        name="squeezenet_unet",
        description="frozen SqueezeNet 1.1, three bilinear blocks, to half the image's size",
        build=squeezenet_unet,
        recipe="row2_squeezenet",
        options_of=lambda path: {"scaling": "caffe"} if is_encoder_h5(path) else {},
        parameters=(4_083_201, 3_360_705),
    )
)
