"""The registry: one entry per network, the only list of names."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_depth.errors import InputError, unknown_name
from keras_depth.models import irv2_unet, jetson_fcnn, mobile_unet, msfnet, optidepthnet
from keras_depth.registry import Registry

CITATIONS = {
    "jetson_fcnn": "Bokovoy, Muravyev, Yakovlev: Real-time Vision-based Depth Reconstruction with"
    " NVIDIA Jetson. ECMR 2019, arXiv:1907.07210",
    "optidepthnet": "Wei, Yin, Shen, Wang: OptiDepthNet: A Real-Time Unsupervised Monocular Depth"
    " Estimation Network. Wireless Personal Communications, doi 10.1007/s11277-022-10074-9. Its"
    " base, monodepth: Godard, Mac Aodha, Brostow: Unsupervised Monocular Depth Estimation with"
    " Left-Right Consistency. CVPR 2017, arXiv:1609.03677",
    "irv2_unet": "Das, Das, Sadaf: Depth Estimation From Monocular Images With Enhanced"
    " Encoder-Decoder Architecture. 2024, arXiv:2410.11610",
    "mobile_unet": "D. Wang, R. Wang, S. Chen, Y. Qiu: Monocular Depth Estimation Based on"
    " Convolutional Neural Networks. University of Michigan, 2021",
    "msfnet": "Pei: MSFNet: Multi-scale Features Network for Monocular Depth Estimation. 2021,"
    " arXiv:2107.06445",
}


@dataclass(frozen=True)
class Architecture:
    """One network of a paper.

    Attributes:
        name: what `create_model` and the commands call it; the model carries it too.
        paper: key of `CITATIONS`, and the folder of its recipes in `training/`.
        description: one line.
        build: function (input_shape, weights, **options) -> keras.Model.
        recipe: the published row that `train --arch NAME` follows on the paper's data.
        parameters: of the default options, all and trainable.
        encoding: how the network writes depth (see `encodings.py`).
        multiple: the sides of the input must be multiples of this.
        smallest: and no shorter than this.
        size: (height, width) of the input unless another is asked for.
    """

    name: str
    paper: str
    description: str
    build: Callable[..., keras.Model]
    recipe: str
    parameters: tuple[int, int]
    encoding: str = "metric"
    multiple: int = 16
    smallest: int = 0
    size: tuple[int, int] = (240, 320)

    @property
    def citation(self) -> str:
        return CITATIONS[self.paper]

    @property
    def options(self) -> dict[str, Any]:
        """The builder's options and their defaults for this network."""
        parameters = inspect.signature(self.build).parameters
        fixed = ("input_shape", "weights", "name")
        return {key: value.default for key, value in parameters.items() if key not in fixed}


ARCHITECTURES: Registry[Architecture] = Registry("architecture")


def register(architecture: Architecture) -> None:
    """Adds a network.

    Raises:
        InputError: the name is taken.
    """
    ARCHITECTURES.add(architecture.name, architecture)


def get(name: str) -> Architecture:
    """Returns the network called `name`.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    return ARCHITECTURES[name]


def of(model: keras.Model) -> Architecture | None:
    """Returns the network that a model is by its name, with the model's own encoding.

    The name is the network's, and where it was trained to another encoding, "name-encoding": so a
    model's file says how it writes depth wherever it is copied. None: no network of that name.
    """
    name, _, encoding = model.name.partition("-")
    entry = ARCHITECTURES.get(name)
    return replace(entry, encoding=encoding) if entry and encoding else entry


def list_architectures(paper: str | None = None) -> list[str]:
    """Returns the names of all networks, or of one paper's."""
    return [name for name, entry in ARCHITECTURES.items() if paper in (None, entry.paper)]


def create_model(
    name: str,
    input_shape: tuple[int, int, int] | None = None,
    weights: str | Path | None = None,
    **options: Any,
) -> keras.Model:
    """Builds a network by name.

    Args:
        name: see `list_architectures()`.
        input_shape: (height, width, 3) of the picture, RGB in [0, 1]; None: the network's `size`.
        weights: None or "none" (random), "imagenet" (the encoder's), the path of a trained model
            (`.keras`, or `.weights.h5`), whose size may differ, or PyTorch's `.pth` file of an
            encoder that keras.applications does not have.
        **options: the builder's; `architectures.get(name).options` lists them.

    Returns:
        A functional model from (B, height, width, 3) to the network's output, finest first.

    Raises:
        InputError: unknown name or option, a size it cannot take, weights that do not fit.

    Example:
        >>> model = create_model("lite_basic_interl_t", input_shape=(240, 320, 3))
        >>> model.output_shape
        (None, 240, 320, 1)
    """
    architecture = get(name)
    for option in options:
        if option not in architecture.options:
            raise unknown_name(f"option of {name}", option, architecture.options)
    of_encoder = str(weights) if weights == "imagenet" or str(weights).endswith(".pth") else None
    shape = (*architecture.size, 3) if input_shape is None else tuple(input_shape)
    model = architecture.build(shape, of_encoder, **options)
    if of_encoder is None and weights not in (None, "none"):
        _load_weights(model, Path(str(weights)))
    return model


