"""Loads weights from PyTorch's files, for backbones that keras.applications lacks."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from keras_depth.errors import InputError, check_installed, first_line


def read(path: str | Path, source: str) -> dict[str, np.ndarray]:
    """Reads a state dict, a .pth file that holds tensors alone.

    Args:
        path: the file.
        source: the name of the file and where it comes from, for messages.

    Returns:
        Name -> array.

    Raises:
        InputError: PyTorch is not installed, there is no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights {path}: no such file; give the path of {source}")
    check_installed("torch", "torch")
    import torch

    try:
        # A pickle may run any code; with weights_only PyTorch loads tensors alone.
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key: tensor.numpy() for key, tensor in state.items()}
    except Exception as error:  # zipfile's, pickle's and others
        raise InputError(
            f"weights {path}: not a file of tensors that PyTorch can read"
            f" ({first_line(error)}); download {source} again"
        ) from error


# PyTorch's names of the weights of convolutions and batch norms.
_PIECES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def load(model: keras.Model, path: str | Path, source: str, names: Mapping[str, str]) -> None:
    """Loads convolutions and batch norms, all of them or none.

    Args:
        model: the network.
        path, source: see `read`.
        names: layer -> name in the file, whose kernels are (out, in of a group, h, w).

    Raises:
        InputError: as `read`, or a weight is missing or of another shape.
    """
    state = read(path, source)
    values = {}
    for layer, name in names.items():
        arrays = []
        for variable in model.get_layer(layer).weights:
            key = f"{name}.{_PIECES[variable.name]}"
            array = state.get(key)
            if array is not None and array.ndim == 4:
                array = array.transpose(2, 3, 1, 0)  # -> (h, w, in of a group, out)
            if array is None or array.shape != tuple(variable.shape):
                found = "is missing" if array is None else f"has the shape {array.shape}"
                raise InputError(
                    f"weights {path}: {key} {found}, but {model.name} needs"
                    f" {tuple(variable.shape)}; give {source}"
                )
            arrays.append(array)
        values[layer] = arrays
    for layer, arrays in values.items():
        model.get_layer(layer).set_weights(arrays)
