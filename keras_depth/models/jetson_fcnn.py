"""Fully convolutional ResNet50 networks for Jetson boards.

The paper leaves widths and shortcuts open. The defaults here are those that explain its reported
times; what the authors' notebooks do differently is an option.
"""

from collections.abc import Callable, Sequence
from functools import partial

import keras
from keras import KerasTensor, layers

from keras_depth.errors import InputError, check_choice, check_shares, shown
from keras_depth.layers import InterleavedConvolution, UpConvolution
from keras_depth.models.architecture import Architecture, register
from keras_depth.models.backbones import applications
from keras_depth.models.blocks import (
    Sides,
    batch_norm,
    crop_to,
    factorized_non_bottleneck,
    image_input,
)

CITATION = (
    "Bokovoy, Muravyev, Yakovlev: Real-time Vision-based Depth Reconstruction with NVIDIA Jetson."
    " ECMR 2019, arXiv:1907.07210"
)
SIDES = Sides(multiple=16)

# The network ends in a ReLU, which may stay at 0 if it starts there. It starts at a room's depth.
_START_DEPTH = 2.5  # metres

# Output widths of the decoder blocks, coarsest first, where the decoder starts 1024 wide.
_LADDERS = {
    "halving": (512, 256, 128, 64, 32),
    # The notebooks' rule, input width // (2, 3, 4, 4, 3) with concatenated shortcuts.
    "notebook": (512, 512, 256, 128, 64),
}

# How the names of the decoder's layers begin.
DECODER = ("start", "block", "head", "depth")


def _deconvolution(
    x: KerasTensor, filters: int, name: str, momentum: float, dropout: float
) -> KerasTensor:
    x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same", name=f"{name}_deconv")(x)
    return _norm_relu_dropout(x, name, momentum, dropout)


def _up_convolution(layer: Callable[..., keras.Layer]) -> Callable[..., KerasTensor]:
    def block(
        x: KerasTensor, filters: int, name: str, momentum: float, dropout: float
    ) -> KerasTensor:
        x = layer(filters, name=f"{name}_upconv")(x)
        return _norm_relu_dropout(x, name, momentum, dropout)

    return block


def _norm_relu_dropout(x: KerasTensor, name: str, momentum: float, dropout: float) -> KerasTensor:
    # The paper's order. (Its notebooks normalize before the convolution, where folding the
    # normalization into the kernel would be wrong at the borders.)
    x = batch_norm(x, momentum, f"{name}_bn")
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x


def _upsample_non_bottleneck(
    x: KerasTensor, filters: int, name: str, momentum: float, dropout: float
) -> KerasTensor:
    # The nearest-neighbor decoder of the paper has no dropout.
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_upsample")(x)
    return factorized_non_bottleneck(x, filters, momentum, name)


_DECODERS = {
    "deconv": _deconvolution,
    "nonbt": _upsample_non_bottleneck,
    "upconv": _up_convolution(UpConvolution),
    "upconv_unpool": _up_convolution(partial(UpConvolution, form="unpool")),
    "interleave": _up_convolution(InterleavedConvolution),
}


def _shortcut(x: KerasTensor, skip: KerasTensor, merge: str, name: str) -> KerasTensor:
    if merge == "concat":
        return layers.Concatenate(name=f"{name}_concat")([skip, x])
    projection = layers.Conv2D(x.shape[-1], 1, name=f"{name}_projection")(skip)
    return layers.Add(name=f"{name}_add")([projection, x])


