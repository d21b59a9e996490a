"""SqueezeNet 1.1 without its classifier, and its weights from PyTorch or from Caffe.

Iandola et al., arXiv:1602.07360; version 1.1 as torchvision has it.
"""

from pathlib import Path

import h5py
import keras
from keras import KerasTensor, layers

from keras_depth.errors import InputError, first_line
from keras_depth.models.backbones import torch_weights

# Squeeze and expand widths of the fire modules, and the pools before them.
_FIRES = {
    "fire2": (16, 64),
    "fire3": (16, 64),
    "fire4": (32, 128),
    "fire5": (32, 128),
    "fire6": (48, 192),
    "fire7": (48, 192),
    "fire8": (64, 256),
    "fire9": (64, 256),
}
_POOLS = {"fire2": "pool1", "fire4": "pool3", "fire6": "pool5"}
TORCHVISION = "torchvision's squeezenet1_1-b8a52dc0.pth, from download.pytorch.org/models"
CAFFE = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5, of keras-squeezenet"
# Their index in torchvision's `features`.
_TORCHVISION = dict(zip(("conv1", *_FIRES), (0, 3, 4, 6, 7, 9, 10, 11, 12), strict=True))


def squeezenet(image: KerasTensor, padding: str = "valid") -> dict[str, KerasTensor]:
    """Builds SqueezeNet 1.1 on an image.

    Args:
        image: (B, H, W, 3), scaled by `Preprocessing("torch")`; sides multiples of 16.
        padding: of the first convolution and the pools. "valid": as in torchvision. "same": maps of
            exactly a half, a quarter ... of the image; conv1 then has one more row and column, and
            all values near the lower and the right edge differ from torchvision's.

    Returns:
        The maps by layer: "conv1" at a half, "fire3" at a quarter, "fire5" at an eighth, "fire9"
        at a sixteenth.
    """
    x = layers.Conv2D(64, 3, 2, padding=padding, activation="relu", name="conv1")(image)
    maps = {"conv1": x}
    for name, (squeeze, expand) in _FIRES.items():
        if name in _POOLS:
            x = layers.MaxPooling2D(3, 2, padding=padding, name=_POOLS[name])(x)
        x = maps[name] = _fire(x, squeeze, expand, name)
    return maps


def _fire(x: KerasTensor, squeeze: int, expand: int, name: str) -> KerasTensor:
    def convolution(x: KerasTensor, filters: int, size: int, part: str) -> KerasTensor:
        label = f"{name}_{part}"
        return layers.Conv2D(filters, size, padding="same", activation="relu", name=label)(x)

    x = convolution(x, squeeze, 1, "squeeze")
    both = [convolution(x, expand, 1, "expand1x1"), convolution(x, expand, 3, "expand3x3")]
    return layers.Concatenate(name=f"{name}_concat")(both)


def load_torchvision(model: keras.Model, path: str | Path) -> None:
    """Loads torchvision's SqueezeNet 1.1 into a network that holds one.

    Args:
        model: a network on `squeezenet`.
        path: of the file that `TORCHVISION` names.

    Raises:
        InputError: PyTorch is not installed, or the file is not the one that `TORCHVISION` names.
    """
    names = {}
    for part, index in _TORCHVISION.items():
        if part == "conv1":
            names[part] = f"features.{index}"
        else:
            for piece in ("squeeze", "expand1x1", "expand3x3"):
                names[f"{part}_{piece}"] = f"features.{index}.{piece}"
    torch_weights.load(model, path, TORCHVISION, names)


def load_caffe(model: keras.Model, path: str | Path) -> None:
    """Loads the authors' SqueezeNet 1.1, brought from Caffe to Keras, into a network on it.

    They are other weights than torchvision's, trained on BGR levels minus ImageNet's means:
    `Preprocessing("caffe")`.

    Args:
        model: a network on `squeezenet`.
        path: of the file that `CAFFE` names.

    Raises:
        InputError: there is no such file, or it is not the one that `CAFFE` names.
    """
    names = {"conv1": "conv1"}
    for fire in _FIRES:
        names[f"{fire}_squeeze"] = f"{fire}/squeeze1x1"
        names |= {f"{fire}_expand{size}": f"{fire}/expand{size}" for size in ("1x1", "3x3")}
    if not Path(path).is_file():
        raise InputError(f"weights {path}: no such file; give the path of {CAFFE}")
    try:
        with h5py.File(path) as file:
            for layer, name in names.items():
                group = file[name]
                values = [group[key][()] for key in group.attrs["weight_names"]]
                model.get_layer(layer).set_weights(values)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"weights {path}: not SqueezeNet 1.1 without its classifier ({first_line(error)}); give"
            f" {CAFFE}"
        ) from error
