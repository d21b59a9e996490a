"""ONNX: by tf2onnx, checked, with the sizes of its resizing exact."""

import copy
import gc
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth.export.network import graph
from keras_depth.predict.exported import MODEL_FILES, needs


def write(
    model: keras.Model,
    folder: Path,
    opset: int = 13,
    layout: str = "NHWC",
    precision: str = "fp32",
) -> dict[str, Any]:
    """Writes a deployed model as `model.onnx`.

    Args:
        model: what `network.deployed` returned.
        folder: where to.
        opset: of ONNX's operators; 13 is what TensorRT 8.4 knows.
        layout: "NHWC", or "NCHW": how the input's axes lie.
        precision: "fp32", or "fp16": weights and maps in half precision, but for the input, the
            output and what turns one into metres.

    Returns:
        What is worth knowing: {"opset", "nodes", "transposes"}.

    Raises:
        InputError: tf2onnx, onnx or onnxruntime is not installed.
    """
    try:
        import onnx

        proto = _convert(graph(model).get_concrete_function(), opset, layout)
        for node in proto.graph.node:
            if node.op_type == "Resize":
                _mend_resize(node, proto.graph)
        if precision == "fp16":
            proto = _in_half_precision(proto)
    except ImportError as error:
        raise needs("onnx", error.name or "tf2onnx") from error
    # tf2onnx lets through what no runtime knows, such as an operator of TensorFlow's own.
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(folder / MODEL_FILES["onnx"]))
    operators = [node.op_type for node in proto.graph.node]
    return {
        "opset": opset,
        "nodes": len(operators),
        "transposes": operators.count("Transpose"),
    }


def _convert(function: Any, opset: int, layout: str) -> Any:
    """Returns a function's ONNX, its input named `image` and its output `depth`.

    In steps: tf2onnx.convert.from_function would freeze TensorFlow's graph, whose weights are
    constants already, and every pass over ONNX's would keep a copy of them: 12 GB for a network of
    172 MB, where this takes 5.
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
    for one in passes * 2:  # what one leaves, another takes up
        # Of a copy: what a pass throws away stays with the graph it was made for.
        converted = optimizer.optimize_graph(
            copy.deepcopy(converted), catch_errors=False, optimizers={one.__name__: one}
        )
        if one in (optimizer.MergeDuplicatedNodesOptimizer, optimizer.BackToBackOptimizer):
            gc.collect()  # graphs are cycles of references
    return converted.make_model("depth")


def _mend_resize(node: Any, graph: Any) -> None:
    """Makes a Resize give the size that it should, and name no rule that ONNX gave up.

    tf2onnx writes a factor, 7/3, whose float32 is below it: 3 rows would become 6. The next float32
    is above, and so would be 7. And of whole factors "half-pixel, to the nearest" means a copy,
    which opset 13 calls otherwise.
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


def _in_half_precision(proto: Any) -> Any:
    """Returns the model with weights and maps in float16, up to the layer that makes metres.

    Half precision has no room for the inverse of a small disparity.
    """
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    whole: list[str] = []  # nodes from that layer on
    written: set[str] = set()  # and what they write
    for node in proto.graph.node:
        if node.name.startswith("metres") or written & set(node.input):
            whole.append(node.name)
            written.update(node.output)
    half = OnnxModel(
        float16.convert_float_to_float16(proto, keep_io_types=True, node_block_list=whole)
    )
    # It casts what goes from one of them to the next down and up again.
    half.remove_cascaded_cast_nodes()
    half.topological_sort()
    return half.model
