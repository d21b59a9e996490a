"""Scores frames under a protocol: which pixels, what was predicted there, and every metric."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from keras_depth import metrics
from keras_depth.data import Sample
from keras_depth.errors import InputError
from keras_depth.protocols import Protocol

# Frames that the metrics take in one call, for speed: a call is some hundred small operations,
# whatever its size. It changes no score.
FRAMES_PER_CALL = 8

# Metres: a room's distances, then a street's.
_BANDS = (0, 1, 2, 3, 4, 6, 10, 20, 40, 80)


class Scored(NamedTuple):
    """The pixels of one frame that a protocol scores.

    y_true: float32 (h, w, 2), metres and valid (0 or 1), 0 metres where not valid.
    y_pred: float32 (h, w, 1), metres.
    ratio: the factor of the alignment; 1 without one, NaN where no pixel is scored.
    unclipped: `y_pred` before it was clipped.
    """

    y_true: np.ndarray
    y_pred: np.ndarray
    ratio: float
    unclipped: np.ndarray


class Scorer:
    """Scores one predictor frame by frame, with every metric, in every reduction of a report.

    Args:
        protocol: how each frame is scored.
        frames_per_call: how many frames the metrics take at once; it changes the speed alone.

    Attributes:
        protocol: as given.
        valid_pixels, all_pixels: scored pixels, and pixels within the protocol's crop, so far.
        map_metrics: metric of the protocol's `extra` -> its value for each frame so far.
    """

    def __init__(self, protocol: Protocol, frames_per_call: int = FRAMES_PER_CALL):
        self.protocol = protocol
        reductions = dict.fromkeys((protocol.reduction, "image", "pixel"))
        self._depth = {
            name: _Batches(
                metrics.all_metrics(name), protocol.batch if name == "batch" else frames_per_call
            )
            for name in reductions
        }
        self._disparity = {name: metrics.DepthMetric("d1", name) for name in reductions}
        self._stereo = False
        self._sums = np.zeros((3, len(_BANDS)))  # of pixels, relative errors, and delta1, by band
        self.map_metrics: dict[str, list[float]] = {name: [] for name in protocol.extra}
        self.valid_pixels = 0
        self.all_pixels = 0

    def add(
        self, sample: Sample, prediction: np.ndarray, mirrored: np.ndarray | None = None
    ) -> Scored:
        """Scores the prediction of one frame; arguments and errors as for `apply`."""
        scored = apply(self.protocol, sample["depth"], prediction, mirrored)
        valid = scored.y_true[..., 1] > 0
        # LiDAR measures one pixel in 25: the others would be most of the work.
        pixels = scored.y_true[valid], scored.y_pred[valid]
        for batches in self._depth.values():
            batches.add(*pixels)
        self._sums += _sums_by_band(pixels[0][:, 0], pixels[1][:, 0])
        if "focal_baseline" in sample:
            self._stereo = True
            disparities = _disparities(scored, sample["focal_baseline"])
            for metric in self._disparity.values():
                metric.update_state(*disparities)
        for name, values in self.map_metrics.items():
            values.append(metrics.MAP_METRICS[name].compute(scored.y_true, scored.y_pred))
        self.valid_pixels += int(valid.sum())
        self.all_pixels += scored.y_pred.size
        return scored

    def scores(self) -> dict[str, dict[str, float]]:
        """Returns reduction -> metric -> value; the protocol's own reduction comes first."""
        scores = {reduction: batches.results() for reduction, batches in self._depth.items()}
        if self._stereo:
            for reduction, metric in self._disparity.items():
                scores[reduction][metric.name] = float(metric.result())
        for name, values in self.map_metrics.items():
            counted = [value for value in values if metrics.MAP_METRICS[name].counts(value)]
            if counted:
                scores["image"][name] = float(np.mean(counted))
        return scores

    def by_distance(self) -> list[dict[str, float]]:
        """Returns for each band of true depth that has pixels: its limits, their share and errors.

        `from` and `to` in metres (the last band has no `to`), `share` of all scored pixels, and
        `abs_rel` and `delta1` pooled over the band's pixels.
        """
        bands = []
        for near, far, (pixels, error, right) in zip(
            _BANDS, [*_BANDS[1:], None], self._sums.T, strict=True
        ):
            if pixels:
                limits = {"from": near} if far is None else {"from": near, "to": far}
                share = pixels / max(self.valid_pixels, 1)
                errors = {"abs_rel": error / pixels, "delta1": right / pixels}
                bands.append({**limits, "share": share, **errors})
        return bands


