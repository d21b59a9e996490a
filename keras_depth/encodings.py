"""Encodings: how a network writes depth, from metres to its target and back."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import KerasTensor, ops

from keras_depth.errors import InputError
from keras_depth.registry import Registry


@dataclass(frozen=True)
class Encoding:
    """Converts depth in metres to what a network is trained to output, and back.

    Both functions take `focal_baseline` after the map: float32 (B,) or (), the focal length in
    pixels of an image as wide as the map, times the distance of the stereo cameras in metres.

    Attributes:
        name: what recipes and architectures call it.
        encode: depth (B, h, w, 1) in metres -> target. Where depth is 0 (not measured) the target
            may be infinite or anything else; the mask says that it does not count.
        decode: output (B, h, w, channels) -> depth (B, h, w, 1) in metres, finite and 0 or more
            even where a linear head writes less.
        description: one line for people.
        stereo: True where focal_baseline is needed; elsewhere it may be None.
        farthest: the farthest depth that the encoding can represent, metres.
        bounded: True where targets lie in 0..1, as the outputs of a sigmoid do.
        relative: True where the output orders depths but does not give metres.
    """

    name: str
    encode: Callable[..., KerasTensor]
    decode: Callable[..., KerasTensor]
    description: str
    stereo: bool = False
    farthest: float = math.inf
    bounded: bool = False
    relative: bool = False


def _metres(depth: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return depth


def _from_metres(output: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return ops.maximum(ops.cast(output, "float32"), 0)


# No camera can tell this disparity from 0. It keeps the depth of the sky finite.
_SMALLEST = 1e-6  # as a fraction of the image's width


def _disparity(depth: KerasTensor, focal_baseline: Any) -> KerasTensor:
    return _widths(depth, focal_baseline) / depth


def _from_disparity(output: KerasTensor, focal_baseline: Any) -> KerasTensor:
    left = ops.cast(output[..., :1], "float32")
    return _widths(left, focal_baseline) / ops.maximum(left, _SMALLEST)


def _widths(maps: KerasTensor, focal_baseline: Any) -> KerasTensor:
    """Returns focal length in image widths times baseline, metres: (B or 1, 1, 1, 1)."""
    if focal_baseline is None:
        raise InputError(
            "disparity cannot be converted without focal_baseline: give the focal length in pixels"
            " times the distance of the stereo cameras in metres"
        )
    focal_baseline = ops.cast(ops.convert_to_tensor(focal_baseline), "float32")
    return ops.reshape(focal_baseline, (-1, 1, 1, 1)) / maps.shape[2]


_FARTHEST = 10.0  # metres that `unit` writes as 1, and `centimetres` as 1000


def _unit(depth: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return ops.clip(depth / _FARTHEST, 0, 1)


def _minmax(depth: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    measured = depth > 0
    inf = ops.full_like(depth, float("inf"))
    lowest = ops.min(ops.where(measured, depth, inf), axis=(1, 2, 3), keepdims=True)
    highest = ops.max(depth, axis=(1, 2, 3), keepdims=True)
    # A map of one depth becomes 0, as an image of one gray level does in the authors' code.
    target = (depth - lowest) / ops.maximum(highest - lowest, 1e-6)
    return ops.where(measured, target, ops.zeros_like(depth))


def _from_unit(output: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return _FARTHEST * _from_metres(output)


_SCALE, _NEAREST = 10.0, 0.1  # metres that `inverse` writes as 1, and as 100


def _inverse(depth: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return _SCALE / ops.clip(depth, _NEAREST, _FARTHEST)


def _from_inverse(output: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    highest = _SCALE / _NEAREST
    return _SCALE / ops.clip(ops.cast(output, "float32"), _SCALE / _FARTHEST, highest)


def _centimetres(depth: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return ops.clip(100 * depth, 10, 100 * _FARTHEST)


def _from_centimetres(output: KerasTensor, focal_baseline: Any = None) -> KerasTensor:
    return _from_metres(output) / 100


ENCODINGS = Registry(
    "encoding",
    {
        encoding.name: encoding
        for encoding in [
            Encoding("metric", _metres, _from_metres, "the output is depth in metres"),
            Encoding(
                "unit",
                _unit,
                _from_unit,
                "the output is depth divided by 10 m, cut to 0..1",
                farthest=_FARTHEST,
                bounded=True,
            ),
            Encoding(
                "minmax",
                _minmax,
                _from_unit,
                "the output is 0 at the nearest and 1 at the farthest point of each image, whatever"
                " their metres (Das et al.); decoded as 10 m times that, right by chance alone",
                bounded=True,
                relative=True,
            ),
            Encoding(
                "centimetres",
                _centimetres,
                _from_centimetres,
                "the output is depth in centimetres, cut to 10..1000 (Wang et al.)",
                farthest=_FARTHEST,
            ),
            Encoding(
                "inverse",
                _inverse,
                _from_inverse,
                "the output is 10 m / depth, cut to 1..100, that is to 10..0.1 m (DenseDepth)",
                farthest=_FARTHEST,
            ),
            Encoding(
                "disparity",
                _disparity,
                _from_disparity,
                "the output is the disparity of a stereo pair as a fraction of the image's width,"
                " the left view's in the first channel",
                stereo=True,
            ),
        ]
    },
)


def calibrate(depth: KerasTensor, scale: float = 1.0, shift: float = 0.0) -> KerasTensor:
    """Scales and shifts depth to the metres of a camera: scale * depth + shift, 0 or more.

    Args:
        depth: of any shape, metres, 0 = none, which stays 0.
        scale: above 0.
        shift: metres.
    """
    if (scale, shift) == (1.0, 0.0):
        return depth
    scaled = scale * depth
    return ops.where(depth > 0, ops.maximum(scaled + shift, 0.0), 0.0) if shift else scaled
