"""Encoder-decoders on an ImageNet backbone, to a map of the image's own size.

The authors' code (model.py) has Inception-ResNet-v2 alone. For the other encoders, the skips are
those layers that give the published counts.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import KerasTensor, layers

from keras_depth.errors import check_choice
from keras_depth.layers import Preprocessing
from keras_depth.models.architecture import Architecture, register
from keras_depth.models.backbones import applications
from keras_depth.models.blocks import Sides, image_input

CITATION = (
    "Das, Das, Sadaf: Depth Estimation From Monocular Images With Enhanced Encoder-Decoder"
    " Architecture. 2024, arXiv:2410.11610"
)

_WIDTHS = (256, 128, 64, 32)  # of the decoder's blocks, coarsest first
_SKIPS = ("eighth", "quarter", "half")  # the encoder's maps that the decoder takes
_ENCODERS = ("inception_resnet_v2", *applications.IRV2_UNET)

# How the names of the decoder's layers begin.
DECODER = ("bottleneck", "up", "depth")


def sides(encoder: str, **options: object) -> Sides:
    """Returns the image sides that the network with this encoder takes."""
    # Inception-ResNet-v2 pads nothing: of less than 80 rows its second reduction leaves none.
    return Sides(multiple=16, smallest=80 if encoder == "inception_resnet_v2" else 32)


def unet(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    encoder: str,
    scaling: str = "imagenet",
) -> keras.Model:
    """Builds one network of Table 2.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None or "imagenet", for the encoder.
        name: the architecture's name, which the model carries.
        encoder: "inception_resnet_v2", "densenet201", "densenet169", "resnet152", "resnet50" or
            "vgg19".
        scaling: "imagenet": what the encoder's weights were trained on; "minmax": each image's
            lowest value becomes 0 and its highest 1, as the paper trains (equation 1).

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to (B, H, W, 1) in (0, 1).

    Raises:
        InputError: a size or an option the network cannot take.
    """
    check_choice(f"encoder of {name}", encoder, _ENCODERS)
    check_choice(f"scaling of {name}", scaling, ("imagenet", "minmax"))
    image = image_input(input_shape, sides(encoder), name)
    scaled, own_scaling = image, None
    if scaling == "minmax":
        scaled, own_scaling = Preprocessing("minmax", name="minmax")(image), "none"
    backbone = applications.application(encoder, scaled, weights, own_scaling)
    if encoder == "inception_resnet_v2":
        x, *skips = applications.inception_resnet_v2_maps(backbone, "end", *_SKIPS)
        full = scaled
    else:
        names = applications.IRV2_UNET[encoder]
        x, *skips = applications.feature_maps(backbone, names, "end", *_SKIPS)
        # VGG19 alone has a map of the image's size; the others take the image itself.
        full = backbone.get_layer(names.full).output if names.full else scaled
    x = layers.LeakyReLU(0.2, name="bottleneck_relu")(x)
    for number, (width, skip) in enumerate(zip(_WIDTHS, [*skips, full], strict=True), start=1):
        x = _block(x, skip, width, f"up{number}")
    # float32 under any policy: near 1, float16 has steps of a two-thousandth, 5 mm of 10 m.
    depth = layers.Conv2D(
        1, 3, padding="same", activation="sigmoid", dtype="float32", name="depth"
    )(x)
    return keras.Model(image, depth, name=name)


def _block(x: KerasTensor, skip: KerasTensor, width: int, name: str) -> KerasTensor:
    """Doubles the size, joins the encoder's map; three convolutions, batch norm after two."""
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_upsample")(x)
    for convolution in ("a", "b", "c"):
        if convolution == "b":
            x = layers.Concatenate(name=f"{name}_concat")([x, skip])
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu_{convolution}")(x)
        if convolution != "a":
            x = layers.BatchNormalization(name=f"{name}_bn_{convolution}")(x)
    return x


def _entry(
    *, name: str, description: str, recipe: str, parameters: tuple[int, int], encoder: str
) -> Architecture:
    return Architecture(
        name=name,
        paper="irv2_unet",
        citation=CITATION,
        description=description,
        build=partial(unet, encoder=encoder),
        sides=partial(sides, encoder=encoder),
        recipe=recipe,
        parameters=parameters,
        decoder=DECODER,
        encoding="unit",
    )


register(
    _entry(
        name="irv2_unet",
        description="Inception-ResNet-v2 up to a 16th, bilinear decoder with four skips",
        recipe="row4_irv2",
        parameters=(31_159_265, 31_120_161),
        encoder="inception_resnet_v2",
    )
)
register(
    _entry(
        name="densenet201_unet",
        description="the same decoder on DenseNet201",
        recipe="row1_densenet201",
        parameters=(17_233_249, 17_103_393),
        encoder="densenet201",
    )
)
register(
    _entry(
        name="resnet152_unet",
        description="the same decoder on the first blocks of ResNet152",
        recipe="row2_resnet152",
        parameters=(15_549_601, 15_510_945),
        encoder="resnet152",
    )
)
register(
    _entry(
        name="vgg19_unet",
        description="the same decoder on VGG19",
        recipe="row3_vgg19",
        parameters=(22_370_305, 22_368_385),
        encoder="vgg19",
    )
)
register(
    _entry(
        name="resnet50_unet",
        description="the same decoder on ResNet50; named in the paper, without numbers",
        recipe="resnet50",
        parameters=(14_420_129, 14_387_617),
        encoder="resnet50",
    )
)
register(
    _entry(
        name="densenet169_unet",
        description="the same decoder on DenseNet169; named in the paper, without numbers",
        recipe="densenet169",
        parameters=(12_243_297, 12_167_201),
        encoder="densenet169",
    )
)
