"""The composite loss of encoder-decoder papers: depth, its edges, and its structure.

| term | the mean of | Das et al. | Wang et al. | DenseDepth |
|---|---|---:|---:|---:|
| depth | abs(p - t) | 0.3 | 0.1 | 0.1 |
| gradient | abs(slope of p - slope of t), along x plus y | 1, forward | 1, Sobel | 1, forward |
| ssim | (1 - SSIM) / 2 of 11x11 windows; its value range | 1; 1 | 1; 255 | 1; 100 |

Their targets: 0..1 (Das et al.), 10..1000 cm (Wang et al.), 1000 / cm (DenseDepth).
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_choice, check_positive, check_weights
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.masked import masked_mean, select_valid

DIFFERENCES = ("forward", "sobel")
HOLES = ("left_out", "zero")
_WINDOW, _SIGMA = 11, 1.5  # of SSIM


@keras.saving.register_keras_serializable("keras_depth")
class StructuralLoss(DepthLoss):
    """Adds absolute error, difference of slopes and structural dissimilarity, each weighted.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1); h and w of 11
    or more.

    A slope counts where all pixels that it is computed from are valid. Where all are valid, these
    are the papers' terms.

    Args:
        depth: weight of the absolute error. Defaults to 0.3.
        gradient: weight of the difference of slopes. Defaults to 1.
        ssim: weight of the structural dissimilarity. Defaults to 1.
        differences: how slopes are computed. "forward": the next pixel less this one. "sobel": 3x3,
            with zeros around the frame. Defaults to "forward".
        ssim_range: the value range that SSIM assumes. Defaults to 1.
        holes: how SSIM treats invalid pixels. "left_out": a window's statistics are those of its
            valid pixels, and it counts by their share of its Gaussian weights. "zero": invalid
            pixels are 0 in both maps, and windows around valid pixels count. Defaults to
            "left_out".

    Raises:
        InputError: a negative weight, a range that is not above 0, an unknown name, or maps that
            are smaller than SSIM's window.

    Source: Das et al. 2024, section 3.4 and loss_function.py (the defaults); Wang et al., section
    2.3 and criterion.py; Alhashim and Wonka 2018 (DenseDepth).
    """

    def __init__(
        self,
        depth: float = 0.3,
        gradient: float = 1.0,
        ssim: float = 1.0,
        differences: str = "forward",
        ssim_range: float = 1.0,
        holes: str = "left_out",
        name: str = "structural",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_weights("StructuralLoss", depth=depth, gradient=gradient, ssim=ssim)
        check_positive("StructuralLoss", ssim_range=ssim_range)
        check_choice("differences of StructuralLoss", differences, DIFFERENCES)
        check_choice("holes of StructuralLoss", holes, HOLES)
        self.depth = depth
        self.gradient = gradient
        self.ssim = ssim
        self.differences = differences
        self.ssim_range = ssim_range
        self.holes = holes

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        terms = self.terms(y_true, y_pred)
        weights = {"depth": self.depth, "gradient": self.gradient, "ssim": self.ssim}
        return sum(weights[key] * term for key, term in terms.items())

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> dict[str, KerasTensor]:
        """Returns the terms, unweighted: (B,) each, by name."""
        target, prediction, valid = select_valid(y_true, y_pred)
        if any(side is not None and side < _WINDOW for side in prediction.shape[1:3]):
            raise InputError(
                f"maps of shape {tuple(prediction.shape)} are smaller than SSIM's window of"
                f" {_WINDOW}x{_WINDOW}: give larger images, or another loss"
            )
        error = valid * (prediction - target)
        slopes = forward_differences if self.differences == "forward" else _sobel
        return {
            "depth": masked_mean(ops.abs(error), valid),
            "gradient": sum(masked_mean(ops.abs(s), counts) for s, counts in slopes(error, valid)),
            "ssim": dissimilarity(target, prediction, valid, self.ssim_range, self.holes),
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth": self.depth,
            "gradient": self.gradient,
            "ssim": self.ssim,
            "differences": self.differences,
            "ssim_range": self.ssim_range,
            "holes": self.holes,
        }


def forward_differences(
    error: KerasTensor, valid: KerasTensor
) -> Iterator[tuple[KerasTensor, KerasTensor]]:
    """Yields forward differences along y and x (0 in the last row or column), and what counts."""
    for axis in (1, 2):
        rest = [slice(None)] * 4
        rest[axis] = slice(1, None)
        last = [slice(None)] * 4
        last[axis] = slice(-1, None)
        following = [ops.concatenate([x[*rest], x[*last]], axis) for x in (error, valid)]
        yield following[0] - error, following[1] * valid


def _sobel(error: KerasTensor, valid: KerasTensor) -> Iterator[tuple[KerasTensor, KerasTensor]]:
    """Yields Sobel's slopes along x and y, and what counts.

    Slopes are linear: the error's slope is the difference of the maps' slopes.
    """
    x = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float32")
    unmeasured = _filter(1 - valid, np.ones((3, 3), "float32"), "same")
    whole = ops.cast(unmeasured < 0.5, "float32")
    for kernel in (x, x.T):
        yield _filter(error, kernel, "same"), whole


def dissimilarity(
    target: KerasTensor,
    prediction: KerasTensor,
    valid: KerasTensor,
    value_range: float,
    holes: str = "left_out",
) -> KerasTensor:
    """Returns the mean of (1 - SSIM) / 2, 0 to 1, over each sample's windows: (B,).

    Where all are valid it agrees with `tf.image.ssim`; elsewhere see `StructuralLoss`.
    """
    products = [target * target, prediction * prediction, target * prediction]
    maps = [valid, target, prediction, *products]
    moments = ops.concatenate([one * valid for one in maps], axis=-1)
    places = np.arange(_WINDOW) - _WINDOW // 2
    gaussian = np.exp(-(places**2) / (2 * _SIGMA**2))
    gaussian = (gaussian / gaussian.sum()).astype("float32")
    moments = _filter(_filter(moments, gaussian[:, None], "valid"), gaussian[None], "valid")
    share, moments = moments[..., :1], moments[..., 1:]
    if holes == "zero":
        middle = slice(_WINDOW // 2, -(_WINDOW // 2))
        share = valid[:, middle, middle]
    else:
        moments = moments / ops.maximum(share, 1e-6)
    x, y, xx, yy, xy = ops.split(moments, 5, axis=-1)
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    structure = (2 * (xy - x * y) + c2) / ((xx - x * x) + (yy - y * y) + c2)
    total = ops.sum(share * (1 - luminance * structure) / 2, axis=(1, 2, 3))
    # Clipped as by Das et al.; only rounding leaves 0..1.
    return ops.clip(total / ops.maximum(ops.sum(share, axis=(1, 2, 3)), 1e-6), 0, 1)


def _filter(x: KerasTensor, kernel: np.ndarray, padding: str) -> KerasTensor:
    """Correlates each channel of (B, h, w, C) with one kernel (a, b)."""
    kernel = np.repeat(kernel[:, :, None, None], x.shape[-1], axis=2)
    return ops.depthwise_conv(x, ops.convert_to_tensor(kernel), 1, padding)
