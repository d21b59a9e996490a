"""Monocular depth estimation in Keras: five papers, from a row of a table to a robot.

>>> import keras_depth
>>> model = keras_depth.create_model("lite_basic_interl_t")
>>> depth = keras_depth.DepthEstimator.load("runs/rooms")("room.jpg")
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Loaded on first use: TensorFlow takes seconds to import, and `--help` should not.
_PUBLIC = {
    "create_model": "models",
    "list_architectures": "models",
    "DepthEstimator": "predict.estimator",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'keras_depth' has no attribute {name!r}")
    return getattr(import_module(f"keras_depth.{_PUBLIC[name]}"), name)
