"""MSFNet: SENet154, attention at an eighth, all scales fused, and a decoder like DenseDepth's.

No public code was found, and the paper gives the encoder's widths alone: those of the fusion and
the decoder are ours. Its names: EDA, enhanced diverse attention; USF, upsample-stage fusion.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import keras
from keras import KerasTensor, layers, ops

from keras_depth.errors import InputError, check_choice
from keras_depth.layers import BilinearResize, ChannelStatistics, Preprocessing
from keras_depth.models.architecture import Architecture, register
from keras_depth.models.backbones import senet
from keras_depth.models.blocks import Sides, image_input

CITATION = (
    "Pei: MSFNet: Multi-scale Features Network for Monocular Depth Estimation. 2021,"
    " arXiv:2107.06445"
)
SIDES = Sides(smallest=32)

_FACTORS = {"s1": 2, "s2": 2, "s3": 4, "s4": 8, "s5": 16}  # how much fusion enlarges each stage
_BRANCH = 16  # channels of each stage in the fusion
_FUSED = 64  # channels of its result
_ATTENTION = {"eda": "eda", "eda_after_relu": "eda", "cbam": "cbam"}  # kinds of statistics

# How the names of the decoder's layers begin.
DECODER = ("bridge", "up", "attention", "fusion", "rdr", "depth")


def msfnet(
    input_shape: Sequence[int],
    weights: str | None,
    *,
    name: str,
    attention: str | None = "eda",
    fusion: bool = True,
    blocks: Sequence[int] = senet.BLOCKS,
    width: int = senet.WIDTH,
    groups: int = senet.GROUPS,
) -> keras.Model:
    """Builds MSFNet, or an arm of its ablation (Table III).

    Args:
        input_shape: (height, width, 3), any size from 32x32.
        weights: None, or the path of SENet154's published PyTorch file.
        name: the architecture's name, which the model carries.
        attention: of the third stage. "eda": the paper's, computed from the stage before its last
            ReLU. "eda_after_relu": equation 2 to the letter; but after a ReLU some channel is
            always 0, which makes it the same as "cbam". "cbam": CBAM's. None: no attention.
        fusion: joins all stages (USF) and gives the result to the decoder's end. Without it, the
            decoder's skip of the third stage is the attention's result, if any.
        blocks, width, groups: of SENet154, see `senet.senet`; the decoder's widths follow `width`.

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to the inverse depth
        (B, H/2, W/2, 1), halves rounded up. With attention or fusion the outputs are a list of such
        maps: the depth, then those of the auxiliary heads of attention and fusion, which only
        training needs.

    Raises:
        InputError: a size or an option the network cannot take.

    Source: section III, equation 2.
    """
    _check_options(name, attention, blocks, width, groups)
    if weights == "imagenet":
        raise InputError(
            f"weights imagenet: keras.applications has no SENet154: give the path of {senet.SOURCE}"
        )
    image = image_input(input_shape, SIDES, name)
    scaled = Preprocessing("torch", name="preprocessing")(image)
    stages = senet.senet(scaled, blocks, width, groups)
    size = stages["s1"].shape[1:3]
    skips = {stage: stages[stage] for stage in _FACTORS}
    auxiliary = []
    attended = stages["s3"]
    if attention:
        source = stages["s3_sum" if attention == "eda" else "s3"]
        attended = _attend(stages["s3"], source, _ATTENTION[attention])
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


def _attend(stage: KerasTensor, source: KerasTensor, kind: str) -> KerasTensor:
    """Weights each place of a stage by a 7x7 convolution of its channels' statistics."""
    statistics = ChannelStatistics(kind, name="attention_statistics")(source)
    scale = layers.Conv2D(1, 7, padding="same", activation="sigmoid", name="attention_conv")(
        statistics
    )
    return layers.Multiply(name="attention")([stage, scale])


def _fuse(stages: Mapping[str, KerasTensor], size: tuple[int, int]) -> KerasTensor:
    """Brings every stage to one size and to few channels, joins and refines them (USF)."""
    branches = []
    for stage, factor in _FACTORS.items():
        x = _enlarge(stages[stage], factor, f"fusion_{stage}")
        # The sizes nearly agree; pooling makes them equal.
        x = layers.AdaptiveAveragePooling2D(size, name=f"fusion_{stage}_pool")(x)
        x = layers.Conv2D(_BRANCH, 3, padding="same", use_bias=False, name=f"fusion_{stage}_conv")(
            x
        )
        x = senet.batch_norm(x, f"fusion_{stage}_bn")
        branches.append(_leaky(x, f"fusion_{stage}_relu"))
    return _refine(layers.Concatenate(name="fusion_concat")(branches))


