"""Turning a trained network into the one that is deployed: "+ T", batch-norm folding, resizing.

All return a new model and leave the given one as it is. All are exact: the new model is the same
function, up to rounding.
"""

import keras
import numpy as np

from keras_depth.layers.resize import BilinearResize, NearestResize, ProductResize
from keras_depth.layers.up_convolution import InterleavedConvolution, UpConvolution, split_kernel

_FOLDABLE = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    UpConvolution,
    InterleavedConvolution,
)


def for_inference(model: keras.Model, products: bool = False) -> keras.Model:
    """Returns the form of a network that runs fastest (`evaluation/benchmarks/inference.py`).

    Args:
        model: a functional model with an input of a fixed size.
        products: see `simple_resizing`.
    """
    return simple_resizing(fold_batch_norm(to_interleaved(model)), products)


def to_interleaved(model: keras.Model) -> keras.Model:
    """Replaces every `UpConvolution` by four small convolutions of its kernel's slices ("+ T").

    Works for networks trained with zeros between the pixels (`form="unpool"`) and for those
    trained with one shared kernel in the interleaved form.

    Args:
        model: a functional model.

    Returns:
        The model with an `InterleavedConvolution`, of the same name, in each place.

    Source: Bokovoy et al. 2019, section III-B.
    """

    def replace(layer):
        if isinstance(layer, UpConvolution):
            return InterleavedConvolution(layer.filters, name=layer.name, dtype=layer.dtype_policy)
        return layer.__class__.from_config(layer.get_config())

    interleaved = keras.models.clone_model(model, clone_function=replace)
    for layer in filter(lambda layer: layer.weights, model.layers):
        weights = layer.get_weights()
        if isinstance(layer, UpConvolution):
            kernel, bias = weights
            # Each branch adds the whole bias: every output pixel comes from one branch alone.
            weights = [*split_kernel(kernel), *[bias] * 4]
        interleaved.get_layer(layer.name).set_weights(weights)
    return interleaved


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Folds each batch norm that follows a convolution into the convolution's weights.

    gamma (w x + b - mean) / sqrt(variance + epsilon) + beta is a convolution itself, so inference
    loses a pass over every map. A batch norm stays where something else reads the convolution,
    or where it does not follow one: before a convolution it cannot be folded, because the zero
    padding at the borders is not normalised.

    Args:
        model: a functional model.

    Returns:
        The model for inference; training it further would lack the folded batch norms.
    """
    folded = _foldable_pairs(model)
    norms = {norm.name: conv for conv, norm in folded.items()}

    def replace(layer):
        config = layer.get_config()
        if layer.name in folded and "use_bias" in config:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in norms else layer(*args, **kwargs)

    deployed = keras.models.clone_model(model, clone_function=replace, call_function=call)
    for layer in filter(lambda layer: layer.weights, model.layers):
        if layer.name in norms:
            continue
        weights = layer.get_weights()
        if layer.name in folded:
            weights = _scaled(layer, weights, folded[layer.name])
        deployed.get_layer(layer.name).set_weights(weights)
    return deployed


def simple_resizing(model: keras.Model, products: bool = False) -> keras.Model:
    """Writes resizing with the operators that runtimes have.

    Keras doubles maps by repeating rows and columns, and pools adaptively by gathering from two
    poolings: dozens of operators, between which exporters transpose. Here they become a resizing
    to the nearest pixel, and two matrix products.

    Args:
        model: a functional model with an input of a fixed size.
        products: also write bilinear resizing as matrix products, for runtimes without it:
            TensorRT within TensorFlow has none of half-pixel centres, and each one would end an
            engine and begin another.

    Returns:
        The model with other layers, of the same names, in their places.
    """

    def replace(layer):
        other = _simple_resize(layer, products)
        if other is None:
            return layer.__class__.from_config(layer.get_config())
        make, *rule = other
        size = layer.output.shape[1:3]
        return make(size, *rule, name=layer.name, dtype=layer.dtype_policy)

    simple = keras.models.clone_model(model, clone_function=replace)
    simple.set_weights(model.get_weights())
    return simple


def _simple_resize(layer, products):
    """Returns the class and rule of the layer that does a layer's resizing; None: it is simple."""
    bilinear = (ProductResize, "bilinear") if products else None
    if isinstance(layer, keras.layers.AdaptiveAveragePooling2D):
        return ProductResize, "adaptive"
    if isinstance(layer, keras.layers.UpSampling2D):
        return {"nearest": (NearestResize,), "bilinear": bilinear}[layer.interpolation]
    if isinstance(layer, BilinearResize) and not layer.align_corners:
        return bilinear
    return None


def _foldable_pairs(model):
    """Returns {name of a convolution: the batch norm that alone reads it}."""
    readers: dict[int, list] = {id(output): [None] for output in model.outputs}
    for operation in model.operations:  # layers, and what of keras.ops stands between them
        for tensor in keras.tree.flatten(operation.input):
            readers.setdefault(id(tensor), []).append(operation)
    pairs = {}
    for layer in model.layers:
        if isinstance(layer, _FOLDABLE):
            linear = getattr(layer, "activation", None) in (None, keras.activations.linear)
            norms = readers[id(layer.output)]
            alone = len(norms) == 1 and isinstance(norms[0], keras.layers.BatchNormalization)
            if linear and alone:
                pairs[layer.name] = norms[0]
    return pairs


def _scaled(layer, weights, norm):
    """Returns the convolution's weights with the batch norm multiplied in."""
    statistics = dict(zip((w.name for w in norm.weights), norm.get_weights(), strict=True))
    factor = statistics.get("gamma", 1.0) / np.sqrt(statistics["moving_variance"] + norm.epsilon)
    shift = statistics.get("beta", 0.0) - statistics["moving_mean"] * factor
    # A transposed convolution keeps its kernel as (h, w, out, in).
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    kernels = [w for w in weights if w.ndim == 4]
    biases = [w for w in weights if w.ndim == 1] or [np.zeros_like(factor)]
    return [
        *(k * (factor[:, None] if transposed else factor) for k in kernels),
        *(b * factor + shift for b in biases),
    ]
