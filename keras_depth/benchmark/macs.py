"""Counts a model's parameters, and lists the operations of its graph with their MACs.

Multiply-accumulate operations (MACs) are those of convolutions and matrix products, a
multiplication and its addition as one. Normalization, activation, addition, resizing and padding
have none, even where a layer resizes by matrix products.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import tensorflow as tf

from keras_depth.errors import InputError
from keras_depth.layers import BilinearResize, MatmulResize, NearestResize
from keras_depth.layers.interleave import standard_operators

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


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: the operation that computes it, the number of its output, its shape.

    The shape begins with the batch and may have -1 for what is known only when the graph runs.
    """

    operation: str
    output: int
    shape: Shape


@dataclass(frozen=True)
class Operation:
    """An operation of the graph.

    Attributes:
        name: the scopes of the layer, then its own; unique in the graph.
        kind: TensorFlow's name of it, such as "Conv2D".
        inputs, outputs: the tensors.
        macs: multiply-accumulate operations.
        resizing: it belongs to a layer that resizes, perhaps by matrix products.
    """

    name: str
    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    macs: int
    resizing: bool


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
    return sum(operation.macs for operation in operations(model))


def operations(model: keras.Model, batch: int = 1) -> list[Operation]:
    """Lists the operations of a model's graph in inference, those of called functions in place.

    Args:
        model: Keras model with one input of a fixed size, (B, h, w, channels).
        batch: images at once.

    Returns:
        The operations in an order in which they can be computed, standard operators only.

    Raises:
        InputError: a shape that a count of MACs needs is not fixed in the graph.
    """
    image = tf.TensorSpec((batch, *model.inputs[0].shape[1:]), model.inputs[0].dtype)
    compute = tf.function(lambda image: model(image, training=False), autograph=False)
    with standard_operators():
        graph = compute.get_concrete_function(image).graph.as_graph_def(add_shapes=True)
    walk = _Walk({one.signature.name: one for one in graph.library.function}, _scopes(model))
    walk.add(graph.node, {}, "")
    return walk.operations


def _scopes(model: keras.Model) -> re.Pattern:
    """Matches the names of operations in resizing layers; TensorFlow numbers repeated scopes."""
    names = [re.escape(layer.name) for layer in model.layers if isinstance(layer, _RESIZING)]
    return re.compile(rf"(^|/)({'|'.join(names)})(_\d+)?/" if names else "(?!)")


class _Walk:
    """Lists the operations of a graph and of the functions that it calls."""

    def __init__(self, functions: Mapping[str, Any], resizing: re.Pattern):
        self.operations: list[Operation] = []
        self._functions = functions
        self._resizing = resizing

    def add(
        self, nodes: Iterable[Any], arguments: Mapping[str, list[Tensor]], prefix: str
    ) -> dict[str, list[Tensor]]:
        """Adds the operations of a graph or a function; returns the outputs of each by its name."""
        tensors = dict(arguments)
        for node in nodes:
            inputs = tuple(_find(name, tensors) for name in node.input if name[0] != "^")
            if node.op in _CALLS:
                tensors[node.name] = self._call(node, inputs, prefix)
                continue
            name = prefix + node.name
            outputs = [Tensor(name, i, shape) for i, shape in enumerate(_shapes(node))]
            tensors[node.name] = outputs
            resizing = bool(self._resizing.search(name))
            macs = 0 if resizing else _macs(node, inputs, outputs)
            self.operations.append(Operation(name, node.op, inputs, tuple(outputs), macs, resizing))
        return tensors

    def _call(self, node: Any, inputs: tuple[Tensor, ...], prefix: str) -> list[Tensor]:
        function = self._functions[node.attr["f"].func.name]
        names = (argument.name for argument in function.signature.input_arg)
        given = {name: [tensor] for name, tensor in zip(names, inputs, strict=True)}
        tensors = self.add(function.node_def, given, f"{prefix}{node.name}/")
        returned = (function.ret[argument.name] for argument in function.signature.output_arg)
        return [_find(name, tensors) for name in returned]


def _macs(node: Any, inputs: tuple[Tensor, ...], outputs: list[Tensor]) -> int:
    if node.op not in _COUNTS:
        return 0
    shapes, (output,) = [tensor.shape for tensor in inputs], outputs
    if any(-1 in shape for shape in (*shapes, output.shape)):
        raise InputError(
            f"{node.name}: its shape is known only when the graph runs, so its MACs cannot be"
            " counted; give its layer inputs of a fixed size"
        )
    return _COUNTS[node.op](node, shapes, output.shape)


def _shapes(node: Any) -> list[Shape]:
    return [
        (-1,) if shape.unknown_rank else tuple(dimension.size for dimension in shape.dim)
        for shape in node.attr["_output_shapes"].list.shape
    ]


def _find(tensor: str, tensors: Mapping[str, list[Tensor]]) -> Tensor:
    """Looks up "node", "node:1" or, as functions write it, "node:output:1"."""
    name, *rest = tensor.split(":")
    return tensors[name][int(rest[-1]) if rest else 0]
