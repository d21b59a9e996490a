"""TensorRT: the commands for each version, and engines by a stand-in for trtexec."""

import os
import subprocess
import sys

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.export import parity, tensorrt
from keras_depth.predict.loading import load_exported
from tests.helpers.exporting import SIZE, bright_is_far, call, run_in_this_process

NAME = "lite_basic_interl_t"

STAND_IN = """#!/usr/bin/env python3
# Takes the options that trtexec of this version takes, and answers as it does, as far as the
# exporter reads it. It builds no engine.
import json, sys
import numpy as np
import onnx
import onnxruntime
version = {version}
banner = "[TensorRT v{number}] " if version >= (8,) else ""
print("&&&& RUNNING TensorRT.trtexec " + banner + "# " + " ".join(sys.argv))
if "--help" in sys.argv:
    sys.exit()
known = {{"onnx", "saveEngine", "loadInputs", "exportOutput"}}
known |= {{"workspace", "explicitBatch"}} if version < (10,) else set()
known |= {{"memPoolSize"}} if version >= (8, 4) else set()
known |= {{"fp16"}} if version < (11,) else set()
options = dict(a[2:].split("=", 1) if "=" in a else (a[2:], None) for a in sys.argv[1:])

def check(good, message):
    if not good:
        print("[E] " + message)
        sys.exit(1)

for option in options:
    check(option in known, "Unknown option: --" + option)
pool = options.get("memPoolSize", "workspace:" + options.get("workspace", "16"))
check(pool == "workspace:1024" or version >= (8, 4), "no room for the fast layers")
check("explicitBatch" in options or version >= (8,), "an explicit batch dimension is needed")
(opset,) = (each.version for each in onnx.load(options["onnx"]).opset_import if not each.domain)
check(opset <= (11 if version < (8,) else 13 if version < (8, 4) else 17), "opset")
check(not {fails}, "Error[4]: no kernel image is available")
open(options["saveEngine"], "w").write(options["onnx"] + " " + str("fp16" in options))
session = onnxruntime.InferenceSession(options["onnx"])
given = session.get_inputs()[0]
image = np.zeros(given.shape, np.float32)
if "loadInputs" in options:
    image = np.fromfile(options["loadInputs"].split(":")[1], np.float32).reshape(given.shape)
depth = session.run(None, {{"image": image}})[0]
values = {{"name": "depth", "dimensions": "x".join(map(str, depth.shape))}}
values["values"] = depth.ravel().tolist()
if "exportOutput" in options:
    json.dump([values], open(options["exportOutput"], "w"))
if version >= (8,):
    print("[I] Latency: min = 2.1 ms, max = 3.2 ms, mean = 2.4 ms, median = 2.25 ms")
    print("[I] GPU Compute Time: min = 1.1 ms, max = 2.2 ms, mean = 1.4 ms, median = 1.25 ms")
else:
    print("[I] Host Latency", "[I] median: 2.25 ms (end to end 2.5 ms)", sep="\\\\n")
    print("[I] GPU Compute", "[I] min: 1.1 ms", "[I] median: 1.25 ms", sep="\\\\n")
"""


def stand_in(folder, version, fails=False):
    """Writes the stand-in of a version, such as "8.5.2"; returns its folder."""
    folder.mkdir()
    file = folder / "trtexec"
    parts = tuple(map(int, version.split(".")))
    major, minor, patch = parts
    number = f"{major}{minor}{patch:02}" if major < 10 else f"{major}{minor:02}{patch:02}"
    text = STAND_IN.format(number=number, version=parts, fails=fails)
    file.write_text(text.replace("/usr/bin/env python3", sys.executable))
    file.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def opset_11(tmp_path_factory):
    """An export for every board, in half precision: its folder, an image and the depth of it."""
    root = tmp_path_factory.mktemp("opset_11")
    bright_is_far().save(root / "model.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "run_alone", run_in_this_process)
        patch.setenv("PATH", "/nowhere")
        options = ["--precision", "fp16", "--opset", 11, "--output", root / "out"]
        assert call(root / "model.keras", "--format", "tensorrt", *options) == 0
    image = parity.render_images(SIZE, 1) / np.float32(255)
    return root / "out", image, load_exported(root / "out" / NAME)(image)


def command_for(output, heading):
    """Returns the command of BUILD.txt under a heading."""
    lines = (output / NAME / "1" / "BUILD.txt").read_text().splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith(f"with {heading}")]
    return lines[at + 1].strip()


