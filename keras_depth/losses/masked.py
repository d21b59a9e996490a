"""The validity contract: which pixels count, and the mean over them."""

from keras import KerasTensor, ops

from keras_depth.errors import InputError
from keras_depth.losses.base import DepthLoss


def select_valid(
    y_true: KerasTensor, y_pred: KerasTensor, dtype: str = "float32"
) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    """Splits a target from its validity, and replaces both maps by 1 where it is invalid.

    The inputs are replaced, not the result. A logarithm or a division further on then gets 1 at an
    invalid pixel, whatever was stored or predicted there, and its gradient is exactly 0.

    Args:
        y_true: (B, h, w, 2), the target and valid (0 or 1).
        y_pred: (B, h, w, 1), the prediction, in the target's unit.
        dtype: of the result, whatever the model's dtype policy.

    Returns:
        target, prediction, valid: (B, h, w, 1) each; both maps hold 1 where valid is 0.

    Raises:
        InputError: the shapes do not match.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    expected = (*pred[:-1], 2) if len(pred) == 4 and pred[-1] in (None, 1) else None
    if expected is None or not _compatible(true, expected):
        raise InputError(
            f"y_true of shape {true} does not fit y_pred of shape {pred}: give (B, h, w, 2), target"
            " and valid, and (B, h, w, 1); where the sizes differ, resize the target"
        )
    measured = y_true[..., 1:] > 0.5
    target = ops.where(measured, ops.cast(y_true[..., :1], dtype), ops.ones((), dtype))
    prediction = ops.where(measured, ops.cast(y_pred, dtype), ops.ones((), dtype))
    return target, prediction, ops.cast(measured, dtype)


def masked_mean(values: KerasTensor, valid: KerasTensor) -> KerasTensor:
    """Returns the mean of `values` over each sample's valid pixels: (B,), 0 where none is."""
    count = ops.sum(valid, axis=(1, 2, 3))
    return ops.sum(values * valid, axis=(1, 2, 3)) / ops.maximum(count, 1)


class MaskedLoss(DepthLoss):
    """Averages the errors of a sample's valid pixels: the base of losses of depth.

    A subclass implements `error(target, prediction)`, or `call` where it needs more.
    """

    def error(self, target: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        """Returns the error of every pixel, of the shape of `target` and `prediction`."""
        raise NotImplementedError

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        return masked_mean(self.error(target, prediction), valid)


def _compatible(shape: tuple, expected: tuple) -> bool:
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected, strict=True)
    )
