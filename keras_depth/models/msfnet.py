"""MSFNet: SENet154, attention at an eighth, all scales fused, and a decoder like DenseDepth's.

Pei: MSFNet: Multi-scale Features Network for Monocular Depth Estimation, arXiv:2107.06445. No
public code was found, and the paper gives no widths but the encoder's: those of the fusion and of
the decoder are ours. Its names: EDA, enhanced diverse attention; USF, upsample-stage fusion.
"""

import keras
from keras import layers, ops

from keras_depth.errors import InputError, unknown_name
from keras_depth.layers.attention import ChannelStatistics
from keras_depth.layers.preprocessing import Preprocessing
from keras_depth.layers.resize import BilinearResize
from keras_depth.layers.sub_pixel import SubPixel
from keras_depth.models.backbones import senet
from keras_depth.models.blocks import check_sides

SMALLEST = 32  # pixels of a side; no multiple is asked for

_FACTORS = {"s1": 2, "s2": 2, "s3": 4, "s4": 8, "s5": 16}  # by which fusion enlarges each stage
_BRANCH = 16  # channels of each stage in the fusion
_FUSED = 64  # channels of its result
_ATTENTION = {"eda": "eda", "eda_after_relu": "eda", "cbam": "cbam"}  # kinds of statistics


def msfnet(
    input_shape,
    weights,
    *,
    name,
    attention="eda",
    fusion=True,
    blocks=senet.BLOCKS,
    width=senet.WIDTH,
    groups=senet.GROUPS,
):
    """Builds MSFNet, or an arm of its ablation (Table III).

    Args:
        input_shape: (height, width, 3), any size from 32x32.
        weights: None, or the path of SENet154's published PyTorch file.
        name: the architecture's name, which the model carries.
        attention: at the third stage: "eda", the paper's, which sees the stage before its last
            ReLU; "eda_after_relu", equation 2 to the letter, but there some channel is always 0
            and it comes to "cbam"; "cbam", CBAM's; or None.
        fusion: USF, the fusion of all stages, which joins the decoder at its end. Without it the
            attention's result, if any, is the decoder's skip of the third stage.
        blocks, width, groups: of SENet154, see `senet.senet`; the decoder's widths follow `width`.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to a map (B, H/2, W/2, 1),
        halves rounded up; with attention or fusion to a list of such maps, the first one depth,
        the others the auxiliary heads' of attention and fusion, which only training needs.

    Raises:
        InputError: a size or an option the network cannot take.

    Source: section III, equation 2.
    """
    check_sides(input_shape, 1, name, SMALLEST)
    _check_options(name, attention, blocks, width, groups)
    if weights == "imagenet":
        raise InputError(
            f"weights imagenet: keras.applications has no SENet154: give the path of {senet.SOURCE}"
        )
    image = keras.Input(input_shape, name="image")
    picture = Preprocessing("torch", name="preprocessing")(image)
    stages = senet.senet(picture, blocks, width, groups)
    size = stages["s1"].shape[1:3]
    skips = {stage: stages[stage] for stage in _FACTORS}
    auxiliary = []
    attended = stages["s3"]
    if attention:
        seen = stages["s3_sum" if attention == "eda" else "s3"]
        attended = _attend(stages["s3"], seen, _ATTENTION[attention])
        auxiliary.append(_head(attended, size, "attention_head"))
    if fusion:
        fused = _fuse({**skips, "s3": attended}, size)
        auxiliary.append(_head(fused, size, "fusion_head"))
    else:
        fused, skips["s3"] = None, attended
    depth = _decode(skips, fused, width)
    model = keras.Model(image, [depth, *auxiliary] if auxiliary else depth, name=name)
    if weights is not None:
        senet.load_cadene(model, weights)
    return model


def _attend(stage, looked_at, kind):
    """Scales each place of a stage by what a 7x7 makes of its channels' statistics."""
    statistics = ChannelStatistics(kind, name="attention_statistics")(looked_at)
    scale = layers.Conv2D(1, 7, padding="same", activation="sigmoid", name="attention_conv")(
        statistics
    )
    return layers.Multiply(name="attention")([stage, scale])


