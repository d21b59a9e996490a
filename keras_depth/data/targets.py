"""Targets of a loss: what `y_true` is, made from a batch of samples."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from keras_depth.encodings import Encoding
from keras_depth.errors import InputError, check_choice
from keras_depth.losses import DepthLoss

Target = Callable[[dict[str, tf.Tensor]], Any]  # from a batch of samples to `y_true`

# How depth is reduced to a smaller target.
DOWNSAMPLE = ("nearest", "min")

# What an unmeasured pixel's target holds: finite, and neutral under a logarithm or a division.
_UNMEASURED = 1.0


def check_downsample(name: str) -> None:
    """Raises InputError unless `name` is one of `DOWNSAMPLE`."""
    check_choice("value of downsample", name, DOWNSAMPLE)


def target_of(
    loss: DepthLoss,
    encoding: Encoding,
    model: keras.Model,
    downsample: str = "nearest",
    canonical: float | None = None,
) -> Target:
    """Returns the function that makes a loss's `y_true` from a batch, see `data.batches.Batches`.

    Args:
        loss: its `target_kind` says whether it learns from depth or from stereo pairs.
        encoding: how the model writes depth.
        model: depth is brought to the size of its finest output.
        downsample: how, where that is smaller; see `depth_target`.
        canonical: the focal length that depth is learned for; see `depth_target`.

    Raises:
        InputError: an unknown `downsample`.
    """
    if loss.target_kind == "pair":
        return pair_target
    check_downsample(downsample)  # before the first batch
    size = keras.tree.flatten(model.outputs)[0].shape[1:3]
    return partial(
        depth_target,
        encode=encoding.encode,
        size=size,
        downsample=downsample,
        canonical=canonical,
    )


def canonical_ratio(focal_length: tf.Tensor, canonical: float) -> tf.Tensor:
    """Returns the canonical focal length over that of each frame, one number for both axes.

    A point at depth z looks to a camera of focal length f as one at z * canonical / f does to the
    canonical camera (CSTM_label of Yin et al., Metric3D, ICCV 2023).

    Args:
        focal_length: float32 (B, 2), (fx, fy) in pixels.
        canonical: in pixels of images of the same size.

    Returns:
        float32 (B, 1, 1, 1).
    """
    ratio = canonical / tf.sqrt(tf.reduce_prod(focal_length, axis=-1))
    return tf.reshape(ratio, (-1, 1, 1, 1))


def depth_target(
    batch: dict[str, tf.Tensor],
    encode: Callable | None = None,
    size: tuple[int, int] | None = None,
    downsample: str = "nearest",
    canonical: float | None = None,
) -> tf.Tensor:
    """Returns float32 (B, h, w, 2): the encoded depth, finite everywhere, and valid, 0 or 1.

    Args:
        batch: `depth` (B, H, W, 1), metres, 0 = not measured.
        encode: an encoding's, see `encodings.py`; None: metres. Its result for unmeasured pixels
            is replaced.
        size: (h, w) of the result; None: the depth's.
        downsample: how a smaller result is made: "nearest" keeps the nearest pixel, measured or
            not; "min" keeps the smallest measured depth of each cell, so that less of sparse depth
            is lost.
        canonical: a focal length in pixels of the images: depth becomes that of a camera that has
            it, see `canonical_ratio`; `batch` then has `focal_length`. None: depth stays.

    Raises:
        InputError: an unknown `downsample`, or "min" where the depth does not divide into square
            cells.
    """
    check_downsample(downsample)
    depth = tf.convert_to_tensor(batch["depth"])
    if canonical is not None:
        depth *= canonical_ratio(batch["focal_length"], canonical)
    if size is not None and tuple(depth.shape[1:3]) != tuple(size):
        if downsample == "min":
            depth = _min_of_cells(depth, size)
        else:
            depth = tf.image.resize(depth, size, "nearest")
    target = encode(depth, batch.get("focal_baseline")) if encode else depth
    # An inverse is infinite at unmeasured pixels: replace it, infinity times 0 is NaN.
    valid = (depth > 0) & tf.math.is_finite(target)
    return tf.concat([tf.where(valid, target, _UNMEASURED), tf.cast(valid, tf.float32)], -1)


def _min_of_cells(depth: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Reduces depth to the smallest value of square cells; the last ones may be incomplete."""
    side = math.ceil(depth.shape[1] / size[0])
    none = depth.dtype.min  # the pool's initial value: a cell without a measurement keeps it
    negative = tf.nn.max_pool2d(tf.where(depth > 0, -depth, none), side, side, "SAME")
    if tuple(negative.shape[1:3]) != tuple(size):
        raise InputError(
            f"downsample=min: depth of {tuple(depth.shape[1:3])} does not divide into square cells"
            f" for {tuple(size)}; set downsample=nearest"
        )
    return tf.where(negative > none, -negative, 0.0)


def pair_target(batch: dict[str, tf.Tensor]) -> tf.Tensor:
    """Returns float32 (B, h, w, 6): the left and the right image, RGB in [0, 1]."""
    return tf.concat([batch["image"], batch["right"]], -1)
