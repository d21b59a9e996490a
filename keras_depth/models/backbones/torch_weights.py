"""Loads weights from PyTorch's files, for backbones that keras.applications lacks."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import keras
import numpy as np

from keras_depth.errors import InputError, check_installed


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
    except PermissionError:
        reason = "you may not read it"
    except Exception:  # zipfile's, pickle's and others
        reason = _find_fault(path)
    else:
        arrays, reason = _arrays(state)
        if not reason:
            return arrays
    # Outside `except`, so that PyTorch's text is not shown: it advises to run whatever code the
    # pickle holds.
    raise InputError(
        f"weights {path}: not a file of tensors that PyTorch can read ({reason}); download"
        f" {source} again"
    )


def _find_fault(path: Path) -> str:
    """Says why PyTorch cannot read a file."""
    with path.open("rb") as file:
        start = file.read(2)
    if not zipfile.is_zipfile(path):  # its directory is at the end
        if start[:1] == b"\x80":  # a bare pickle, PyTorch's format before 1.6
            return "it is damaged, or holds objects other than tensors"
        known = {b"": "it is empty", b"PK": "it is cut short"}
        return known.get(start, "it is in another format, or damaged")
    with zipfile.ZipFile(path) as archive:
        files = {PurePosixPath(name).name for name in archive.namelist()}
        if "constants.pkl" in files:
            return "it is a TorchScript archive, which holds a program"
        if "data.pkl" not in files:
            return "it is an archive of something else"
        try:
            whole = archive.testzip() is None
        except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError):
            whole = False
    return "it holds objects other than tensors" if whole else "it is damaged"


def _arrays(state: object) -> tuple[dict[str, np.ndarray], str]:
    """Returns the arrays of a state dict; and why it is none, or "" if it is."""
    if not isinstance(state, Mapping):
        return {}, f"it holds a {type(state).__name__}, not tensors by name"
    arrays = {}
    for key, tensor in state.items():
        try:
            arrays[key] = tensor.numpy()
        except (AttributeError, TypeError, RuntimeError):  # the last two: tensors unlike arrays
            return {}, f"{key!r} in it is of type {type(tensor).__name__}"
    return arrays, ""


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
