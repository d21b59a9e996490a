"""Computes the network's own depth where it was measured: in boxes of pictures, or RGB-D frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_depth import images
from keras_depth.calibrate.boxes import Box
from keras_depth.calibrate.fitting import Measure
from keras_depth.data.reader import Reader, Sample, spread
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics, measured
from keras_depth.predict.camera import find_intrinsics
from keras_depth.predict.estimator import DepthEstimator

_FRAMES = 50  # of a longer recording, evenly spread
_CELLS = 4, 6  # rows and columns that a frame is divided into: near and far, each counts the same
_FILLED = 0.25  # part of a cell whose depth must be measured


def measure_boxes(estimator: DepthEstimator, boxes: Sequence[Box]) -> list[Measure]:
    """Computes the network's depth in each box: the median.

    Raises:
        InputError: a picture cannot be read, a box is outside its picture, or has no depth.
    """
    pictures = {box.picture: images.read(box.picture) for box in boxes}
    for box in boxes:  # before the network takes its time
        _check_inside(box, pictures[box.picture].shape[:2])
    depth = {path: _own_depth(estimator, picture) for path, picture in pictures.items()}
    return [_measure_box(box, depth[box.picture]) for box in boxes]


def _own_depth(estimator: DepthEstimator, picture: np.ndarray) -> np.ndarray:
    """Returns the network's depth without its calibration, which the new one will replace."""
    return estimator.calibration.undo(estimator(picture))


def _check_inside(box: Box, size: tuple[int, int]) -> None:
    (x0, y0, x1, y1), (height, width) = box.pixels, size
    if not (x0 < x1 <= width and y0 < y1 <= height):
        raise InputError(
            f"{box.picture}: the box {x0},{y0},{x1},{y1} is not in the picture, which is"
            f" {width}x{height} pixels; give X0,Y0,X1,Y1 within it, from the top left corner to the"
            " bottom right one"
        )


def _measure_box(box: Box, depth: np.ndarray) -> Measure:
    x0, y0, x1, y1 = box.pixels
    part = depth[y0:y1, x0:x1]
    if not (known := measured(part)).any():
        raise InputError(
            f"{box.picture}: the network has no depth in the box {x0},{y0},{x1},{y1}; choose"
            " another place"
        )
    network = np.median(part[known], keepdims=True)
    return Measure(box.name, np.array([box.metres]), network, depth.shape)


def measure_frames(estimator: DepthEstimator, reader: Reader) -> list[Measure]:
    """Computes the network's depth of RGB-D frames: the medians of parts of each.

    Raises:
        InputError: a frame cannot be read, or has hardly any depth.
    """
    if not reader.measured:
        raise InputError(f"{reader.description}: no depth; give frames with depth beside them")
    indices = spread(len(reader), _FRAMES)
    return [_measure_frame(estimator, reader.stored(i), reader.name(i)) for i in indices]


def _measure_frame(estimator: DepthEstimator, sample: Sample, name: str) -> Measure:
    truth = sample["depth"]
    depth = _own_depth(estimator, sample["image"])
    pairs = [
        (np.median(truth[cell][known]), np.median(depth[cell][known]))
        for cell in _cells(truth.shape)
        if (known := measured(truth[cell]) & measured(depth[cell])).mean() >= _FILLED
    ]
    if not pairs:
        raise InputError(f"{name}: hardly any depth was measured; leave this frame out")
    metres, network = np.array(pairs, np.float64).T
    return Measure(Path(name).name, metres, network, truth.shape)


def _cells(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Yields the parts of a map of this shape."""
    rows, columns = (
        np.linspace(0, side, count + 1).astype(int)
        for side, count in zip(shape, _CELLS, strict=True)
    )
    for top, bottom in zip(rows, rows[1:], strict=False):
        for left, right in zip(columns, columns[1:], strict=False):
            yield slice(top, bottom), slice(left, right)


def find_focal_length(
    estimator: DepthEstimator,
    sizes: set[tuple[int, ...]],
    intrinsics: Intrinsics | None,
    fov: float | None,
) -> tuple[float, float] | None:
    """Returns the focal length of the camera in pixels of the network's input; None: not given.

    Args:
        estimator: the network.
        sizes: (height, width) of the pictures.
        intrinsics, fov: of the camera, one of both or none.

    Raises:
        InputError: pictures of several sizes, or intrinsics of another size.
    """
    if intrinsics is None and fov is None:
        return None
    if len(sizes) > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise InputError(
            f"pictures of {shown} are not of one camera; give pictures of one size, or leave out"
            " --intrinsics and --fov"
        )
    ((height, width),) = sizes
    size = (height, width)
    given = find_intrinsics(size, intrinsics, fov)
    return estimator.place(size).scale_focal_length((given.fx, given.fy))