def fcnn(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    decoder: str,
    lite: bool = False,
    shortcuts: Sequence[int] = (),
    merge: str = "concat",
    ladder: str = "halving",
    head_size: int = 5,
    dropout: float = 0.5,
    leading_batch_norm: bool = False,
    batch_norm_momentum: float = 0.99,
) -> keras.Model:
    """Builds one network of Table I.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None or "imagenet", for the encoder.
        name: the architecture's name, which the model carries.
        decoder: "deconv", "nonbt", "upconv" (one 5x5 kernel, interleaved), "upconv_unpool" (the
            same kernel as the paper trains it) or "interleave" (four kernels of their own).
        lite: leaves out the encoder's last residual stack, and halves the decoder's width.
        shortcuts: scales of the decoder (denominators: 16, 8, 4, 2) whose block also takes the
            encoder's map of that scale.
        merge: "concat", or "add" after a 1x1 projection.
        ladder: "halving", or "notebook" for the authors' wider widths.
        head_size: kernel of the last convolution; 5 in the paper, 3 in the notebooks.
        dropout: rate after each deconvolution or up-convolution; 0 leaves it out.
        leading_batch_norm: adds a batch norm before each block, as in the notebooks' nonbt nets.
        batch_norm_momentum: of every batch norm, the encoder's included.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to depth (B, H, W, 1), metres.

    Raises:
        InputError: a size or an option the network cannot take.
    """
    check_choice(f"decoder of {name}", decoder, _DECODERS)
    check_choice(f"merge of {name}", merge, ("concat", "add"))
    check_choice(f"ladder of {name}", ladder, _LADDERS)
    check_shares(name, dropout=dropout, batch_norm_momentum=batch_norm_momentum)
    given = shortcuts if isinstance(shortcuts, list | tuple) else [shortcuts]
    if not all(scale in (16, 8, 4, 2) for scale in given):
        raise InputError(f"shortcuts of {name}: {shown(shortcuts)}: give some of 16, 8, 4, 2")
    image = image_input(input_shape, SIDES, name)
    backbone = applications.application("resnet50", image, weights)
    names = applications.RESNET50_LITE if lite else applications.RESNET50
    scales = ("end", "sixteenth", "eighth", "quarter", "half")
    x, *maps = applications.feature_maps(backbone, names, *scales)
    skips = dict(zip((16, 8, 4, 2), maps, strict=True))
    widths = [width // 2 for width in _LADDERS[ladder]] if lite else _LADDERS[ladder]
    x = layers.Conv2D(512 if lite else 1024, 1, name="start")(x)
    for number, (scale, width) in enumerate(
        zip((16, 8, 4, 2) if lite else (32, 16, 8, 4, 2), widths, strict=False)
    ):
        block = f"block{number}"
        if scale in shortcuts:
            x = _shortcut(x, skips[scale], merge, block)
        if leading_batch_norm:
            x = batch_norm(x, batch_norm_momentum, f"{block}_leading_bn")
        x = _DECODERS[decoder](x, width, block, batch_norm_momentum, dropout)
        if scale == 32:
            # 240 / 32 is not whole: the encoder's 8 rows become 16, but its 1/16 map has 15.
            x = crop_to(x, skips[16], f"{block}_crop")
    depth = _head(x, head_size)
    model = keras.Model(image, depth, name=name)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    return model


def _head(x: KerasTensor, size: int) -> KerasTensor:
    start = keras.initializers.Constant(_START_DEPTH)
    x = layers.Conv2D(1, size, padding="same", bias_initializer=start, name="head")(x)
    # float32 under any policy: float16 depth at 8 m moves in steps of 8 mm.
    return layers.ReLU(name="depth", dtype="float32")(x)


_entry = partial(
    Architecture,
    paper="jetson_fcnn",
    citation=CITATION,
    sides=lambda **options: SIDES,
    decoder=DECODER,
)

register(
    _entry(
        name="basic_deconv",
        description="ResNet50, five 5x5 deconvolutions",
        build=partial(fcnn, decoder="deconv"),
        recipe="row05_basic_deconv",
        parameters=(43_150_849, 43_095_745),
    )
)
register(
    _entry(
        name="basic_sc_deconv",
        description="ResNet50, five wide 5x5 deconvolutions, four shortcuts",
        build=partial(fcnn, decoder="deconv", shortcuts=(16, 8, 4, 2), ladder="notebook"),
        recipe="row06_basic_sc_deconv",
        parameters=(66_962_049, 66_905_985),
    )
)
register(
    _entry(
        name="basic_sc_nonbt",
        description="ResNet50, upsampling and factorized non-bottleneck blocks, four shortcuts",
        build=partial(fcnn, decoder="nonbt", shortcuts=(16, 8, 4, 2)),
        recipe="row09_basic_sc_nonbt_320x240",
        parameters=(31_970_721, 31_915_617),
    )
)
register(
    _entry(
        name="lite_basic_sc_nonbt",
        description="ResNet50 without its last stack, non-bottleneck blocks, three shortcuts",
        build=partial(fcnn, decoder="nonbt", shortcuts=(8, 4, 2), lite=True),
        recipe="row10_lite_basic_sc_nonbt_320x240",
        parameters=(10_676_129, 10_644_577),
    )
)
register(
    _entry(
        name="basic_sc_interl",
        description="ResNet50, four small kernels interleaved, two shortcuts",
        build=partial(fcnn, decoder="interleave", shortcuts=(16, 8)),
        recipe="row12_basic_sc_interl_320x240",
        parameters=(51_345_825, 51_290_721),
    )
)
register(
    _entry(
        name="basic_sc_interl_t",
        description="ResNet50, one 5x5 up-convolution kernel computed by interleaving, two"
        " shortcuts",
        build=partial(fcnn, decoder="upconv", shortcuts=(16, 8)),
        recipe="row14_basic_sc_interl_t_320x240",
        parameters=(51_342_849, 51_287_745),
    )
)
register(
    _entry(
        name="lite_basic_interl_t",
        description="ResNet50 without its last stack, up-convolution computed by interleaving: the"
        " fastest",
        build=partial(fcnn, decoder="upconv", lite=True),
        recipe="row16_lite_basic_interl_t_320x240",
        parameters=(13_469_185, 13_437_633),
    )
)
