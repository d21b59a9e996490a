"""Writes ONNX with tf2onnx, checks it, and makes the sizes of its resizing exact."""

import copy
import gc
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth.errors import check_installed
from keras_depth.export.network import freeze
from keras_depth.export.quantize_budget import Choice
from keras_depth.layers.grouped_conv import undivided_groups
from keras_depth.predict.exported import MODEL_FILES


def write(
    model: keras.Model,
    folder: Path,
    opset: int = 13,
    layout: str = "NHWC",
    precision: str = "fp32",
    quantize: Callable[[Any], tuple[Any, Choice]] | None = None,
) -> dict[str, Any]:
    """Writes an exported model as `model.onnx`.

    Args:
        model: from `network.build`.
        folder: where to.
        opset: version of ONNX's operators: 11, 13 or 17.
        layout: "NHWC" or "NCHW": the order of the input's axes.
        precision: "fp32"; "fp16": weights and maps in half precision, except the input, the output
            and the decoding to metres; "int8".
        quantize: for int8: returns a network in 8 bits, and which of its layers are.

    Returns:
        For export.json: {"opset", "nodes", "transposes"}, and "quantization" of int8.

    Raises:
        InputError: tf2onnx, onnx or onnxruntime is not installed, or `quantize` raises it.
    """
    check_installed("onnx", "tf2onnx", "onnx", "onnxruntime")
    import onnx

    with undivided_groups():
        function = freeze(model).get_concrete_function()
    proto = _convert(function, opset, layout)
    for node in proto.graph.node:
        if node.op_type == "Resize":
            _fix_resize(node, proto.graph)
    if precision == "fp16":
        proto = _to_float16(proto)
    more = {}
    if quantize:
        proto, choice = quantize(proto)
        more["quantization"] = asdict(choice)
    # tf2onnx lets operators through that no runtime has, such as TensorFlow's own.
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(folder / MODEL_FILES["onnx"]))
    operators = [node.op_type for node in proto.graph.node]
    return {
        "opset": opset,
        "nodes": len(operators),
        "transposes": operators.count("Transpose"),
        **more,
    }


def _convert(function: Any, opset: int, layout: str) -> Any:
    """Converts a function to ONNX, its input named `image` and its output `depth`.

    tf2onnx.convert.from_function would freeze the graph, whose weights are constants already, and
    keep a copy of the weights for every pass: 12 GB for a network of 172 MB. This takes 5 GB.
    """
    from tf2onnx import optimizer, tfonnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    (image,), (depth,) = function.inputs, function.outputs
    converted = tfonnx.process_tf_graph(
        function.graph,
        opset=opset,
        input_names=[image.name],
        output_names=[depth.name],
        inputs_as_nchw=[image.name] if layout == "NCHW" else None,
        tensors_to_rename={image.name: "image", depth.name: "depth"},
    )
    passes = (
        optimizer.TransposeOptimizer,
        optimizer.ConstFoldOptimizer,
        optimizer.MergeDuplicatedNodesOptimizer,
        optimizer.ReshapeOptimizer,
        optimizer.GlobalPoolOptimizer,
        optimizer.IdentityOptimizer,
        optimizer.BackToBackOptimizer,
    )
    for one in passes * 2:  # a pass may enable an earlier one
        # A copy: what a pass discards stays in memory with the graph it was given.
        converted = optimizer.optimize_graph(
            copy.deepcopy(converted), catch_errors=False, optimizers={one.__name__: one}
        )
        if one in (optimizer.MergeDuplicatedNodesOptimizer, optimizer.BackToBackOptimizer):
            gc.collect()  # graphs are reference cycles
    return converted.make_model("depth")


def _fix_resize(node: Any, graph: Any) -> None:
    """Makes a Resize give the exact size, by a rule that opset 13 and TensorRT 7 have.

    tf2onnx writes the factor, such as 7/3, as a float32 that may be too small: 3 rows would become
    6. The next larger float32 gives 7. Nearest half-pixel resizing by a whole factor copies pixels,
    which is also what "asymmetric" means.
    """
    from onnx import helper, numpy_helper

    attributes = {attribute.name: attribute for attribute in node.attribute}
    mode = attributes.get("coordinate_transformation_mode")
    if mode is not None and mode.s == b"tf_half_pixel_for_nn":
        mode.s = b"asymmetric"
        if "nearest_mode" in attributes:
            attributes["nearest_mode"].s = b"floor"
        else:
            node.attribute.append(helper.make_attribute("nearest_mode", "floor"))
    (stored,) = [value for value in graph.initializer if value.name == node.input[2]]
    factors = numpy_helper.to_array(stored)
    exact = np.where(factors % 1 == 0, factors, np.nextafter(factors, np.float32(np.inf)))
    stored.CopyFrom(numpy_helper.from_array(exact.astype(np.float32), stored.name))


def _to_float16(proto: Any) -> Any:
    """Converts weights and maps to float16, up to the layer that decodes to metres.

    The inverse of a small disparity overflows float16.
    """
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    in_float32: list[str] = []  # nodes from that layer on
    outputs: set[str] = set()  # what they return
    for node in proto.graph.node:
        if node.name.startswith("metres") or outputs & set(node.input):
            in_float32.append(node.name)
            outputs.update(node.output)
    model = OnnxModel(
        float16.convert_float_to_float16(proto, keep_io_types=True, node_block_list=in_float32)
    )
    # The converter casts values between float32 nodes to float16 and back.
    model.remove_cascaded_cast_nodes()
    model.topological_sort()
    return model.model
