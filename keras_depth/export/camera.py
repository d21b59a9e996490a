"""Finds the camera that an exported network's metres are right for."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from keras_depth.errors import InputError
from keras_depth.export.request import Request
from keras_depth.letterbox import Placement
from keras_depth.predict import calibration, loading
from keras_depth.predict.calibration import Calibration, describe_camera
from keras_depth.predict.camera import Ratio, compare, find_intrinsics


class ExportCamera(NamedTuple):
    """Holds a camera, and what it does to the network's metres.

    focal_length: (fx, fy) in pixels of the images that come in; None: not known.
    ratio: of the network's metres to those of this camera; None: it is the network's own camera.
    calibration: of the run, see `predict/calibration.py`.
    """

    focal_length: tuple[float, float] | None
    ratio: Ratio | None = None
    calibration: Calibration = Calibration()

    @property
    def _ratio(self) -> float:
        return self.ratio.value if self.ratio else 1.0

    @property
    def scale(self) -> float:
        """What metres are multiplied by in the graph."""
        return self._ratio * self.calibration.scale

    @property
    def shift(self) -> float:
        """What is then added to them, metres."""
        return self._ratio * self.calibration.shift

    def describe(self) -> dict[str, Any]:
        """Returns the entry `camera` of export.json and, of a calibrated run, `calibration`."""
        entries: dict[str, Any] = {"camera": describe_camera(self.focal_length)}
        if self.calibration.measures:
            calibration = dataclasses.replace(self.calibration, shift=self.shift)
            entries["calibration"] = calibration.describe()
        return entries


def find_camera(request: Request, placement: Placement) -> ExportCamera:
    """Returns the camera that a request names; else that of the network's training.

    Args:
        request: its intrinsics are those of images of the exported network's input size.
        placement: where these images lie in the trained network's input.

    Raises:
        InputError: the network's camera is not known, so nothing can be scaled from it; or the
            intrinsics are those of images of another size.
    """
    source = loading.resolve(request.run)
    own, stored = source.run_folder, calibration.read(source.model_file)
    known = stored.focal_length if stored else own.focal_length()
    calibrated, trained = stored or Calibration(), own.focal_baseline()
    if known and request.focal_baseline and trained:  # metres of another focal length
        ratio = request.focal_baseline / trained
        known = known[0] * ratio, known[1] * ratio
    if request.intrinsics is None and request.fov is None:
        if known is None:
            return ExportCamera(None, calibration=calibrated)
        focal_length = known[0] / placement.scale_x, known[1] / placement.scale_y
        return ExportCamera(focal_length, calibration=calibrated)
    if known is None:
        file = own.path / calibration.FILE if stored else own.camera_file
        raise InputError(
            f"{request.run}: for which camera its metres are right is not known"
            f" ({_describe_file(file)}), so they cannot be scaled to yours; leave out"
            " --intrinsics and --fov"
        )
    try:
        given = find_intrinsics(placement.size, request.intrinsics, request.fov)
    except InputError as error:
        height, width = placement.size
        raise InputError(
            f"{error}: of images of {height}x{width}, or give --size HxW, the size of yours"
        ) from error
    return ExportCamera((given.fx, given.fy), compare(placement, given, known), calibrated)


def _describe_file(file: Path) -> str:
    return f"{file} names none" if file.is_file() else f"there is no {file}"
