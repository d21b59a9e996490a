"""Depth as a 16-bit PNG: millimetres, 0 = none."""

import cv2
import numpy as np

from keras_depth import geometry

FARTHEST = 65.535  # metres: what 16 bits of millimetres can hold


def millimetres(depth: np.ndarray) -> np.ndarray:
    """Returns depth in metres as uint16 millimetres: 0 where there is none, cut to `FARTHEST`."""
    there = geometry.measured(depth)
    return np.where(there, np.rint(1000 * np.minimum(depth, FARTHEST)), 0).astype(np.uint16)


def encode(depth: np.ndarray) -> bytes:
    """Returns depth (H, W) or (H, W, 1) in metres as the bytes of a PNG file."""
    return cv2.imencode(".png", millimetres(depth))[1].tobytes()
