"""The unsupervised loss of stereo pairs: how well each image explains the other one.

| term | mean, for each side and scale, of | weight |
|---|---|---:|
| appearance | 0.85 (1 - SSIM) / 2 + 0.15 abs(x - y), an image and the other one warped to it | 1 |
| smoothness | the disparity's slope where the image has none, halved with each scale | 0.1 |
| consistency | the difference of a disparity and the other one warped to it | 1 |

Source: Godard et al., Unsupervised Monocular Depth Estimation with Left-Right Consistency, CVPR
2017, and their released code; OptiDepthNet (Wei et al.) keeps it. No pixel is masked.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_choice, check_flag, check_shares, check_weights
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.warp import OUTSIDE, warp


@keras.saving.register_keras_serializable("keras_depth")
class StereoLoss(DepthLoss):
    """Adds appearance, smoothness and left-right consistency over sides and scales.

    Call arguments: `y_true` (B, H, W, 6), the left and the right image, RGB in [0, 1]; `y_pred`
    (B, h, w, 2), disparity of the left and the right view as fractions of the width, or a list
    of such maps; H / h = W / w is a power of two. The images are averaged down to each map.

    With `fit`, Keras takes one loss for each output and adds them up, which gives the same. Pass
    the pair as the target of each output: `fit(image, [pair] * len(model.outputs))`.

    Args:
        ssim: share of SSIM in the appearance term; the rest is the absolute difference. Defaults
            to 0.85.
        smoothness: weight of the smoothness term. Defaults to 0.1.
        consistency: weight of the left-right consistency term. Defaults to 1.
        vertical: adds the slope along y. The paper's formula has it; the released code, and so
            every published number, has x alone. Defaults to False.
        outside: the values beside an image, "border" or "edge", see `warp`. Defaults to "border".

    Raises:
        InputError: a weight that is no number of 0 or more, an unknown name, or shapes that do
            not match.
    """

    target_kind = "pair"

    def __init__(
        self,
        ssim: float = 0.85,
        smoothness: float = 0.1,
        consistency: float = 1.0,
        vertical: bool = False,
        outside: str = "border",
        name: str = "stereo",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_shares("StereoLoss", ssim=ssim)
        check_weights("StereoLoss", smoothness=smoothness, consistency=consistency)
        check_flag("StereoLoss: vertical", vertical)
        check_choice("outside of StereoLoss", outside, OUTSIDE)
        self.ssim = ssim
        self.smoothness = smoothness
        self.consistency = consistency
        self.vertical = vertical
        self.outside = outside

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        terms = self.terms(y_true, y_pred)
        return (
            terms["appearance"]
            + self.smoothness * terms["smoothness"]
            + self.consistency * terms["consistency"]
        )

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> dict[str, KerasTensor]:
        """Returns the terms, unweighted, summed over sides and scales: (B,) each, by name."""
        maps = [self._terms_of_map(y_true, one) for one in keras.tree.flatten(y_pred)]
        return {key: sum(terms[key] for terms in maps) for key in maps[0]}

    def _terms_of_map(self, pair: KerasTensor, disparity: KerasTensor) -> dict[str, KerasTensor]:
        factor = _factor(pair, disparity)
        pair = ops.average_pool(pair, factor, factor) if factor > 1 else pair
        # Both sides at once, one after the other along the batch.
        left, right = ops.split(pair, 2, axis=-1)
        image, other = ops.concatenate([left, right]), ops.concatenate([right, left])
        of_left, of_right = ops.split(disparity, 2, axis=-1)
        own = ops.concatenate([of_left, of_right])
        # A point at x in the left view is further left in the right view, at x - d.
        offset = ops.concatenate([-of_left, of_right])
        estimate = warp(other, offset, self.outside)
        opposite = warp(ops.concatenate([of_right, of_left]), offset, self.outside)
        difference = ops.abs(estimate - image)
        appearance = self.ssim * _mean(dissimilarity(estimate, image)) + (1 - self.ssim) * _mean(
            difference
        )
        slope = _slope(own, image, axis=2)
        if self.vertical:
            slope = slope + _slope(own, image, axis=1)
        terms = {
            "appearance": appearance,
            "smoothness": slope / factor,
            "consistency": _mean(ops.abs(opposite - own)),
        }
        return {key: ops.sum(ops.reshape(value, (2, -1)), 0) for key, value in terms.items()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ssim": self.ssim,
            "smoothness": self.smoothness,
            "consistency": self.consistency,
            "vertical": self.vertical,
            "outside": self.outside,
        }


def dissimilarity(x: KerasTensor, y: KerasTensor) -> KerasTensor:
    """Returns (1 - SSIM) / 2, 0 to 1, of each 3x3 window and channel: (B, H - 2, W - 2, C).

    The windows' means are plain, not Gaussian, and the variances are E[x²] - E[x]².
    """
    moments = ops.concatenate([x, y, x * x, y * y, x * y], axis=-1)
    x, y, xx, yy, xy = ops.split(ops.average_pool(moments, 3, 1), 5, axis=-1)
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * x * y + c1) * (2 * (xy - x * y) + c2)
    similar /= (x * x + y * y + c1) * (xx - x * x + yy - y * y + c2)
    return ops.clip((1 - similar) / 2, 0, 1)


def _slope(disparity: KerasTensor, image: KerasTensor, axis: int) -> KerasTensor:
    """Returns the mean of |disparity's difference| exp(-channels' mean |image's|): (B,)."""
    edge = ops.mean(ops.abs(ops.diff(image, axis=axis)), -1, keepdims=True)
    return _mean(ops.abs(ops.diff(disparity, axis=axis)) * ops.exp(-edge))


def _mean(x: KerasTensor) -> KerasTensor:
    return ops.mean(x, axis=(1, 2, 3))


def _factor(pair: KerasTensor, disparity: KerasTensor) -> int:
    """Returns how many times smaller than the images a map is."""
    images, maps = tuple(pair.shape), tuple(disparity.shape)
    fits = len(images) == len(maps) == 4 and (images[3], maps[3]) == (6, 2)
    if fits and min(maps[1:3]) < 3:
        raise InputError(
            f"disparities of shape {maps} are smaller than SSIM's window of 3x3: give larger"
            " images, or leave out the coarsest maps"
        )
    if fits:
        factor = images[1] // maps[1]
        whole = images[1:3] == (factor * maps[1], factor * maps[2])
        if whole and factor & (factor - 1) == 0:
            return factor
    raise InputError(
        f"y_true of shape {images} does not fit y_pred of shape {maps}: give left and right"
        " image, (B, H, W, 6), and disparities (B, h, w, 2) with H/h = W/w a power of two"
    )
