"""Writes a calibrated network as the next version of an exported one, and checks it."""

import dataclasses
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from keras_depth.calibrate import graphs
from keras_depth.encodings import calibrate
from keras_depth.errors import InputError
from keras_depth.export import export_json, parity, tensorrt
from keras_depth.export.exporter import next_version, replacing_folder
from keras_depth.files import write_text
from keras_depth.images import to_float32
from keras_depth.predict.calibration import Calibration, describe_camera
from keras_depth.predict.exported import DETAILS, Exported, read_details

_BESIDE = ("frozen", "fp16")  # OUTPUT/frozen/name: the same network, in another form
_COMPARED = 3  # pictures, where the batch is not fixed
_BUILD = "BUILD.txt"


def write(folder: Path, calibration: Calibration) -> list[Path]:
    """Writes the next version of an exported network, whole or not at all.

    What an export wrote beside it, frozen or in half precision, gets the same version. Each one is
    run in a fresh process, and compared with the calibrated depth of the version it is made from.

    Args:
        folder: of the version that was calibrated, OUTPUT/name/version.
        calibration: of the network's own metres; it replaces that of the version.

    Returns:
        The folders, that of the network first.

    Raises:
        InputError: a version cannot be written, or computes something else.
    """
    folder = folder.resolve()
    name, version = folder.parent.name, folder.name
    if not version.isdecimal():
        raise InputError(
            f"{folder}: its next version has no place; move it to NAME/1, as an export writes it"
        )
    beside = [folder.parents[1] / kind / name / version for kind in _BESIDE]
    old = [folder, *(each for each in beside if (each / DETAILS).is_file())]
    kind = read_details(folder)["format"]
    number = str(next_version(kind, [each.parent for each in old]))
    new = [each.parent / number for each in old]
    with ExitStack() as stack:  # all of them or none
        for before, after in zip(old, new, strict=True):
            _write(before, stack.enter_context(replacing_folder(after)), calibration)
    if kind == "tensorrt":
        half = new[1] if len(new) > 1 else None
        text = tensorrt.build_instructions(new[0], half)
        write_text(new[0] / _BUILD, text + "\n")
    return new


def _write(old: Path, new: Path, calibration: Calibration) -> None:
    """Writes one version into an empty folder, and checks it."""
    exported = Exported(old)
    scale, shift = _compose(exported.calibration, calibration)
    details = dict(exported.details)
    for stale in ("engine", "nodes", "transposes"):
        details.pop(stale, None)
    details |= graphs.edit(details["format"], old, new, scale, shift)
    _copy_files(details, old, new)
    if kit := details.get("kit"):
        _calibrate_check(old / kit["check"], new / kit["check"], scale, shift)
    details["camera"] = describe_camera(calibration.focal_length)
    details["calibration"] = calibration.describe()
    details["files"] = export_json.describe_files(new)
    export_json.write(new, details)
    _check(exported, new, details, scale, shift)


def _compose(former: Calibration, calibration: Calibration) -> tuple[float, float]:
    """Returns scale and shift from the former version's metres to the new ones."""
    scale = calibration.scale / former.scale
    return scale, calibration.shift - scale * former.shift


def _copy_files(details: dict[str, Any], old: Path, new: Path) -> None:
    """Copies the files of an export that its graph is not in; engines are of the old graph."""
    for name in details["files"]:
        if not graphs.is_graph(details["format"], name):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old / name, new / name)


def _calibrate_check(old: Path, new: Path, scale: float, shift: float) -> None:
    """Writes the file by which run.py checks itself, its depth calibrated."""
    with np.load(old) as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["depth"] = _calibrate(arrays["depth"], scale, shift)
    np.savez_compressed(new, **arrays)


def _calibrate(depth: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return ops.convert_to_numpy(calibrate(depth, scale, shift))


def _check(
    exported: Exported, new: Path, details: dict[str, Any], scale: float, shift: float
) -> None:
    """Compares a new version with the calibrated depth of the old one; completes export.json.

    Raises:
        InputError: they differ.
    """
    batch = exported.batch or _COMPARED
    rooms = parity.render_images(exported.input_size, batch)
    rooms = rooms if exported.dtype == "uint8" else to_float32(rooms)
    expected = _calibrate(exported(rooms), scale, shift)
    run = parity.run_alone(new, rooms)
    compared = parity.compare(expected, run.depth, details["precision"])
    if not compared.passed:
        raise InputError(
            f"{exported.folder}: its calibrated version differs from its calibrated depth and was"
            f" not kept: {compared}; calibrate the run, and export it again"
        )
    details["calibration"]["parity"] = dataclasses.asdict(compared)
    details["latency"] |= {"milliseconds": run.milliseconds, "peak_memory": run.peak_memory}
    export_json.write(new, details)
