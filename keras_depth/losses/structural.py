"""The composite of encoder-decoder papers: depth itself, its edges, and its structure.

| term | the mean of | Das et al. | Wang et al. | DenseDepth |
|---|---|---:|---:|---:|
| depth | abs(p - t) | 0.3 | 0.1 | 0.1 |
| gradient | abs(slope of p - slope of t), along x plus y | 1, forward | 1, Sobel | 1, forward |
| ssim | (1 - SSIM) / 2 of 11x11 windows, to a value range of | 1, of 1 | 1, of 255 | 1, of 100 |

Of which target: Das et al. of 0..1, Wang et al. of 10..1000 cm, DenseDepth of 1000 / cm.
"""

import keras
import numpy as np
from keras import ops

from keras_depth.errors import InputError, unknown_name
from keras_depth.losses.base import DepthLoss, check_weights
from keras_depth.losses.masked import masked_mean, select_valid

DIFFERENCES = ("forward", "sobel")
HOLES = ("left_out", "zero")
_WINDOW, _SIGMA = 11, 1.5  # of SSIM


@keras.saving.register_keras_serializable("keras_depth")
class StructuralLoss(DepthLoss):
    """Weighted sum of absolute error, difference of slopes, and structural dissimilarity.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1); h and w of 11
    or more.

    A slope counts where all pixels that it is taken from are valid. Where all is valid, these are
    the papers' terms.

    Args:
        depth: weight of the absolute error. Defaults to 0.3.
        gradient: weight of the difference of slopes. Defaults to 1.
        ssim: weight of the structural dissimilarity. Defaults to 1.
        differences: "forward", of a pixel and the next, or "sobel", 3x3 with zeros around the
            frame. Defaults to "forward".
        ssim_range: what SSIM takes for the range of values. Defaults to 1.
        holes: what SSIM makes of invalid pixels. "left_out": a window is that of its valid pixels,
            and counts as far as it has some, by its Gaussian weights. "zero": they are 0 in both
            maps, and the windows around valid pixels count. Defaults to "left_out".

    Raises:
        InputError: a negative weight, a range that is not above 0, an unknown name, or maps that
            are smaller than SSIM's window.

    Source: Das et al. 2024, section 3.4 and loss_function.py (the defaults); Wang et al., section
    2.3 and criterion.py; Alhashim and Wonka 2018 (DenseDepth).
    """

    def __init__(
        self,
        depth=0.3,
        gradient=1.0,
        ssim=1.0,
        differences="forward",
        ssim_range=1.0,
        holes="left_out",
        name="structural",
        reduction="sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_weights("StructuralLoss", depth=depth, gradient=gradient, ssim=ssim)
        if type(ssim_range) not in (int, float) or not ssim_range > 0:
            raise InputError(f"StructuralLoss: ssim_range={ssim_range!r}: give a number above 0")
        if differences not in DIFFERENCES:
            raise unknown_name("value of differences:", differences, DIFFERENCES)
        if holes not in HOLES:
            raise unknown_name("value of holes:", holes, HOLES)
        self.depth = depth
        self.gradient = gradient
        self.ssim = ssim
        self.differences = differences
        self.ssim_range = ssim_range
        self.holes = holes

    def call(self, y_true, y_pred):
        terms = self.terms(y_true, y_pred)
        weights = {"depth": self.depth, "gradient": self.gradient, "ssim": self.ssim}
        return sum(weights[key] * term for key, term in terms.items())

    def terms(self, y_true, y_pred):
        """Returns the terms, unweighted: (B,) each, by name."""
        target, prediction, valid = select_valid(y_true, y_pred)
        if any(side is not None and side < _WINDOW for side in prediction.shape[1:3]):
            raise InputError(
                f"maps of shape {tuple(prediction.shape)} are smaller than SSIM's window of"
                f" {_WINDOW}x{_WINDOW}: give larger pictures, or another loss"
            )
        error = valid * (prediction - target)
        slopes = _forward if self.differences == "forward" else _sobel
        return {
            "depth": masked_mean(ops.abs(error), valid),
            "gradient": sum(masked_mean(ops.abs(s), counts) for s, counts in slopes(error, valid)),
            "ssim": dissimilarity(target, prediction, valid, self.ssim_range, self.holes),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "depth": self.depth,
            "gradient": self.gradient,
            "ssim": self.ssim,
            "differences": self.differences,
            "ssim_range": self.ssim_range,
            "holes": self.holes,
        }


def _forward(error, valid):
    """Differences of a pixel and the next along y and x, 0 in the last row and column."""
    for axis in (1, 2):
        rest = [slice(None)] * 4
        rest[axis] = slice(1, None)
        last = [slice(None)] * 4
        last[axis] = slice(-1, None)
        following = [ops.concatenate([x[*rest], x[*last]], axis) for x in (error, valid)]
        yield following[0] - error, following[1] * valid


def _sobel(error, valid):
    """Sobel's slopes along x and y. Slopes are linear: those of the error are their difference."""
    x = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float32")
    unmeasured = _filter(1 - valid, np.ones((3, 3), "float32"), "same")
    whole = ops.cast(unmeasured < 0.5, "float32")
    for kernel in (x, x.T):
        yield _filter(error, kernel, "same"), whole


def dissimilarity(target, prediction, valid, value_range, holes="left_out"):
    """Returns the mean of (1 - SSIM) / 2, 0 to 1, over each sample's windows: (B,).

    Where all is valid it is what `tf.image.ssim` gives; elsewhere see `StructuralLoss`.
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
    # As Das et al. clip it: it leaves 0..1 by rounding alone.
    return ops.clip(total / ops.maximum(ops.sum(share, axis=(1, 2, 3)), 1e-6), 0, 1)


def _filter(x, kernel, padding):
    """Correlates each channel of (B, h, w, C) with one kernel (a, b)."""
    kernel = np.repeat(kernel[:, :, None, None], x.shape[-1], axis=2)
    return ops.depthwise_conv(x, ops.convert_to_tensor(kernel), 1, padding)