def _enlarge(x: KerasTensor, factor: int, name: str) -> KerasTensor:
    """Enlarges a map by ESPCN's three convolutions, whose channels become pixels (Up-block)."""
    x = layers.Conv2D(64, 5, padding="same", activation="tanh", name=f"{name}_up_a")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="tanh", name=f"{name}_up_b")(x)
    x = layers.Conv2D(_BRANCH * factor**2, 3, padding="same", name=f"{name}_up_c")(x)
    return ops.depth_to_space(x, factor)


def _refine(x: KerasTensor) -> KerasTensor:
    """Normalizes half of the channels by image, half by batch, as in IBN-Net (RDR)."""
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


def _decode(skips: Mapping[str, KerasTensor], fused: KerasTensor | None, width: int) -> KerasTensor:
    """Adds four blocks up to the first stage, and a fifth of the same size for the fusion."""
    x = layers.Conv2D(16 * width, 1, name="bridge")(skips["s5"])
    for number, stage in enumerate(("s4", "s3", "s2", "s1"), start=1):
        # The skip is not always exactly twice as large.
        x = BilinearResize(skips[stage].shape[1:3], name=f"up{number}_resize")(x)
        x = _block([x, skips[stage]], 16 * width // 2**number, f"up{number}")
    if fused is not None:
        x = _block([x, fused], width, "up5")
    return layers.Conv2D(1, 3, padding="same", dtype="float32", name="depth")(x)


def _block(maps: Sequence[KerasTensor], channels: int, name: str) -> KerasTensor:
    x = layers.Concatenate(name=f"{name}_concat")(maps)
    for convolution in ("a", "b"):
        x = layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
        x = _leaky(x, f"{name}_relu_{convolution}")
    return x


def _head(x: KerasTensor, size: tuple[int, int], name: str) -> KerasTensor:
    """Adds an auxiliary head: one channel of the depth's size, which has a loss of its own."""
    x = layers.Conv2D(1, 1, dtype="float32", name=name)(x)
    return BilinearResize(size, dtype="float32", name=f"{name}_resize")(x)


def _leaky(x: KerasTensor, name: str) -> KerasTensor:
    return layers.LeakyReLU(0.2, name=name)(x)


def _check_options(
    name: str, attention: str | None, blocks: Sequence[int], width: int, groups: int
) -> None:
    if attention is not None:
        check_choice(f"attention of {name}", attention, _ATTENTION)
    numbers = [*(blocks if isinstance(blocks, list | tuple) else []), width, groups]
    whole = all(type(number) is int and number > 0 for number in numbers)
    if len(numbers) != 6 or not whole or 2 * width % groups:
        raise InputError(
            f"{name}: blocks={blocks!r}, width={width!r}, groups={groups!r}: give four numbers"
            " of blocks, a width, and groups that divide twice the width, all 1 or more"
        )


_entry = partial(
    Architecture,
    paper="msfnet",
    citation=CITATION,
    sides=lambda **options: SIDES,
    encoding="inverse",
    size=(228, 304),
    decoder=DECODER,
)

register(
    _entry(
        name="msfnet",
        description="SENet154, spatial attention (EDA), five scales fused, to half the size",
        build=msfnet,
        recipe="row1_nyu",
        parameters=(139_274_614, 139_026_838),
    )
)
register(
    _entry(
        name="msfnet_baseline",
        description="the same without attention and fusion: SENet154 with DenseDepth's decoder",
        build=partial(msfnet, attention=None, fusion=False),
        recipe="row3_baseline",
        parameters=(131_055_409, 130_807_857),
    )
)
register(
    _entry(
        name="msfnet_usf",
        description="the same with fusion alone",
        build=partial(msfnet, attention=None),
        recipe="row4_usf",
        parameters=(139_274_002, 139_026_226),
    )
)
register(
    _entry(
        name="msfnet_usf_cbam",
        description="the same with CBAM's spatial attention",
        build=partial(msfnet, attention="cbam"),
        recipe="row5_usf_cbam",
        parameters=(139_274_614, 139_026_838),
    )
)
