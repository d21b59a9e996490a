"""Writes SavedModels in two forms: with variables, and frozen for older TensorFlow."""

from pathlib import Path

import keras
import tensorflow as tf

from keras_depth.export.network import freeze
from keras_depth.layers.interleave import standard_operators


def write(model: keras.Model, folder: Path) -> None:
    """Writes an exported model as TensorFlow Serving loads it: `image` in, `depth` out."""
    image = model.inputs[0]

    # Keras' own export would leave the batch open and write the weights twice.
    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec(image.shape, image.dtype, "image")]
    )
    def depth(image):
        with standard_operators():
            return {"depth": model(image, training=False)}

    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    tf.saved_model.save(module, str(folder), signatures=depth.get_concrete_function())


def write_frozen(model: keras.Model, folder: Path) -> None:
    """Writes an exported model with its weights as constants.

    TensorFlow 2.5 and later load it; with variables it holds an operator that is new in 2.8.
    TF-TRT needs constants too.
    """
    tf.saved_model.save(
        tf.Module(),  # empty: a function in it would store the constants a second time
        str(folder),
        signatures=freeze(model).get_concrete_function(),
        # Gradients of custom functions (swish) would refer to tensors that are not saved.
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
