"""Whether an exported network is the Keras model: the same pictures through both."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.predict.estimator import DepthEstimator

# Accepted differences, relative to the depth, or to the mean depth where that is larger. Of fp32
# the largest counts; what is rounded on purpose is judged by the mean.
LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "int8": 1e-1}


@dataclass(frozen=True)
class Parity:
    """How far an exported network's depth is from the Keras model's.

    Attributes:
        pictures: how many were compared.
        largest, mean: differences, metres.
        largest_relative, mean_relative: by the depth, or the mean depth where that is larger.
        limit: of the largest relative difference in fp32, of the mean one in other precisions.
        precision: what the exported network computes in.
    """

    pictures: int
    largest: float
    mean: float
    largest_relative: float
    mean_relative: float
    limit: float
    precision: str

    @property
    def holds(self) -> bool:
        judged = self.largest_relative if self.precision == "fp32" else self.mean_relative
        return bool(judged <= self.limit)  # not where it is NaN

    def __str__(self) -> str:
        judged = "the largest" if self.precision == "fp32" else "the mean"
        rooms = "1 rendered room" if self.pictures == 1 else f"{self.pictures} rendered rooms"
        return (
            f"largest {self.largest:.2g} m ({self.largest_relative:.1g} of the depth), mean"
            f" {self.mean:.2g} m ({self.mean_relative:.1g}), on {rooms}; {judged} may be"
            f" {self.limit:g}"
        )


def pictures(size: tuple[int, int], count: int) -> np.ndarray:
    """Returns rendered rooms, the same every time: uint8 RGB (count, height, width, 3)."""
    rooms = Rooms(count, size, seed=7, split="test")
    return np.stack([np.rint(255 * rooms[i]["image"]) for i in range(count)]).astype(np.uint8)


def reference(
    network: keras.Model,
    encoding: str,
    focal_baseline: float | None,
    images: np.ndarray,
    output_size: str,
) -> np.ndarray:
    """Returns the Keras model's own depth, neither transferred nor folded: float32 (B, h, w, 1)."""
    estimator = DepthEstimator(network, encoding, focal_baseline)
    depth = [
        estimator(image.astype(np.float32) / 255, resize=output_size == "input") for image in images
    ]
    return np.stack(depth)[..., None]


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
        len(expected),
        float(difference.max()),
        float(difference.mean()),
        float(relative.max()),
        float(relative.mean()),
        limit or LIMITS[precision],
        precision,
    )


def run_alone(folder: Path, images: np.ndarray) -> dict[str, Any]:
    """Runs an exported network in a fresh process.

    Args:
        folder: with its `export.json`.
        images: (B, H, W, 3) as it takes them.

    Returns:
        {"depth": float32 (B, h, w, 1), "milliseconds": of a call, "memory": peak, bytes}.

    Raises:
        InputError: it does not run there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch) / "pictures.npy", Path(scratch) / "result.npz"
        np.save(given, images)
        done = subprocess.run(
            [sys.executable, "-m", "keras_depth.export.worker", folder, given, result],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip() or "it was ended").splitlines()[-1]
            raise InputError(
                f"{folder}: what was written does not run in a fresh process: {reason}"
            )
        with np.load(result) as values:
            return {key: values[key] for key in values.files}
