"""Quantizes ONNX to 8 bits, layer by layer: QuantizeLinear and DequantizeLinear around each.

Weights are symmetric, with a scale a channel; ranges of maps are the least and the largest values
over the calibration images. A layer that is kept in float has no such pair. What runtimes ask for:

| | ONNX Runtime | TensorRT |
|---|---|---|
| maps | uint8 with a zero point: ReLU and its clipping cost nothing then | int8 around 0 |
| weights | int8, 7 bits of it where x86 without VNNI would saturate | int8, from float by a pair |
| biases | int32 | float |
| layers | also those that only move values: a chain of 8 bits is not interrupted | what computes |

Sources: onnxruntime.quantization's documentation, "Quantize ONNX models" (choosing data types; x86
without VNNI saturates), and TensorRT's developer guide, "Working with quantized types".
"""

import copy
import re
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_COMPUTING = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")
_MOVING = ("Concat", "DepthToSpace", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Pad")
# Layers of `network.build` around the network: they stay float.
_AROUND = (
    *("rescale", "image_resize", "image_fit"),
    *("depth_resize", "depth_fit", "metres", "hide_unseen"),
)


@dataclass(frozen=True)
class _Scheme:
    """How a runtime wants 8 bits.

    Attributes:
        operators: types of nodes that are quantized.
        activation: a name of `onnxruntime.quantization.QuantType`.
        reduce_range: weights have 7 bits, except those of depthwise convolutions.
        options: of the quantizer.
    """

    operators: tuple[str, ...]
    activation: str
    reduce_range: bool
    options: dict[str, Any] = field(default_factory=dict)


_SCHEMES = {
    # Without VNNI x86 adds two products of 8 bits in 16, which saturates; its depthwise kernels do
    # not. With 7 bits the depth is the same on every CPU.
    "onnx": _Scheme((*_COMPUTING, *_MOVING), "QUInt8", True),
    "tensorrt": _Scheme(
        _COMPUTING,
        "QInt8",
        False,
        {
            "ActivationSymmetric": True,
            "AddQDQPairToWeight": True,
            "DedicatedQDQPair": True,
            "QuantizeBias": False,
        },
    ),
}


class Quantizer:
    """Quantizes one network, as often as asked, with other layers in float.

    Args:
        proto: the network in float; opset 13 or later, as scales of channels need.
        format: "onnx" or "tensorrt": who will run it.
        images: from which the ranges are taken, (N, ...) as the network takes them.

    Attributes:
        network: the network in float, its constants folded.
        layers: the names of the nodes of each layer that can be quantized, by its Keras name.
    """

    def __init__(self, proto: Any, format: str, images: np.ndarray):
        self._scheme = _SCHEMES[format]
        with tempfile.TemporaryDirectory() as scratch:
            self.network = _fold(proto, Path(scratch) / "model.onnx")
            self.layers = _find_layers(self.network, self._scheme.operators)
            self._ranges = self._measure_ranges(Path(scratch), images)

    def quantize(self, in_float: Collection[str] = ()) -> Any:
        """Returns the network in 8 bits, except the layers of these names.

        At least one layer must remain.
        """
        from onnxruntime.quantization import QDQQuantizer, QuantType

        nodes = [n for name, group in self.layers.items() if name not in in_float for n in group]
        scheme = self._scheme
        quantizer = QDQQuantizer(
            copy.deepcopy(self.network),
            True,  # per channel
            scheme.reduce_range,
            QuantType.QInt8,
            QuantType[scheme.activation],
            self._ranges,
            nodes,
            [],
            list(scheme.operators),
            {
                **scheme.options,
                "WeightSymmetric": True,
                "OpTypesToExcludeOutputQuantization": list(scheme.operators),
                "TensorQuantOverrides": self._widen_depthwise() if scheme.reduce_range else {},
            },
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return quantizer.model.model

    def _measure_ranges(self, scratch: Path, images: np.ndarray) -> Any:
        from onnxruntime.quantization import create_calibrator

        calibrator = create_calibrator(
            scratch / "model.onnx",
            self._scheme.operators,
            str(scratch / "augmented.onnx"),
            extra_options={"symmetric": bool(self._scheme.options.get("ActivationSymmetric"))},
        )
        groups = [{"image": group} for group in batches(self.network, images)]
        calibrator.collect_data(_Reader(groups))
        return calibrator.compute_data()

    def _widen_depthwise(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the settings by which the weights of depthwise convolutions have all 8 bits."""
        from onnxruntime.quantization import QuantType

        weights = {value.name: value for value in self.network.graph.initializer}
        wide = [{"quant_type": QuantType.QInt8, "axis": 0, "reduce_range": False}]
        return {
            node.input[1]: wide
            for node in self.network.graph.node
            if node.op_type == "Conv"
            and node.input[1] in weights
            and weights[node.input[1]].dims[1] == 1  # input channels of a group
        }


class _Reader:
    """Gives the calibrator its images; it wants this method."""

    def __init__(self, groups: list[dict[str, np.ndarray]]):
        self._groups = iter(groups)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._groups, None)


def batches(proto: Any, images: np.ndarray) -> Iterable[np.ndarray]:
    """Yields the images in the batches that a network takes, one by one where it takes any number.

    Images that do not fill a batch are left out.
    """
    size = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    for start in range(0, len(images) - size + 1, size):
        yield images[start : start + size]


def _fold(proto: Any, file: Path) -> Any:
    """Folds constants, batch norm and padding, into standard operators; also writes the file."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    folded = onnx.load(str(file))
    # It names the operators of all its vendors, used or not.
    used = {node.domain for node in folded.graph.node}
    imports = [one for one in folded.opset_import if one.domain in used]
    del folded.opset_import[:]
    folded.opset_import.extend(imports)
    folded.ir_version = proto.ir_version
    folded = onnx.shape_inference.infer_shapes(folded)  # the quantizer asks for types
    onnx.save(folded, str(file))
    return folded


def _find_layers(proto: Any, operators: Collection[str]) -> dict[str, list[str]]:
    """Finds the nodes that can be quantized, by the Keras layer that they compute."""
    constants = {value.name for value in proto.graph.initializer}
    consumers = defaultdict(list)
    for node in proto.graph.node:
        for name in node.input:
            consumers[name].append(node)
    layers = defaultdict(list)
    for node in proto.graph.node:
        if node.op_type not in operators:
            continue
        if node.op_type == "Add" and constants & set(node.input):
            continue  # a shift, which is no join of two branches
        name = _layer_of(node, constants, consumers)
        if name not in _AROUND:
            layers[name].append(node.name)
    return dict(layers)


def _layer_of(node: Any, constants: set[str], consumers: dict[str, list[Any]]) -> str:
    """Returns the Keras name of a node's layer.

    tf2onnx writes `network_1/layer_1/operator`, and renames some nodes: then a constant of theirs
    may have the name, or the node that follows, which joins the parts of an up-convolution.
    """
    seen = node
    while seen:
        own = (name for name in seen.input if name in constants)
        for name in (seen.name, *own):
            if "/" in name:
                return re.sub(r"_1$", "", name.split("/")[-2])
        following = [next_node for name in seen.output for next_node in consumers[name]]
        seen = following[0] if following else None
    return node.name
