"""Absolute errors, of which the larger ones count more."""

import keras
from keras import ops

from keras_depth.errors import unknown_name
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.masked import masked_mean, select_valid

ACROSS = ("samples", "pixels")


@keras.saving.register_keras_serializable("keras_depth")
class BatchLoss(DepthLoss):
    """Mean absolute error, plus the same with weights that are the softmax of the errors.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1).

    The paper's formula has n, the valid pixels of an image, and a weight for each of them; its text
    has weights by each sample's deviation in a batch.

    | across | loss, with e the error of a pixel, l its mean over an image |
    |---|---|
    | "samples" | sum of w l + mean of l, over the n images that have valid pixels; w = softmax(l) |
    | "pixels" | the formula: mean of w e + mean of e, over an image's pixels; w = softmax(e) |

    Of "pixels" the first term is some 1e-4 of the second: it has no effect. Of "samples" the
    weights are constants to the gradient, by which the easy images would otherwise lose twice, and
    an image's value is l (1 + n w), so that the mean over a batch of such is the loss; an image
    without valid pixels counts as 0 in that mean, as in every loss. Replicas that train together
    weigh each the images of its own share.

    Args:
        across: "samples" or "pixels". Defaults to "samples".

    Raises:
        InputError: an unknown `across`.

    Source: MSFNet (Pei 2021), section III-D, equation 4.
    """

    def __init__(self, across="samples", name="batch", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        if across not in ACROSS:
            raise unknown_name("value of across:", across, ACROSS)
        self.across = across

    def call(self, y_true, y_pred):
        target, prediction, valid = select_valid(y_true, y_pred)
        error = ops.abs(prediction - target)
        if self.across == "pixels":
            weights = _softmax(error, valid, axis=(1, 2, 3))
            return masked_mean((1 + weights) * error, valid)
        means = masked_mean(error, valid)
        counts = ops.cast(ops.any(valid > 0, axis=(1, 2, 3)), "float32")
        weights = ops.stop_gradient(_softmax(means, counts, axis=0))
        return means * (1 + ops.sum(counts) * weights)

    def get_config(self):
        return {**super().get_config(), "across": self.across}


def _softmax(errors, counts, axis):
    """Softmax over what counts, 0 elsewhere; of errors that are 0 or more, and of any size."""
    highest = ops.stop_gradient(ops.max(errors * counts, axis=axis, keepdims=True))
    powers = ops.exp(ops.minimum(errors - highest, 0)) * counts
    return powers / ops.maximum(ops.sum(powers, axis=axis, keepdims=True), 1e-6)
