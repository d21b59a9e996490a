"""Pixel-wise regression losses: absolute, squared, squared + relative error, BerHu."""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_weights, is_number, shown
from keras_depth.losses.masked import MaskedLoss, masked_mean, select_valid

# Laina et al. (2016) put the threshold at a fifth of the largest error of the batch.
_LAINA_FRACTION = 0.2


def berhu(error: KerasTensor, threshold: KerasTensor | float) -> KerasTensor:
    """Returns the reverse Huber loss of an absolute error: |e| up to c, (e² + c²) / 2c above.

    Value and slope are continuous at c: small errors pull as hard as in L1, large ones harder.

    Args:
        error: absolute errors, any shape.
        threshold: c > 0, a number or a scalar tensor, in the unit of `error`.
    """
    quadratic = (ops.square(error) + threshold * threshold) / (2 * threshold)
    return ops.where(error <= threshold, error, quadratic)


def batch_threshold(error: KerasTensor, highest: float | None = None) -> KerasTensor:
    """Returns BerHu's c for a batch: a fifth of its largest error, at most `highest`.

    No gradient flows through c: it is a property of the batch, not a way to lower the loss.
    """
    c = _LAINA_FRACTION * ops.max(error)
    if highest is not None:
        c = ops.minimum(c, highest)
    return ops.stop_gradient(ops.maximum(c, 1e-6))  # a perfect batch must not divide by 0


@keras.saving.register_keras_serializable("keras_depth")
class MaskedL1(MaskedLoss):
    """Computes the mean absolute error over the valid pixels.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1).
    """

    def __init__(self, name: str = "l1", reduction: str | None = "sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)

    def error(self, target: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        return ops.abs(prediction - target)


@keras.saving.register_keras_serializable("keras_depth")
class MaskedMSE(MaskedLoss):
    """Computes the mean squared error over the valid pixels.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1).
    """

    def __init__(self, name: str = "mse", reduction: str | None = "sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)

    def error(self, target: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        return ops.square(prediction - target)


@keras.saving.register_keras_serializable("keras_depth")
class MSEPlusREL(MaskedLoss):
    """Adds squared and squared relative error: α1 (D - D*)² + α2 (1 - D/D*)².

    The relative term is squared, unlike the metric abs_rel, and weights near pixels more. Valid
    targets must be above 0.

    Args:
        alpha1: weight of the squared error. Defaults to 1.
        alpha2: weight of the squared relative error. Defaults to 2.

    Raises:
        InputError: a weight is not a number of 0 or more.

    Source: Bokovoy et al. 2019, section III-E; the authors' training logs agree.
    """

    def __init__(
        self,
        alpha1: float = 1.0,
        alpha2: float = 2.0,
        name: str = "mse_rel",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_weights("MSEPlusREL", alpha1=alpha1, alpha2=alpha2)
        self.alpha1 = alpha1
        self.alpha2 = alpha2

    def error(self, target: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        squared = ops.square(prediction - target)
        relative = ops.square(1 - prediction / target)
        return self.alpha1 * squared + self.alpha2 * relative

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha1": self.alpha1, "alpha2": self.alpha2}


@keras.saving.register_keras_serializable("keras_depth")
class BerHu(MaskedLoss):
    """Computes the reverse Huber loss: |e| up to the threshold k, (e² + k²) / 2k above.

    Args:
        threshold: k in the target's unit, fixed during training; or "batch", a fifth of the
            largest valid error of each batch. Defaults to 1.0.

    Raises:
        InputError: the threshold is neither above 0 nor "batch".

    Source: Bokovoy et al. 2019, section III-E (fixed); Laina et al. 2016 ("batch").
    """

    def __init__(
        self,
        threshold: float | str = 1.0,
        name: str = "berhu",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        of_batch = isinstance(threshold, str) and threshold == "batch"
        if not of_batch and not (is_number(threshold) and threshold > 0):
            raise InputError(
                f"BerHu: threshold={shown(threshold)}: give a number above 0, in metres, or 'batch'"
            )
        self.threshold = threshold

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        error = ops.abs(prediction - target)
        k = self.threshold
        if k == "batch":
            k = batch_threshold(error)
        return masked_mean(berhu(error, k), valid)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}
