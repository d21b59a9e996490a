"""TensorRT: the commands for the board, and engines by a stand-in for trtexec."""

import sys

import pytest

from keras_depth.export import tensorrt
from keras_depth.predict.loading import load_exported
from tests.helpers.exporting import call


def test_the_commands_for_a_board(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    output = tmp_path / "out"
    assert call(run, "--format", "tensorrt", "--precision", "fp16", "--output", output) == 0
    text = capsys.readouterr().out
    assert "no TensorRT here" in text
    model = "lite_basic_interl_t/1/model"
    assert f"trtexec --onnx={model}.onnx --saveEngine={model}.engine --fp16" in text
    assert f"trtexec --onnx=fp16/{model}.onnx --saveEngine={model}.engine\n" in text
    folder = output / "lite_basic_interl_t" / "1"
    assert (folder / "BUILD.txt").read_text().strip() in text
    details = load_exported(folder).details
    assert details["input"]["dtype"] == "float32", "TensorRT takes uint8 from 8.5 on"
    assert details["input"]["shape"][0] == 1
    assert load_exported(output / "fp16" / "lite_basic_interl_t").details["precision"] == "fp16"


STAND_IN = """#!/usr/bin/env python3
# Answers as trtexec does, as far as the exporter reads it; it builds no engine.
import json, sys
import numpy as np
import onnxruntime
print("&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] # " + " ".join(sys.argv))
if "--help" in sys.argv:
    sys.exit()
options = dict(a[2:].split("=", 1) if "=" in a else (a[2:], None) for a in sys.argv[1:])
if {fails}:
    print("[E] Error[4]: no kernel image is available")
    sys.exit(1)
open(options["saveEngine"], "w").write(options["onnx"] + " " + str("fp16" in options))
session = onnxruntime.InferenceSession(options["onnx"])
given = session.get_inputs()[0]
image = np.fromfile(options["loadInputs"].split(":")[1], np.float32).reshape(given.shape)
depth = session.run(None, {{"image": image}})[0]
values = {{"name": "depth", "dimensions": "x".join(map(str, depth.shape))}}
values["values"] = depth.ravel().tolist()
json.dump([values], open(options["exportOutput"], "w"))
print("[I] GPU Compute Time: min = 1.1 ms, max = 2.2 ms, mean = 1.4 ms, median = 1.25 ms")
"""


def stand_in(folder, number, fails=False):
    folder.mkdir()
    file = folder / "trtexec"
    text = STAND_IN.format(number=number, fails=fails)
    file.write_text(text.replace("/usr/bin/env python3", sys.executable))
    file.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    "number, version, source, switch, layout",
    [
        ("8502", "8.5.2", "lite_basic_interl_t", "True", "nhwc"),
        ("100300", "10.3.0", "lite_basic_interl_t", "True", "nchw"),
        ("110400", "11.4.0", "fp16/lite_basic_interl_t", "False", "nchw"),
    ],
)
def test_an_engine_by_trtexec(
    run, tmp_path, here, capsys, monkeypatch, number, version, source, switch, layout
):
    """Precision is a switch up to 10, and in the graph from 11 on. (A stand-in for trtexec.)"""
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", number)))
    output = tmp_path / "out"
    arguments = ["--precision", "fp16", "--layout", layout, "--output", output]
    assert call(run, "--format", "tensorrt", *arguments) == 0
    folder = output / "lite_basic_interl_t" / "1"
    told = (folder / "model.engine").read_text()
    assert told == f"{output / source / '1' / 'model.onnx'} {switch}"
    printed = capsys.readouterr().out
    assert f"TensorRT {version}" in printed and "1.25 ms" in printed
    built = load_exported(folder).details["engine"]
    assert built["tensorrt"] == version and built["milliseconds"] == 1.25
    assert built["parity"]["mean_rel"] < 1e-2
    assert not (folder / "image.bin").exists() and not (folder / "depth.json").exists()


def test_an_engine_that_computes_something_else(run, tmp_path, here, capsys, monkeypatch):
    text = STAND_IN.replace("depth.ravel()", "(1.5 * depth).ravel()")
    monkeypatch.setattr(sys.modules[__name__], "STAND_IN", text)
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8502")))
    output = tmp_path / "with space"
    assert call(run, "--format", "tensorrt", "--layout", "nchw", "--output", output) == 1
    assert "difference max" in capsys.readouterr().out


def test_trtexec_that_fails_is_quoted(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8502", fails=True)))
    assert call(run, "--format", "tensorrt", "--output", tmp_path / "out") == 2
    assert "cannot build the engine: [E] Error[4]: no kernel image" in capsys.readouterr().err


def test_where_trtexec_is_on_a_jetson(monkeypatch):
    monkeypatch.setattr(tensorrt.shutil, "which", lambda name: name if "/" in name else None)
    assert tensorrt.trtexec() == "/usr/src/tensorrt/bin/trtexec"
