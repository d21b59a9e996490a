"""BerHu with a threshold that moves while the network trains."""

from collections.abc import Callable
from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import (
    InputError,
    check_choice,
    check_positive,
    check_weights,
    is_number,
    shown,
)
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.masked import MaskedLoss, masked_mean, select_valid
from keras_depth.losses.regression import batch_threshold, berhu

# The paper, its logged run and its notebook disagree. Of the run, only the product rate * delta is
# known: its delta of 0.3 follows from the paper's rate.
PRESETS = {
    "paper": {"k0": 1.0, "delta": 1.0, "rate": 0.01, "decay": 0.0},
    "run": {"k0": 0.8, "delta": 0.3, "rate": 0.01, "decay": 0.003},
    "notebook": {"k0": 1.0, "delta": 0.1, "rate": 0.01, "decay": 0.0},
}
MODES = ("depth", "error")
_K_MIN, _K_MAX = 0.1, 10.0  # bounds of k, metres
_C_MAX = 0.5  # of BerHu's c in mode "depth", metres


@keras.saving.register_keras_serializable("keras_depth")
class AdaptiveBerHu(MaskedLoss):
    """Computes BerHu for depths below k and squared error beyond, with a k that follows the errors.

    The n-th training step, on the valid pixels of the batch with e = |D - D*|, and with the old k:

    1. loss = mean of (D* < k ? berhu_c(e) : e²), with c = min(0.2 max e, 0.5 m);
    2. m⁺ = mean e where k < D* <= k + delta, m⁻ = mean e where k - delta <= D* < k;
    3. k moves by sign(m⁺ - m⁻) rate delta / (1 + decay n), clipped to 0.1..10 m; it stays
       where a window is empty or the means are equal.

    k moves when the gradient of the loss is taken, and only then: `fit` and a training loop move
    it, validation and `evaluate` do not. (Take the gradient in eager mode or in the `tf.function`
    that calls the loss, as both do.) Replicas that train together move k by the mean of their
    steps.

    Args:
        preset: the source of k0, delta, rate and decay where these are None: "paper", "run" (the
            authors' logs) or "notebook" (their code). Defaults to "paper".
        k0: the first k, metres.
        delta: width of the two windows, metres.
        rate: k moves by rate * delta.
        decay: the step is divided by 1 + decay * n.
        mode: "depth": as above, k is compared with the depth (the authors' code). "error": k is the
            BerHu threshold of every pixel (the paper's formula), and the windows compare BerHu
            instead of e. Defaults to "depth".

    Raises:
        InputError: an unknown preset or mode, or values that contradict each other.

    Source: Bokovoy et al. 2019, section III-E, and the authors' notebook and logs. They do not
    define k for an empty window, nor the order of loss and step, nor a lower bound: these are ours.
    """

    def __init__(
        self,
        preset: str = "paper",
        k0: float | None = None,
        delta: float | None = None,
        rate: float | None = None,
        decay: float | None = None,
        mode: str = "depth",
        name: str = "adaptive_berhu",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_choice("preset of AdaptiveBerHu", preset, PRESETS)
        check_choice("mode of AdaptiveBerHu", mode, MODES)
        values = PRESETS[preset]
        self.preset = preset
        self.k0 = values["k0"] if k0 is None else k0
        self.delta = values["delta"] if delta is None else delta
        self.rate = values["rate"] if rate is None else rate
        self.decay = values["decay"] if decay is None else decay
        self.mode = mode
        self._check()
        # The aggregation makes replicas agree on one k.
        self.k = keras.Variable(
            self.k0, dtype="float32", trainable=False, aggregation="mean", name="k"
        )
        self.n = keras.Variable(
            0, dtype="int64", trainable=False, aggregation="only_first_replica", name="n"
        )

    @property
    def state(self) -> dict[str, keras.Variable]:
        return {"k": self.k, "n": self.n}

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, prediction, valid = select_valid(y_true, y_pred)
        error = ops.abs(prediction - target)
        k = ops.convert_to_tensor(self.k)
        if self.mode == "error":
            statistic = values = berhu(error, k)
        else:
            c = batch_threshold(error, _C_MAX)
            statistic = error
            values = ops.where(target < k, berhu(error, c), ops.square(error))
        n = ops.convert_to_tensor(self.n) + 1
        moved = ops.stop_gradient(self._moved(k, n, target, statistic, valid))

        def step() -> None:
            self.k.assign(moved)
            self.n.assign(n)

        return _on_gradient(masked_mean(values, valid), step)

    def _moved(
        self,
        k: KerasTensor,
        n: KerasTensor,
        target: KerasTensor,
        statistic: KerasTensor,
        valid: KerasTensor,
    ) -> KerasTensor:
        """Returns k after step `n`."""
        beyond = valid * ops.cast((target > k) & (target <= k + self.delta), "float32")
        before = valid * ops.cast((target >= k - self.delta) & (target < k), "float32")
        beyond_count, before_count = ops.sum(beyond), ops.sum(before)
        difference = ops.sum(statistic * beyond) / ops.maximum(beyond_count, 1) - ops.sum(
            statistic * before
        ) / ops.maximum(before_count, 1)
        size = self.rate * self.delta / (1 + self.decay * ops.cast(n, "float32"))
        moved = ops.clip(k + ops.sign(difference) * size, _K_MIN, _K_MAX)
        return ops.where((beyond_count > 0) & (before_count > 0), moved, k)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "preset": self.preset,
            "k0": self.k0,
            "delta": self.delta,
            "rate": self.rate,
            "decay": self.decay,
            "mode": self.mode,
        }

    def _check(self) -> None:
        if not (is_number(self.k0) and _K_MIN <= self.k0 <= _K_MAX):
            raise InputError(
                f"AdaptiveBerHu: k0={shown(self.k0)}: give {_K_MIN} to {_K_MAX} metres"
            )
        check_positive("AdaptiveBerHu", delta=self.delta)
        check_weights("AdaptiveBerHu", rate=self.rate, decay=self.decay)


class LogLossState(keras.callbacks.Callback):
    """Adds the loss's state to the logs of every epoch, for `History`, CSVLogger, TensorBoard.

    The entries are `<loss's name>_<key>`, such as `adaptive_berhu_k`. Put it before the callbacks
    that write logs.

    Args:
        loss: a loss of `keras_depth.losses`.
    """

    def __init__(self, loss: DepthLoss):
        super().__init__()
        self.loss = loss

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            for key, variable in self.loss.state.items():
                logs[f"{self.loss.name}_{key}"] = variable.numpy().item()


def _on_gradient(value: KerasTensor, action: Callable[[], None]) -> KerasTensor:
    """Returns `value` unchanged, and runs `action()` when its gradient is taken."""

    @ops.custom_gradient
    def unchanged(x):
        def gradient(*args, upstream=None):
            action()
            return args[0] if upstream is None else upstream

        return ops.copy(x), gradient

    return unchanged(value)
