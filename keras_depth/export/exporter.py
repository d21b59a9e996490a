"""Exports a trained network: builds it, writes it, and checks it in a fresh process."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_depth import images
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError, cannot_write
from keras_depth.export import (
    calibration_images,
    camera,
    export_json,
    kit,
    litert,
    network,
    onnx,
    parity,
    quantize_budget,
    saved_model,
    tftrt,
)
from keras_depth.export.parity import Parity
from keras_depth.export.quantize_budget import Choice
from keras_depth.export.request import BUDGET, Request
from keras_depth.files import make_folder
from keras_depth.letterbox import place
from keras_depth.predict import loading
from keras_depth.predict.camera import Ratio
from keras_depth.predict.exported import DETAILS, find_version, read_details
from keras_depth.predict.keras_network import encoding_of

_COMPARED = 3  # images, where the batch is not fixed


@dataclass(frozen=True)
class Prepared:
    """A network ready to be written.

    Attributes:
        model: what is exported.
        details: what export.json says before anything is written.
        images: what is compared, as the exported network takes it.
        depth: the Keras model's depth of these images, (N, h, w, 1), metres.
        calibration: images from which 8-bit scales are taken.
        truth: their depth, (h, w) metres; None: it is not known.
        ratio: what metres are multiplied by for the user's camera; None: for the network's own.
    """

    model: keras.Model
    details: dict[str, Any]
    images: np.ndarray
    depth: np.ndarray
    calibration: np.ndarray | None
    truth: list[np.ndarray] | None = None
    ratio: Ratio | None = None


@dataclass(frozen=True)
class Written:
    """An exported network.

    Attributes:
        folder: where it is.
        details: what its export.json says.
        parity: how far it is from the Keras model.
        before: the version that servers have loaded until now; None: this is the first.
    """

    folder: Path
    details: dict[str, Any]
    parity: Parity
    before: Path | None


@dataclass(frozen=True)
class _Artifact:
    """A folder to be written.

    Attributes:
        folder: of its versions.
        precision: what it computes in.
        write: writes into an empty folder; returns more for export.json.
    """

    folder: Path
    precision: str
    write: Callable[[Path], dict[str, Any] | None]


def export(request: Request) -> list[Written]:
    """Exports a network.

    Returns:
        Each folder that was written; a server may load the first.

    Raises:
        InputError: the network cannot be exported so, or what was written differs from the Keras
            model; then nothing is left behind.
    """
    return write(prepare(request), request)


def prepare(request: Request) -> Prepared:
    """Builds what is exported, and computes the depth that it must return.

    Raises:
        InputError: the network cannot be exported so.
    """
    model = loading.load_model(request.run)
    encoding = request.encoding or encoding_of(model)
    focal_baseline = _find_focal_baseline(request, encoding)
    own = tuple(model.inputs[0].shape[1:3])
    size = request.size or own
    source = loading.resolve(request.run)
    fit = request.fit or source.run_folder.fit()
    taken = camera.find_camera(request, place(size, own, fit))
    calibration, truth = None, None
    if request.calibration:
        calibration, truth = calibration_images.read(request.calibration, size, fit)
    float32 = network.to_float32(model)
    exported = network.build(
        float32,
        encoding,
        focal_baseline=focal_baseline,
        size=size,
        batch=request.batch,
        dtype=request.dtype,
        output_size=request.output_size,
        matmul=request.resize == "matmul",
        fit=fit,
        scale=taken.scale,
        shift=taken.shift,
    )
    rooms = parity.render_images(size, request.batch or _COMPARED)
    return Prepared(
        exported,
        {
            **export_json.describe_tensors(exported, request),
            "model": export_json.describe_model(model, request, encoding, focal_baseline),
            "fit": fit,
            **taken.describe(),
            "canonical": source.canonical,
            "resize": request.resize,
            "versions": export_json.versions(),
        },
        _to_input(rooms, request.dtype),
        parity.compute_reference(
            float32,
            encoding,
            focal_baseline,
            rooms,
            request.output_size,
            scale=taken.scale,
            shift=taken.shift,
            fit=fit,
        ),
        None if calibration is None else _to_input(calibration, request.dtype),
        truth,
        taken.ratio,
    )


def write(prepared: Prepared, request: Request) -> list[Written]:
    """Writes a prepared network in its format, and checks it in a fresh process.

    Returns, and raises, what `export` does.
    """
    artifacts = _list_artifacts(prepared, request)
    version = str(next_version(request.format, [artifact.folder for artifact in artifacts]))
    written = []
    with ExitStack() as stack:  # all of them or none
        for artifact in artifacts:
            target, before = artifact.folder / version, find_version(artifact.folder)
            folder = stack.enter_context(replacing_folder(target))
            with _naming(target):
                details = _write_files(artifact, folder, prepared, request)
            compared = _check(folder, details, prepared, request)
            written.append(Written(target, details, compared, before))
    return written


def describe(written: Written) -> str:
    """Describes what was written and how far it is from the Keras model, an aspect a line."""
    details = written.details
    image, depth, latency = details["input"], details["output"], details["latency"]
    files = details["files"].items()
    size = sum(file["bytes"] for name, file in files if name not in details["kit"].values())
    lines = {
        "written": f"{written.folder}: {details['format']}, {details['precision']},"
        f" {size / 1e6:.1f} MB",
        **_describe_version(written),
        "in": f"{image['name']}: {image['dtype']} {_shape(image)}, {image['units']}",
        "out": f"{depth['name']}: {depth['dtype']} {_shape(depth)}, {depth['units']}",
        "difference": str(written.parity),
        "time": f"{latency['milliseconds']:.1f} ms a call here, batch {latency['batch']}; peak"
        f" memory {latency['peak_memory'] / 1e6:,.0f} MB",
    }
    if "transposes" in details:
        lines["graph"] = (
            f"{details['nodes']} nodes of opset {details['opset']}, {details['transposes']} of them"
            " Transpose"
        )
    if "quantization" in details:
        lines["8 bits"] = str(Choice(**details["quantization"]))
    return "\n".join(f"{name:<12}{text}" for name, text in lines.items())


def _describe_version(written: Written) -> dict[str, str]:
    """Says which of several versions counts; nothing of the first."""
    if not written.before:
        return {}
    other = read_details(written.before)["precision"]
    return {
        "version": f"{written.folder.name}; a server loads it, the highest, instead of"
        f" {written.before.name} ({other})"
    }


def _shape(tensor: dict[str, Any]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in tensor["shape"]) + ")"


def _find_focal_baseline(request: Request, encoding: str) -> float | None:
    if not ENCODINGS[encoding].stereo:
        if request.focal_baseline is not None:
            raise InputError(
                f"{request.run}: the network writes no disparity; leave out --focal-baseline"
            )
        return None
    found = request.focal_baseline or loading.resolve(request.run).run_folder.focal_baseline()
    if found is None:
        raise InputError(
            f"{request.run}: the network writes disparity, and there is no camera.json beside it to"
            " convert it to metres; give --focal-baseline, the focal length in pixels of images of"
            " the network's size times the baseline in metres"
        )
    return found


def _to_input(pixels: np.ndarray, dtype: str) -> np.ndarray:
    return pixels if dtype == "uint8" else images.to_float32(pixels)


def _list_artifacts(prepared: Prepared, request: Request) -> list[_Artifact]:
    """Lists the folders that a format consists of; a server may load the first."""
    model, output, precision = prepared.model, request.output, request.precision
    folder = output / model.name
    if request.format == "saved_model":
        frozen = partial(saved_model.write_frozen, model)
        return [
            _Artifact(folder, precision, partial(saved_model.write, model)),
            _Artifact(output / "frozen" / model.name, precision, frozen),
        ]
    if request.format == "litert":
        calibration = prepared.calibration
        as_litert = partial(litert.write, model, precision=precision, calibration=calibration)
        return [_Artifact(folder, precision, as_litert)]
    if request.format == "tftrt":  # the board converts it to the precision
        return [_Artifact(folder, "fp32", partial(_write_tftrt, prepared))]
    as_onnx = partial(onnx.write, model, opset=request.opset, layout=request.layout)
    if precision == "int8":
        as_int8 = partial(as_onnx, precision="int8", quantize=partial(_quantize, prepared, request))
        return [_Artifact(folder, "int8", as_int8)]
    if request.format == "onnx":
        return [_Artifact(folder, precision, partial(as_onnx, precision=precision))]
    artifacts = [_Artifact(folder, "fp32", as_onnx)]
    if precision == "fp16":
        as_fp16 = partial(as_onnx, precision="fp16")
        artifacts.append(_Artifact(output / "fp16" / model.name, "fp16", as_fp16))
    return artifacts


def _quantize(prepared: Prepared, request: Request, proto: Any) -> tuple[Any, Choice]:
    pictures = prepared.calibration
    assert pictures is not None, "a request for int8 names a folder"
    if request.layout == "NCHW":
        pictures = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    budget = request.budget or BUDGET
    return quantize_budget.quantize(proto, request.format, pictures, prepared.truth, budget)


def _write_tftrt(prepared: Prepared, folder: Path) -> None:
    """Writes what a board converts: the frozen SavedModel, and tftrt.py."""
    saved_model.write_frozen(prepared.model, folder / "saved_model")
    shutil.copy(tftrt.__file__, folder / "tftrt.py")


def _write_files(
    artifact: _Artifact, folder: Path, prepared: Prepared, request: Request
) -> dict[str, Any]:
    """Writes an artifact into a folder; returns its export.json, which a fresh process reads."""
    details = {"format": request.format, "precision": artifact.precision, **prepared.details}
    details |= artifact.write(folder) or {}
    calibration = prepared.calibration if request.format == "tftrt" else None
    details["kit"] = kit.write(folder, prepared.images, prepared.depth, calibration)
    details["files"] = export_json.describe_files(folder)
    export_json.write(folder, details)
    return details


def _check(folder: Path, details: dict[str, Any], prepared: Prepared, request: Request) -> Parity:
    """Compares what was written with the Keras model, and completes its export.json."""
    run = parity.run_alone(folder, prepared.images)
    compared = parity.compare(prepared.depth, run.depth, details["precision"], request.limit)
    if not compared.passed:
        raise InputError(
            f"{request.output}: the {request.format} in {details['precision']} differs from the"
            f" Keras model and was not kept: {compared}. Give --limit a larger difference to accept"
            " it"
        )
    details["parity"] = asdict(compared)
    details["latency"] = {
        "batch": request.batch or 1,
        "milliseconds": run.milliseconds,
        "peak_memory": run.peak_memory,
    }
    export_json.write(folder, details)
    return compared


def next_version(format: str, folders: list[Path]) -> int:
    """Returns a number that none of the folders has yet.

    Raises:
        InputError: a folder has a version of another format, which one server cannot load.
    """
    numbers = [0]
    for version in (version for folder in folders for version in folder.glob("*/")):
        if not version.name.isdecimal():
            continue
        numbers.append(int(version.name))
        if not (version / DETAILS).is_file():
            continue
        other = read_details(version)["format"]
        if other != format:
            raise InputError(
                f"{version}: contains {other}, and a server loads the highest version whatever its"
                " format; give each format its own --output"
            )
    return max(numbers) + 1


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yields an empty folder that is renamed to `target` at the end: a server may be watching."""
    make_folder(target.parent)
    with _naming(target):
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        folder.chmod(0o755)  # another user may serve it
        yield folder
        with _naming(target):
            os.rename(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Says which folder could not be written, whatever library was writing into it."""
    try:
        yield
    except OSError as error:
        raise cannot_write(target, error) from error
    except tf.errors.OpError as error:
        if reason := _system_error(error):
            raise cannot_write(target, reason) from error
        raise


def _system_error(error: tf.errors.OpError) -> OSError | None:
    """Returns the operating system's error; of that, TensorFlow's keeps the words alone."""
    codes = (code for code in errno.errorcode if os.strerror(code) in error.message)
    return next((OSError(code, os.strerror(code)) for code in codes), None)
