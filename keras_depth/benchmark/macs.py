"""Counts a model's parameters, and its multiply-accumulate operations (MACs) in the graph.

Convolutions and matrix products are counted, a multiplication and its addition as one MAC.
Normalization, activation, addition, resizing and padding are not, even where a layer resizes by
matrix products.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

import keras
import tensorflow as tf

from keras_depth.errors import InputError
from keras_depth.layers import BilinearResize, MatmulResize, NearestResize

Shape = tuple[int, ...]  # -1: known only when the graph runs

# Functions of the operation, the shapes of its inputs and the shape of its output. Kernels are
# (height, width, input channels of a group, output channels); a transposed convolution's kernel has
# the channels swapped.
_COUNTS: dict[str, Callable[[Any, list[Shape], Shape], int]] = {
    "Conv2D": lambda node, inputs, output: prod(output) * prod(inputs[1][:3]),
    "DepthwiseConv2dNative": lambda node, inputs, output: prod(output) * prod(inputs[1][:2]),
    # Each input value is multiplied by the whole kernel; inputs[0] is the shape of the output.
    "Conv2DBackpropInput": lambda node, inputs, output: prod(inputs[2]) * prod(inputs[1][:3]),
    "MatMul": lambda node, inputs, output: (
        prod(output) * inputs[0][-2 if node.attr["transpose_a"].b else -1]
    ),
    "BatchMatMulV2": lambda node, inputs, output: (
        prod(output) * inputs[0][-2 if node.attr["adj_x"].b else -1]
    ),
}
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_RESIZING = (BilinearResize, MatmulResize, NearestResize)


def parameters(model: keras.Model) -> dict[str, int]:
    """Counts the parameters of a model: {"all", "trainable"}."""
    trainable = sum(prod(weight.shape) for weight in model.trainable_weights)
    return {"all": model.count_params(), "trainable": trainable}


def count(model: keras.Model) -> int:
    """Counts the MACs of a model for one image, in inference.

    Args:
        model: Keras model with one input of a fixed size, (B, h, w, channels).

    Raises:
        InputError: a shape that the count needs is not fixed in the graph.
    """
    image = tf.TensorSpec((1, *model.inputs[0].shape[1:]), model.inputs[0].dtype)
    compute = tf.function(lambda image: model(image, training=False), autograph=False)
    graph = compute.get_concrete_function(image).graph.as_graph_def(add_shapes=True)
    functions = {function.signature.name: function for function in graph.library.function}
    return _count(graph.node, {}, functions, _scopes(model))


def _scopes(model: keras.Model) -> re.Pattern:
    """Matches the names of operations in resizing layers; TensorFlow numbers repeated scopes."""
    names = [re.escape(layer.name) for layer in model.layers if isinstance(layer, _RESIZING)]
    return re.compile(rf"(^|/)({'|'.join(names)})(_\d+)?/" if names else "(?!)")


def _count(
    nodes: Iterable[Any],
    arguments: Mapping[str, list[Shape]],
    functions: Mapping[str, Any],
    ignored: re.Pattern,
) -> int:
    """Counts the MACs of a graph, or of a function in it, given the shapes of its arguments."""
    shapes = {**arguments, **{node.name: _shapes(node) for node in nodes}}
    total = 0
    for node in nodes:
        if node.op not in (*_COUNTS, *_CALLS) or ignored.search(node.name):
            continue
        inputs = [_shape(tensor, shapes) for tensor in node.input if tensor[0] != "^"]
        if node.op in _CALLS:
            function = functions[node.attr["f"].func.name]
            names = (argument.name for argument in function.signature.input_arg)
            given = {name: [shape] for name, shape in zip(names, inputs, strict=True)}
            total += _count(function.node_def, given, functions, ignored)
            continue
        (output,) = shapes[node.name]
        if any(-1 in shape for shape in (*inputs, output)):
            raise InputError(
                f"{node.name}: its shape is known only when the graph runs, so its MACs cannot be"
                " counted; give its layer inputs of a fixed size"
            )
        total += _COUNTS[node.op](node, inputs, output)
    return total


def _shapes(node: Any) -> list[Shape]:
    return [
        (-1,) if shape.unknown_rank else tuple(dimension.size for dimension in shape.dim)
        for shape in node.attr["_output_shapes"].list.shape
    ]


def _shape(tensor: str, shapes: Mapping[str, list[Shape]]) -> Shape:
    """Looks up the shape of "node", "node:1" or, as functions write it, "node:output:1"."""
    name, *rest = tensor.split(":")
    return shapes[name][int(rest[-1]) if rest else 0]
