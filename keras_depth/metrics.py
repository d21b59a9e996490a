"""Depth metrics over the valid pixels, in four reductions.

A reduction says what is averaged: each image's value ("image"), the pixels of all images together
("pixel"), each image's mean square, with the root taken last ("root_last"), or the value over the
pixels of each batch ("batch").
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.lib.stride_tricks import sliding_window_view

from keras_depth.errors import InputError, check_choice, shown
from keras_depth.losses.masked import select_valid
from keras_depth.registry import Registry

REDUCTIONS = ("image", "pixel", "root_last", "batch")
# Metres: a smaller prediction counts as this one where a logarithm or a ratio needs it above 0.
_SMALLEST = 1e-3


@dataclass(frozen=True)
class PixelMetric:
    """The formula of a metric that averages over pixels.

    Attributes:
        pixels: target and prediction -> the values of each pixel, `terms` of them.
        value: the means of these values -> the metric.
        description: the formula in one line, with its unit.
        terms: how many values `pixels` returns.
        of_disparity: the formula takes disparities in pixels, not depth in metres.
    """

    pixels: Callable[[Any, Any], list]
    value: Callable[..., Any]
    description: str
    terms: int = 1
    of_disparity: bool = False


@dataclass(frozen=True)
class MapMetric:
    """A metric of one image's whole maps, which a mean over pixels cannot express.

    Attributes:
        compute: y_true (h, w, 2), metres and valid, and y_pred (h, w, 1), metres -> the value.
        bounds: the mean over images leaves out a value that is not within them.
        description: the formula in one line.
    """

    compute: Callable[[np.ndarray, np.ndarray], float]
    bounds: tuple[float, float]
    description: str

    def counts(self, value: float | None) -> bool:
        """Tells whether the mean over images includes a value; NaN and None are left out."""
        return value is not None and self.bounds[0] <= value <= self.bounds[1]


def _mean(x):
    return x


def _log_ratio(t, p):
    return ops.log(ops.maximum(p, _SMALLEST)) - ops.log(t)


def _within(limit):
    def pixels(t, p):
        p = ops.maximum(p, _SMALLEST)
        return [ops.cast(ops.maximum(p / t, t / p) < limit, "float64")]

    return pixels


def _outlier(t, p):
    error = ops.abs(p - t)
    # Not "3 or more": a NaN must count as wrong.
    return [1 - ops.cast((error < 3) | (error < 0.05 * t), "float64")]


def _r2(squared_error, target, squared_target):
    # A target that does not vary has no variance to explain: 1 if it is met, else 0 (scikit-learn's
    # rule). Its variance comes out as rounding noise, 1e-16 of the square, hence the limit.
    variance = squared_target - ops.square(target)
    varies = variance > 1e-12 * squared_target
    explained = 1 - squared_error / ops.where(varies, variance, ops.ones_like(variance))
    constant = ops.where(squared_error > 0, ops.zeros_like(explained), ops.ones_like(explained))
    # NaN, from a broken prediction or no pixel at all, must stay NaN.
    return ops.where(varies | ops.isnan(squared_error), explained, constant)


# t: target, p: prediction, float64, metres; in the order in which tables show them.
METRICS: Registry[PixelMetric] = Registry(
    "metric",
    {
        "mse": PixelMetric(
            lambda t, p: [ops.square(p - t)], _mean, "mean (p - t)^2, square metres"
        ),
        "rmse": PixelMetric(
            lambda t, p: [ops.square(p - t)], ops.sqrt, "root of mean (p - t)^2, metres"
        ),
        "abs_rel": PixelMetric(lambda t, p: [ops.abs(p - t) / t], _mean, "mean |p - t| / t"),
        "sq_rel": PixelMetric(
            lambda t, p: [ops.square(p - t) / t], _mean, "mean (p - t)^2 / t, metres"
        ),
        "rms_rel": PixelMetric(
            lambda t, p: [ops.square(p / t - 1)], ops.sqrt, "root of mean ((p - t) / t)^2"
        ),
        "rmse_log": PixelMetric(
            lambda t, p: [ops.square(_log_ratio(t, p))], ops.sqrt, "root of mean (ln p - ln t)^2"
        ),
        "log10": PixelMetric(
            lambda t, p: [ops.abs(_log_ratio(t, p)) / 2.302585092994046],
            _mean,
            "mean |log10 p - log10 t|",
        ),
        "delta1": PixelMetric(_within(1.25), _mean, "share of max(p / t, t / p) < 1.25"),
        "delta2": PixelMetric(_within(1.25**2), _mean, "share of max(p / t, t / p) < 1.25^2"),
        "delta3": PixelMetric(_within(1.25**3), _mean, "share of max(p / t, t / p) < 1.25^3"),
        "r2": PixelMetric(
            lambda t, p: [ops.square(p - t), t, ops.square(t)],
            _r2,
            "1 - mean (p - t)^2 / variance of t",
            terms=3,
        ),
        "d1": PixelMetric(
            _outlier,
            _mean,
            "share of disparities wrong by 3 pixels and 5 % or more",
            of_disparity=True,
        ),
    },
)

_POOL = 7  # pixels


def pooled_r2(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Computes R² after average pooling of both maps, 7x7 with a stride of 2, over valid pixels.

    Args:
        y_true: (h, w, 2), metres and valid.
        y_pred: (h, w, 1), metres.

    Returns:
        The value; NaN where no pixel is valid, the target does not vary, or a side is below 7.

    Source: Das et al. 2024, the authors' notebook. It leaves out images whose value is not in 0..1.
    """
    target, valid = y_true[..., 0].astype(float), y_true[..., 1].astype(float)
    if min(target.shape) < _POOL:
        return math.nan
    prediction = np.where(valid > 0, y_pred[..., 0], 0).astype(float)
    sums = [
        sliding_window_view(each, (_POOL, _POOL))[::2, ::2].sum(axis=(-2, -1))
        for each in (valid, target, prediction)
    ]
    count, target, prediction = (each[sums[0] > 0] for each in sums)
    target, prediction = target / count, prediction / count
    spread = np.sum((target - target.mean()) ** 2) if target.size else 0.0
    return 1 - float(np.sum((prediction - target) ** 2) / spread) if spread > 0 else math.nan


