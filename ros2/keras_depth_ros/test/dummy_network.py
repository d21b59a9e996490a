"""Writes an exported network of two operators: a pixel's depth is its gray value, in metres."""

import hashlib
import json

import onnx
from onnx import TensorProto, helper


def write(folder, size=(12, 16), dtype="uint8", layout="NHWC", batch=None):
    """Writes `model.onnx` and `export.json` as `keras-depth export --format onnx` does.

    Args:
        folder: where to; made if missing.
        size: (height, width).
        dtype: "uint8" of 0 to 255, or "float32" of 0 to 1.
        layout: "NHWC" or "NCHW".
        batch: pictures of a call; None: any number.

    Returns:
        The folder.
    """
    first = layout == "NCHW"
    shape = [batch, 3, *size] if first else [batch, *size, 3]
    kind = TensorProto.UINT8 if dtype == "uint8" else TensorProto.FLOAT
    named = [number or "N" for number in shape]
    image = helper.make_tensor_value_info("image", kind, named)
    depth = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [named[0], *size, 1])
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1 if first else 3]),
    ]
    if first:  # (N, 1, H, W) to (N, H, W, 1)
        nodes.append(helper.make_node("Transpose", ["mean"], ["depth"], perm=[0, 2, 3, 1]))
    else:
        nodes[-1].output[0] = "depth"
    graph = helper.make_graph(nodes, "dummy", [image], [depth])
    # Old enough for the onnxruntime of a JetPack.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    content = model.SerializeToString()
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content)
    details = {
        "format": "onnx",
        "name": "dummy",
        "input": {"name": "image", "dtype": dtype, "shape": shape, "layout": layout},
        "output": {"name": "depth", "dtype": "float32", "shape": [batch, *size, 1]},
        "files": {"model.onnx": {"sha256": hashlib.sha256(content).hexdigest()}},
    }
    (folder / "export.json").write_text(json.dumps(details))
    return folder