def _fuse(stages, size):
    """USF: brings every stage to one size and to few channels, joins and refines them."""
    branches = []
    for stage, factor in _FACTORS.items():
        x = _enlarge(stages[stage], factor, f"fusion_{stage}")
        # The sizes nearly agree; this makes them equal.
        x = layers.AdaptiveAveragePooling2D(size, name=f"fusion_{stage}_pool")(x)
        x = layers.Conv2D(_BRANCH, 3, padding="same", use_bias=False, name=f"fusion_{stage}_conv")(
            x
        )
        x = senet.batch_norm(x, f"fusion_{stage}_bn")
        branches.append(_leaky(x, f"fusion_{stage}_relu"))
    return _refine(layers.Concatenate(name="fusion_concat")(branches))


def _enlarge(x, factor, name):
    """The Up-block: ESPCN's three convolutions, whose last channels become pixels."""
    x = layers.Conv2D(64, 5, padding="same", activation="tanh", name=f"{name}_up_a")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="tanh", name=f"{name}_up_b")(x)
    x = layers.Conv2D(_BRANCH * factor**2, 3, padding="same", name=f"{name}_up_c")(x)
    return SubPixel(factor, name=f"{name}_up")(x)


def _refine(x):
    """RDR: half of the channels is normalised by picture, half by batch, as in IBN-Net."""
    squeezed = layers.Conv2D(_FUSED, 1, name="rdr_squeeze")(x)
    halves = []
    for part, y in zip(("in", "bn"), ops.split(squeezed, 2, axis=-1), strict=True):
        for kernel in ((3, 1), (1, 3)):
            label = f"rdr_{part}_conv_{kernel[0]}x{kernel[1]}"
            y = layers.Conv2D(_FUSED // 2, kernel, padding="same", use_bias=False, name=label)(y)
        if part == "in":
            y = layers.GroupNormalization(-1, epsilon=1e-5, name="rdr_in_norm")(y)
        else:
            y = senet.batch_norm(y, "rdr_bn_norm")
        halves.append(_leaky(y, f"rdr_{part}_relu"))
    y = layers.Concatenate(name="rdr_halves")(halves)
    y = layers.Conv2D(_FUSED, 3, padding="same", name="rdr_conv")(y)
    y = _leaky(y, "rdr_relu")
    y = layers.Concatenate(name="rdr_concat")([y, x])
    return layers.Conv2D(_FUSED, 1, name="rdr_out")(y)


def _decode(skips, fused, width):
    """Four blocks up to the first stage; a fifth, of its size, takes up the fusion's result."""
    x = layers.Conv2D(16 * width, 1, name="bridge")(skips["s5"])
    for number, stage in enumerate(("s4", "s3", "s2", "s1"), start=1):
        # To the skip's size, which is not always twice as large.
        x = BilinearResize(skips[stage].shape[1:3], name=f"up{number}_resize")(x)
        x = _block([x, skips[stage]], 16 * width // 2**number, f"up{number}")
    if fused is not None:
        x = _block([x, fused], width, "up5")
    return layers.Conv2D(1, 3, padding="same", dtype="float32", name="depth")(x)


def _block(maps, channels, name):
    x = layers.Concatenate(name=f"{name}_concat")(maps)
    for convolution in ("a", "b"):
        x = layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
        x = _leaky(x, f"{name}_relu_{convolution}")
    return x


def _head(x, size, name):
    """A map of the depth's size from what is to be trained on its own too."""
    x = layers.Conv2D(1, 1, dtype="float32", name=name)(x)
    return BilinearResize(size, dtype="float32", name=f"{name}_resize")(x)


def _leaky(x, name):
    return layers.LeakyReLU(0.2, name=name)(x)


def _check_options(name, attention, blocks, width, groups):
    if attention is not None and attention not in _ATTENTION:
        raise unknown_name(f"value of attention for {name}:", attention, _ATTENTION)
    numbers = [*(blocks if isinstance(blocks, list | tuple) else []), width, groups]
    whole = all(type(number) is int and number > 0 for number in numbers)
    if len(numbers) != 6 or not whole or 2 * width % groups:
        raise InputError(
            f"{name}: blocks={blocks!r}, width={width!r}, groups={groups!r}: give blocks of four"
            " layers, a width, and groups that divide twice the width, all 1 or more"
        )
