"""Scores the model after each epoch: its loss, its errors, and a few examples."""

from collections import defaultdict
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_depth import losses, protocols
from keras_depth.data.pipeline import evaluation_batches
from keras_depth.data.reader import Reader, spread
from keras_depth.data.targets import canonical_ratio, target_of
from keras_depth.encodings import Encoding
from keras_depth.evaluate.scorer import Scorer, apply
from keras_depth.protocols import Protocol

METRICS = ("abs_rel", "rmse", "mse", "delta1")
_EXAMPLES = 4  # frames in a figure


class Validator:
    """Scores a model on validation frames while it trains.

    Args:
        model: the model.
        loss: the loss it is trained with.
        encoding: how it writes depth.
        protocol: which pixels are scored. They are scored at the model's size, and without a
            mirrored image: the scores only compare one epoch with the next.
        downsample: how the loss's target is made, see `data.targets.target_of`.
        canonical: the focal length that depth is learned for; the scores are of the frames' own
            metres all the same.
        fit: how frames are brought to the model's size, see `letterbox.FITS`.

    Raises:
        InputError: the protocol leaves no pixel of a depth map of the model's size.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: losses.DepthLoss,
        encoding: Encoding,
        protocol: Protocol,
        downsample: str = "nearest",
        canonical: float | None = None,
        fit: str = "stretch",
    ):
        self._protocol = protocols.vary(protocol, {"flip": "none", "resize": 1})
        self._size = model.input_shape[1:3]
        apply(self._protocol, *np.ones((2, *self._size)))  # raises now, not after an epoch
        self._stereo = loss.target_kind == "pair"
        self._canonical, self._fit = canonical, fit
        self._target = target_of(loss, encoding, model, downsample, canonical)

        @tf.function(autograph=False)
        def predict(image, y_true, focal_baseline):
            outputs = model(image, training=False)
            # `DepthEstimator` too resizes the encoded output, not the depth, to the image's size.
            finest = keras.ops.image.resize(keras.tree.flatten(outputs)[0], image.shape[1:3])
            return loss(y_true, outputs), finest, encoding.decode(finest, focal_baseline)

        self._predict = predict

    def validate(
        self, frames: Reader, batch_size: int
    ) -> tuple[dict[str, float], dict[str, list[np.ndarray]]]:
        """Scores the model on all frames.

        Args:
            frames: validation frames; they are resized to the model's size.
            batch_size: frames at once.

        Returns:
            scores: the mean loss and, if depth was measured, `METRICS`, named `val_<name>`.
            examples: `image`, `ground_truth` and `depth` of the frames of `example_indices`, each
                (h, w, channels);
                of stereo pairs also `disparity`, in pixels, and `warped`, the right image moved to
                the left camera by that disparity.
        """
        loss = keras.metrics.Mean("loss")
        scorer = Scorer(self._protocol)
        examples: dict[str, list[np.ndarray]] = defaultdict(list)
        chosen = example_indices(frames)
        done = 0
        batches = evaluation_batches(
            frames,
            size=self._size,
            batch_size=batch_size,
            target=lambda batch: (batch, self._target(batch)),
            fit=self._fit,
            focal_length=self._canonical is not None,
        )
        for image, (batch, y_true) in batches:
            value, output, depth = self._predict(image, y_true, batch.get("focal_baseline"))
            if self._canonical is not None:
                depth = depth / canonical_ratio(batch["focal_length"], self._canonical)
            loss.update_state(value, len(image))
            if frames.measured:
                for truth, prediction in zip(batch["depth"].numpy(), depth.numpy(), strict=True):
                    scorer.add({"depth": truth}, prediction)
            here = [index for index in chosen if done <= index < done + len(image)]
            if here:
                for key, maps in self._maps(batch, output, depth).items():
                    examples[key] += [maps[index - done].numpy() for index in here]
            done += len(image)
        scores = {"val_loss": float(loss.result())}
        if frames.measured:
            metrics = scorer.scores()[self._protocol.reduction]
            scores |= {f"val_{name}": metrics[name] for name in METRICS}
        return scores, examples

    def _maps(self, batch: dict, output: tf.Tensor, depth: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the maps of a batch that examples are drawn from."""
        maps = {"image": batch["image"], "ground_truth": batch["depth"], "depth": depth}
        if self._stereo:
            left = output[..., :1]
            maps["disparity"] = left * left.shape[2]
            maps["warped"] = losses.warp(batch["right"], -left)
        return maps


def example_indices(frames: Reader) -> list[int]:
    """Returns which validation frames the figures show."""
    return spread(len(frames), _EXAMPLES)


def describe(rows: Sequence[dict[str, float]]) -> str:
    """Returns the line that says how a run did on its validation frames.

    Args:
        rows: of the run's log; at least one has the scores of an epoch.
    """
    epochs = [row for row in rows if "val_abs_rel" in row]
    best = min(epochs, key=lambda row: row["val_abs_rel"])
    last, least = epochs[-1]["val_abs_rel"], best["val_abs_rel"]
    return (
        f"validation: abs_rel {last:.4f} after the last epoch (model.keras), {least:.4f} at its"
        f" best after epoch {best['epoch']:.3g} (best.keras)"
    )
