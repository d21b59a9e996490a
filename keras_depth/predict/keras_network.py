"""A Keras model as `DepthEstimator` runs it: images in, encoded maps out, and their decoding."""

import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_depth import images, models
from keras_depth.encodings import ENCODINGS, calibrate
from keras_depth.errors import InputError, check_choice
from keras_depth.predict.calibration import Calibration
from keras_depth.predict.loading import finest, input_size


class KerasNetwork:
    """Runs a Keras model.

    Args:
        model: see `DepthEstimator`.
        encoding: how it writes depth; None: as the architecture does that it is named after.

    Attributes:
        input_size: (height, width) of the images it takes.
        encoding: the encoding's name.
        stereo: whether it writes disparity.
        calibration: of its metres.

    Raises:
        InputError: the model is no depth network, or nothing says how it writes depth.
    """

    def __init__(self, model: keras.Model, encoding: str | None):
        if not isinstance(model, keras.Model):
            raise InputError(
                f"a model of type {type(model).__name__}: give a Keras model;"
                " DepthEstimator.load takes paths, and DepthEstimator.from_preset names of presets"
            )
        if encoding is not None:
            check_choice("encoding", encoding, ENCODINGS)
        self.input_size = input_size(model)
        self._encoding = ENCODINGS[encoding or encoding_of(model)]
        self.encoding = self._encoding.name
        self.stereo = self._encoding.stereo
        self.calibration = Calibration()
        self._model = model

        # One graph, traced once: `Model.predict` would set up a data pipeline for every image.
        @tf.function(input_signature=[tf.TensorSpec((None, *self.input_size, 3), tf.float32)])
        def compute(batch):
            return tf.cast(finest(model(batch, training=False)), tf.float32)

        self._compute = compute
        if self._encoding.relative:
            warnings.warn(
                f"{model.name} tells near from far within a picture; its metres are right by chance"
                " alone",
                stacklevel=3,
            )

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """Computes the finest maps, float32 (B, h, w, channels), as the network writes them.

        Args:
            batch: (B, height, width, 3) of `input_size`, uint8 or float32 in [0, 1].
        """
        # Divided here, exactly as in training: within its graph TensorFlow would multiply by 1/255.
        return self._compute(images.to_float32(batch)).numpy()

    def decode(self, maps: np.ndarray, focal_baseline: float | None) -> np.ndarray:
        """Decodes maps, also resized ones, to calibrated metres: float32 (B, h, w, 1)."""
        depth = self._encoding.decode(maps, focal_baseline)
        scaled = calibrate(depth, self.calibration.scale, self.calibration.shift)
        return ops.convert_to_numpy(scaled)


def encoding_of(model: keras.Model) -> str:
    """Returns the encoding of the architecture that a model is named after.

    Raises:
        InputError: the model is named after none.
    """
    if architecture := models.of(model):
        return architecture.encoding
    raise InputError(
        f"model {model.name!r} is none of the registered architectures, so say how it writes depth:"
        ' encoding="metric" (on the command line, --encoding metric)'
    )
