"""The batch-loss of MSFNet: absolute errors, of which the larger ones count more."""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import check_choice
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.masked import masked_mean, select_valid

ACROSS = ("samples", "pixels")


@keras.saving.register_keras_serializable("keras_depth")
class BatchLoss(DepthLoss):
    """Adds the mean absolute error and the same mean weighted by the softmax of the errors.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1).

    The paper's formula weights each of an image's n valid pixels; its text weights each sample of a
    batch by its deviation.

    | across | loss, with e the error of a pixel, l its mean over an image |
    |---|---|
    | "samples" | sum of w l + mean of l, over the n images that have valid pixels; w = softmax(l) |
    | "pixels" | the formula: mean of w e + mean of e, over an image's pixels; w = softmax(e) |

    "pixels": the first term is about 1e-4 of the second, so it has no effect. "samples": no
    gradient flows through the weights, which would pull easy images down twice. An image's value is
    l (1 + n w), so that their mean over the batch is the loss; an image without valid pixels counts
    as 0 in that mean, as in every loss. Each of several replicas weights the images of its share.

    Args:
        across: "samples" or "pixels". Defaults to "samples".

    Raises:
        InputError: an unknown `across`.

    Source: MSFNet (Pei 2021), section III-D, equation 4.
    """

    def __init__(
        self,
        across: str = "samples",
        name: str = "batch",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_choice("across of BatchLoss", across, ACROSS)
        self.across = across

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        error = ops.abs(prediction - target)
        if self.across == "pixels":
            weights = _softmax(error, valid, axis=(1, 2, 3))
            return masked_mean((1 + weights) * error, valid)
        means = masked_mean(error, valid)
        counts = ops.cast(ops.any(valid > 0, axis=(1, 2, 3)), "float32")
        weights = ops.stop_gradient(_softmax(means, counts, axis=0))
        return means * (1 + ops.sum(counts) * weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "across": self.across}


def _softmax(errors: KerasTensor, counts: KerasTensor, axis: int | tuple[int, ...]) -> KerasTensor:
    """Returns the softmax of errors (0 or more) where `counts` is 1, and 0 elsewhere."""
    highest = ops.stop_gradient(ops.max(errors * counts, axis=axis, keepdims=True))
    powers = ops.exp(ops.minimum(errors - highest, 0)) * counts
    return powers / ops.maximum(ops.sum(powers, axis=axis, keepdims=True), 1e-6)
