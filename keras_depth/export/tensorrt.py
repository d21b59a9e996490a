"""TensorRT: the engine where trtexec or TensorRT's Python is, and else how to build it.

An engine fits the GPU and the TensorRT it was built with, so it is built on the board, from ONNX.
Half precision is a switch up to TensorRT 10; from 11 on it must be in the graph. The interleave op
needs no plug-in: it is exported as DepthToSpace of a concatenation, which TensorRT knows.
"""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth.errors import InputError
from keras_depth.export import parity
from keras_depth.predict.exported import MODEL_FILES, read_details

_ON_JETSON = "/usr/src/tensorrt/bin/trtexec"  # which JetPack leaves off the PATH
_TYPED = 11  # from this major version on, types come from the graph alone
ENGINE = "model.engine"


def trtexec() -> str | None:
    """Returns the path of TensorRT's command, if it is there."""
    return shutil.which("trtexec") or shutil.which(_ON_JETSON)


def recipe(whole: Path, half: Path | None) -> str:
    """Returns the commands that build and time an engine, for every TensorRT.

    Args:
        whole: folder of the ONNX in fp32, OUTPUT/name/version.
        half: folder of the ONNX in fp16, where half precision was asked for, OUTPUT/fp16/...
    """
    output, model = whole.parents[1], MODEL_FILES["tensorrt"]
    whole, half = whole.relative_to(output), half and half.relative_to(output)
    engine = whole / ENGINE
    lines = [
        f"Copy {output.name} to the machine that will run it, and there, in that folder:",
        "TensorRT 8 to 10 (Jetson: JetPack 4 to 6; trtexec is in /usr/src/tensorrt/bin):",
        f"  {shlex.join(_command('trtexec', whole / model, engine, '--fp16' if half else None))}",
        "TensorRT 11 (desktop; it takes the precision from the graph):",
        f"  {shlex.join(_command('trtexec', (half or whole) / model, engine, None))}",
        "Its line 'GPU Compute Time ... median' is the time of a picture.",
    ]
    return "\n".join(lines)


def build(
    whole: Path, half: Path | None, images: np.ndarray, depth: np.ndarray
) -> dict[str, Any] | None:
    """Builds an engine, compares it with the Keras model and times it.

    Args:
        whole, half: as in `recipe`.
        images: what is compared, (B, H, W, 3) of the network's size and type.
        depth: what they must give, (B, h, w, 1), metres.

    Returns:
        {"tensorrt": version, "engine": bytes, "milliseconds": median or None, "parity": ... or
        None}, or None where there is no TensorRT. Without trtexec, TensorRT's Python builds the
        engine; it has no way of its own to run one, so that it is neither timed nor compared.

    Raises:
        InputError: TensorRT is there and cannot build it.
    """
    command = trtexec()
    if command is None:
        return _build_by_python(whole, half)
    version = _version(command)
    typed = version[0] >= _TYPED
    source = half if half and typed else whole
    engine = whole / ENGINE
    switch = "--fp16" if half and not typed else None
    arguments = _command(command, source / MODEL_FILES["tensorrt"], engine, switch)
    given, result = whole / "image.bin", whole / "depth.json"
    if read_details(whole)["input"]["layout"] == "NCHW":
        images = images.transpose(0, 3, 1, 2)
    images.tofile(given)
    try:
        printed = _call([*arguments, f"--loadInputs=image:{given}", f"--exportOutput={result}"])
        computed = _read_output(result, depth.shape)
    finally:
        given.unlink(missing_ok=True)
        result.unlink(missing_ok=True)
    compared = parity.compare(depth, computed, "fp16" if half else "fp32", 1e-2)
    median = re.search(r"GPU Compute Time:.*?median = ([\d.]+) ms", printed)
    return {
        "tensorrt": ".".join(map(str, version)),
        "engine": engine.stat().st_size,
        "milliseconds": float(median[1]) if median else None,
        "parity": asdict(compared),
    }


def _command(command: str, model: Path, engine: Path, switch: str | None) -> list[str]:
    return [command, f"--onnx={model}", f"--saveEngine={engine}", *([switch] if switch else [])]


def _call(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "[E]" in line]
        raise InputError(
            f"{arguments[0]} cannot build the engine: {(said or ['it gave no reason'])[0].strip()}"
        )
    return done.stdout


def _version(command: str) -> tuple[int, int, int]:
    """Reads what trtexec writes before all else: [TensorRT v8502], [TensorRT v100300]."""
    printed = subprocess.run([command, "--help"], capture_output=True, text=True).stdout
    found = re.search(r"\[TensorRT v(\d+)\]", printed)
    if not found:
        raise InputError(f"{command}: does not say which TensorRT it is of; is it trtexec?")
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


def _build_by_python(whole: Path, half: Path | None) -> dict[str, Any] | None:
    try:
        import tensorrt
    except ImportError:
        return None
    version = tensorrt.__version__
    typed = int(version.split(".")[0]) >= _TYPED
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    explicit = getattr(tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    network = builder.create_network(0 if explicit is None else 1 << int(explicit))
    parser = tensorrt.OnnxParser(network, logger)
    source = (half if half and typed else whole) / MODEL_FILES["tensorrt"]
    if not parser.parse(source.read_bytes()):
        raise InputError(f"{source}: TensorRT {version} cannot read it: {parser.get_error(0)}")
    settings = builder.create_builder_config()
    if half and not typed:
        settings.set_flag(tensorrt.BuilderFlag.FP16)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise InputError(f"{source}: TensorRT {version} builds no engine of it")
    (whole / ENGINE).write_bytes(engine)
    size = (whole / ENGINE).stat().st_size
    return {"tensorrt": version, "engine": size, "milliseconds": None, "parity": None}
