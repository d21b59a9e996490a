"""Rewrites a trained network for inference: "+ T", batch-norm folding, simpler resizing.

Each function returns a new model and leaves the given one as it is. The new model computes the same
function, up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_depth.layers import (
    BilinearResize,
    InterleavedConvolution,
    MatmulResize,
    NearestResize,
    UpConvolution,
)
from keras_depth.layers.up_convolution import split_kernel

_FOLDABLE = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    UpConvolution,
    InterleavedConvolution,
)


def reparameterize_model(model: keras.Model, matmul: bool = False) -> keras.Model:
    """Rewrites a network into the form that runs fastest (`evaluation/benchmarks/inference.py`).

    It applies the other functions of this file in turn.

    Args:
        model: a functional model with an input of a fixed size.
        matmul: see `simplify_resizing`.
    """
    return simplify_resizing(fold_batch_norm(to_interleaved(model)), matmul)


def to_interleaved(model: keras.Model) -> keras.Model:
    """Replaces every `UpConvolution` by four small convolutions of its kernel's slices ("+ T").

    It does not matter in which form the network was trained, "unpool" or "interleaved".

    Args:
        model: a functional model.

    Returns:
        The model with an `InterleavedConvolution` of the same name in each place.

    Source: Bokovoy et al. 2019, section III-B.
    """

    def replace(layer: keras.Layer) -> keras.Layer:
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

    gamma (w x + b - mean) / sqrt(variance + epsilon) + beta is itself a convolution, which saves a
    pass over every map. A batch norm stays where something else reads the convolution too, and
    where it stands before a convolution: the zero padding at the borders is not normalized.

    Args:
        model: a functional model.

    Returns:
        The model for inference. To train further, take the model with its batch norms.
    """
    folded = _foldable_pairs(model)
    norms = {norm.name: conv for conv, norm in folded.items()}

    def replace(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in folded and "use_bias" in config:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
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


def simplify_resizing(model: keras.Model, matmul: bool = False) -> keras.Model:
    """Replaces resizing layers by ones that need few operators, which all runtimes have.

    Keras doubles maps by repeating rows and columns, and pools adaptively by gathering from two
    poolings: dozens of operators, between which exporters transpose. A nearest-pixel resize and two
    matrix multiplications replace them.

    Args:
        model: a functional model with an input of a fixed size.
        matmul: also computes bilinear resizing by matrix multiplications. TensorRT within
            TensorFlow has no bilinear resizing with half-pixel centers: each one would end an
            engine and begin another.

    Returns:
        The model with the new layers, of the same names, in place of the old ones.
    """

    def replace(layer: keras.Layer) -> keras.Layer:
        simpler = _simpler_resize(layer, matmul)
        if simpler is None:
            return layer.__class__.from_config(layer.get_config())
        make, *rule = simpler
        size = layer.output.shape[1:3]
        return make(size, *rule, name=layer.name, dtype=layer.dtype_policy)

    simple = keras.models.clone_model(model, clone_function=replace)
    simple.set_weights(model.get_weights())
    return simple


def _simpler_resize(layer: keras.Layer, matmul: bool) -> tuple | None:
    """Returns the class, and its rule, that replaces a layer; None where the layer stays."""
    bilinear = (MatmulResize, "bilinear") if matmul else None
    if isinstance(layer, keras.layers.AdaptiveAveragePooling2D):
        return MatmulResize, "adaptive"
    if isinstance(layer, keras.layers.UpSampling2D):
        return {"nearest": (NearestResize,), "bilinear": bilinear}[layer.interpolation]
    if isinstance(layer, BilinearResize) and not layer.align_corners:
        return bilinear
    return None


def _foldable_pairs(model: keras.Model) -> dict[str, keras.Layer]:
    """Returns the batch norm of each convolution that nothing else reads, by its name."""
    readers: dict[int, list] = {id(output): [None] for output in model.outputs}
    for operation in model.operations:  # layers, and the keras.ops between them
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


def _scaled(
    layer: keras.Layer, weights: Sequence[np.ndarray], norm: keras.Layer
) -> list[np.ndarray]:
    """Returns the convolution's weights multiplied by the batch norm's factors."""
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
