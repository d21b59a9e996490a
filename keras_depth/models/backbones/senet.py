"""SENet154 without its classifier, and its weights from PyTorch.

Hu et al., Squeeze-and-Excitation Networks, CVPR 2018, as in Cadene's pretrained-models.pytorch: a
stem of three 3x3 convolutions, then ResNeXt blocks of 64 groups, each with squeeze and excitation.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
from keras import KerasTensor, layers

from keras_depth.layers import GroupedConv2D
from keras_depth.models.backbones import torch_weights

BLOCKS, WIDTH, GROUPS = (3, 8, 36, 3), 64, 64  # SENet154's
SOURCE = "Cadene's senet154-c7b49a05.pth, from data.lip6.fr/cadene/pretrainedmodels"
_REDUCTION = 16  # of channels, between squeeze and excitation


def senet(
    image: KerasTensor, blocks: Sequence[int] = BLOCKS, width: int = WIDTH, groups: int = GROUPS
) -> dict[str, KerasTensor]:
    """Builds SENet154, or a smaller network of its kind, on an image.

    Args:
        image: (B, H, W, 3), scaled by `Preprocessing("torch")`; any size from 32x32.
        blocks: number of residual blocks of each of the four layers.
        width: channels of the stem's first convolution; all others are multiples of it.
        groups: of the 3x3 convolutions in the blocks.

    Returns:
        The maps by stage, a half to a 32nd of the image's size: "s1" with 2 `width` channels (the
        stem's), "s2" to "s5" with 4, 8, 16, 32 `width`. "s3_sum" is "s3" before its last ReLU.
    """
    x = _convolution(image, width, 3, "stem1", strides=2)
    x = _convolution(x, width, 3, "stem2")
    maps = {"s1": _convolution(x, 2 * width, 3, "stem3")}
    x = _pool(maps["s1"])
    for layer, count in enumerate(blocks, start=1):
        for block in range(count):
            # The first block of a layer changes channels, and but for the first layer the size.
            strides = 2 if layer > 1 and block == 0 else 1
            planes = width * 2 ** (layer - 1)
            label = f"layer{layer}_block{block}"
            total = _block(x, planes, groups, strides, block == 0, label)
            x = layers.ReLU(name=f"{label}_out")(total)
        maps[f"s{layer + 1}"] = x
        if layer == 2:
            maps["s3_sum"] = total
    return maps


def _block(
    x: KerasTensor, planes: int, groups: int, strides: int, projects: bool, name: str
) -> KerasTensor:
    """Returns the sum of a block's shortcut and its branch, before the ReLU."""
    channels = 4 * planes
    y = _convolution(x, 2 * planes, 1, f"{name}_conv1")
    y = _convolution(y, channels, 3, f"{name}_conv2", strides=strides, groups=groups)
    y = _convolution(y, channels, 1, f"{name}_conv3", activation=False)
    if projects:
        size = 3 if strides == 2 else 1
        x = _convolution(x, channels, size, f"{name}_shortcut", strides=strides, activation=False)
    return layers.Add(name=f"{name}_sum")([_excite(y, channels, name), x])


def _excite(x: KerasTensor, channels: int, name: str) -> KerasTensor:
    """Scales each channel by a weight computed from the means of all channels."""
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    fewer = max(1, channels // _REDUCTION)
    y = layers.Conv2D(fewer, 1, activation="relu", name=f"{name}_excite1")(y)
    y = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_excite2")(y)
    return layers.Multiply(name=f"{name}_excited")([x, y])


def _convolution(
    x: KerasTensor,
    channels: int,
    size: int,
    name: str,
    strides: int = 1,
    groups: int = 1,
    activation: bool = True,
) -> KerasTensor:
    """Adds a convolution, batch norm and ReLU with PyTorch's padding and constants."""
    kind, more = layers.Conv2D, {}
    if groups > 1:
        kind, more = GroupedConv2D, {"groups": groups}
    padding = "same"
    if strides == 2:
        # Where "same" pads at the end alone, PyTorch pads at both.
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
    x = kind(channels, size, strides, padding, use_bias=False, name=name, **more)(x)
    x = batch_norm(x, f"{name}_bn")
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x


def batch_norm(x: KerasTensor, name: str) -> KerasTensor:
    """Adds batch normalization with PyTorch's constants."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _pool(x: KerasTensor) -> KerasTensor:
    """Adds 3x3 max pooling with stride 2, the last window open at the end (PyTorch's ceil mode)."""
    open_ends = [(0, (side - 3) % 2) for side in x.shape[1:3]]
    if any(end for _, end in open_ends):
        # Zeros will do: after a ReLU no value is below 0.
        x = layers.ZeroPadding2D(open_ends, name="pool_pad")(x)
    return layers.MaxPooling2D(3, 2, name="pool")(x)


def load_cadene(model: keras.Model, path: str | Path) -> None:
    """Loads the published ImageNet weights into a network that holds SENet154.

    Args:
        model: a network on `senet`.
        path: of the file that `SOURCE` names.

    Raises:
        InputError: PyTorch is not installed, or the file is not the one that `SOURCE` names.
    """
    torch_weights.load(model, path, SOURCE, _published_names(model))


def _published_names(model: keras.Model) -> dict[str, str]:
    """Returns the name in the file of each of SENet154's layers that has weights."""
    parts = {"excite1": "se_module.fc1", "excite2": "se_module.fc2"}
    parts |= {"shortcut": "downsample.0", "shortcut_bn": "downsample.1"}
    for number in "123":
        parts |= {f"conv{number}": f"conv{number}", f"conv{number}_bn": f"bn{number}"}
    names = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        place, _, rest = layer.name.partition("_")
        if place[:-1] == "stem":  # stem1, stem1_bn
            names[layer.name] = f"layer0.{'bn' if rest else 'conv'}{place[-1]}"
        elif place[:-1] == "layer":  # layer1_block0_conv1_bn
            block, _, part = rest.partition("_")
            names[layer.name] = f"{place}.{block.removeprefix('block')}.{parts[part]}"
    return names
