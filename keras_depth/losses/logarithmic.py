"""Losses of the logarithm of depth, which weigh a centimetre near as ten at ten times the depth."""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_positive, check_shares, check_weights, shown
from keras_depth.losses.masked import MaskedLoss, masked_mean, select_valid
from keras_depth.losses.structural import forward_differences

# Below this the logarithm goes on as a straight line: a head may write 0 or less, which has no
# logarithm, and must find back.
_LEAST = 1e-2


def log_error(target: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Returns log(prediction) - log(target), of `_log`."""
    return _log(prediction) - _log(target)


def _log(x: KerasTensor) -> KerasTensor:
    below = ops.minimum(x - _LEAST, 0) / _LEAST
    return ops.log(ops.maximum(x, _LEAST)) + below


@keras.saving.register_keras_serializable("keras_depth")
class SILog(MaskedLoss):
    """Computes the scale-invariant logarithmic error: scale * sqrt(mean(d²) - focus * mean(d)²).

    d is the difference of the logarithms at a valid pixel. With a focus of 1, a depth map that is
    right but for one factor costs nothing.

    Call arguments: `y_true` (B, h, w, 2), target above 0 and valid; `y_pred` (B, h, w, 1).

    Args:
        focus: λ, 0 to 1. Defaults to 0.85.
        scale: factor of the root. Defaults to 10.

    Raises:
        InputError: `focus` is not in 0 to 1, or `scale` not above 0.

    Source: Eigen et al. 2014, equation 4; root, λ and factor as in Lee et al. 2019 (BTS).
    """

    def __init__(
        self,
        focus: float = 0.85,
        scale: float = 10.0,
        name: str = "silog",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_shares("SILog", focus=focus)
        check_positive("SILog", scale=scale)
        self.focus = focus
        self.scale = scale

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        error = log_error(target, prediction)
        square = masked_mean(ops.square(error), valid)
        variance = square - self.focus * ops.square(masked_mean(error, valid))
        # The root has no slope at 0, where no pixel is valid or all are right.
        positive = variance > 1e-12
        root = ops.sqrt(ops.where(positive, variance, ops.ones_like(variance)))
        return self.scale * ops.where(positive, root, ops.zeros_like(root))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "focus": self.focus, "scale": self.scale}


@keras.saving.register_keras_serializable("keras_depth")
class LogL1(MaskedLoss):
    """Adds the mean absolute difference of logarithms and, weighted, that of their slopes.

    A slope is the next pixel less this one, along x plus along y, and counts where both are valid.
    On a coarser scale the pixels are every second, every fourth ... of the map.

    Call arguments: `y_true` (B, h, w, 2), target above 0 and valid; `y_pred` (B, h, w, 1).

    Args:
        gradient: weight of the slopes. Defaults to 0.5.
        scales: on how many scales slopes are compared. Defaults to 1.

    Raises:
        InputError: a negative weight, or fewer than one scale.

    Source: Hu et al. 2019, section 3.2; the scales are those of Li and Snavely 2018 (MegaDepth).
    """

    def __init__(
        self,
        gradient: float = 0.5,
        scales: int = 1,
        name: str = "log_l1",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_weights("LogL1", gradient=gradient)
        if type(scales) is not int or scales < 1:
            raise InputError(f"LogL1: scales={shown(scales)}: give a whole number of 1 or more")
        self.gradient = gradient
        self.scales = scales

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        error = valid * log_error(target, prediction)
        slopes = 0.0
        for scale in range(self.scales):
            step = 2**scale
            maps = error[:, ::step, ::step], valid[:, ::step, ::step]
            slopes += sum(masked_mean(ops.abs(s), n) for s, n in forward_differences(*maps))
        return masked_mean(ops.abs(error), valid) + self.gradient * slopes

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gradient": self.gradient, "scales": self.scales}