def apply(
    protocol: Protocol,
    target: np.ndarray,
    prediction: np.ndarray,
    mirrored: np.ndarray | None = None,
) -> Scored:
    """Selects the pixels of one frame that a protocol scores, and aligns the prediction there.

    In this order: the two predictions become one, which is resized (bilinear) to the target and
    scaled; both are cropped; the target is masked; the prediction is aligned, then clipped.

    Args:
        protocol: see `protocols.get`.
        target: the ground truth, (H, W) or (H, W, 1), metres, 0 = not measured.
        prediction: (h, w) or (h, w, 1), metres, of any size.
        mirrored: the prediction of the mirrored image, not mirrored back, of the size of
            `prediction`. Needed where the protocol's `flip` is not "none", else ignored.

    Raises:
        InputError: an array is not one depth map, `flip` lacks `mirrored`, the crop leaves no
            pixel, or there is no median above 0 to align by.
    """
    target, prediction = _depth_map("ground truth", target), _depth_map("prediction", prediction)
    if protocol.flip != "none":
        prediction = _with_mirrored(protocol, prediction, mirrored)
    if protocol.resize != 1:
        height, width = (max(1, round(side * protocol.resize)) for side in target.shape)
        # Nearest: the mean of a measured depth and a hole is neither.
        target = cv2.resize(target, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    if prediction.shape != target.shape:
        convert = _inverse if protocol.resize_as == "disparity" else np.asarray
        size = target.shape[::-1]
        prediction = convert(cv2.resize(convert(prediction), size, interpolation=cv2.INTER_LINEAR))
    window = _crop_window(protocol, target.shape)
    target, prediction = target[window], prediction[window] * np.float32(protocol.scale)
    valid = (target > protocol.min_depth) & (target < protocol.max_depth)
    ratio = 1.0
    if protocol.alignment == "median":
        ratio = _median_ratio(target[valid], prediction[valid])
        prediction = prediction * np.float32(ratio)
    unclipped = prediction
    if protocol.clip_prediction is not None:
        prediction = np.clip(prediction, *protocol.clip_prediction)
    y_true = np.stack([np.where(valid, target, 0), valid], axis=-1).astype(np.float32)
    return Scored(y_true, prediction[..., None], ratio, unclipped[..., None])


class _Batches:
    """Collects the scored pixels of frames, and updates metrics with several frames at once."""

    def __init__(self, depth_metrics: Sequence[metrics.DepthMetric], size: int):
        self._metrics = depth_metrics
        self._size = size
        self._frames: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """Adds a frame's scored pixels: (n, 2) and (n, 1)."""
        self._frames.append((y_true, y_pred))
        if len(self._frames) == self._size:
            self._update()

    def results(self) -> dict[str, float]:
        self._update()
        return {metric.name: float(metric.result()) for metric in self._metrics}

    def _update(self) -> None:
        if not self._frames:
            return
        longest = max(len(y_true) for y_true, _ in self._frames)
        # Padded with zeros, which are not valid.
        padded = [
            [np.pad(pixels, ((0, longest - len(pixels)), (0, 0))) for pixels in frame]
            for frame in self._frames
        ]
        y_true, y_pred = (np.stack(arrays)[:, None] for arrays in zip(*padded, strict=True))
        for metric in self._metrics:
            metric.update_state(y_true, y_pred)
        self._frames = []


def _sums_by_band(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Sums pixels, |p - t| / t and max(p / t, t / p) < 1.25 by band of true depth: (3, bands)."""
    band = np.searchsorted(_BANDS, target, side="right") - 1
    error = np.abs(prediction - target) / target
    right = (prediction < 1.25 * target) & (target < 1.25 * prediction)
    weights = (np.ones_like(error), error, right)
    return np.stack([np.bincount(band, w, minlength=len(_BANDS)) for w in weights])


def _disparities(scored: Scored, focal_baseline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns true and predicted disparity in pixels of the image, as a batch of one."""
    depth, valid = scored.y_true[..., 0], scored.y_true[..., 1]
    true = focal_baseline / np.where(valid > 0, depth, 1)
    # KITTI's D1 takes disparities as they were predicted, whatever depth is clipped to.
    predicted = focal_baseline / np.maximum(scored.unclipped, np.float32(1e-6))
    return np.stack([true, valid], axis=-1)[None], predicted[None]


def _with_mirrored(
    protocol: Protocol, prediction: np.ndarray, mirrored: np.ndarray | None
) -> np.ndarray:
    if mirrored is None:
        raise InputError(
            f"protocol {protocol.name}: flip {protocol.flip!r} needs the prediction of the mirrored"
            " image too; give it, or set flip=none"
        )
    mirrored = _depth_map("mirrored prediction", mirrored)
    if mirrored.shape != prediction.shape:
        raise InputError(
            f"mirrored prediction of shape {mirrored.shape} beside one of {prediction.shape}:"
            " predict the mirrored image at the same size"
        )
    back = mirrored[:, ::-1]
    return (prediction + back) / 2 if protocol.flip == "mean" else _ramp(prediction, back)


def _ramp(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Blends a prediction with that of the mirrored image, mirrored back, as monodepth does.

    A network trained on stereo smears what the right camera cannot see: the left border, and what
    is left of near objects. In the mirrored image these are on the other side.
    """
    x = np.linspace(0, 1, first.shape[1], dtype=np.float32)
    left = 1 - np.clip(20 * (x - np.float32(0.05)), 0, 1)
    right = left[::-1]
    first, second = _inverse(first), _inverse(second)
    return _inverse(right * first + left * second + (1 - left - right) * (first + second) / 2)


def _inverse(x: np.ndarray) -> np.ndarray:
    """Converts depth to disparity and back; a depth below a micrometre counts as one."""
    return 1 / np.maximum(x, np.float32(1e-6))


def _crop_window(protocol: Protocol, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Returns the rows and columns that the crop leaves of a map of this shape."""
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


def _median_ratio(target: np.ndarray, prediction: np.ndarray) -> float:
    if not target.size:
        return np.nan
    median = float(np.median(prediction))
    if not median > 0:
        raise InputError(
            f"the median prediction is {median:g}, so no factor aligns it with the ground truth;"
            " predict depth above 0, or score with alignment=none"
        )
    return float(np.median(target)) / median


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
