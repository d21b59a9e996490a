"""Pinhole cameras, points in space, and PLY files."""

import argparse
import math
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_depth import command
from keras_depth.errors import InputError
from keras_depth.files import write_bytes


class Intrinsics(NamedTuple):
    """A pinhole camera, in pixels of its image; (0, 0) is the center of the top left pixel."""

    fx: float
    fy: float
    cx: float
    cy: float


def parse_intrinsics(text: str) -> Intrinsics:
    """Parses an argument FX,FY,CX,CY; a type for argparse."""
    intrinsics = Intrinsics(*command.numbers(text, 4))
    if intrinsics.fx <= 0 or intrinsics.fy <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: FX and FY are pixels, above 0")
    return intrinsics


NYU = Intrinsics(518.858, 519.470, 325.582, 253.736)  # the Kinect's color camera at 640x480


def parse_field_of_view(text: str) -> float:
    """Parses an argument DEGREES; a type for argparse."""
    degrees = command.positive(text)
    if degrees >= 180:
        raise argparse.ArgumentTypeError(f"{text!r}: a field of view is below 180 degrees")
    return degrees


def from_field_of_view(degrees: float, size: tuple[int, int]) -> Intrinsics:
    """Returns the intrinsics of a camera of square pixels, centered in its image.

    Args:
        degrees: the horizontal field of view.
        size: (height, width) of the image.

    Raises:
        InputError: it is no angle between 0 and 180 degrees.
    """
    if not (isinstance(degrees, Real) and 0 < float(degrees) < 180):
        raise InputError(f"field of view {degrees!r}: give degrees, above 0 and below 180")
    height, width = size
    focal_length = width / 2 / math.tan(math.radians(float(degrees)) / 2)
    return Intrinsics(focal_length, focal_length, (width - 1) / 2, (height - 1) / 2)


def center(intrinsics: Intrinsics, size: tuple[int, int]) -> Intrinsics:
    """Returns intrinsics of the same focal lengths, centered in images of a (height, width)."""
    return Intrinsics(intrinsics.fx, intrinsics.fy, (size[1] - 1) / 2, (size[0] - 1) / 2)


def check_centered(intrinsics: Any, size: tuple[int, int]) -> Intrinsics:
    """Returns intrinsics, unless they are those of images of another size.

    Args:
        intrinsics: (fx, fy, cx, cy).
        size: (height, width) of the images.

    Raises:
        InputError: they are none, or their center is not in the middle half of these images.
    """
    camera = _check_intrinsics(intrinsics)
    places = (camera.cy + 0.5) / size[0], (camera.cx + 0.5) / size[1]
    if not all(0.25 <= place <= 0.75 for place in places):
        raise InputError(
            f"intrinsics with their center at {camera.cx:g},{camera.cy:g}, but the picture is"
            f" {size[1]}x{size[0]} pixels: intrinsics of another size; give those of this picture"
        )
    return camera


def scale_intrinsics(
    intrinsics: Intrinsics, from_size: tuple[int, int], to_size: tuple[int, int]
) -> Intrinsics:
    """Returns the intrinsics of an image after it is resized.

    Args:
        intrinsics: those before.
        from_size, to_size: (height, width) of the image before and after.

    Raises:
        InputError: the intrinsics or the sizes are none.
    """
    fx, fy, cx, cy = _check_intrinsics(intrinsics)
    for size in (from_size, to_size):
        if _numbers(size).shape != (2,) or min(size) <= 0:
            raise InputError(f"size {size!r}: give (height, width) in pixels, above 0")
    y, x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    # Resizing keeps the image's edges in place, half a pixel outside the centers of its pixels.
    return Intrinsics(fx * x, fy * y, (cx + 0.5) * x - 0.5, (cy + 0.5) * y - 0.5)


def measured(depth: np.ndarray) -> np.ndarray:
    """Returns where `depth` was measured: finite and above 0. Boolean, of its shape.

    Raises:
        InputError: it is no array of numbers.
    """
    depth = _numbers(depth)
    return np.isfinite(depth) & (depth > 0)


def back_project(depth: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Turns a depth map into points: x to the right, y down, z forward, the camera at (0, 0, 0).

    Args:
        depth: floating (H, W), metres along the optical axis, 0 = not measured.
        intrinsics: in pixels of the depth map; after a resize, those of `scale_intrinsics`.

    Returns:
        float32 (N, 3), metres: the measured pixels row by row, in the order of
        `image[measured(depth)]`.

    Raises:
        InputError: the array is a picture of depth (8-bit or colored) or in another unit, or the
            intrinsics are none.
    """
    depth = _numbers(depth)
    _check_metres(depth)
    fx, fy, cx, cy = _check_intrinsics(intrinsics)
    v, u = np.nonzero(measured(depth))
    z = depth[v, u]
    return np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], axis=-1).astype(np.float32)


def _numbers(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{type(values).__name__} is no array of numbers; give one")
    return array


def _check_intrinsics(intrinsics: Any) -> Intrinsics:
    values = _numbers(intrinsics)
    if values.shape != (4,) or not np.isfinite(values).all() or min(values[:2]) <= 0:
        raise InputError(
            f"intrinsics {intrinsics!r}: give (fx, fy, cx, cy) in pixels, the first two above 0"
        )
    return Intrinsics(*intrinsics)


def _check_metres(depth: np.ndarray) -> None:
    described = f"depth of shape {depth.shape} and type {depth.dtype}"
    if depth.ndim != 2 or depth.dtype == np.uint8:
        raise InputError(
            f"{described}: this looks like a picture of depth, not depth; give metres as floating"
            " numbers, (H, W)"
        )
    if not np.issubdtype(depth.dtype, np.floating):
        raise InputError(
            f"{described}: whole numbers are not metres; divide by the units in a metre"
            " (1000 for millimetres) and give floating numbers"
        )


def write_ply(path: str | Path, points: np.ndarray, colors: np.ndarray) -> None:
    """Writes colored points as a binary little-endian PLY file.

    Args:
        path: the file; one that exists is replaced.
        points: (N, 3), metres.
        colors: uint8 (N, 3), RGB.

    Raises:
        InputError: the two do not belong together, or the file cannot be written.
    """
    points, colors = _numbers(points), _numbers(colors)
    if points.ndim != 2 or points.shape[1] != 3 or colors.shape != points.shape:
        raise InputError(
            f"points of shape {points.shape} with colors of shape {colors.shape}: give (N, 3) and"
            " (N, 3)"
        )
    if colors.dtype != np.uint8:
        raise InputError(f"colors of type {colors.dtype}: give uint8, 0 to 255")
    vertices = np.empty(len(points), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices["xyz"], vertices["rgb"] = points, colors
    header = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            "comment metres; x right, y down, z forward",
            f"element vertex {len(points)}",
            *(f"property float {name}" for name in ("x", "y", "z")),
            *(f"property uchar {name}" for name in ("red", "green", "blue")),
            "end_header\n",
        ]
    )
    write_bytes(Path(path), header.encode("ascii") + vertices.tobytes())
