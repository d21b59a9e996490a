"""Backbones of keras.applications, and the feature maps that decoders take from them."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from keras_depth.errors import InputError, first_line
from keras_depth.layers.preprocessing import Preprocessing


@dataclass(frozen=True)
class FeatureLayers:
    """Names of a backbone's layers: its end, and the skip of each scale, a half to a sixteenth."""

    end: str
    half: str
    quarter: str
    eighth: str
    sixteenth: str = ""
    full: str = ""


# Skips start before the activation: at the last residual unit's addition, and at the batch norm
# after the first convolution (the notebooks of Bokovoy et al.).
RESNET50 = FeatureLayers(
    end="conv5_block3_out",
    half="conv1_bn",
    quarter="conv2_block3_add",
    eighth="conv3_block4_add",
    sixteenth="conv4_block6_add",
)
# Without the last residual stack: 8,589,184 parameters instead of 23,587,712.
RESNET50_LITE = replace(RESNET50, end="conv4_block6_out")

_RESNET_TO_A_SIXTEENTH = FeatureLayers(
    end="conv4_block6_out",
    half="conv1_relu",
    quarter="conv2_block3_out",
    eighth="conv3_block4_out",
)
_DENSENET = FeatureLayers(
    end="pool4_relu", half="conv1_relu", quarter="pool2_relu", eighth="pool3_relu"
)
# Das et al. publish the code of Inception-ResNet-v2 alone. For the other encoders these layers give
# the counts of their table: at 1/16 ResNet152 has 6 of its 36 blocks, and ends where ResNet50 does.
# Several maps may have the same size and width, and then the count does not tell which one is the
# skip; here it is the last one, and for ResNet152's eighth the last one of ResNet50.
IRV2_UNET = {
    "resnet50": _RESNET_TO_A_SIXTEENTH,
    "resnet152": _RESNET_TO_A_SIXTEENTH,
    "densenet169": _DENSENET,
    "densenet201": _DENSENET,
    "vgg19": FeatureLayers(
        end="block5_conv3",
        full="block1_conv2",
        half="block2_conv2",
        quarter="block3_conv4",
        eighth="block4_conv4",
    ),
}
MOBILENET_V2 = FeatureLayers(
    end="out_relu",
    half="expanded_conv_project_BN",
    quarter="block_2_add",
    eighth="block_5_add",
    sixteenth="block_12_add",
)
# Rows and columns of zeros that bring the unpadded maps of Inception-ResNet-v2 to exactly a half, a
# quarter ... of sides that are multiples of 16.
_PADDINGS = {
    "half": ((1, 0), (1, 0)),
    "quarter": ((1, 1), (1, 1)),
    "eighth": ((2, 1), (2, 1)),
    "end": ((1, 1), (1, 1)),
}

# Builder, and the mode of `Preprocessing` that its ImageNet weights were trained with.
_APPLICATIONS: dict[str, tuple[Callable[..., keras.Model], str]] = {
    "resnet50": (keras.applications.ResNet50, "caffe"),
    "resnet152": (keras.applications.ResNet152, "caffe"),
    "vgg19": (keras.applications.VGG19, "caffe"),
    "densenet169": (keras.applications.DenseNet169, "torch"),
    "densenet201": (keras.applications.DenseNet201, "torch"),
    "inception_resnet_v2": (keras.applications.InceptionResNetV2, "tf"),
    "mobilenet_v2": (keras.applications.MobileNetV2, "tf"),
}


def application(
    encoder: str,
    image: keras.KerasTensor,
    weights: str | None = None,
    scaling: str | None = None,
) -> keras.Model:
    """Builds a backbone of keras.applications without its classifier, preprocessing first.

    Args:
        encoder: "resnet50", "resnet152", "vgg19", "densenet169", "densenet201",
            "inception_resnet_v2" or "mobilenet_v2".
        image: Keras input (B, H, W, 3), RGB in [0, 1].
        weights: None, "imagenet" (downloaded and cached by Keras), or the path of such a `.h5` file
            without the classifier.
        scaling: a mode of `Preprocessing` in place of the one that the weights were trained with;
            "none" leaves the image as it is.

    Returns:
        The backbone as a functional model, from `image` to its last map.

    Raises:
        InputError: PyTorch's weights are given, the ImageNet weights cannot be downloaded, or the
            file is missing or another network's.
    """
    file = weights if weights and weights.endswith(".h5") else None
    if weights not in (None, "imagenet", file):
        raise InputError(
            f"weights {weights}: PyTorch's files are for encoders that keras.applications lacks;"
            f" give 'imagenet', or a .h5 file without the classifier, for {encoder}"
        )
    build, mode = _APPLICATIONS[encoder]
    mode = scaling or mode
    x = image if mode == "none" else Preprocessing(mode, name="preprocessing")(image)
    arguments = {"include_top": False, "input_tensor": x, "name": encoder}
    try:
        with warnings.catch_warnings():
            # The weights were trained on 224x224, which makes no difference to convolutions.
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            backbone = build(weights=None if file else weights, **arguments)
    except Exception as error:
        # keras.utils.get_file raises a bare Exception when a download fails.
        known = ("fetch failure", "corrupted")
        if weights != "imagenet" or not any(text in str(error) for text in known):
            raise
        named = re.search(r"[\w.-]+\.h5", str(error))
        raise InputError(
            f"ImageNet weights of {build.__name__} could not be downloaded"
            f" ({error}); connect this machine once, or copy"
            f" {named[0] if named else 'them'} from another machine's"
            " ~/.keras/models into this one's, or train with --weights none (a frozen encoder with"
            " --set options.frozen=false too)"
        ) from error
    if file:
        _load(backbone, file)
    return backbone


def _load(backbone: keras.Model, path: str) -> None:
    if not Path(path).is_file():
        raise InputError(f"weights {path}: no such file; check its path")
    try:
        backbone.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"weights {path}: not those of {backbone.name} without its classifier"
            f" ({first_line(error)}); give the file that keras.applications downloads for it"
        ) from error


def feature_maps(
    backbone: keras.Model, layers: FeatureLayers, *scales: str
) -> list[keras.KerasTensor]:
    """Returns the outputs of the named layers of a backbone, for "end", "half", "quarter" ..."""
    return [backbone.get_layer(getattr(layers, scale)).output for scale in scales]


def inception_resnet_v2_maps(backbone: keras.Model, *scales: str) -> list[keras.KerasTensor]:
    """Returns padded maps of Inception-ResNet-v2, for "half", "quarter", "eighth" or "end".

    Keras goes on numbering its layers from one network of a process to the next, so the maps are
    found by position. The half and the quarter are the first and the fourth activation of the
    stem, which has no branches. The eighth and the end are the inputs of the strided convolution in
    the branch with three convolutions of the first and the second reduction.
    """
    stem = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Activation)]
    makers = {id(layer.output): layer for layer in backbone.layers}

    def before_the_last_convolution(reduction: str, branch: int) -> keras.KerasTensor:
        x = backbone.get_layer(reduction).input[branch]
        for _ in ("activation", "batch norm", "convolution"):
            x = makers[id(x)].input
        return x

    maps = {
        "half": stem[0].output,
        "quarter": stem[3].output,
        "eighth": before_the_last_convolution("mixed_6a", 1),
        "end": before_the_last_convolution("mixed_7a", 2),
    }
    pads = {
        scale: keras.layers.ZeroPadding2D(_PADDINGS[scale], name=f"{scale}_padding")
        for scale in scales
    }
    return [pads[scale](maps[scale]) for scale in scales]
