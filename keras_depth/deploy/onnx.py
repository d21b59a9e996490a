"""ONNX: by tf2onnx, checked, with the sizes of its resizing exact."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth.deploy.network import graph
from keras_depth.runtimes import MODEL_FILES, needs

OPSETS = (13, 17)


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
        import tf2onnx
        from onnxruntime.transformers import float16
        from onnxruntime.transformers.onnx_model import OnnxModel
    except ImportError as error:
        raise needs("onnx", error.name or "tf2onnx") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    function = graph(model)
    proto, _ = tf2onnx.convert.from_function(
        function,
        input_signature=function.input_signature,
        opset=opset,
        inputs_as_nchw=["image:0"] if layout == "NCHW" else None,
    )
    for node in proto.graph.node:
        if node.op_type == "Resize":
            _mend_resize(node, proto.graph)
    if precision == "fp16":
        proto = float16.convert_float_to_float16(
            proto, keep_io_types=True, node_block_list=list(_names_in_metres(proto.graph))
        )
        OnnxModel.graph_topological_sort(proto.graph)  # it adds the casts at the end
    # Twice: this finds what no runtime would know, too, such as an operator of TensorFlow's own.
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(folder / MODEL_FILES["onnx"]))
    operators = [node.op_type for node in proto.graph.node]
    return {
        "opset": opset,
        "nodes": len(operators),
        "transposes": operators.count("Transpose"),
    }


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


def _names_in_metres(graph: Any) -> Iterator[str]:
    """Yields the last layer's nodes: half precision has no room for a disparity's inverse."""
    for node in graph.node:
        if node.name.startswith("metres"):
            yield node.name
