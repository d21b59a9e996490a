"""How a network writes depth: metres go in, the network's target comes out, and back."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_depth.errors import InputError
from keras_depth.registry import Registry


@dataclass(frozen=True)
class Encoding:
    """A pair of functions between metres and what a network is trained to output.

    Both take `focal_baseline` after the map: float32 (B,) or (), the focal length in pixels of a
    picture as wide as the map times the distance of the stereo cameras in metres.

    Attributes:
        name: what recipes and architectures call it.
        encode: depth (B, h, w, 1) in metres -> target. Its value at depth 0, not measured, may be
            infinite or anything else: the mask goes along beside it.
        decode: output (B, h, w, channels) -> depth (B, h, w, 1) in metres, finite and not below 0:
            nothing is behind the camera, whatever a linear head writes.
        description: one line for people.
        stereo: focal_baseline is needed; elsewhere it may be None.
        farthest: the farthest depth that it can write, metres.
        bounded: targets lie in 0..1, as a sigmoid's outputs do.
        relative: it tells near from far, and nothing of metres.
    """

    name: str
    encode: Callable[..., Any]
    decode: Callable[..., Any]
    description: str
    stereo: bool = False
    farthest: float = math.inf
    bounded: bool = False
    relative: bool = False


def _metres(depth, focal_baseline=None):
    return depth


def _from_metres(output, focal_baseline=None):
    return ops.maximum(ops.cast(output, "float32"), 0)


# A disparity that no camera could tell from 0: keeps the depth of the sky finite.
_SMALLEST = 1e-6  # widths of the picture


def _disparity(depth, focal_baseline):
    return _widths(depth, focal_baseline) / depth


def _from_disparity(output, focal_baseline):
    left = ops.cast(output[..., :1], "float32")
    return _widths(left, focal_baseline) / ops.maximum(left, _SMALLEST)


def _widths(maps, focal_baseline):
    """Returns focal length in widths of the picture times baseline, metres: (B or 1, 1, 1, 1)."""
    if focal_baseline is None:
        raise InputError(
            "between disparity and metres lies focal_baseline, the focal length in pixels times"
            " the distance of the stereo cameras in metres; give it"
        )
    focal_baseline = ops.cast(ops.convert_to_tensor(focal_baseline), "float32")
    return ops.reshape(focal_baseline, (-1, 1, 1, 1)) / maps.shape[2]


_FARTHEST = 10.0  # metres that `unit` writes as 1, and `centimetres` as 1000


def _unit(depth, focal_baseline=None):
    return ops.clip(depth / _FARTHEST, 0, 1)


def _minmax(depth, focal_baseline=None):
    measured = depth > 0
    inf = ops.full_like(depth, float("inf"))
    lowest = ops.min(ops.where(measured, depth, inf), axis=(1, 2, 3), keepdims=True)
    highest = ops.max(depth, axis=(1, 2, 3), keepdims=True)
    # A wall seen straight on is 0 all over, as an image of one grey level is in the authors' code.
    target = (depth - lowest) / ops.maximum(highest - lowest, 1e-6)
    return ops.where(measured, target, ops.zeros_like(depth))


def _from_unit(output, focal_baseline=None):
    return _FARTHEST * _from_metres(output)


_SCALE, _NEAREST = 10.0, 0.1  # metres that `inverse` writes as 1, and as 100


def _inverse(depth, focal_baseline=None):
    return _SCALE / ops.clip(depth, _NEAREST, _FARTHEST)


def _from_inverse(output, focal_baseline=None):
    highest = _SCALE / _NEAREST
    return _SCALE / ops.clip(ops.cast(output, "float32"), _SCALE / _FARTHEST, highest)


def _centimetres(depth, focal_baseline=None):
    return ops.clip(100 * depth, 10, 100 * _FARTHEST)


def _from_centimetres(output, focal_baseline=None):
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
                "the output is depth by 10 m, cut to 0..1",
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