def _load_weights(model: keras.Model, path: Path) -> None:
    if path.is_dir():
        path = path / "model.keras"  # a run folder
    if not path.is_file():
        raise InputError(
            f"weights {path}: no such file; give 'none', 'imagenet' or the path of a .keras,"
            " .weights.h5 or, of an encoder alone, .pth file"
        )
    try:
        if path.suffix == ".keras":
            model.set_weights(keras.saving.load_model(path, compile=False).get_weights())
        else:
            model.load_weights(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"weights {path}: they do not fit {model.name} ({first_line}); give weights saved from"
            " the same architecture with the same options"
        ) from error


_ALL_SCALES = (16, 8, 4, 2)
_LITE_SCALES = (8, 4, 2)

for _name, _description, _recipe, _parameters, _options in (
    (
        "basic_deconv",
        "ResNet50, five 5x5 deconvolutions",
        "row05_basic_deconv",
        (43_150_849, 43_095_745),
        {"decoder": "deconv"},
    ),
    (
        "basic_sc_deconv",
        "ResNet50, five wide 5x5 deconvolutions, four shortcuts",
        "row06_basic_sc_deconv",
        (66_962_049, 66_905_985),
        {"decoder": "deconv", "shortcuts": _ALL_SCALES, "ladder": "notebook"},
    ),
    (
        "basic_sc_nonbt",
        "ResNet50, upsampling and factorised non-bottleneck blocks, four shortcuts",
        "row09_basic_sc_nonbt_320x240",
        (31_970_721, 31_915_617),
        {"decoder": "nonbt", "shortcuts": _ALL_SCALES},
    ),
    (
        "lite_basic_sc_nonbt",
        "ResNet50 without its last stack, non-bottleneck blocks, three shortcuts",
        "row10_lite_basic_sc_nonbt_320x240",
        (10_676_129, 10_644_577),
        {"decoder": "nonbt", "shortcuts": _LITE_SCALES, "lite": True},
    ),
    (
        "basic_sc_interl",
        "ResNet50, four small kernels interleaved, two shortcuts",
        "row12_basic_sc_interl_320x240",
        (51_345_825, 51_290_721),
        {"decoder": "interleave", "shortcuts": (16, 8)},
    ),
    (
        "basic_sc_interl_t",
        "ResNet50, one 5x5 up-convolution kernel computed by interleaving, two shortcuts",
        "row14_basic_sc_interl_t_320x240",
        (51_342_849, 51_287_745),
        {"decoder": "upconv", "shortcuts": (16, 8)},
    ),
    (
        "lite_basic_interl_t",
        "ResNet50 without its last stack, up-convolution computed by interleaving: the fastest",
        "row16_lite_basic_interl_t_320x240",
        (13_469_185, 13_437_633),
        {"decoder": "upconv", "lite": True},
    ),
):
    register(
        Architecture(
            name=_name,
            paper="jetson_fcnn",
            description=_description,
            build=partial(jetson_fcnn.fcnn, name=_name, **_options),
            recipe=_recipe,
            parameters=_parameters,
        )
    )

for _name, _description, _recipe, _count, _encoder, _separable in (
    (
        "monodepth_vgg",
        "VGG-like encoder, trained on stereo pairs (Godard et al.)",
        "vgg_base",
        31_600_072,
        "vgg",
        "none",
    ),
    (
        "monodepth_resnet50",
        "ResNet50 without batch norm, trained on stereo pairs (Godard et al.)",
        "resnet50_base",
        58_452_008,
        "resnet50",
        "none",
    ),
    (
        "monodepth_resnet152",
        "the same with ResNet152",
        "resnet152_base",
        125_577_256,
        "resnet152",
        "none",
    ),
    (
        "optidepthnet_vgg",
        "monodepth_vgg with depthwise-separable convolutions: a ninth of its parameters",
        "vgg",
        3_589_870,
        "vgg",
        "A",
    ),
    (
        "optidepthnet_resnet50",
        "monodepth_resnet50 with depthwise-separable convolutions: half its parameters",
        "resnet50",
        30_343_150,
        "resnet50",
        "A",
    ),
    (
        "optidepthnet_resnet152",
        "monodepth_resnet152 with depthwise-separable convolutions",
        "resnet152",
        81_289_198,
        "resnet152",
        "A",
    ),
):
    register(
        Architecture(
            name=_name,
            paper="optidepthnet",
            description=_description,
            build=partial(
                optidepthnet.disparity_network,
                name=_name,
                encoder=_encoder,
                separable=_separable,
            ),
            recipe=_recipe,
            parameters=(_count, _count),
            encoding="disparity",
            multiple=optidepthnet.MULTIPLES[_encoder],
            size=(256, 512),
        )
    )

