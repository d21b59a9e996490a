"""Says whether a model that TF-TRT converted still is the same function, on any machine.

It runs under TensorFlow 2.17.1, without TensorRT:

    python surgery.py SAVED_MODEL CONVERTED --json differences.json

No CPU runs a TRTEngineOp. So each becomes a call of the operators it stands for, which the
converted graph holds beside it, and the depth of both is compared. That checks which operators went
into which engine and how these are wired, in float32; engines, FP16 and INT8 it cannot check.
`tensorflow.core` is used because the protocol buffers of a SavedModel have no public name.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def without_engines(converted, folder):
    """Copies a converted SavedModel to `folder`, its engines as calls; returns how many it had."""
    shutil.copytree(converted, folder)
    path = Path(folder) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    engines = 0
    for meta_graph in saved.meta_graphs:
        for function in meta_graph.graph_def.library.function:
            engines += _call_operators(function)
    path.write_bytes(saved.SerializeToString())
    return engines


def _call_operators(function):
    """Turns the engines of a function into calls; returns how many there were."""
    engines = [node for node in function.node_def if node.op == "TRTEngineOp"]
    for node in engines:
        node.op = "PartitionedCall"
        node.device = ""
        for name, engine_name in (("Tin", "InT"), ("Tout", "OutT"), ("f", "segment_func")):
            node.attr[name].CopyFrom(node.attr[engine_name])
        for name in set(node.attr) - {"Tin", "Tout", "f"}:
            del node.attr[name]
    # Results are referred to by what the operator calls them.
    for node in function.node_def:
        node.input[:] = [text.replace(":out_tensor:", ":output:") for text in node.input]
    for name, text in function.ret.items():
        function.ret[name] = text.replace(":out_tensor:", ":output:")
    return len(engines)


def difference(source, converted):
    """Returns how far a SavedModel's depth and that of what it was converted to differ, metres."""
    with tempfile.TemporaryDirectory() as scratch:
        engines = without_engines(converted, Path(scratch) / "model")
        before, after = (_depth(folder) for folder in (source, Path(scratch) / "model"))
    return {
        "model": str(source),
        "engines": engines,
        "largest_difference": float(np.abs(before - after).max()),
        "largest_depth": float(before.max()),
    }


def _depth(folder):
    """Returns a SavedModel's depth of noise, which is the same for all."""
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures["serving_default"]
    image = function.structured_input_signature[1]["image"]
    shape = [1 if side is None else side for side in image.shape]
    noise = np.random.RandomState(0).randint(0, 256, shape)
    scale = 1 if image.dtype == tf.uint8 else 255
    return function(image=tf.constant(noise / scale, image.dtype))["depth"].numpy()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("saved_model", type=Path)
    parser.add_argument("converted", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args(argv)
    found = difference(arguments.saved_model, arguments.converted)
    arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
