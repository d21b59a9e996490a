"""Lists what a network computes as an exported file does: layers, their work and their traffic.

A layer is an operation with what a runtime fuses into it: bias, activation, the addition of another
map. What is fused reads and writes nothing of its own.
"""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from math import prod

import keras

from keras_depth.benchmark import macs
from keras_depth.benchmark.macs import Operation, Tensor
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError
from keras_depth.export import network
from keras_depth.layers.grouped_conv import undivided_groups
from keras_depth.predict.keras_network import encoding_of

# TensorFlow's operations, by the kind of the layer that they make.
KINDS = {
    "conv": ("Conv2D", "MatMul", "BatchMatMulV2"),
    "narrow": (),  # a convolution from or to fewer than `_NARROW` channels
    "grouped": (),  # a convolution whose kernel sees a part of the channels
    "depthwise": ("DepthwiseConv2dNative",),
    "transposed": ("Conv2DBackpropInput",),
    "pool": ("MaxPool", "AvgPool", "Mean", "Max", "Min", "Sum"),
    "bilinear": ("ResizeBilinear",),  # and resizing by matrix products
    "nearest": ("ResizeNearestNeighbor",),
    "shuffle": ("DepthToSpace", "SpaceToDepth", "Transpose"),
    "copy": (
        *("ConcatV2", "Split", "SplitV", "Pack", "Tile", "GatherV2", "Pad", "PadV2", "MirrorPad"),
        *("Slice", "StridedSlice", "SpaceToBatchND", "BatchToSpaceND", "BroadcastTo"),
    ),
    # Activations that runtimes fuse into some layers and not into others.
    "function": ("Elu", "Exp", "Log", "Sigmoid", "Softplus", "Tanh", "Softmax"),
    "pointwise": (),  # all others
}
_NARROW = 16
MOVING = ("shuffle", "copy")  # compute nothing
FUSED = ("pointwise", "function")  # into the layer before
_KIND_OF = {operation: kind for kind, operations in KINDS.items() for operation in operations}
# Give a map another name or shape and move nothing.
_FREE = ("Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "NoOp")
_FOCAL_BASELINE = 100.0  # of networks that write disparity; no count depends on it


@dataclass(eq=False)
class Map:
    """A tensor that depends on the image.

    Attributes:
        values: how many it holds, of all images of the batch.
        made_by: number of the layer that computes it; None: it is the image.
        readers: how many operations read it, the caller of the network included.
    """

    values: int
    made_by: int | None = None
    readers: int = 0


@dataclass(eq=False)
class Layer:
    """One step of the network.

    Attributes:
        name: of the Keras layer.
        kind: one of `KINDS`.
        macs: multiply-accumulate operations, of all images of the batch.
        weights: values that it holds.
        reads, writes: the maps.
        functions: values of the fused operations of kind "function".
    """

    name: str
    kind: str
    macs: int = 0
    weights: int = 0
    reads: list[Map] = field(default_factory=list)
    writes: list[Map] = field(default_factory=list)
    functions: int = 0

    @property
    def moved(self) -> int:
        """Values that it reads and writes, weights included."""
        return self.weights + sum(one.values for one in (*self.reads, *self.writes))


@dataclass(frozen=True)
class Network:
    """The layers of a network, in the order in which they are computed.

    Attributes:
        name: of the model.
        size: (height, width) of the image.
        batch: images at once.
        layers: see `Layer`.
    """

    name: str
    size: tuple[int, int]
    batch: int
    layers: list[Layer]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def live(self) -> int:
        """Values of the maps that have to be held at once, at the step that needs most."""
        last = {one: step for step, layer in enumerate(self.layers) for one in layer.reads}
        freed = Counter[int]()
        held = most = sum(one.values for one in last if one.made_by is None)
        for one, step in last.items():
            freed[step] += one.values
        for step, layer in enumerate(self.layers):
            held += sum(one.values for one in layer.writes)
            most = max(most, held)
            held -= freed[step] + sum(one.values for one in layer.writes if one not in last)
        return most


def analyze(model: keras.Model, batch: int = 1) -> Network:
    """Lists the layers of a trained model in the form in which it is exported.

    Args:
        model: from `load_model` or `create_model`.
        batch: images at once.

    Raises:
        InputError: a shape is not fixed in the graph.
    """
    return analyze_exported(to_exported(model, batch), batch)


def to_exported(model: keras.Model, batch: int = 1) -> keras.Model:
    """Builds the model that an export of a trained model writes."""
    encoding = encoding_of(model)
    focal_baseline = _FOCAL_BASELINE if ENCODINGS[encoding].stereo else None
    float32 = network.to_float32(model)
    return network.build(float32, encoding, focal_baseline=focal_baseline, batch=batch)


def analyze_exported(exported: keras.Model, batch: int = 1) -> Network:
    """Lists the layers of a model from `to_exported`; see `analyze`."""
    height, width = exported.inputs[0].shape[1:3]
    names = {layer.name for one in (exported, *exported.layers) for layer in _layers_in(one)}
    with undivided_groups():  # as in ONNX
        operations = macs.operations(exported, batch)
    layers = list_layers(operations, names - {exported.name})
    return Network(exported.name, (height, width), batch, layers)


def list_layers(operations: list[Operation], names: Container[str]) -> list[Layer]:
    """Groups the operations of a graph into layers.

    Args:
        operations: from `macs.operations`; the image is the placeholder "image".
        names: those of the Keras layers, after which the layers are called.

    Raises:
        InputError: a map's shape is not fixed in the graph.
    """
    maps = _find_maps(operations)
    layers: list[Layer] = []
    for operation in operations:
        reads = [maps[one] for one in operation.inputs if one in maps]
        if not reads or operation.kind in _FREE:
            continue
        kind, writes = _kind(operation), [maps[one] for one in operation.outputs]
        # Vectors are weights where they are added or multiplied; elsewhere they are sizes and axes.
        rank = 1 if kind in FUSED else 2
        constants = [one for one in operation.inputs if one not in maps and len(one.shape) >= rank]
        host = _host(reads, layers) if kind in FUSED else None
        if host is None:
            host = Layer(_name(operation.name, names), kind)
            layers.append(host)
            host.reads = list(dict.fromkeys(reads))
        else:
            host.reads += [one for one in reads if one not in (*host.writes, *host.reads)]
            host.functions += reads[0].values if kind == "function" else 0
        host.macs += operation.macs
        if kind not in MOVING:
            host.weights += sum(prod(one.shape) for one in constants)
        host.writes = writes
        for one in writes:
            one.made_by = len(layers) - 1 if host is layers[-1] else layers.index(host)
    return layers


def _find_maps(operations: list[Operation]) -> dict[Tensor, Map]:
    """Returns the map of each tensor that depends on the image; reshaping keeps the map."""
    maps: dict[Tensor, Map] = {}
    for operation in operations:
        reads = [one for one in operation.inputs if one in maps]
        if operation.kind == "Placeholder" and operation.name == "image":
            maps[operation.outputs[0]] = Map(prod(operation.outputs[0].shape))
        if not reads:
            continue
        if operation.kind in _FREE:
            maps.update(dict.fromkeys(operation.outputs, maps[reads[0]]))
            continue
        for one in reads:
            maps[one].readers += 1
        for one in operation.outputs:
            if -1 in one.shape:
                raise InputError(
                    f"{operation.name}: its shape is known only when the graph runs, so its"
                    " traffic cannot be counted; give its layer inputs of a fixed size"
                )
            maps[one] = Map(prod(one.shape))
    return maps


def _kind(operation: Operation) -> str:
    kind = _KIND_OF.get(operation.kind, "pointwise")
    if kind != "conv":
        return kind
    if operation.resizing:
        return "bilinear"
    if operation.kind == "Conv2D":
        before, kernel = operation.inputs[0].shape[3], operation.inputs[1].shape
        if before != kernel[2]:
            return "grouped"
        return "narrow" if min(kernel[2:]) < _NARROW else "conv"
    return kind


def _host(reads: list[Map], layers: list[Layer]) -> Layer | None:
    """Returns the layer into which an operation that reads these maps is fused.

    It is the last to be computed of those that make them, if nothing else reads what it makes.
    """
    made = [one for one in reads if one.made_by is not None]
    if not made:
        return None
    newest = max(made, key=lambda one: one.made_by or 0)
    host = layers[newest.made_by or 0]
    return host if newest.readers == 1 and len(host.writes) == 1 else None


def _layers_in(layer: keras.Layer) -> list[keras.Layer]:
    return layer.layers if isinstance(layer, keras.Model) else []


def _name(operation: str, names: Container[str]) -> str:
    """Returns the name of the Keras layer around an operation; TensorFlow numbers repeated ones."""
    scopes = operation.split("/")
    for scope in reversed(scopes):
        for name in (scope, scope.rpartition("_")[0]):
            if name in names:
                return name
    return "/".join(scopes[1:]) or operation
