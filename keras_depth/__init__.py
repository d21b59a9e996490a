"""Monocular depth estimation in Keras: five papers, from a row of a table to a robot.

>>> import keras_depth
>>> model = keras_depth.create_model("lite_basic_interl_t")
>>> depth = keras_depth.DepthEstimator.load("runs/rooms")("room.jpg")
"""

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from keras_depth import data, encodings, layers, losses, metrics, models, protocols, recipes
    from keras_depth.models import create_model, list_architectures
    from keras_depth.predict.estimator import DepthEstimator
    from keras_depth.predict.loading import load_model

__version__ = "0.1.0"

__all__ = [
    "DepthEstimator",
    "create_model",
    "data",
    "encodings",
    "layers",
    "list_architectures",
    "load_model",
    "losses",
    "metrics",
    "models",
    "protocols",
    "recipes",
]
# Where the names above come from that are no modules of their own.
_MODULES = {
    "DepthEstimator": "predict.estimator",
    "create_model": "models",
    "list_architectures": "models",
    "load_model": "predict.loading",
}


if not TYPE_CHECKING:  # a type checker would take any name for known

    def __getattr__(name: str) -> Any:
        """Imports a public name on its first use: TensorFlow takes seconds to import."""
        if name not in __all__:
            raise AttributeError(f"module 'keras_depth' has no attribute {name!r}")
        import_module("keras_depth.environment").choose_backend()
        if name in _MODULES:
            return getattr(import_module(f"keras_depth.{_MODULES[name]}"), name)
        return import_module(f"keras_depth.{name}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _prepare_keras(keras: Any) -> None:
    """Sets Keras's defaults, and imports the modules whose classes stand in `.keras` files."""
    import_module("keras_depth.environment").set_keras_defaults()
    for name in ("layers", "losses", "metrics", "train.optimizers"):
        # Python's word for a deadlock: another thread imports the module, and waits for Keras. It
        # registers the classes then.
        with contextlib.suppress(RuntimeError):
            import_module(f"keras_depth.{name}")


# At once if Keras was imported already, otherwise when it is.
wrapt.register_post_import_hook(_prepare_keras, "keras")
