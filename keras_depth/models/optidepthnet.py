"""Disparity networks trained on stereo pairs: monodepth, and OptiDepthNet, which is smaller.

The paper does not say which convolutions are separable; the default here is the choice that
explains its parameter counts.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import KerasTensor, layers

from keras_depth.errors import InputError, check_choice
from keras_depth.models.architecture import Architecture, register
from keras_depth.models.blocks import Sides, image_input

CITATION = (
    "Wei, Yin, Shen, Wang: OptiDepthNet: A Real-Time Unsupervised Monocular Depth Estimation"
    " Network. Wireless Personal Communications, doi 10.1007/s11277-022-10074-9. Its base,"
    " monodepth: Godard, Mac Aodha, Brostow: Unsupervised Monocular Depth Estimation with"
    " Left-Right Consistency. CVPR 2017, arXiv:1609.03677"
)

# Largest disparity, as a fraction of the image's width (Godard et al.).
_LARGEST = 0.3

# Residual blocks of each stage; a stage's own widths are 64, 128, 256, 512.
_STAGES = {"resnet50": (3, 4, 6, 3), "resnet152": (3, 8, 36, 3)}

# Width and kernel of each pair of convolutions of the VGG encoder; the second has stride 2.
_PAIRS = ((32, 7), (64, 5), (128, 3), (256, 3), (512, 3), (512, 3), (512, 3))

# Encoders, and what the sides of the input must be multiples of.
_MULTIPLES = {"vgg": 128, "resnet50": 64, "resnet152": 64}

# Width of the decoder's levels, finest first.
_WIDTHS = (16, 32, 64, 128, 256, 512, 512)

# The parts of the network whose convolutions are separable. The stem, the VGG encoder's first
# convolution, the projections and the heads never are.
_SEPARABLE: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "A": frozenset({"encoder", "upconv", "iconv"}),
    "B": frozenset({"encoder", "upconv", "iconv", "1x1"}),
    "T": frozenset({"encoder", "iconv"}),
}

# How the names of the decoder's layers begin.
DECODER = ("upconv", "concat", "iconv", "disparity")


def _convolution(
    x: KerasTensor,
    filters: int,
    kernel: int,
    name: str,
    stride: int = 1,
    activation: str | None = "elu",
    separable: bool = False,
) -> KerasTensor:
    # Padded alike on all sides; "same" pads more at the bottom and right where the stride is 2.
    if kernel > 1:
        x = layers.ZeroPadding2D((kernel - 1) // 2, name=f"{name}_pad")(x)
    arguments = {"strides": stride, "activation": activation, "name": name}
    if not separable:
        return layers.Conv2D(filters, kernel, **arguments)(x)
    # Glorot's limit for one channel in and one out, as a depthwise kernel has. Keras counts all
    # channels as its inputs: after the VGG's thirteen in a row, 1e-14 of the signal is left.
    limit = 3**0.5 / kernel
    initializer = keras.initializers.RandomUniform(-limit, limit)
    return layers.SeparableConv2D(filters, kernel, depthwise_initializer=initializer, **arguments)(
        x
    )


def _residual_block(
    x: KerasTensor, filters: int, stride: int, separable: frozenset[str], name: str
) -> KerasTensor:
    thin = "1x1" in separable
    # The shortcut is a projection in every block, as in the published code and count.
    shortcut = _convolution(x, 4 * filters, 1, f"{name}_projection", stride, activation=None)
    x = _convolution(x, filters, 1, f"{name}_conv1", separable=thin)
    x = _convolution(x, filters, 3, f"{name}_conv2", stride, separable="encoder" in separable)
    x = _convolution(x, 4 * filters, 1, f"{name}_conv3", activation=None, separable=thin)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("elu", name=f"{name}_out")(x)


def _resnet(image: KerasTensor, encoder: str, separable: frozenset[str]) -> list[KerasTensor]:
    x = _convolution(image, 64, 7, "stem", stride=2)
    maps = [x]
    # Padded with 0, not with -inf as "same" does: ELU's values may be negative.
    x = layers.ZeroPadding2D(1, name="pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool")(x)
    maps.append(x)
    for stage, blocks in enumerate(_STAGES[encoder], start=1):
        for block in range(1, blocks + 1):
            stride = 2 if block == blocks else 1
            name = f"stage{stage}_block{block}"
            x = _residual_block(x, 32 * 2**stage, stride, separable, name)
        maps.append(x)
    return maps


def _vgg(image: KerasTensor, separable: frozenset[str]) -> list[KerasTensor]:
    x, maps = image, []
    for pair, (filters, kernel) in enumerate(_PAIRS, start=1):
        for number, stride in ((1, 1), (2, 2)):
            # The first convolution stays a normal one, as the paper says about the ResNet's.
            split = "encoder" in separable and x is not image
            name = f"pair{pair}_conv{number}"
            x = _convolution(x, filters, kernel, name, stride, separable=split)
        maps.append(x)
    return maps


def _disparities(x: KerasTensor, number: int) -> KerasTensor:
    x = layers.ZeroPadding2D(1, name=f"disparity{number}_pad")(x)
    x = layers.Conv2D(2, 3, name=f"disparity{number}_conv")(x)
    # float32 under any policy: float16 steps by a third of a pixel at 0.3 of KITTI's 1242.
    x = layers.Activation("sigmoid", dtype="float32", name=f"disparity{number}_sigmoid")(x)
    return layers.Rescaling(_LARGEST, dtype="float32", name=f"disparity{number}")(x)


def _decoder(
    maps: Sequence[KerasTensor], separable: frozenset[str], heads: int
) -> list[KerasTensor]:
    *skips, x = maps
    outputs: list[KerasTensor] = []
    for level in range(len(maps), 0, -1):
        width = _WIDTHS[level - 1]
        x = layers.UpSampling2D(2, interpolation="nearest", name=f"upconv{level}_upsample")(x)
        x = _convolution(x, width, 3, f"upconv{level}", separable="upconv" in separable)
        joined = [x]
        if level > 1:
            joined.append(skips[level - 2])
        if outputs:
            # A fraction of the width is the same number at every scale.
            upsample = layers.UpSampling2D(
                2, interpolation="nearest", name=f"disparity{level}_upsample"
            )
            joined.append(upsample(outputs[-1]))
        x = layers.Concatenate(name=f"concat{level}")(joined)
        x = _convolution(x, width, 3, f"iconv{level}", separable="iconv" in separable)
        if level <= heads:
            outputs.append(_disparities(x, level - 1))
    return outputs[::-1]


def sides(encoder: str, **options: object) -> Sides:
    """Returns the image sides that the network with this encoder takes."""
    return Sides(multiple=_MULTIPLES[encoder])


def disparity_network(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    encoder: str,
    separable: str = "none",
    heads: int = 4,
) -> keras.Model:
    """Builds one network of the paper, or its base.

    | `separable` | separable convolutions |
    |---|---|
    | "none" | none: the base network |
    | "A" | the encoder's 3x3 (VGG: all but the first), the decoder's upconv and iconv |
    | "B" | A and the two 1x1 on a residual block's main path: its published count (VGG: as A) |
    | "T" | A without upconv: the paper's text taken literally |

    Args:
        input_shape: (height, width, 3), sides multiples of 64, or of 128 for "vgg".
        weights: None; there are no pre-trained ones.
        name: the architecture's name, which the model carries.
        encoder: "vgg", "resnet50" or "resnet152".
        separable: see the table.
        heads: number of disparity maps: 4, or 6 as the paper's text says (its counts say 4).

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to `heads` maps, finest first:
        map i, `disparity<i>`, is float32 (B, H / 2^i, W / 2^i, 2), the disparity of the left and
        of the right image as a fraction of the width, in 0 to 0.3.

    Raises:
        InputError: a size, an option or weights that the network cannot take.
    """
    check_choice(f"encoder of {name}", encoder, _MULTIPLES)
    check_choice(f"separable of {name}", separable, _SEPARABLE)
    if heads not in (4, 6):
        raise InputError(f"{name}: heads={heads!r}: give 4 or 6")
    if weights is not None:
        raise InputError(
            f"{name}: there are no {weights!r} weights, it is trained from nothing; give weights"
            " 'none', or the path of a trained model"
        )
    image = image_input(input_shape, sides(encoder), name)
    parts = _SEPARABLE[separable]
    maps = _vgg(image, parts) if encoder == "vgg" else _resnet(image, encoder, parts)
    return keras.Model(image, _decoder(maps, parts, heads), name=name)


def _entry(
    *, name: str, description: str, recipe: str, parameters: int, encoder: str, separable: str
) -> Architecture:
    return Architecture(
        name=name,
        paper="optidepthnet",
        citation=CITATION,
        description=description,
        build=partial(disparity_network, encoder=encoder, separable=separable),
        sides=partial(sides, encoder=encoder),
        recipe=recipe,
        parameters=(parameters, parameters),  # there is no batch norm: all are trained
        decoder=DECODER,
        encoding="disparity",
        size=(256, 512),
    )


register(
    _entry(
        name="monodepth_vgg",
        description="VGG-like encoder, trained on stereo pairs (Godard et al.)",
        recipe="vgg_base",
        parameters=31_600_072,
        encoder="vgg",
        separable="none",
    )
)
register(
    _entry(
        name="monodepth_resnet50",
        description="ResNet50 without batch norm, trained on stereo pairs (Godard et al.)",
        recipe="resnet50_base",
        parameters=58_452_008,
        encoder="resnet50",
        separable="none",
    )
)
register(
    _entry(
        name="monodepth_resnet152",
        description="the same with ResNet152",
        recipe="resnet152_base",
        parameters=125_577_256,
        encoder="resnet152",
        separable="none",
    )
)
register(
    _entry(
        name="optidepthnet_vgg",
        description="monodepth_vgg with depthwise-separable convolutions: a ninth of its"
        " parameters",
        recipe="vgg",
        parameters=3_589_870,
        encoder="vgg",
        separable="A",
    )
)
register(
    _entry(
        name="optidepthnet_resnet50",
        description="monodepth_resnet50 with depthwise-separable convolutions: half its parameters",
        recipe="resnet50",
        parameters=30_343_150,
        encoder="resnet50",
        separable="A",
    )
)
register(
    _entry(
        name="optidepthnet_resnet152",
        description="monodepth_resnet152 with depthwise-separable convolutions",
        recipe="resnet152",
        parameters=81_289_198,
        encoder="resnet152",
        separable="A",
    )
)
