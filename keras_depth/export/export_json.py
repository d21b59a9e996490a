"""Describes an exported network: the contents of its export.json."""

import json
from pathlib import Path
from typing import Any

import keras

from keras_depth import models
from keras_depth.environment import environment
from keras_depth.export import network
from keras_depth.export.request import Request
from keras_depth.files import sha256, write_text
from keras_depth.predict.exported import DETAILS
from keras_depth.predict.loading import resolve


def write(folder: Path, details: dict[str, Any]) -> None:
    """Writes export.json, whole or not at all."""
    write_text(folder / DETAILS, json.dumps(details, indent=2) + "\n")


def describe_tensors(exported: keras.Model, request: Request) -> dict[str, Any]:
    """Describes the input and the output of an exported model."""
    shape = list(exported.inputs[0].shape)
    if request.layout == "NCHW":
        shape.insert(1, shape.pop())
    return {
        "name": exported.name,
        "input": {
            "name": "image",
            "dtype": request.dtype,
            "shape": shape,
            "layout": request.layout,
            "units": network.INPUTS[request.dtype],
        },
        "output": {
            "name": "depth",
            "dtype": "float32",
            "shape": list(exported.outputs[0].shape),
            "units": "metres",
        },
    }


def describe_model(
    model: keras.Model, request: Request, encoding: str, focal_baseline: float | None
) -> dict[str, Any]:
    """Describes the Keras model that was exported."""
    architecture = models.of(model)
    return {
        "architecture": architecture.name if architecture else None,
        "size": list(model.inputs[0].shape[1:3]),
        "parameters": model.count_params(),
        "encoding": encoding,
        "focal_baseline": focal_baseline,
        "sha256": sha256(resolve(request.run).model_file),
    }


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that wrote it."""
    found = environment()
    return {"python": found["python"], **found["packages"]}


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the size and the checksum of each file in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
        for path in files
    }
