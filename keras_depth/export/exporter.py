"""From a trained network to a folder that a server or a board loads, proven equal on the way."""

import hashlib
import json
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

from keras_depth import images, models
from keras_depth.encodings import ENCODINGS
from keras_depth.environment import environment
from keras_depth.errors import InputError
from keras_depth.export import litert, network, onnx, parity, saved_model, tftrt
from keras_depth.files import write_text
from keras_depth.predict import image_sources
from keras_depth.predict.estimator import encoding_of, load_model, model_file
from keras_depth.predict.exported import DETAILS, read_details
from keras_depth.run_folder import RunFolder

_PICTURES = 3  # compared, or as many as go through a fixed batch
_CALIBRATION = 200  # pictures that 8-bit scales are taken from


@dataclass(frozen=True)
class Request:
    """What is to be exported, and how.

    Attributes:
        run: a run folder or a `.keras` file.
        format: "saved_model", "onnx", "litert", "tftrt" or "tensorrt".
        output: folder; the network's versions go into `output/<name>/1`, 2 ...
        size: (height, width) of the pictures that come in; None: the network's own.
        batch: pictures at once; None: any number.
        dtype: of the pictures, "uint8" or "float32" in [0, 1].
        output_size: "network" or "input": the size of the depth.
        precision: "fp32", "fp16" or "int8".
        products: bilinear resizing as matrix products.
        layout: of ONNX's input.
        opset: of ONNX.
        calibration: folder of pictures that 8-bit scales are taken from.
        limit: accepted difference; None: the precision's.
        encoding: how the network writes depth; None: as its architecture does.
        focal_baseline: of a disparity, at the network's size; None: of its training.
    """

    run: Path
    format: str
    output: Path
    size: tuple[int, int] | None = None
    batch: int | None = None
    dtype: str = "uint8"
    output_size: str = "network"
    precision: str = "fp32"
    products: bool = False
    layout: str = "NHWC"
    opset: int = 13
    calibration: Path | None = None
    limit: float | None = None
    encoding: str | None = None
    focal_baseline: float | None = None


@dataclass(frozen=True)
class Prepared:
    """A network ready to be written, with what it must answer."""

    model: keras.Model
    details: dict[str, Any]
    images: np.ndarray
    depth: np.ndarray
    calibration: np.ndarray | None


@dataclass(frozen=True)
class Artefact:
    """One folder that is written and checked.

    Attributes:
        folder: of its versions.
        format: that of `runtimes.MODEL_FILES` it is.
        precision: what it computes in.
        write: takes a folder that is there and empty; returns more for `export.json`.
    """

    folder: Path
    format: str
    precision: str
    write: Callable[[Path], dict[str, Any] | None]


Written = list[tuple[Path, dict[str, Any]]]  # folders, with the `export.json` of each


def export(request: Request) -> Written:
    """Exports a network.

    Returns:
        The folders that were written, and the `export.json` of each.

    Raises:
        InputError: it cannot be exported so, or what was written is not the Keras model; then
            nothing is left behind.
    """
    return write(prepare(request), request)


def prepare(request: Request) -> Prepared:
    """Builds what is to be written, and computes what it must answer.

    Raises:
        InputError: it cannot be exported so.
    """
    model = load_model(request.run)
    encoding = request.encoding or encoding_of(model)
    focal_baseline = _focal_baseline(request, encoding)
    calibration = _calibration(request, model) if request.precision == "int8" else None
    source = network.in_float32(model)
    deployed = network.deployed(
        source,
        encoding,
        focal_baseline,
        request.size,
        request.batch,
        request.dtype,
        request.output_size,
        request.products,
    )
    images = parity.pictures(deployed.inputs[0].shape[1:3], request.batch or _PICTURES)
    depth = parity.reference(source, encoding, focal_baseline, images, request.output_size)
    details = _details(request, model, deployed, encoding, focal_baseline)
    images = _as_input(images, request.dtype)
    return Prepared(deployed, details, images, depth, calibration)


def write(prepared: Prepared, request: Request) -> Written:
    """Writes a prepared network in its format, and compares it, in a fresh process.

    Returns, and raises, what `export` does.
    """
    artefacts = _artefacts(prepared, request)
    version = str(_next_version(artefacts))
    written = []
    with ExitStack() as stack:  # all of them or none
        for artefact in artefacts:
            target = artefact.folder / version
            folder = stack.enter_context(_published(target))
            written.append((target, _write_one(prepared, request, artefact, folder)))
    return written


def _artefacts(prepared: Prepared, request: Request) -> list[Artefact]:
    """Returns what a format is made of; a server may be pointed at the first folder."""
    model, output, name = prepared.model, request.output, prepared.model.name
    format, precision = request.format, request.precision
    if format == "saved_model":
        return [
            Artefact(output / name, format, precision, partial(saved_model.write, model)),
            Artefact(
                output / "frozen" / name,
                format,
                precision,
                partial(saved_model.write_frozen, model),
            ),
        ]
    if format == "litert":
        calibration = prepared.calibration
        write = partial(litert.write, model, precision=precision, calibration=calibration)
        return [Artefact(output / name, format, precision, write)]
    if format == "tftrt":  # precision is what its engines are to have
        return [Artefact(output / name, format, "fp32", partial(_write_kit, prepared))]
    folders = {precision: output / name}
    if format == "tensorrt":
        folders = {"fp32": output / name}
        if precision == "fp16":
            folders["fp16"] = output / "fp16" / name
    as_onnx = partial(onnx.write, model, opset=request.opset, layout=request.layout)
    return [
        Artefact(folder, format, computed, partial(as_onnx, precision=computed))
        for computed, folder in folders.items()
    ]


