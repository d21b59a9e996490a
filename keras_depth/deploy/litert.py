"""LiteRT (TensorFlow Lite): for phones, microcontrollers and the CPU of a small board."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_depth.deploy.network import graph
from keras_depth.runtimes import MODEL_FILES


def write(
    model: keras.Model,
    folder: Path,
    precision: str = "fp32",
    calibration: np.ndarray | None = None,
) -> None:
    """Writes a deployed model as `model.tflite`.

    Args:
        model: what `network.deployed` returned, with a fixed number of pictures.
        folder: where to.
        precision: "fp32"; "fp16": weights in half precision; "int8": weights and maps in 8 bits,
            scaled by what they are on the calibration pictures. Input and output stay as they are.
        calibration: pictures for int8, (N, height, width, 3) as the model takes them.
    """
    module = tf.Module()
    module.depth = graph(model)
    # Given the module too, the converter keeps the names of input and output.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.depth.get_concrete_function()], module
    )
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
    (folder / MODEL_FILES["litert"]).write_bytes(converter.convert())
