"""Builds a TensorRT engine where trtexec or TensorRT's Python is installed, or says how to.

An engine runs only on the GPU and the TensorRT it was built with, so it is built on the board, from
ONNX. Half precision is an option up to TensorRT 10; from 11 on it must be in the graph. The scales
of 8 bits are always in the graph, and up to 10 an option says to use them. The interleave op needs
no plug-in: it is exported as DepthToSpace of a concatenation.

The options of trtexec, what it prints and the opsets that each TensorRT reads are those of its
sources, github.com/NVIDIA/TensorRT (samples/common/sampleOptions.cpp, logging.h) and
github.com/onnx/onnx-tensorrt (operators.md).
"""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_depth.errors import InputError
from keras_depth.export import parity
from keras_depth.export.parity import Parity
from keras_depth.files import write_bytes
from keras_depth.predict.exported import MODEL_FILES, read_details

ENGINE = "model.engine"
_ON_JETSON = "/usr/src/tensorrt/bin/trtexec"  # which JetPack leaves off the PATH
_LIMIT = 1e-2  # accepted difference: engines may round as TensorFloat-32 does
_STRONGLY_TYPED = 11  # from this major version on, the precision comes from the graph alone
# MiB that a layer may compute in. Up to 8.2 trtexec gives it 16, too few for fast convolutions.
_WORKSPACE = 1024
# The first version, who has it, and the newest opset of ONNX that it reads.
_RANGES = (
    ((7,), "TensorRT 7.1 (JetPack 4.4 and 4.5)", 11),
    ((8, 0), "TensorRT 8.0 and 8.2 (JetPack 4.6)", 13),
    ((8, 4), "TensorRT 8.4 to 10 (JetPack 5 to 7)", 17),
    ((_STRONGLY_TYPED,), "TensorRT 11 (desktop; it takes the precision from the graph)", 17),
)


@dataclass(frozen=True)
class Engine:
    """An engine that was built.

    Attributes:
        tensorrt: version.
        bytes: size of the file.
        milliseconds: median of a call; None: not timed.
        parity: how far it is from the Keras model; None: not compared.
    """

    tensorrt: str
    bytes: int
    milliseconds: float | None = None
    parity: Parity | None = None


def trtexec() -> str | None:
    """Returns the path of TensorRT's command, or None."""
    return shutil.which("trtexec") or shutil.which(_ON_JETSON)


def build_instructions(fp32: Path, fp16: Path | None) -> str:
    """Returns the commands that build and time an engine, for every TensorRT.

    Args:
        fp32: folder of the ONNX in fp32, or with scales for 8 bits, OUTPUT/name/version, with its
            export.json.
        fp16: folder of the ONNX in fp16, OUTPUT/fp16/name/version; None: no half precision.
    """
    output, opset, scales = fp32.parents[1], read_details(fp32)["opset"], _has_scales(fp32)
    fp32, fp16 = fp32.relative_to(output), fp16 and fp16.relative_to(output)
    lines = [
        f"Copy {output.name} to the machine that will run it (on a Jetson trtexec is in"
        " /usr/src/tensorrt/bin). In that folder, run"
    ]
    for version, name, newest in _RANGES:
        if opset <= newest:
            command = shlex.join(_command("trtexec", version, fp32, fp16, scales))
            lines += [f"with {name}:", f"  {command}"]
        elif newest < 13 and scales:
            lines.append(f"with {name}: none; its ONNX has no scale for each channel")
        else:
            lines.append(f"with {name}: export again with --opset {newest}; this is {opset}")
    lines.append("It prints 'GPU Compute' and its median, the time of one image.")
    return "\n".join(lines)


def build(fp32: Path, fp16: Path | None, images: np.ndarray, depth: np.ndarray) -> Engine | None:
    """Builds an engine, compares it with the Keras model and times it.

    TensorRT's Python, which is used where trtexec is missing, cannot run an engine without a CUDA
    package: that engine is neither timed nor compared.

    Args:
        fp32, fp16: as for `build_instructions`.
        images: what is compared, (B, H, W, 3) of the network's size and type.
        depth: the Keras model's depth of the images, (B, h, w, 1), metres.

    Returns:
        The engine; None where TensorRT is not installed.

    Raises:
        InputError: TensorRT is installed and cannot build it.
    """
    command = trtexec()
    if command is None:
        return _build_by_python(fp32, fp16)
    version, details = _version(command), read_details(fp32)
    _check_opset(fp32, details["opset"], version)
    engine = fp32 / ENGINE
    arguments = _command(command, version, fp32, fp16, _has_scales(fp32))
    if details["input"]["layout"] == "NCHW":
        images = images.transpose(0, 3, 1, 2)
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch) / "image.bin", Path(scratch) / "depth.json"
        images.tofile(given)
        printed = _call([*arguments, f"--loadInputs=image:{given}", f"--exportOutput={result}"])
        computed = _read_output(result, depth.shape)
    # A line of all numbers from 8.0 on; before, a line each: "median: 1.25 ms".
    median = re.search(r"GPU Compute.*?median(?: =|:) ([\d.]+) ms", printed, re.DOTALL)
    return Engine(
        ".".join(map(str, version)),
        engine.stat().st_size,
        float(median[1]) if median else None,
        _compare(fp32, fp16, depth, computed),
    )


