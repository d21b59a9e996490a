"""A look at the network while it trains: its loss, its errors, what it makes of pictures."""

from collections import defaultdict

import keras
import numpy as np
import tensorflow as tf

from keras_depth import losses, protocols
from keras_depth.data.pipeline import evaluation_batches
from keras_depth.data.reader import Reader, spread
from keras_depth.data.targets import target_of
from keras_depth.encodings import Encoding
from keras_depth.evaluate import scorer
from keras_depth.evaluate.tally import Tally
from keras_depth.protocols import Protocol

METRICS = ("abs_rel", "rmse", "mse", "delta1")
_SHOWN = 4  # frames in a figure


class Validator:
    """Looks at one network.

    Args:
        model: the network.
        loss: what it is trained with.
        encoding: how it writes depth.
        protocol: which pixels are scored. At the network's size, and never with a mirrored
            picture: this only compares one epoch with the next.
        downsample: how the loss's target is made, see `data.targets.target_of`.

    Raises:
        InputError: the protocol leaves no pixel of a map of that size.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: losses.DepthLoss,
        encoding: Encoding,
        protocol: Protocol,
        downsample: str = "nearest",
    ):
        self._protocol = protocols.vary(protocol, {"flip": "none", "resize": 1})
        # Told now, and not by the first epoch's end.
        scorer.apply(self._protocol, *np.ones((2, *model.input_shape[1:3])))
        self._is_stereo = loss.target_kind == "pair"
        self._target = target_of(loss, encoding, model, downsample)

        @tf.function(autograph=False)
        def compute(image, y_true, focal_baseline):
            outputs = model(image, training=False)
            # As `DepthEstimator` does: what the network writes, brought to the picture's size.
            finest = keras.ops.image.resize(keras.tree.flatten(outputs)[0], image.shape[1:3])
            return loss(y_true, outputs), finest, encoding.decode(finest, focal_baseline)

        self._compute = compute

    def look(
        self, reader: Reader, size: tuple[int, int], batch_size: int
    ) -> tuple[dict[str, float], dict[str, list[np.ndarray]]]:
        """Goes through a reader's frames.

        Args:
            reader: frames.
            size: (height, width) that they are resized to, the network's.
            batch_size: how many at once.

        Returns:
            The mean loss and, where depth was measured, `METRICS`, as `val_<name>`; and of a few
            frames `image`, `truth` and `depth`, (h, w, channels) each, and of a stereo pair
            `disparity`, in pixels, and `seen`, the right picture as the left camera sees it by
            this disparity.
        """
        loss = keras.metrics.Mean("loss")
        tally = Tally(self._protocol)
        shown: dict[str, list[np.ndarray]] = defaultdict(list)
        chosen = spread(len(reader), _SHOWN)
        done = 0
        data = evaluation_batches(
            reader,
            size=size,
            batch_size=batch_size,
            target=lambda batch: (batch, self._target(batch)),
        )
        for image, (batch, y_true) in data:
            value, output, depth = self._compute(image, y_true, batch.get("focal_baseline"))
            loss.update_state(value, len(image))
            if reader.measured:
                for truth, prediction in zip(batch["depth"].numpy(), depth.numpy(), strict=True):
                    tally.add({"depth": truth}, prediction, None)
            here = [index - done for index in chosen if done <= index < done + len(image)]
            done += len(image)
            for key, each in self._maps(batch, output, depth).items() if here else ():
                shown[key].extend(each[row].numpy() for row in here)
        result = {"val_loss": float(loss.result())}
        if reader.measured:
            scores = tally.scores()[self._protocol.reduction]
            result |= {f"val_{name}": scores[name] for name in METRICS}
        return result, shown

    def _maps(self, batch: dict, output: tf.Tensor, depth: tf.Tensor) -> dict[str, tf.Tensor]:
        maps = {"image": batch["image"], "truth": batch["depth"], "depth": depth}
        if self._is_stereo:
            left = output[..., :1]
            maps["disparity"] = left * left.shape[2]
            maps["seen"] = losses.warp(batch["right"], -left)
        return maps
