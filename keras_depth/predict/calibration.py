"""The calibration of a trained network: scale and shift to the metres of a camera.

`python -m keras_depth.calibrate` writes it: into `calibration.json` of a run folder, which
`DepthEstimator.load` and the export apply; or into a new version of an exported network, whose
export.json tells what its graph does already.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth.errors import InputError, is_number
from keras_depth.files import read_json, sha256, write_text

FILE = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """What a network's metres become: scale * metres + shift, 0 or more; none stays 0.

    Attributes:
        scale: above 0.
        shift: metres.
        focal_length: of the camera that the measures were made with, (x, y) in pixels of images of
            the network's input size; None: it is not known.
        measures: how many there were.
        residuals: mean relative errors, by name.
    """

    scale: float = 1.0
    shift: float = 0.0
    focal_length: tuple[float, float] | None = None
    measures: int = 0
    residuals: Mapping[str, float] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Returns the entry `calibration` of export.json."""
        names = ("scale", "shift", "measures", "residuals")
        return {name: getattr(self, name) for name in names}

    def undo(self, depth: np.ndarray) -> np.ndarray:
        """Returns the network's own metres, of depth that this calibration was applied to."""
        return np.where(depth > 0, (depth - self.shift) / self.scale, 0).astype(np.float32)


def describe_camera(focal_length: tuple[float, float] | None) -> dict[str, Any] | None:
    """Returns the entry `camera` of the files."""
    return focal_length and {"focal_length": list(focal_length)}


def read(model_file: Path) -> Calibration | None:
    """Reads the calibration of a run's `model.keras`, beside it; None: it was not calibrated.

    Raises:
        InputError: the file is damaged, or of another model.keras than the one that is there.
    """
    file = model_file.parent / FILE
    if model_file.name != "model.keras" or not file.is_file():
        return None
    stored = read_json(file)
    calibration = parse(stored, file)
    if stored.get("model") != sha256(model_file):
        raise InputError(
            f"{file}: of another {model_file.name} than the one beside it; delete it, and"
            " calibrate again"
        )
    camera = stored.get("camera")
    return replace(calibration, focal_length=camera and tuple(camera["focal_length"]))


def write(model_file: Path, calibration: Calibration) -> Path:
    """Writes the calibration of a run's `model.keras`, in the place of a former one.

    Returns:
        The file.
    """
    file = model_file.parent / FILE
    content = {
        **calibration.describe(),
        "camera": describe_camera(calibration.focal_length),
        "model": sha256(model_file),
    }
    write_text(file, json.dumps(content, indent=2) + "\n")
    return file


def parse(stored: Any, file: Path) -> Calibration:
    """Returns the calibration in the entry `calibration` of an export.json, or in a file.

    Raises:
        InputError: it is damaged.
    """
    entry = stored if isinstance(stored, dict) else {}
    scale, shift = entry.get("scale"), entry.get("shift")
    if not (is_number(scale) and scale > 0 and is_number(shift)):
        raise InputError(f"{file}: its calibration is damaged; restore it, or calibrate again")
    return Calibration(scale, shift, None, entry.get("measures", 0), entry.get("residuals", {}))