def _compare(fp32: Path, fp16: Path | None, depth: np.ndarray, computed: np.ndarray) -> Parity:
    if _has_scales(fp32):
        return parity.compare(depth, computed, "int8")
    return parity.compare(depth, computed, "fp16" if fp16 else "fp32", _LIMIT)


def _has_scales(folder: Path) -> bool:
    """Tells whether the graph has scales for 8 bits."""
    return read_details(folder)["precision"] == "int8"


def _choose(fp32: Path, fp16: Path | None, scales: bool, major: int) -> tuple[Path, list[str]]:
    """Returns the ONNX to build from, and trtexec's options of its precision."""
    if major >= _STRONGLY_TYPED:
        return fp16 or fp32, []
    if scales:  # what has none is computed in half precision
        return fp32, ["--int8", "--fp16"]
    return fp32, ["--fp16"] if fp16 else []


def _check_opset(folder: Path, opset: int, version: tuple[int, ...]) -> None:
    """Raises InputError where a TensorRT does not read ONNX of an opset."""
    newest = [newest for first, _, newest in _RANGES if version >= first][-1]
    if opset > newest:
        raise InputError(
            f"{folder}: TensorRT {'.'.join(map(str, version))} reads ONNX up to opset {newest}, and"
            f" this is {opset}; export it with --opset {newest}"
        )


def _command(
    trtexec: str, version: tuple[int, ...], fp32: Path, fp16: Path | None, scales: bool
) -> list[str]:
    source, flags = _choose(fp32, fp16, scales, version[0])
    engine = fp32 / ENGINE
    command = [trtexec, f"--onnx={source / MODEL_FILES['tensorrt']}", f"--saveEngine={engine}"]
    if version < (8,):  # reads ONNX by an explicit batch alone, which must be asked for
        command.append("--explicitBatch")
    if version < (8, 4):
        command.append(f"--workspace={_WORKSPACE}")
    else:  # its new name; 10 has no other
        command.append(f"--memPoolSize=workspace:{_WORKSPACE}")
    return [*command, *flags]


def _call(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "[E]" in line]
        raise InputError(
            f"{arguments[0]} cannot build the engine: {(said or ['it gave no reason'])[0].strip()}"
        )
    return done.stdout


def _version(command: str) -> tuple[int, ...]:
    """Reads the version from trtexec's first line: [TensorRT v8502], [TensorRT v100300].

    TensorRT 7 prints the line without a version.
    """
    printed = subprocess.run([command, "--help"], capture_output=True, text=True).stdout
    found = re.search(r"TensorRT\.trtexec(?: \[TensorRT v(\d+)\])?", printed)
    if not found:
        raise InputError(f"{command}: prints no version of TensorRT; is it trtexec?")
    if not found[1]:
        return (7,)
    number = int(found[1])
    # 8.5.2 is 8502, 10.3.0 is 100300.
    return (
        (number // 1000, number // 100 % 10, number % 100)
        if number < 10_000
        else (number // 10_000, number // 100 % 100, number % 100)
    )


def _read_output(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    outputs = {output["name"]: output for output in json.loads(file.read_text(encoding="utf-8"))}
    return np.float32(outputs["depth"]["values"]).reshape(shape)


def _build_by_python(fp32: Path, fp16: Path | None) -> Engine | None:
    try:
        import tensorrt
    except ImportError:
        return None
    version = tensorrt.__version__
    folder, flags = _choose(fp32, fp16, _has_scales(fp32), int(version.split(".")[0]))
    source = folder / MODEL_FILES["tensorrt"]
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    explicit = getattr(tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    network = builder.create_network(0 if explicit is None else 1 << int(explicit))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(source.read_bytes()):
        raise InputError(f"{source}: TensorRT {version} cannot read it: {parser.get_error(0)}")
    settings = builder.create_builder_config()
    for flag in flags:  # --fp16 is BuilderFlag.FP16
        settings.set_flag(getattr(tensorrt.BuilderFlag, flag[2:].upper()))
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise InputError(f"{source}: TensorRT {version} cannot build an engine from it")
    write_bytes(fp32 / ENGINE, engine)
    return Engine(version, (fp32 / ENGINE).stat().st_size)
