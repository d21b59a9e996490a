"""Our own small network: in none of the five papers, but built from what they teach.

| part | from |
|---|---|
| MobileNetV2 as encoder, depth at half the image's size | Wang et al. |
| up-convolution computed by interleaving | Bokovoy et al. |
| encoder's maps added after a 1x1 projection | FastDepth, which adds them unprojected |
| separable 5x5 convolution in each block | Wei et al., FastDepth |
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from keras_depth.errors import check_shares
from keras_depth.layers import UpConvolution
from keras_depth.models.architecture import Architecture, register
from keras_depth.models.backbones import applications
from keras_depth.models.blocks import Sides, batch_norm, crop_to, image_input

CITATION = (
    "keras_depth: a small network of this repository, in none of the papers that it reproduces"
)
SIDES = Sides(multiple=16, smallest=32)

# The network ends in an exponential, and starts at a room's depth.
_START_LOG_DEPTH = 1.0  # e metres

# How the names of the decoder's layers begin.
DECODER = ("start", "block0", "block1", "block2", "block3", "head", "depth")


def mobile_interl(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    width: int = 256,
    batch_norm_momentum: float = 0.99,
) -> keras.Model:
    """Builds the network: MobileNetV2, then four blocks from a 32nd to a half of the image.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None, or "imagenet" for the encoder.
        name: the architecture's name, which the model carries.
        width: channels at a 32nd of the image; each block halves them.
        batch_norm_momentum: of every batch norm, the encoder's included.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to depth
        (B, H / 2, W / 2, 1), metres.

    Raises:
        InputError: a size the network cannot take, weights of another encoder.
    """
    check_shares(name, batch_norm_momentum=batch_norm_momentum)
    image = image_input(input_shape, SIDES, name)
    backbone = applications.application("mobilenet_v2", image, weights)
    scales = ("end", "sixteenth", "eighth", "quarter", "half")
    x, *skips = applications.feature_maps(backbone, applications.MOBILENET_V2, *scales)
    x = layers.Conv2D(width, 1, use_bias=False, name="start")(x)
    x = batch_norm(x, batch_norm_momentum, "start_bn")
    for number, skip in enumerate(skips):
        width //= 2
        x = _block(x, skip, width, f"block{number}", batch_norm_momentum)
    model = keras.Model(image, _head(x), name=name)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    return model


def _block(
    x: KerasTensor, skip: KerasTensor, filters: int, name: str, momentum: float
) -> KerasTensor:
    """Doubles a map, adds the encoder's map of that size, and mixes the sum."""
    x = UpConvolution(filters, name=f"{name}_upconv")(x)
    # 240 / 32 is not whole: the encoder's 8 rows become 16, but its 1/16 map has 15.
    x = crop_to(x, skip, f"{name}_crop")
    x = batch_norm(x, momentum, f"{name}_upconv_bn")
    projection = layers.Conv2D(filters, 1, name=f"{name}_projection")(skip)
    x = layers.ReLU(name=f"{name}_add_relu")(layers.Add(name=f"{name}_add")([x, projection]))
    x = layers.DepthwiseConv2D(5, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = batch_norm(x, momentum, f"{name}_depthwise_bn")
    x = layers.Conv2D(filters, 1, name=f"{name}_pointwise")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _head(x: KerasTensor) -> KerasTensor:
    # float32 under any policy: float16 depth at 8 m moves in steps of 8 mm.
    start = keras.initializers.Constant(_START_LOG_DEPTH)
    x = layers.Conv2D(1, 3, padding="same", bias_initializer=start, dtype="float32", name="head")(x)
    return layers.Activation("exponential", dtype="float32", name="depth")(x)


register(
    Architecture(
        name="mobile_interl",
        paper="mobile_interl",
        citation=CITATION,
        description="ours: MobileNetV2, interleaved up-convolutions, to half the image's size",
        build=mobile_interl,
        sides=lambda **options: SIDES,
        recipe="nyu",
        parameters=(3_720_593, 3_685_009),
        decoder=DECODER,
    )
)
