"""Finds the camera that an exported network's metres are right for."""

from pathlib import Path
from typing import Any, NamedTuple

from keras_depth.errors import InputError
from keras_depth.export.request import Request
from keras_depth.letterbox import Placement
from keras_depth.predict import calibration, loading
from keras_depth.predict.camera import Ratio, compare, find_intrinsics


class ExportCamera(NamedTuple):
    """Holds a camera, and what it does to the network's metres.

    focal_length: (fx, fy) in pixels of the images that come in; None: not known.
    ratio: of the network's metres to those of this camera; None: it is the network's own camera.
    """

    focal_length: tuple[float, float] | None
    ratio: Ratio | None = None

    @property
    def scale(self) -> float:
        """What metres are multiplied by in the graph."""
        return self.ratio.value if self.ratio else 1.0

    def describe(self) -> dict[str, Any] | None:
        """Returns the entry `camera` of export.json."""
        return self.focal_length and {"focal_length": list(self.focal_length)}


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
    own, calibrated = source.run_folder, calibration.read(source)
    known = calibrated.focal_length if calibrated else own.focal_length()
    if request.intrinsics is None and request.fov is None:
        if known is None:
            return ExportCamera(None)
        return ExportCamera((known[0] / placement.scale_x, known[1] / placement.scale_y))
    if known is None:
        raise InputError(
            f"{request.run}: for which camera its metres are right is not known"
            f" ({_describe_file(own.camera_file)}), so they cannot be scaled to yours; leave out"
            " --intrinsics and --fov"
        )
    try:
        given = find_intrinsics(placement.size, request.intrinsics, request.fov)
    except InputError as error:
        height, width = placement.size
        raise InputError(
            f"{error}: of images of {height}x{width}, or give --size HxW, the size of yours"
        ) from error
    return ExportCamera((given.fx, given.fy), compare(placement, given, known))


def _describe_file(file: Path) -> str:
    return f"{file} names none" if file.is_file() else f"there is no {file}"
