"""One frame under a protocol: the pixels that are scored, and what was predicted there."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keras_depth.errors import InputError
from keras_depth.protocols import Protocol


class Scored(NamedTuple):
    """What of one frame is scored.

    y_true: float32 (h, w, 2), metres and valid (0 or 1), 0 metres where not valid.
    y_pred: float32 (h, w, 1), metres.
    ratio: what the alignment multiplied the prediction by; 1 without one, NaN where no pixel is
        scored.
    """

    y_true: np.ndarray
    y_pred: np.ndarray
    ratio: float


def apply(
    protocol: Protocol,
    truth: np.ndarray,
    prediction: np.ndarray,
    mirrored: np.ndarray | None = None,
) -> Scored:
    """Brings one frame's truth and prediction to what the protocol scores.

    In this order: the two predictions become one, which is resized (bilinear) to the truth and
    scaled; both are cropped; the truth is masked; the prediction is aligned, then clipped.

    Args:
        protocol: see `protocols.get`.
        truth: (H, W) or (H, W, 1), metres, 0 = not measured.
        prediction: (h, w) or (h, w, 1), metres, of any size.
        mirrored: the prediction of the mirrored picture, as predicted, of the size of
            `prediction`; only a protocol whose `flip` is not "none" takes it.

    Raises:
        InputError: an array is not one depth map, `flip` lacks `mirrored`, the crop leaves no
            pixel, or there is no median above 0 to align by.
    """
    truth, prediction = _depth_map("truth", truth), _depth_map("prediction", prediction)
    if protocol.flip != "none":
        prediction = _with_mirrored(protocol, prediction, mirrored)
    if protocol.resize != 1:
        height, width = (max(1, round(side * protocol.resize)) for side in truth.shape)
        # Nearest, for a mean of a measured depth and a hole is neither.
        truth = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    if prediction.shape != truth.shape:
        through = _inverse if protocol.resize_as == "disparity" else np.asarray
        size = truth.shape[::-1]
        prediction = through(cv2.resize(through(prediction), size, interpolation=cv2.INTER_LINEAR))
    window = _window(protocol, truth.shape)
    truth, prediction = truth[window], prediction[window] * np.float32(protocol.scale)
    valid = (truth > protocol.min_depth) & (truth < protocol.max_depth)
    ratio = 1.0
    if protocol.alignment == "median":
        ratio = _median_ratio(truth[valid], prediction[valid])
        prediction = prediction * np.float32(ratio)
    if protocol.clip_prediction is not None:
        prediction = np.clip(prediction, *protocol.clip_prediction)
    y_true = np.stack([np.where(valid, truth, 0), valid], axis=-1).astype(np.float32)
    return Scored(y_true, prediction[..., None], ratio)


def pooled_r2(scored: Scored) -> float:
    """Returns R² after average pooling of both maps, 7x7 with a stride of 2, over valid pixels.

    NaN where none is valid, or where the truth does not vary.

    Source: Das et al. 2024, the authors' notebook. It leaves out images whose value is not in 0..1.
    """
    truth, valid = scored.y_true[..., 0].astype(float), scored.y_true[..., 1].astype(float)
    if min(truth.shape) < _POOL:
        return math.nan
    prediction = np.where(valid > 0, scored.y_pred[..., 0], 0).astype(float)
    windows = [
        sliding_window_view(each, (_POOL, _POOL))[::2, ::2].sum(axis=(-2, -1))
        for each in (valid, truth, prediction)
    ]
    count, truth, prediction = (each[windows[0] > 0] for each in windows)
    truth, prediction = truth / count, prediction / count
    spread = np.sum((truth - truth.mean()) ** 2) if truth.size else 0.0
    return 1 - float(np.sum((prediction - truth) ** 2) / spread) if spread > 0 else math.nan


_POOL = 7  # pixels


def _with_mirrored(protocol, prediction, mirrored):
    if mirrored is None:
        raise InputError(
            f"protocol {protocol.name}: flip {protocol.flip!r} needs the prediction of the mirrored"
            " picture too; give it, or flip=none"
        )
    mirrored = _depth_map("mirrored prediction", mirrored)
    if mirrored.shape != prediction.shape:
        raise InputError(
            f"mirrored prediction of shape {mirrored.shape} beside one of {prediction.shape}:"
            " predict the mirrored picture at the same size"
        )
    back = mirrored[:, ::-1]
    return (prediction + back) / 2 if protocol.flip == "mean" else _ramp(prediction, back)


def _ramp(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """monodepth's blend of a prediction and the mirrored-back one of the mirrored picture.

    Trained on stereo, a network smears what the right camera cannot see: beside the left border,
    and left of near things. In the mirrored picture these lie on the other side.
    """
    x = np.linspace(0, 1, first.shape[1], dtype=np.float32)
    left = 1 - np.clip(20 * (x - np.float32(0.05)), 0, 1)
    right = left[::-1]
    first, second = _inverse(first), _inverse(second)
    return _inverse(right * first + left * second + (1 - left - right) * (first + second) / 2)


def _inverse(x: np.ndarray) -> np.ndarray:
    """Depth to disparity and back; a depth that is not above 0 counts as a micrometre."""
    return 1 / np.maximum(x, np.float32(1e-6))


def _window(protocol: Protocol, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns that the crop leaves of a map of this shape."""
    if protocol.crop is None:
        return slice(None), slice(None)
    (height, width), (frame_height, frame_width) = shape, protocol.frame
    top, bottom, left, right = protocol.crop
    rows = slice(int(top * height / frame_height), int(bottom * height / frame_height))
    columns = slice(int(left * width / frame_width), int(right * width / frame_width))
    if rows.start == rows.stop or columns.start == columns.stop:
        raise InputError(
            f"protocol {protocol.name!r} leaves no pixel of a depth map of {height}x{width}:"
            " score larger maps, or use the protocol 'full'"
        )
    return rows, columns


def _median_ratio(truth: np.ndarray, prediction: np.ndarray) -> float:
    if not truth.size:
        return math.nan
    median = float(np.median(prediction))
    if not median > 0:
        raise InputError(
            f"the median prediction is {median:g}, so no factor aligns it with the truth; predict"
            " depth above 0, or score with alignment=none"
        )
    return float(np.median(truth)) / median


def _depth_map(which: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{which} of shape {array.shape} and type {array.dtype} is not a depth map:"
            " give numbers in metres of shape (height, width) or (height, width, 1)"
        )
    return array.astype(np.float32)