for _name, _description, _recipe, _parameters, _encoder in (
    (
        "irv2_unet",
        "Inception-ResNet-v2 up to a 16th, bilinear decoder with four skips",
        "row4_irv2",
        (31_159_265, 31_120_161),
        "inception_resnet_v2",
    ),
    (
        "densenet201_unet",
        "the same decoder on DenseNet201",
        "row1_densenet201",
        (17_233_249, 17_103_393),
        "densenet201",
    ),
    (
        "resnet152_unet",
        "the same decoder on the first blocks of ResNet152",
        "row2_resnet152",
        (15_549_601, 15_510_945),
        "resnet152",
    ),
    (
        "vgg19_unet",
        "the same decoder on VGG19",
        "row3_vgg19",
        (22_370_305, 22_368_385),
        "vgg19",
    ),
    (
        "resnet50_unet",
        "the same decoder on ResNet50; named in the paper, without numbers",
        "resnet50",
        (14_420_129, 14_387_617),
        "resnet50",
    ),
    (
        "densenet169_unet",
        "the same decoder on DenseNet169; named in the paper, without numbers",
        "densenet169",
        (12_243_297, 12_167_201),
        "densenet169",
    ),
):
    register(
        Architecture(
            name=_name,
            paper="irv2_unet",
            description=_description,
            build=partial(irv2_unet.unet, name=_name, encoder=_encoder),
            recipe=_recipe,
            parameters=_parameters,
            encoding="unit",
            multiple=irv2_unet.MULTIPLE,
            smallest=irv2_unet.smallest(_encoder),
        )
    )

for _name, _description, _recipe, _parameters, _build in (
    (
        "mobilenet_v2_unet",
        "frozen MobileNetV2, four bilinear blocks, to half the picture's size",
        "row1_mobilenet_v2",
        (19_279_985, 17_022_001),
        mobile_unet.mobilenet_v2_unet,
    ),
    (
        "squeezenet_unet",
        "frozen SqueezeNet 1.1, three bilinear blocks, to half the picture's size",
        "row2_squeezenet",
        (4_083_201, 3_360_705),
        mobile_unet.squeezenet_unet,
    ),
):
    register(
        Architecture(
            name=_name,
            paper="mobile_unet",
            description=_description,
            build=partial(_build, name=_name),
            recipe=_recipe,
            parameters=_parameters,
            encoding="centimetres",
            multiple=mobile_unet.MULTIPLE,
            smallest=mobile_unet.SMALLEST,
            size=(480, 640),
        )
    )

for _name, _description, _recipe, _parameters, _attention, _fusion in (
    (
        "msfnet",
        "SENet154, spatial attention (EDA), five scales fused, to half the size",
        "row1_nyu",
        (139_274_614, 139_026_838),
        "eda",
        True,
    ),
    (
        "msfnet_baseline",
        "the same without attention and fusion: SENet154 with DenseDepth's decoder",
        "row3_baseline",
        (131_055_409, 130_807_857),
        None,
        False,
    ),
    (
        "msfnet_usf",
        "the same with fusion alone",
        "row4_usf",
        (139_274_002, 139_026_226),
        None,
        True,
    ),
    (
        "msfnet_usf_cbam",
        "the same with CBAM's spatial attention",
        "row5_usf_cbam",
        (139_274_614, 139_026_838),
        "cbam",
        True,
    ),
):
    register(
        Architecture(
            name=_name,
            paper="msfnet",
            description=_description,
            build=partial(msfnet.msfnet, name=_name, attention=_attention, fusion=_fusion),
            recipe=_recipe,
            parameters=_parameters,
            encoding="inverse",
            multiple=1,
            smallest=msfnet.SMALLEST,
            size=(228, 304),
        )
    )
