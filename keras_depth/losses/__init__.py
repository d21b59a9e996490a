"""Losses by name; `target_kind` says what each learns from (see `base.DepthLoss`)."""

from typing import Any

from keras_depth.errors import check_keywords
from keras_depth.losses.adaptive_berhu import AdaptiveBerHu, LogLossState
from keras_depth.losses.base import DepthLoss, WeightedSum
from keras_depth.losses.batch_loss import BatchLoss
from keras_depth.losses.logarithmic import LogL1, SILog
from keras_depth.losses.masked import MaskedLoss
from keras_depth.losses.msfnet import MSFNetLoss
from keras_depth.losses.regression import BerHu, MaskedL1, MaskedMSE, MSEPlusREL
from keras_depth.losses.stereo import StereoLoss
from keras_depth.losses.structural import StructuralLoss
from keras_depth.losses.warp import warp
from keras_depth.registry import Registry

__all__ = [
    "LOSSES",
    "AdaptiveBerHu",
    "BatchLoss",
    "BerHu",
    "DepthLoss",
    "LogL1",
    "LogLossState",
    "MSEPlusREL",
    "MSFNetLoss",
    "MaskedL1",
    "MaskedLoss",
    "MaskedMSE",
    "SILog",
    "StereoLoss",
    "StructuralLoss",
    "WeightedSum",
    "get",
    "warp",
]

LOSSES: Registry[type[DepthLoss]] = Registry(
    "loss",
    {
        "l1": MaskedL1,
        "mse": MaskedMSE,
        "mse_rel": MSEPlusREL,
        "berhu": BerHu,
        "adaptive_berhu": AdaptiveBerHu,
        "log_l1": LogL1,
        "silog": SILog,
        "stereo": StereoLoss,
        "structural": StructuralLoss,
        "batch": BatchLoss,
        "msfnet": MSFNetLoss,
    },
)


def get(name: str, /, **arguments: Any) -> DepthLoss:
    """Builds the loss called `name`.

    Args:
        name: one of `LOSSES`.
        **arguments: the loss's own, such as `threshold=0.5` for "berhu".

    Raises:
        InputError: an unknown name or argument (the message names the nearest), or a bad value.
    """
    loss = LOSSES[name]
    check_keywords(f"argument of loss {name!r}:", loss, arguments)
    return loss(**arguments)
