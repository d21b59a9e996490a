"""Networks of random weights that answer as trained ones do: maps of order 1, depth of metres.

With the weights that layers begin with, many maps are all but zero, and whatever an export makes of
them is near enough.
"""

import keras
import numpy as np

from keras_depth.data.rendered.rooms import Rooms
from keras_depth.models import create_model, get
from tests.helpers.architectures import smallest_side

# Of the same layers with fewer weights: a SENet154 takes minutes.
_SENET = {"blocks": (1, 1, 1, 1), "width": 8, "groups": 8}
OPTIONS = {
    "msfnet": _SENET,
    "basic_sc_deconv": {"lite": True, "shortcuts": (8, 4, 2), "ladder": "halving"},
    "mobile_interl": {"width": 64},
}
_HEADS = ("head", "depth")
# Mean and deviation of what a linear head of each encoding should write.
_RANGES = {"metric": (3, 1), "centimetres": (300, 100), "inverse": (4, 1)}


def lively(name, side=64):
    """Builds a network for small pictures, of its smallest size where that is larger."""
    entry = get(name)
    side = smallest_side(name, side)
    keras.utils.set_random_seed(0)
    model = create_model(name, (side, side, 3), **OPTIONS.get(name, {}))
    rooms = Rooms(4, (side, side))
    images = np.stack([rooms[i]["image"] for i in range(len(rooms))])
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0  # the statistics become these pictures'
    model(images, training=True)
    for norm in norms:  # a channel that hardly varies would be all rounding
        variance = np.array(norm.moving_variance)
        norm.moving_variance.assign(variance + 0.5 * variance.mean())
    if entry.encoding in _RANGES:
        _scale_head(model, images, *_RANGES[entry.encoding])
    return model


def _scale_head(model, images, mean, deviation):
    (head,) = [layer for layer in model.layers if layer.name in _HEADS and layer.weights]
    values = np.array(keras.Model(model.input, head.input)(images))
    activation, head.activation = head.activation, keras.activations.linear
    written = np.array(head(values))
    head.activation = activation
    kernel, bias = head.get_weights()
    factor = deviation / written.std()
    head.set_weights([factor * kernel, factor * (bias - written.mean()) + mean])
