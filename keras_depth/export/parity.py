"""Checks that an exported network is the Keras model: both compute depth of the same images."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_depth.data.rendered.rooms import Rooms
from keras_depth.encodings import calibrate
from keras_depth.errors import InputError
from keras_depth.export import worker
from keras_depth.images import to_float32, to_uint8
from keras_depth.predict.estimator import DepthEstimator

# Accepted relative differences: the largest in fp32, the mean in precisions that round on purpose.
LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "int8": 1e-1}
_REPEATS = 20  # timed calls


@dataclass(frozen=True)
class Parity:
    """How far an exported network's depth is from the Keras model's.

    Attributes:
        images: how many were compared.
        max_abs, mean_abs: differences, metres.
        max_rel, mean_rel: differences relative to the depth, or to the mean depth where that is
            larger.
        limit: the accepted `max_rel` in fp32, the accepted `mean_rel` in other precisions.
        precision: what the exported network computes in.
    """

    images: int
    max_abs: float
    mean_abs: float
    max_rel: float
    mean_rel: float
    limit: float
    precision: str

    @property
    def passed(self) -> bool:
        judged = self.max_rel if self.precision == "fp32" else self.mean_rel
        return bool(judged <= self.limit)  # False for NaN

    def __str__(self) -> str:
        judged = "max" if self.precision == "fp32" else "mean"
        rooms = "1 rendered room" if self.images == 1 else f"{self.images} rendered rooms"
        return (
            f"max {self.max_abs:.2g} m ({self.max_rel:.1g} of the depth), mean {self.mean_abs:.2g}"
            f" m ({self.mean_rel:.1g}), on {rooms}; the limit of the {judged} is {self.limit:g} of"
            " the depth"
        )


@dataclass(frozen=True)
class Run:
    """What an exported network did in a fresh process.

    Attributes:
        depth: float32 (B, h, w, 1), metres.
        milliseconds: median of a call.
        peak_memory: bytes.
    """

    depth: np.ndarray
    milliseconds: float
    peak_memory: int


def render_images(size: tuple[int, int], count: int) -> np.ndarray:
    """Renders rooms, the same every time: uint8 RGB (count, height, width, 3)."""
    rooms = Rooms(count, size, seed=7, split="test")
    return np.stack([to_uint8(rooms[i]["image"]) for i in range(count)])


def compute_reference(
    model: keras.Model,
    encoding: str,
    focal_baseline: float | None,
    images: np.ndarray,
    output_size: str,
    scale: float = 1.0,
    shift: float = 0.0,
    fit: str = "stretch",
) -> np.ndarray:
    """Computes the Keras model's own depth, neither reparameterized nor folded.

    Args:
        model: of one output.
        encoding: how it writes depth.
        focal_baseline: of a disparity, for images of the model's own size.
        images: uint8 RGB (B, H, W, 3).
        output_size: "network" or "input": the size of the depth.
        scale, shift: of a camera, see `encodings.calibrate`.
        fit: how images of another shape are brought to the model's size.

    Returns:
        float32 (B, h, w, 1), metres.
    """
    estimator = DepthEstimator(model, encoding, focal_baseline, fit)
    depth = [estimator(to_float32(image), resize=output_size == "input") for image in images]
    metres = calibrate(np.stack(depth)[..., None], scale, shift)
    return keras.ops.convert_to_numpy(metres)


def compare(
    expected: np.ndarray, depth: np.ndarray, precision: str, limit: float | None = None
) -> Parity:
    """Compares depth (B, h, w, 1) in metres.

    Raises:
        InputError: the shapes differ.
    """
    if expected.shape != depth.shape:
        raise InputError(
            f"the exported network returns {depth.shape}, the Keras model {expected.shape}"
        )
    difference = np.abs(depth - expected)
    relative = difference / np.maximum(np.maximum(expected, expected.mean()), 1e-9)
    return Parity(
        images=len(expected),
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
        max_rel=float(relative.max()),
        mean_rel=float(relative.mean()),
        limit=limit or LIMITS[precision],
        precision=precision,
    )


def run_alone(folder: Path, images: np.ndarray) -> Run:
    """Runs an exported network in a fresh process, and times it.

    Args:
        folder: holds `export.json`.
        images: (B, H, W, 3) as the network takes them. A network that takes any number of them is
            timed with one, so that it is run with two different numbers.

    Raises:
        InputError: it does not run there.
    """
    with worker.start(folder) as alone:
        depth = alone.run(images)
        milliseconds = 1000 * statistics.median(alone.time(_REPEATS))
        return Run(depth, milliseconds, alone.peak())
