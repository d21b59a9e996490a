"""Builds the network that is exported: RGB in, metres out, every step in between within it."""

from functools import partial
from typing import Any

import keras
import tensorflow as tf

from keras_depth.encodings import ENCODINGS, calibrate
from keras_depth.export.placement import FitImage, HideUnseen, RestoreMap
from keras_depth.layers import BilinearResize, MatmulResize
from keras_depth.layers.interleave import standard_operators
from keras_depth.letterbox import place
from keras_depth.models import reparameterize

INPUTS = {"uint8": "RGB, 0 to 255", "float32": "RGB, 0 to 1"}


@keras.saving.register_keras_serializable("keras_depth")
class Metres(keras.layers.Layer):
    """Decodes a network's output to metres.

    Args:
        encoding: how the network writes depth (see `encodings.py`).
        focal_baseline: for disparity: the focal length in pixels of an image as wide as the map,
            times the baseline in metres.
        scale, shift: of a camera, after the decoding, see `encodings.calibrate`.

    Input: (B, h, w, channels). Output: float32 (B, h, w, 1), metres.
    """

    def __init__(
        self,
        encoding: str,
        focal_baseline: float | None = None,
        scale: float = 1.0,
        shift: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.encoding = encoding
        self.focal_baseline = focal_baseline
        self.scale, self.shift = scale, shift

    def call(self, x):
        depth = ENCODINGS[self.encoding].decode(x, self.focal_baseline)
        return calibrate(depth, self.scale, self.shift)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        names = ("encoding", "focal_baseline", "scale", "shift")
        config = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **config}


def to_float32(model: keras.Model) -> keras.Model:
    """Copies a network, of its outputs the finest alone, to compute in float32.

    Returns:
        A model of the same weights and name, whatever precision it was trained in.
    """
    finest = keras.tree.flatten(model.outputs)[0]
    model = keras.Model(model.input, finest, name=model.name)
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def replace(layer):
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    float32 = keras.models.clone_model(model, clone_function=replace)
    float32.set_weights(model.get_weights())
    return float32


def build(
    model: keras.Model,
    encoding: str,
    *,
    focal_baseline: float | None = None,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    dtype: str = "uint8",
    output_size: str = "network",
    matmul: bool = False,
    fit: str = "stretch",
    scale: float = 1.0,
    shift: float = 0.0,
) -> keras.Model:
    """Builds the model that is exported from a trained one.

    Up-convolutions are interleaved ("+ T"), batch norm is folded, auxiliary outputs are gone.

    Args:
        model: from `to_float32`.
        encoding: how it writes depth.
        focal_baseline: for disparity, of images of the model's own size.
        size: (height, width) of the images that come in; brought to the model's own size within
            the graph where that is another. None: the model's own.
        batch: images at once; None: any number.
        dtype: of the images: "uint8", or "float32" in [0, 1].
        output_size: "network": depth at the size the model computes; "input": at the images'.
        matmul: write bilinear resizing as two matrix products.
        fit: how images of another shape are brought to the model's size, one of `letterbox.FITS`.
        scale, shift: of a camera, see `Metres`.

    Returns:
        Model from `image` (batch, height, width, 3) to depth, float32 (batch, h, w, 1), metres.
    """
    own = tuple(model.inputs[0].shape[1:3])
    size = size or own
    network = reparameterize.reparameterize_model(model, matmul)
    image = keras.Input((*size, 3), batch_size=batch, dtype=dtype, name="image")
    step = 1 / 255 if dtype == "uint8" else 1.0
    x = keras.layers.Rescaling(step, dtype="float32", name="rescale")(image)
    placement = place(size, own, fit)
    if placement.fills:
        if size != own:
            x = MatmulResize(own, "image", dtype="float32", name="image_resize")(x)
        x = network(x)
        if output_size == "input" and tuple(x.shape[1:3]) != size:
            # As in DepthEstimator, the network's output is resized and then decoded.
            bilinear = partial(MatmulResize, rule="bilinear") if matmul else BilinearResize
            x = bilinear(size, dtype="float32", name="depth_resize")(x)
    else:
        where: dict[str, Any] = {
            "picture_size": size,
            "input_size": own,
            "fit": fit,
            "dtype": "float32",
        }
        x = network(FitImage(name="image_fit", **where)(x))
        to = size if output_size == "input" else placement.map_size(x.shape[1:])
        x = RestoreMap(to, name="depth_fit", **where)(x)
    if focal_baseline is not None:
        focal_baseline *= x.shape[2] / own[1]
    depth = Metres(encoding, focal_baseline, scale, shift, name="metres")(x)
    if not placement.seen(tuple(x.shape[1:3])).all():
        depth = HideUnseen(name="hide_unseen", **where)(depth)
    return keras.Model(image, depth, name=model.name)


def freeze(model: keras.Model) -> Any:
    """Traces a model with its weights as constants, in standard operators only.

    Args:
        model: from `build`.

    Returns:
        A `tf.function` from `image` to {"depth": depth}.
    """
    weights = [
        [keras.ops.convert_to_numpy(weight) for weight in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    image = model.inputs[0]

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec(image.shape, image.dtype, "image")]
    )
    def depth(image):
        constants = tf.nest.map_structure(tf.constant, weights)
        with standard_operators():
            result, _ = model.stateless_call(*constants, image, training=False)
        return {"depth": result}

    return depth