def _write_kit(prepared: Prepared, folder: Path) -> None:
    """Writes what goes to the board: the frozen SavedModel, tftrt.py, and what to compare with."""
    saved_model.write_frozen(prepared.model, folder / "saved_model")
    shutil.copy(tftrt.__file__, folder / "tftrt.py")
    arrays: dict[str, Any] = {"image": prepared.images, "depth": prepared.depth}
    if prepared.calibration is not None:
        arrays["calibration"] = prepared.calibration
    np.savez_compressed(folder / "pictures.npz", **arrays)


def _write_one(prepared, request, artefact, folder) -> dict[str, Any]:
    found = artefact.write(folder) or {}
    details = {
        "format": artefact.format,
        "precision": artefact.precision,
        **prepared.details,
        **found,
        "files": _files(folder),
    }
    write_details(folder, details)  # the fresh process reads it
    measured = parity.run_alone(folder, prepared.images)
    result = parity.compare(prepared.depth, measured["depth"], artefact.precision, request.limit)
    if not result.holds:
        raise InputError(
            f"{request.output}: what was written in {artefact.precision} as {artefact.format} is"
            f" not the Keras model, and was not kept: difference {result}. --limit accepts a larger"
            " one"
        )
    details["parity"] = asdict(result)
    details["latency"] = {
        "batch": request.batch or 1,
        "milliseconds": float(measured["milliseconds"]),
        "peak_memory": int(measured["memory"]),
    }
    write_details(folder, details)
    return details


def _focal_baseline(request: Request, encoding: str) -> float | None:
    if not ENCODINGS[encoding].stereo:
        if request.focal_baseline is not None:
            raise InputError(
                f"{request.run}: the network writes no disparity; leave out --focal-baseline"
            )
        return None
    found = request.focal_baseline or RunFolder(model_file(request.run).parent).focal_baseline()
    if found is None:
        raise InputError(
            f"{request.run}: the network writes disparity, and no camera.json beside it says what"
            " it comes to in metres: give --focal-baseline, the focal length in pixels of pictures"
            " of the network's size times the baseline in metres"
        )
    return found


def _calibration(request: Request, model: keras.Model) -> np.ndarray:
    """Reads the pictures that 8-bit scales are taken from, as the network takes them."""
    folder = request.calibration
    if folder is None:
        raise InputError(
            "--precision int8 takes its scales from pictures: give --calibration a folder of those"
            " that the network will see"
        )
    every = [source for source in image_sources.find([str(folder)]) if not source.moves]
    found = [source.origin for source in every if isinstance(source.origin, Path)]
    if not found:
        raise InputError(f"{folder}: no still picture; 8-bit scales are taken from some")
    size = request.size or tuple(model.inputs[0].shape[1:3])
    step = -(-len(found) // _CALIBRATION)
    pictures = [images.resize(images.read(path), size) for path in found[::step]]
    return _as_input(np.stack(pictures), request.dtype)


def _as_input(images: np.ndarray, dtype: str) -> np.ndarray:
    return images if dtype == "uint8" else (images / 255).astype(np.float32)


def _details(request, model, deployed, encoding, focal_baseline) -> dict[str, Any]:
    """Returns what `export.json` says before anything is written."""
    image, depth = deployed.inputs[0], deployed.outputs[0]
    shape = list(image.shape)
    if request.layout == "NCHW":
        shape.insert(1, shape.pop())
    architecture = models.of(model)
    packages = environment()["packages"]
    return {
        "name": model.name,
        "input": {
            "name": "image",
            "dtype": request.dtype,
            "shape": shape,
            "layout": request.layout,
            "units": network.INPUTS[request.dtype],
        },
        "output": {
            "name": "depth",
            "dtype": "float32",
            "shape": list(depth.shape),
            "units": "metres",
        },
        "network": {
            "architecture": architecture.name if architecture else None,
            "size": list(model.inputs[0].shape[1:3]),
            "parameters": model.count_params(),
            "encoding": encoding,
            "focal_baseline": focal_baseline,
            "sha256": _sha256(model_file(request.run)),
        },
        "products": request.products,
        "versions": {"python": environment()["python"], **packages},
    }


def _next_version(artefacts: list[Artefact]) -> int:
    """Returns a number that none of their folders has yet.

    Raises:
        InputError: what is in one of them is of another format, which one server cannot load.
    """
    numbers = [0]
    for artefact in artefacts:
        for version in artefact.folder.glob("*/"):
            if not version.name.isdecimal():
                continue
            numbers.append(int(version.name))
            there = read_details(version)["format"] if (version / DETAILS).is_file() else None
            if there not in (None, artefact.format):
                raise InputError(
                    f"{version}: is a {there}, and a server loads the highest version whatever it"
                    " is; give each format an --output of its own"
                )
    return max(numbers) + 1


@contextmanager
def _published(target: Path) -> Iterator[Path]:
    """Yields a folder that becomes `target` once it is complete: a server may be watching."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"{target.parent}: cannot be written ({error.strerror}); give --output another folder"
        ) from error
    try:
        folder.chmod(0o755)  # others may serve it
        yield folder
        os.rename(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_details(folder: Path, details: dict[str, Any]) -> None:
    """Writes `export.json`, whole."""
    write_text(folder / DETAILS, json.dumps(details, indent=2) + "\n")


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": _sha256(path),
        }
        for path in files
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
