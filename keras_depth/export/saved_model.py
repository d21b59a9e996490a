"""SavedModel, in two forms: with variables, and frozen for older TensorFlow."""

from pathlib import Path

import keras
import tensorflow as tf

from keras_depth.export.network import graph
from keras_depth.layers.interleave import standard_operators


def write(model: keras.Model, folder: Path) -> None:
    """Writes a deployed model as TensorFlow Serving loads it: `image` in, `depth` out."""
    image = model.inputs[0]

    # Not by Keras' export, which would leave the number of pictures open, and write weights twice.
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
    """Writes the same with weights as constants.

    TensorFlow 2.5 and later load it: variables are saved by functions with an operator that those
    before 2.8 have not. TF-TRT, too, wants constants.
    """
    tf.saved_model.save(
        tf.Module(),  # with nothing in it: the signature alone, or constants are there twice
        str(folder),
        signatures=graph(model).get_concrete_function(),
        # Gradients of custom functions (swish) would refer to tensors that are not there.
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
