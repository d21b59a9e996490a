"""Losses by name; `target_kind` says what each learns from (see `base.DepthLoss`)."""

import inspect

from keras_depth.errors import unknown_name
from keras_depth.losses.adaptive_berhu import AdaptiveBerHu, LogLossState
from keras_depth.losses.base import DepthLoss, WeightedSum
from keras_depth.losses.batch_loss import BatchLoss
from keras_depth.losses.masked import MaskedLoss
from keras_depth.losses.msfnet import MSFNetLoss
from keras_depth.losses.regression import BerHu, MaskedL1, MaskedMSE, MSEPlusREL
from keras_depth.losses.stereo import StereoLoss
from keras_depth.losses.structural import StructuralLoss
from keras_depth.losses.warp import warp

__all__ = [
    "AdaptiveBerHu",
    "BatchLoss",
    "BerHu",
    "DepthLoss",
    "LogLossState",
    "MSEPlusREL",
    "MSFNetLoss",
    "MaskedL1",
    "MaskedLoss",
    "MaskedMSE",
    "StereoLoss",
    "StructuralLoss",
    "WeightedSum",
    "get",
    "names",
    "warp",
]

_LOSSES: dict[str, type[DepthLoss]] = {
    "l1": MaskedL1,
    "mse": MaskedMSE,
    "mse_rel": MSEPlusREL,
    "berhu": BerHu,
    "adaptive_berhu": AdaptiveBerHu,
    "stereo": StereoLoss,
    "structural": StructuralLoss,
    "batch": BatchLoss,
    "msfnet": MSFNetLoss,
}


def names() -> list[str]:
    """Returns the names that `get` knows."""
    return list(_LOSSES)


def get(name: str, /, **arguments) -> DepthLoss:
    """Returns a new loss.

    Args:
        name: one of `names()`.
        **arguments: the loss's own, such as `threshold=0.5` for "berhu".

    Raises:
        InputError: an unknown name or argument (the message names the nearest), or a bad value.
    """
    if name not in _LOSSES:
        raise unknown_name("loss", name, _LOSSES)
    known = inspect.signature(_LOSSES[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise unknown_name(f"argument of loss {name!r}:", argument, known)
    return _LOSSES[name](**arguments)
