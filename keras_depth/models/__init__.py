"""The networks of the five papers and our own: a file each, with its entries in the registry."""

from keras_depth.models import (
    irv2_unet,
    jetson_fcnn,
    mobile_interl,
    mobile_unet,
    msfnet,
    optidepthnet,
)
from keras_depth.models.architecture import (
    ARCHITECTURES,
    Architecture,
    create_model,
    get,
    list_architectures,
    of,
    register,
)
from keras_depth.models.blocks import Sides

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Sides",
    "create_model",
    "get",
    "irv2_unet",
    "jetson_fcnn",
    "list_architectures",
    "mobile_interl",
    "mobile_unet",
    "msfnet",
    "of",
    "optidepthnet",
    "register",
]
