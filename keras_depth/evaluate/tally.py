"""What one predictor reaches, frame by frame: every metric, in every reduction of a report."""

import dataclasses

import numpy as np

from keras_depth import metrics
from keras_depth.data import Sample
from keras_depth.evaluate import scorer
from keras_depth.protocols import Protocol

# Frames that the metrics take at once. Some hundred small operations a call, whatever its size; and
# the reduction "batch" is of as many, Wang et al.'s batch size.
_BATCH = 8


class Tally:
    """The metrics of one predictor over the frames that were added.

    Args:
        protocol: how each frame is scored.

    Attributes:
        protocol: as given.
        valid_pixels, all_pixels: scored pixels, and pixels within the protocol's crop, so far.
        pooled_r2: of each frame, where the protocol has it.
    """

    def __init__(self, protocol: Protocol):
        self.protocol = protocol
        # KITTI's D1 takes disparities as they were predicted, whatever depth is clipped to.
        self._unclipped = dataclasses.replace(protocol, clip_prediction=None)
        reductions = dict.fromkeys((protocol.reduction, "image", "pixel"))
        self._depth = {name: metrics.all_metrics(name) for name in reductions}
        self._disparity = {name: [metrics.DepthMetric("d1", name)] for name in reductions}
        self._stereo = False
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self.pooled_r2: list[float] = []
        self.valid_pixels = 0
        self.all_pixels = 0

    def add(
        self, sample: Sample, prediction: np.ndarray, mirrored: np.ndarray | None
    ) -> scorer.Scored:
        """Scores the prediction of one frame; the arguments and errors are `scorer.apply`'s."""
        truth = sample["depth"]
        scored = scorer.apply(self.protocol, truth, prediction, mirrored)
        valid = scored.y_true[..., 1] > 0
        # LiDAR measures a pixel in 25: the others would be most of the work.
        self._waiting.append((scored.y_true[valid], scored.y_pred[valid]))
        if len(self._waiting) == _BATCH:
            self._add_waiting()
        if "focal_baseline" in sample:
            self._stereo = True
            unclipped = scorer.apply(self._unclipped, truth, prediction, mirrored)
            _update(self._disparity, *_disparities(unclipped, sample["focal_baseline"]))
        if self.protocol.pooled_r2:
            self.pooled_r2.append(scorer.pooled_r2(scored))
        self.valid_pixels += int(valid.sum())
        self.all_pixels += scored.y_pred.size
        return scored

    def scores(self) -> dict[str, dict[str, float]]:
        """Returns reduction -> metric -> value; the protocol's own reduction comes first."""
        self._add_waiting()
        groups = [self._depth, self._disparity] if self._stereo else [self._depth]
        scores = {
            reduction: {m.name: float(m.result()) for group in groups for m in group[reduction]}
            for reduction in self._depth
        }
        if self.protocol.pooled_r2:
            kept = [value for value in self.pooled_r2 if 0 <= value <= 1]
            if kept:
                scores["image"]["r2_pooled"] = float(np.mean(kept))
        return scores

    def _add_waiting(self) -> None:
        if self._waiting:
            longest = max(len(y_true) for y_true, _ in self._waiting)
            rows = [
                [np.pad(pixels, ((0, longest - len(pixels)), (0, 0))) for pixels in frame]
                for frame in self._waiting
            ]
            y_true, y_pred = (np.stack(arrays)[:, None] for arrays in zip(*rows, strict=True))
            _update(self._depth, y_true, y_pred)
            self._waiting = []


def _update(groups: dict[str, list[metrics.DepthMetric]], y_true, y_pred) -> None:
    for metric in (metric for group in groups.values() for metric in group):
        metric.update_state(y_true, y_pred)


def _disparities(scored: scorer.Scored, focal_baseline) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted disparity in pixels of the picture, as a batch of one for a metric."""
    depth, valid = scored.y_true[..., 0], scored.y_true[..., 1]
    true = focal_baseline / np.where(valid > 0, depth, 1)
    predicted = focal_baseline / np.maximum(scored.y_pred, np.float32(1e-6))
    return np.stack([true, valid], axis=-1)[None], predicted[None]
