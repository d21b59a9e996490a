"""Metres for the camera of the pictures: depth is scaled by the ratio of two focal lengths.

A thing twice as large in the picture is half as far, unless the lens magnifies twice as much: the
network cannot tell which, and takes every picture for one of its own camera.
"""

import argparse
import math
from typing import Any, NamedTuple

import numpy as np

from keras_depth import geometry
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics
from keras_depth.letterbox import FITS, Placement


class Ratio(NamedTuple):
    """By what a network's metres are multiplied for pictures of a camera; its text is a line.

    Attributes:
        value: the ratio of the focal lengths.
        pictures: that of the pictures, in pixels of the network's input.
        network: that of the network's camera, in the same pixels.
        input_size: (height, width) of the input.
    """

    value: float
    pictures: float
    network: float
    input_size: tuple[int, int]

    def __str__(self) -> str:
        height, width = self.input_size
        return (
            f"metres x {self.value:.3g}: these pictures' focal length is {self.pictures:.0f} pixels"
            f" at {height}x{width}, the network's camera has {self.network:.0f}"
        )


def add_arguments(parser: argparse.ArgumentParser, intrinsics: str, fit: str | None = None) -> None:
    """Adds --intrinsics or --fov, and --fit, to the arguments of a command.

    Args:
        parser: the command's.
        intrinsics: what they are of, and what they are for; a help text.
        fit: where it is applied, and its default; the end of a help text. None: without --fit.
    """
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument(
        "--intrinsics", type=geometry.parse_intrinsics, metavar="FX,FY,CX,CY", help=intrinsics
    )
    camera.add_argument(
        "--fov",
        type=geometry.parse_field_of_view,
        metavar="DEGREES",
        help="instead, its horizontal field of view, for square pixels",
    )
    if fit is not None:
        parser.add_argument(
            "--fit",
            choices=FITS,
            help=f"how pictures of another shape than the network's are brought to it{fit}",
        )


def find_intrinsics(size: tuple[int, int], intrinsics: Any, fov: float | None) -> Intrinsics:
    """Returns the intrinsics of pictures of a size from either of what a user gives.

    Args:
        size: (height, width).
        intrinsics: (fx, fy, cx, cy) in pixels of these pictures, or None.
        fov: the horizontal field of view in degrees, or None.

    Raises:
        InputError: both or none are given, they are no intrinsics, or of pictures of another size.
    """
    if (intrinsics is None) == (fov is None):
        raise InputError("give one of intrinsics and fov, the horizontal field of view")
    if fov is not None:
        return geometry.from_field_of_view(fov, size)
    return geometry.check_centered(intrinsics, size)


def compare(placement: Placement, given: Intrinsics, focal_length: tuple[float, float]) -> Ratio:
    """Compares the camera of placed pictures with that of a network.

    Args:
        placement: where the pictures lie in the input.
        given: the intrinsics of the pictures, in their pixels.
        focal_length: (x, y) of the network's camera, in pixels of the input.
    """
    pictures = math.sqrt(math.prod(placement.scale_focal_length((given.fx, given.fy))))
    network = math.sqrt(math.prod(focal_length))
    return Ratio(pictures / network, pictures, network, placement.input_size)


def check_focal_length(focal_length: Any) -> tuple[float, float] | None:
    """Returns a focal length (x, y) as two numbers; None stays.

    Raises:
        InputError: it is not two finite numbers above 0.
    """
    if focal_length is None:
        return None
    try:
        x, y = (float(number) for number in focal_length)
    except (TypeError, ValueError):
        x = y = math.nan
    if not (np.isfinite([x, y]).all() and min(x, y) > 0):
        raise InputError(
            f"focal_length {focal_length!r}: give two numbers above 0, in pixels of the input"
        )
    return x, y