MAP_METRICS: Registry[MapMetric] = Registry(
    "metric of maps",
    {
        "r2_pooled": MapMetric(
            pooled_r2,
            bounds=(0, 1),
            description="r2 after average pooling, 7x7 with stride 2; images outside 0..1 left out",
        )
    },
)


def names() -> list[str]:
    """Returns the names of the metrics of depth, in the order in which tables show them."""
    return [name for name, metric in METRICS.items() if not metric.of_disparity]


def describe(name: str) -> str:
    """Returns the formula of a metric in one line, with its unit.

    Raises:
        InputError: an unknown metric.
    """
    known: Registry[PixelMetric | MapMetric] = Registry("metric", {**METRICS, **MAP_METRICS})
    return known[name].description


def all_metrics(reduction: str = "image") -> list["DepthMetric"]:
    """Returns one metric of every kind of `names()`, named by its kind."""
    return [DepthMetric(kind, reduction) for kind in names()]


_ALIASES = {  # what other programs call them
    **{"rel": "abs_rel", "absrel": "abs_rel", "are": "abs_rel", "sqrel": "sq_rel"},
    **{"rmselog": "rmse_log", "a1": "delta1", "a2": "delta2", "a3": "delta3"},
}


@keras.saving.register_keras_serializable("keras_depth")
class DepthMetric(keras.metrics.Metric):
    """Averages one depth metric over the valid pixels.

    Call arguments: `y_true` (B, h, w, 2), depth in metres, above 0, and valid (0 or 1); `y_pred`
    (B, h, w, 1), metres. Computes in float64. Predictions count as at least 1 mm in logarithms
    and in the ratios of delta. The result is NaN until a valid pixel was seen.

    Args:
        kind: one of `names()`, or what other programs call it, such as "absrel" or "a1"; or "d1",
            KITTI's D1-all, which takes disparities in pixels in place of metres.
        reduction: what is averaged. Papers use all four, and they give different numbers.
            "image" (default): the value of each image that has a valid pixel.
            "pixel": the pixels of all images together.
            "root_last": each image's mean square (or mean), with the root taken after the mean
            over the images.
            "batch": the value over the pixels of each call.
        name: Defaults to `kind`.

    Raises:
        InputError: an unknown kind or reduction, shapes that do not match, or a sample_weight.

    Example:

        model.compile(metrics=[DepthMetric("rmse"), DepthMetric("delta1", "pixel")])
    """

    def __init__(
        self,
        kind: str,
        reduction: str = "image",
        name: str | None = None,
        dtype: str = "float64",
    ):
        kind = _ALIASES.get(str(kind), kind)
        formula = METRICS[kind]
        try:
            super().__init__(name=name or kind, dtype=dtype)
            if not keras.backend.is_float_dtype(self.dtype):
                raise ValueError("not floating")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"DepthMetric: dtype={shown(dtype)}: give a floating type, such as 'float64'"
            ) from error
        check_choice("reduction", reduction, REDUCTIONS)
        self.kind = kind
        self.reduction = reduction
        self._formula = formula
        # "image" and "batch" sum the values of images or batches; the others sum the terms that
        # the value is computed from, over pixels or over images.
        self._sums_values = reduction in ("image", "batch")
        self._sums = self._add_sum("sums", (1 if self._sums_values else self._formula.terms,))
        self._count = self._add_sum("count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise InputError(
                f"metric {self.name!r} takes no sample_weight:"
                " put validity into y_true's second channel, and list it under `metrics`"
            )
        target, prediction, valid = select_valid(y_true, y_pred, dtype="float64")
        pixels = self._formula.pixels(target, prediction)
        sums = ops.stack([ops.sum(x * valid, axis=(1, 2, 3)) for x in pixels])  # (terms, B)
        counts = ops.sum(valid, axis=(1, 2, 3))
        if self.reduction == "batch":
            sums, counts = (ops.sum(x, axis=-1, keepdims=True) for x in (sums, counts))
        if self.reduction != "pixel":
            sums = sums / ops.maximum(counts, 1)
            counts = ops.cast(counts > 0, "float64")
        if self._sums_values:
            sums = ops.expand_dims(self._formula.value(*ops.unstack(sums)), 0) * counts
        self._sums.assign(self._sums + ops.sum(sums, axis=-1))
        self._count.assign(self._count + ops.sum(counts))

    def result(self):
        means = ops.unstack(self._sums / self._count)
        value = means[0] if self._sums_values else self._formula.value(*means)
        return ops.cast(value, self.dtype)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "reduction": self.reduction}

    def _add_sum(self, name, shape=()):
        # float64: a float32 sum goes wrong after some 1e7 pixels.
        return self.add_weight(shape=shape, initializer="zeros", dtype="float64", name=name)
