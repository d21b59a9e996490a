"""Depth metrics over the valid pixels, as mean of images or over all pixels pooled.

A third reduction, "root_last", averages the squares of the images and takes the root at the end; a
fourth, "batch", pools the pixels of each batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_depth.errors import InputError, unknown_name
from keras_depth.losses.masked import select_valid

REDUCTIONS = ("image", "pixel", "root_last", "batch")
# A prediction below a millimetre counts as one, where a logarithm or a ratio needs it above 0.
SMALLEST = 1e-3


@dataclass(frozen=True)
class _Definition:
    """A metric: the pixel values to average, and what to make of their means."""

    pixels: Callable[[Any, Any], list]
    value: Callable[..., Any]
    description: str
    terms: int = 1  # how many values `pixels` gives for each pixel


def _mean(x):
    return x


def _log_ratio(t, p):
    return ops.log(ops.maximum(p, SMALLEST)) - ops.log(t)


def _within(limit):
    def pixels(t, p):
        p = ops.maximum(p, SMALLEST)
        return [ops.cast(ops.maximum(p / t, t / p) < limit, "float64")]

    return pixels


def _outlier(t, p):
    error = ops.abs(p - t)
    # Not "3 or more": a NaN must count as wrong.
    return [1 - ops.cast((error < 3) | (error < 0.05 * t), "float64")]


def _r2(squared_error, truth, squared_truth):
    # A truth that does not vary has no variance to explain: 1 if it is met, else 0 (scikit-learn's
    # rule). Its variance comes out as rounding noise, 1e-16 of the square, hence the limit.
    variance = squared_truth - ops.square(truth)
    varies = variance > 1e-12 * squared_truth
    explained = 1 - squared_error / ops.where(varies, variance, ops.ones_like(variance))
    constant = ops.where(squared_error > 0, ops.zeros_like(explained), ops.ones_like(explained))
    # NaN, from a broken prediction or no pixel at all, must stay NaN.
    return ops.where(varies | ops.isnan(squared_error), explained, constant)


# t: truth, p: prediction, float64, metres.
_METRICS = {
    "mse": _Definition(lambda t, p: [ops.square(p - t)], _mean, "mean (p - t)^2, square metres"),
    "rmse": _Definition(
        lambda t, p: [ops.square(p - t)], ops.sqrt, "root of mean (p - t)^2, metres"
    ),
    "abs_rel": _Definition(lambda t, p: [ops.abs(p - t) / t], _mean, "mean |p - t| / t"),
    "sq_rel": _Definition(
        lambda t, p: [ops.square(p - t) / t], _mean, "mean (p - t)^2 / t, metres"
    ),
    "rms_rel": _Definition(
        lambda t, p: [ops.square(p / t - 1)], ops.sqrt, "root of mean ((p - t) / t)^2"
    ),
    "rmse_log": _Definition(
        lambda t, p: [ops.square(_log_ratio(t, p))], ops.sqrt, "root of mean (ln p - ln t)^2"
    ),
    "log10": _Definition(
        lambda t, p: [ops.abs(_log_ratio(t, p)) / 2.302585092994046],
        _mean,
        "mean |log10 p - log10 t|",
    ),
    "delta1": _Definition(_within(1.25), _mean, "share of max(p / t, t / p) < 1.25"),
    "delta2": _Definition(_within(1.25**2), _mean, "share of max(p / t, t / p) < 1.25^2"),
    "delta3": _Definition(_within(1.25**3), _mean, "share of max(p / t, t / p) < 1.25^3"),
    "r2": _Definition(
        lambda t, p: [ops.square(p - t), t, ops.square(t)],
        _r2,
        "1 - mean (p - t)^2 / variance of t",
        terms=3,
    ),
}
# t: true, p: predicted disparity, float64, pixels.
_DISPARITY_METRICS = {
    "d1": _Definition(_outlier, _mean, "share of disparities wrong by 3 pixels and 5 % or more"),
}

# These take more than pixels one by one, see `scoring`.
_OF_MAPS = {
    "r2_pooled": "r2 after average pooling, 7x7 with stride 2; images outside 0..1 left out",
}


def names() -> list[str]:
    """Returns the names of the metrics of depth, in the order in which tables show them."""
    return list(_METRICS)


def describe(kind: str) -> str:
    """Returns the formula of a metric in one line, with its unit."""
    return _OF_MAPS[kind] if kind in _OF_MAPS else _definition(kind).description


def all_metrics(reduction: str = "image") -> list["DepthMetric"]:
    """Returns one metric of every kind of `names()`, named by its kind."""
    return [DepthMetric(kind, reduction) for kind in _METRICS]


class _MaskedMetric(keras.metrics.Metric):
    """State and result in float64: a float32 sum goes wrong after some 1e7 pixels."""

    def _add_sum(self, name, shape=()):
        return self.add_weight(shape=shape, initializer="zeros", dtype="float64", name=name)

    def _select(self, y_true, y_pred, sample_weight):
        if sample_weight is not None:
            raise InputError(
                f"metric {self.name!r} takes no sample_weight:"
                " put validity into y_true's second channel, and list it under `metrics`"
            )
        return select_valid(y_true, y_pred, dtype="float64")


@keras.saving.register_keras_serializable("keras_depth")
class DepthMetric(_MaskedMetric):
    """One depth metric over the valid pixels.

    Call arguments: `y_true` (B, h, w, 2), depth in metres, above 0, and valid (0 or 1); `y_pred`
    (B, h, w, 1), metres. Computed in float64. Predictions count as at least 1 mm in logarithms
    and in the ratios of delta. NaN as long as no valid pixel was seen: there is no number to give.

    Args:
        kind: one of `names()`; or "d1", KITTI's D1-all, which takes disparities in pixels in
            place of metres.
        reduction: "image" (default), the mean over the images that have a valid pixel of each
            image's value; "pixel", the value over the pixels of all images together; "root_last",
            the mean over the images of each image's mean square, and so on, and the root of that;
            or "batch", the mean over the calls of the value over the pixels of each call. They
            differ: papers use all four.
        name: defaults to `kind`.

    Raises:
        InputError: an unknown kind or reduction, shapes that do not match, or a sample_weight.

    Example:

        model.compile(metrics=[DepthMetric("rmse"), DepthMetric("delta1", "pixel")])
    """

    def __init__(self, kind, reduction="image", name=None, dtype="float64"):
        super().__init__(name=name or kind, dtype=dtype)
        if reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        self.kind = kind
        self.reduction = reduction
        self._of = _definition(kind)
        # "pixel" adds up pixel values and pixels; "image" images' values, "batch" batches', and
        # "root_last" images' means, and images.
        self._of_groups = reduction in ("image", "batch")
        self._sums = self._add_sum("sums", (1 if self._of_groups else self._of.terms,))
        self._count = self._add_sum("count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, prediction, valid = self._select(y_true, y_pred, sample_weight)
        pixels = self._of.pixels(target, prediction)
        sums = ops.stack([ops.sum(x * valid, axis=(1, 2, 3)) for x in pixels])  # (terms, B)
        counts = ops.sum(valid, axis=(1, 2, 3))
        if self.reduction == "batch":
            sums, counts = (ops.sum(x, axis=-1, keepdims=True) for x in (sums, counts))
        if self.reduction != "pixel":
            sums = sums / ops.maximum(counts, 1)
            counts = ops.cast(counts > 0, "float64")
        if self._of_groups:
            sums = ops.expand_dims(self._of.value(*ops.unstack(sums)), 0) * counts
        self._sums.assign(self._sums + ops.sum(sums, axis=-1))
        self._count.assign(self._count + ops.sum(counts))

    def result(self):
        means = ops.unstack(self._sums / self._count)
        value = means[0] if self._of_groups else self._of.value(*means)
        return ops.cast(value, self.dtype)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "reduction": self.reduction}


@keras.saving.register_keras_serializable("keras_depth")
class ValidPixels(_MaskedMetric):
    """How many pixels were scored; with `share=True`, which share of all pixels that is.

    Call arguments as for `DepthMetric`.
    """

    def __init__(self, share=False, name=None, dtype="float64"):
        super().__init__(name=name or ("valid_share" if share else "valid_pixels"), dtype=dtype)
        self.share = share
        self._valid = self._add_sum("valid")
        self._all = self._add_sum("all")

    def update_state(self, y_true, y_pred, sample_weight=None):
        _, _, valid = self._select(y_true, y_pred, sample_weight)
        self._valid.assign(self._valid + ops.sum(valid))
        self._all.assign(self._all + ops.sum(ops.ones_like(valid)))

    def result(self):
        return ops.cast(self._valid / self._all if self.share else self._valid, self.dtype)

    def get_config(self):
        return {**super().get_config(), "share": self.share}


def _definition(kind):
    known = _METRICS | _DISPARITY_METRICS
    if kind not in known:
        raise unknown_name("metric", kind, known)
    return known[kind]
