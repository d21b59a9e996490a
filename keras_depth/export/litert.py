"""Writes LiteRT (TensorFlow Lite): for phones, microcontrollers and the CPU of a small board."""

import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_depth.export import saved_model
from keras_depth.predict.exported import MODEL_FILES


def write(
    model: keras.Model,
    folder: Path,
    precision: str = "fp32",
    calibration: np.ndarray | None = None,
) -> None:
    """Writes an exported model as `model.tflite`.

    Args:
        model: from `network.build`, with a fixed batch.
        folder: where to.
        precision: "fp32"; "fp16": weights in half precision; "int8": weights and maps in 8 bits,
            with scales from the calibration images. Input and output keep their types.
        calibration: images for int8, (N, height, width, 3) as the model takes them.
    """
    # From a SavedModel, which keeps the names, and keeps the weights out of the graph: with weights
    # in the graph the converter takes 8 GB, without them 3.
    with tempfile.TemporaryDirectory(dir=folder) as saved:
        saved_model.write(model, Path(saved))
        data = _converter(saved, model, precision, calibration).convert()
    (folder / MODEL_FILES["litert"]).write_bytes(data)


def _converter(
    saved: str, model: keras.Model, precision: str, calibration: np.ndarray | None
) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        batch = model.inputs[0].shape[0]
        groups = [calibration[i : i + batch] for i in range(0, len(calibration), batch)]
        converter.representative_dataset = lambda: (
            [group] for group in groups if len(group) == batch
        )
    return converter
