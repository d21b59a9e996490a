"""BerHu whose threshold moves while the network trains."""

import keras
from keras import ops

from keras_depth.errors import InputError, unknown_name
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.masked import MaskedLoss, masked_mean, select_valid
from keras_depth.losses.regression import LAINA_FRACTION, batch_threshold, berhu

# The paper, its logged run and its notebook disagree; only the product rate * delta of the run is
# known, so its delta of 0.3 follows from the paper's rate.
PRESETS = {
    "paper": {"k0": 1.0, "delta": 1.0, "rate": 0.01, "decay": 0.0},
    "run": {"k0": 0.8, "delta": 0.3, "rate": 0.01, "decay": 0.003},
    "notebook": {"k0": 1.0, "delta": 0.1, "rate": 0.01, "decay": 0.0},
}
MODES = ("depth", "error")


@keras.saving.register_keras_serializable("keras_depth")
class AdaptiveBerHu(MaskedLoss):
    """BerHu for what is nearer than k, squared error beyond, with a k that follows the errors.

    The n-th training step, on the valid pixels of the batch, e = |D - D*|, and the k before it:

    1. loss = mean of (D* < k ? berhu_c(e) : e²), with c = min(c_fraction max e, c_max);
    2. m⁺ = mean e where k < D* <= k + delta, m⁻ = mean e where k - delta <= D* < k;
    3. k moves by sign(m⁺ - m⁻) rate delta / (1 + decay n), clipped to k_min..k_max; it stays
       where a window is empty or the means are equal.

    k moves when the gradient of the loss is taken, and only then: `fit` and a training loop move
    it, validation and `evaluate` do not, and neither has to say which it is. (Take the gradient
    in eager mode or in the `tf.function` that calls the loss, as both do.) Replicas that train
    together move k by the mean of their steps.

    Args:
        preset: "paper" (default), "run" (what the authors' logs show) or "notebook" (their code):
            gives k0, delta, rate and decay where these are None.
        k0: first k, metres.
        delta: width of the two windows, metres.
        rate: the step is rate * delta.
        decay: the step is divided by 1 + decay * n.
        k_min, k_max: bounds of k, metres.
        c_fraction, c_max: BerHu's c in mode "depth"; c_max in metres.
        mode: "depth" as above, where k is compared with the depth (the authors' code); "error",
            where k is the BerHu threshold of every pixel (the paper's formula) and the windows
            compare BerHu instead of e.

    Raises:
        InputError: an unknown preset or mode, or values that contradict each other.

    Source: Bokovoy et al. 2019, section III-E, and the authors' notebook and logs. They leave k
    undefined for an empty window, and the order of loss and step: both are fixed here.
    """

    def __init__(
        self,
        preset="paper",
        k0=None,
        delta=None,
        rate=None,
        decay=None,
        k_min=0.1,
        k_max=10.0,
        c_fraction=LAINA_FRACTION,
        c_max=0.5,
        mode="depth",
        name="adaptive_berhu",
        reduction="sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        if preset not in PRESETS:
            raise unknown_name("preset of AdaptiveBerHu", preset, PRESETS)
        if mode not in MODES:
            raise unknown_name("mode of AdaptiveBerHu", mode, MODES)
        values = PRESETS[preset]
        self.preset = preset
        self.k0 = values["k0"] if k0 is None else k0
        self.delta = values["delta"] if delta is None else delta
        self.rate = values["rate"] if rate is None else rate
        self.decay = values["decay"] if decay is None else decay
        self.k_min = k_min
        self.k_max = k_max
        self.c_fraction = c_fraction
        self.c_max = c_max
        self.mode = mode
        self._check()
        # Variables of their own aggregation, so that replicas agree on one k.
        self.k = keras.Variable(
            self.k0, dtype="float32", trainable=False, aggregation="mean", name="k"
        )
        self.n = keras.Variable(
            0, dtype="int64", trainable=False, aggregation="only_first_replica", name="n"
        )

    @property
    def state(self):
        return {"k": self.k, "n": self.n}

    def call(self, y_true, y_pred):
        target, prediction, valid = select_valid(y_true, y_pred)
        error = ops.abs(prediction - target)
        k = ops.convert_to_tensor(self.k)
        if self.mode == "error":
            statistic = values = berhu(error, k)
        else:
            c = batch_threshold(error, self.c_fraction, self.c_max)
            statistic = error
            values = ops.where(target < k, berhu(error, c), ops.square(error))
        n = ops.convert_to_tensor(self.n) + 1
        moved = ops.stop_gradient(self._moved(k, n, target, statistic, valid))

        def step():
            self.k.assign(moved)
            self.n.assign(n)

        return _on_gradient(masked_mean(values, valid), step)

    def _moved(self, k, n, target, statistic, valid):
        """Returns k after step `n`."""
        beyond = valid * ops.cast((target > k) & (target <= k + self.delta), "float32")
        before = valid * ops.cast((target >= k - self.delta) & (target < k), "float32")
        beyond_count, before_count = ops.sum(beyond), ops.sum(before)
        difference = ops.sum(statistic * beyond) / ops.maximum(beyond_count, 1) - ops.sum(
            statistic * before
        ) / ops.maximum(before_count, 1)
        size = self.rate * self.delta / (1 + self.decay * ops.cast(n, "float32"))
        moved = ops.clip(k + ops.sign(difference) * size, self.k_min, self.k_max)
        return ops.where((beyond_count > 0) & (before_count > 0), moved, k)

    def get_config(self):
        return {
            **super().get_config(),
            "preset": self.preset,
            "k0": self.k0,
            "delta": self.delta,
            "rate": self.rate,
            "decay": self.decay,
            "k_min": self.k_min,
            "k_max": self.k_max,
            "c_fraction": self.c_fraction,
            "c_max": self.c_max,
            "mode": self.mode,
        }

    def _check(self):
        if not 0 < self.k_min <= self.k0 <= self.k_max:
            raise InputError(
                f"AdaptiveBerHu: k0={self.k0} must lie in k_min..k_max = {self.k_min}..{self.k_max}"
                " metres, and k_min above 0"
            )
        for name in ("delta", "c_fraction", "c_max"):
            if not getattr(self, name) > 0:
                raise InputError(f"AdaptiveBerHu: {name}={getattr(self, name)} must be above 0")
        for name in ("rate", "decay"):
            if getattr(self, name) < 0:
                raise InputError(f"AdaptiveBerHu: {name}={getattr(self, name)} must not be below 0")


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

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            for key, variable in self.loss.state.items():
                logs[f"{self.loss.name}_{key}"] = variable.numpy().item()


def _on_gradient(value, action):
    """Returns `value` unchanged; `action()` runs when its gradient is taken."""

    @ops.custom_gradient
    def unchanged(x):
        def gradient(*args, upstream=None):
            action()
            return args[0] if upstream is None else upstream

        return ops.copy(x), gradient

    return unchanged(value)
