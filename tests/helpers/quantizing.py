"""A small network for 8 bits, with a layer that they would spoil."""

import keras
import numpy as np

from keras_depth.export import network, onnx, parity
from keras_depth.images import to_float32

SIZE = (32, 48)
LAYERS = ["first", "wise", "loud", "deaf", "head"]


def planted(loudness=1e4):
    """Returns a network whose layer "deaf" takes, and ignores, a channel of huge values.

    One scale serves all channels of a map, so in 8 bits nothing is left of the others.
    """
    random = np.random.default_rng(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    x = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu", name="wise")(x)
    x = keras.layers.Conv2D(8, 1, activation="relu", name="loud")(x)
    x = keras.layers.Conv2D(8, 1, activation="relu", name="deaf")(x)
    depth = keras.layers.Conv2D(1, 1, name="head")(x)
    model = keras.Model(image, depth, name="lite_basic_interl_t")
    model.set_weights([random.uniform(0.1, 0.3, weight.shape) for weight in model.get_weights()])
    loud, deaf = (model.get_layer(name) for name in ("loud", "deaf"))
    loud.kernel.assign(loud.kernel * np.where(np.arange(8) == 0, loudness, 1.0))
    deaf.kernel.assign(deaf.kernel * np.where(np.arange(8) == 0, 0.0, 1.0)[:, None])
    return model


def to_onnx(model, folder, **options):
    """Returns the ONNX of a network in float, which takes float32 images; options of `build`."""
    import onnx as library

    onnx.write(network.build(model, "metric", dtype="float32", **options), folder)
    return library.load(str(folder / "model.onnx"))


def pictures(count):
    """Returns float32 images of rendered rooms."""
    return to_float32(parity.render_images(SIZE, count))
