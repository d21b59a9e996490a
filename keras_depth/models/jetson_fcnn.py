"""Fully convolutional ResNet50 networks for Jetson boards.

Bokovoy, Muravyev, Yakovlev: Real-time Vision-based Depth Reconstruction with NVIDIA Jetson,
ECMR 2019, arXiv:1907.07210. The paper leaves widths and shortcuts open; the defaults here are the
ones that explain its reported times, and what its authors' notebooks do otherwise is an option.
"""

import keras
from keras import layers

from keras_depth.errors import InputError
from keras_depth.layers.crop_like import CropLike
from keras_depth.layers.up_convolution import InterleavedConvolution, UpConvolution
from keras_depth.models.backbones import applications
from keras_depth.models.blocks import batch_norm, check_sides, factorised_non_bottleneck

# A ReLU ends the network. Started at zero it may never wake up, so it starts at a room's depth.
_START_DEPTH = 2.5  # metres

# Output widths of the decoder blocks, coarsest first, where the decoder starts 1024 wide.
_LADDERS = {
    "halving": (512, 256, 128, 64, 32),
    # The notebooks' rule, input width // (2, 3, 4, 4, 3) with concatenated shortcuts.
    "notebook": (512, 512, 256, 128, 64),
}


def _deconvolution(x, filters, name, momentum, dropout):
    x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same", name=f"{name}_deconv")(x)
    return _norm_relu_dropout(x, name, momentum, dropout)


def _up_convolution(layer):
    def block(x, filters, name, momentum, dropout):
        x = layer(filters, name=f"{name}_upconv")(x)
        return _norm_relu_dropout(x, name, momentum, dropout)

    return block


def _norm_relu_dropout(x, name, momentum, dropout):
    # The paper's order. (Its notebooks normalise before the convolution, where folding the
    # normalisation into the kernel would be wrong at the borders.)
    x = batch_norm(x, momentum, f"{name}_bn")
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x


def _upsample_non_bottleneck(x, filters, name, momentum, dropout):
    # The nearest-neighbour decoder of the paper has no dropout.
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_upsample")(x)
    return factorised_non_bottleneck(x, filters, momentum, name)


_DECODERS = {
    "deconv": _deconvolution,
    "nonbt": _upsample_non_bottleneck,
    "upconv": _up_convolution(UpConvolution),
    "upconv_unpool": _up_convolution(
        lambda filters, name: UpConvolution(filters, form="unpool", name=name)
    ),
    "interleave": _up_convolution(InterleavedConvolution),
}


def _shortcut(x, encoder_map, merge, name):
    if merge == "concat":
        return layers.Concatenate(name=f"{name}_concat")([encoder_map, x])
    projection = layers.Conv2D(x.shape[-1], 1, name=f"{name}_projection")(encoder_map)
    return layers.Add(name=f"{name}_add")([projection, x])


def fcnn(
    input_shape,
    weights,
    *,
    name,
    decoder,
    lite=False,
    shortcuts=(),
    merge="concat",
    ladder="halving",
    head_size=5,
    dropout=0.5,
    leading_batch_norm=False,
    batch_norm_momentum=0.99,
):
    """Builds one network of Table I.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None or "imagenet", for the encoder.
        name: the architecture's name, which the model carries.
        decoder: "deconv", "nonbt", "upconv" (one 5x5 kernel, interleaved), "upconv_unpool" (the
            same kernel as the paper trains it) or "interleave" (four kernels of their own).
        lite: without the encoder's last residual stack, and with a decoder half as wide.
        shortcuts: the decoder scales (denominators: 16, 8, 4, 2) before whose block the encoder's
            map of that scale joins.
        merge: "concat", or "add" after a 1x1 projection.
        ladder: "halving", or "notebook" for the authors' wider widths.
        head_size: kernel of the last convolution; 5 in the paper, 3 in the notebooks.
        dropout: rate after each deconvolution or up-convolution; 0 leaves it out.
        leading_batch_norm: a batch norm before each block, as in the notebooks' nonbt nets.
        batch_norm_momentum: of every batch norm, the encoder's included.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to depth (B, H, W, 1), metres.

    Raises:
        InputError: a size or an option the network cannot take.
    """
    check_sides(input_shape, 16, name)
    for option, value, known in (
        ("merge", merge, ("concat", "add")),
        ("ladder", ladder, tuple(_LADDERS)),
        ("decoder", decoder, tuple(_DECODERS)),
    ):
        if value not in known:
            raise InputError(f"{name}: {option} must be one of {known}, got {value!r}")
    taps = applications.RESNET50_LITE if lite else applications.RESNET50
    scales = (16, 8, 4, 2) if lite else (32, 16, 8, 4, 2)
    widths = [width // 2 for width in _LADDERS[ladder]] if lite else _LADDERS[ladder]

    image = keras.Input(input_shape, name="image")
    backbone = applications.application("resnet50", image, weights)
    x, *maps = applications.tapped(backbone, taps, "end", "sixteenth", "eighth", "quarter", "half")
    tapped = dict(zip((16, 8, 4, 2), maps, strict=True))
    x = layers.Conv2D(512 if lite else 1024, 1, name="start")(x)
    for number, (scale, width) in enumerate(zip(scales, widths, strict=False)):
        block = f"block{number}"
        if scale in shortcuts:
            x = _shortcut(x, tapped[scale], merge, block)
        if leading_batch_norm:
            x = batch_norm(x, batch_norm_momentum, f"{block}_leading_bn")
        x = _DECODERS[decoder](x, width, block, batch_norm_momentum, dropout)
        if scale == 32 and (input_shape[0] % 32 or input_shape[1] % 32):
            # 240 / 32 is not whole: the encoder's 8 rows become 16, where its 1/16 map has 15.
            x = CropLike(name=f"{block}_crop")([x, tapped[16]])
    head = layers.Conv2D(
        1,
        head_size,
        padding="same",
        bias_initializer=keras.initializers.Constant(_START_DEPTH),
        name="head",
    )(x)
    # float32 under any policy: float16 depth at 8 m moves in steps of 8 mm.
    depth = layers.ReLU(name="depth", dtype="float32")(head)
    model = keras.Model(image, depth, name=name)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    return model
