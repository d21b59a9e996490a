"""Says which operators TF-TRT would put into TensorRT engines, on a machine without TensorRT.

It runs under TensorFlow 2.17.1, with the library of `stand_in.cc` in LD_LIBRARY_PATH as
libnvinfer.so.8.6.1 and libnvinfer_plugin.so.8.6.1:

    python segment.py SAVED_MODEL ... --json segments.json [--implicit] [--save FOLDER]

TensorFlow's own segmenter and operator validators choose; no engine is built. `tensorflow.python`
is used because the public Converter refuses a machine without a GPU, and because it keeps the
converted graph to itself.
"""

import argparse
import collections
import contextlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

os.environ.update(TF_TRT_SHOW_DETAILED_REPORT="1", TF_CPP_MIN_LOG_LEVEL="0")

import tensorflow as tf  # noqa: E402
from tensorflow.python.compiler.tensorrt import trt_convert  # noqa: E402

NO_WORK = {"Const", "Placeholder", "Identity", "NoOp"}  # not counted: they compute nothing


def segments(saved_model, implicit=False, save=None):
    """Returns what TF-TRT makes of one SavedModel, as a dict.

    Args:
        saved_model: a folder with saved_model.pb; its signature `serving_default` is converted.
        implicit: TensorRT's implicit batch mode (`use_dynamic_shape=False`), not the explicit one.
        save: a folder for the converted SavedModel. It holds TRTEngineOps, which no CPU runs.
    """
    converter = tf.experimental.tensorrt.Converter(
        input_saved_model_dir=str(saved_model), use_dynamic_shape=not implicit
    )
    with standard_error() as log, pretended_gpu():
        converter.convert()
    if save is not None:
        converter.save(str(save))
    graph = converter._converted_graph_def
    engines = [
        [node.op for node in function.node_def if node.op not in NO_WORK]
        for function in graph.library.function
        if function.signature.name.endswith("_native_segment")
    ]
    outside = collections.Counter(
        node.op for node in graph.node if node.op not in {*NO_WORK, "TRTEngineOp"}
    )
    reasons = reasons_in("".join(log))
    sizes = sorted(map(len, engines))
    return {
        "model": str(saved_model),
        "mode": "implicit batch" if implicit else "explicit batch",
        "engines": len(engines),
        "smallest": sizes[0] if sizes else 0,
        "largest": sizes[-1] if sizes else 0,
        "converted": sum(sizes),
        "operators": sum(sizes) + sum(outside.values()),
        "inside": dict(sorted(collections.Counter(sum(engines, [])).items())),
        "outside": [
            # An operator without a reason could be converted, but its segment was left out.
            {"operator": op, "count": count, "reasons": reasons.get(op, ["too small a segment"])}
            for op, count in sorted(outside.items())
        ],
    }


@contextlib.contextmanager
def pretended_gpu():
    """Within this block, `Converter.convert` takes this machine's device for a GPU.

    It asks where a new tensor lies, and nothing else.
    """
    on_gpu = SimpleNamespace(device="/device:GPU:0")
    with mock.patch.object(trt_convert.array_ops, "zeros", lambda shape: on_gpu):
        yield


@contextlib.contextmanager
def standard_error():
    """Collects in a list what is written to standard error: the report is nowhere else."""
    lines = []
    with tempfile.TemporaryFile("w+") as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            lines += file.readlines()
            if sys.exc_info()[0]:
                sys.stderr.writelines(lines)


def reasons_in(log):
    """Returns {operator: [why it was not converted]} of TF-TRT's detailed report."""
    reasons = {}
    for line in log.splitlines():
        operator = re.match(r"\t- (\w+) -> \d+x$", line)
        if operator:
            current = reasons.setdefault(operator[1], [])
        reason = re.match(r"\t\t- \[Count: \d+x\] (.*)$", line)
        if reason:
            current.append(reason[1])
    return reasons


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("saved_models", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--save", type=Path, help="folder for the converted models, by their names")
    arguments = parser.parse_args(argv)
    found = []
    for folder in arguments.saved_models:
        save = arguments.save and arguments.save / folder.name
        found.append(segments(folder, arguments.implicit, save))
        text = "{model}: {engines} engines, {converted} of {operators} operators"
        print(text.format(**found[-1]))
    report = {"tensorflow": tf.__version__, "tensorrt": "none (stand-in)", "models": found}
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