def test_the_commands_for_a_board(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    output = tmp_path / "out"
    assert call(run, "--format", "tensorrt", "--precision", "fp16", "--output", output) == 0
    text = capsys.readouterr().out
    assert "no TensorRT here" in text
    folder = output / NAME / "1"
    assert (folder / "BUILD.txt").read_text().strip() in text
    line = "with TensorRT 7.1 (JetPack 4.4 and 4.5): export again with --opset 11; this is 13"
    assert line in text.splitlines()
    details = load_exported(folder).details
    assert details["input"]["dtype"] == "float32", "TensorRT takes uint8 from 8.5 on"
    assert details["input"]["shape"][0] == 1 and details["opset"] == 13
    assert load_exported(output / "fp16" / NAME).details["precision"] == "fp16"
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "7.1.3")))
    said = "TensorRT 7 reads ONNX up to opset 11, and this is 13; export it with --opset 11"
    with pytest.raises(InputError, match=f"{folder}: {said}"):
        tensorrt.build(folder, None, np.zeros((1, *SIZE, 3), np.float32), np.zeros(1))


@pytest.mark.parametrize(
    "version, heading, source, options",
    [
        ("7.1.3", "TensorRT 7.1 (JetPack 4.4", "", "--explicitBatch --workspace=1024 --fp16"),
        ("8.2.1", "TensorRT 8.0 and 8.2 (JetPack 4.6)", "", "--workspace=1024 --fp16"),
        ("10.16.2", "TensorRT 8.4 to 10 (Jet", "", "--memPoolSize=workspace:1024 --fp16"),
        ("11.1.0", "TensorRT 11", "fp16/", "--memPoolSize=workspace:1024"),
    ],
)
def test_a_board_s_trtexec_takes_its_command(opset_11, tmp_path, version, heading, source, options):
    output, _, _ = opset_11
    model = f"{NAME}/1/model"
    command = f"trtexec --onnx={source}{model}.onnx --saveEngine={model}.engine {options}"
    assert command_for(output, heading) == command
    path = f"{stand_in(tmp_path / 'bin', version)}:{os.environ['PATH']}"

    def typed(text):
        run = {"shell": True, "cwd": output, "env": {**os.environ, "PATH": path}, "text": True}
        return subprocess.run(text, capture_output=True, **run)

    done = typed(command)
    assert done.returncode == 0, done.stdout + done.stderr
    if version == "7.1.3":
        done = typed(command_for(output, "TensorRT 8.4 to 10"))
        assert done.returncode == 1 and "Unknown option: --memPoolSize" in done.stdout


@pytest.mark.parametrize(
    "version, known_as, source, switch",
    [
        ("7.1.3", "7", f"{NAME}/1", "True"),
        ("8.0.1", "8.0.1", f"{NAME}/1", "True"),
        ("8.5.2", "8.5.2", f"{NAME}/1", "True"),
        ("11.4.0", "11.4.0", f"fp16/{NAME}/1", "False"),
    ],
)
def test_an_engine_by_the_trtexec_of_a_version(
    opset_11, tmp_path, monkeypatch, version, known_as, source, switch
):
    """Precision is a switch up to 10, and in the graph from 11 on. 7 does not say its version."""
    output, image, depth = opset_11
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", version)))
    fp32, fp16 = output / NAME / "1", output / "fp16" / NAME / "1"
    engine = tensorrt.build(fp32, fp16, image, depth)
    assert (fp32 / "model.engine").read_text() == f"{output / source / 'model.onnx'} {switch}"
    assert engine.tensorrt == known_as and engine.milliseconds == 1.25
    assert engine.parity.passed and engine.parity.mean_rel < 1e-2


def test_an_engine_from_the_command(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "10.3.0")))
    output = tmp_path / "out"
    assert call(run, "--format", "tensorrt", "--layout", "nchw", "--output", output) == 0
    printed = capsys.readouterr().out
    assert "TensorRT 10.3.0" in printed and "1.25 ms" in printed
    folder = output / NAME / "1"
    built = load_exported(folder).details["engine"]
    assert built["tensorrt"] == "10.3.0" and built["milliseconds"] == 1.25
    assert built["parity"]["mean_rel"] < 1e-2
    assert not (folder / "image.bin").exists() and not (folder / "depth.json").exists()


def test_an_engine_that_computes_something_else(run, tmp_path, here, capsys, monkeypatch):
    text = STAND_IN.replace("depth.ravel()", "(1.5 * depth).ravel()")
    monkeypatch.setattr(sys.modules[__name__], "STAND_IN", text)
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8.5.2")))
    output = tmp_path / "with space"
    assert call(run, "--format", "tensorrt", "--layout", "nchw", "--output", output) == 1
    assert "difference max" in capsys.readouterr().out


def test_trtexec_that_fails_is_quoted(run, tmp_path, here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", "8.5.2", fails=True)))
    assert call(run, "--format", "tensorrt", "--output", tmp_path / "out") == 2
    assert "cannot build the engine: [E] Error[4]: no kernel image" in capsys.readouterr().err


def test_where_trtexec_is_on_a_jetson(monkeypatch):
    monkeypatch.setattr(tensorrt.shutil, "which", lambda name: name if "/" in name else None)
    assert tensorrt.trtexec() == "/usr/src/tensorrt/bin/trtexec"
