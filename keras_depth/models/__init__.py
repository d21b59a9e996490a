"""The networks of the five papers: one entry each, the only list of names."""

from keras_depth.models.architecture import (
    ARCHITECTURES,
    CITATIONS,
    Architecture,
    create_model,
    get,
    list_architectures,
    of,
    register,
)

__all__ = [
    "ARCHITECTURES",
    "CITATIONS",
    "Architecture",
    "create_model",
    "get",
    "list_architectures",
    "of",
    "register",
]
