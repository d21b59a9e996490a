"""Writes what runs an exported network on a machine that has nothing of this package."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth.export import run

CHECK = "check.npz"


def write(
    folder: Path, images: np.ndarray, depth: np.ndarray, calibration: np.ndarray | None = None
) -> dict[str, str]:
    """Writes run.py, and the pictures by which it checks itself, beside an exported network.

    Args:
        folder: where to.
        images: (N, H, W, 3), as the network takes them but for the order of the axes.
        depth: the Keras model's depth of them, float32 (N, h, w, 1), metres.
        calibration: more images, (M, H, W, 3), from which a board takes the scales of 8 bits.

    Returns:
        For export.json: {"run", "check"}, the names of the files.
    """
    source = Path(run.__file__)
    shutil.copyfile(source, folder / source.name)
    arrays: dict[str, Any] = {"image": images, "depth": depth.astype(np.float32, copy=False)}
    if calibration is not None:
        arrays["calibration"] = calibration
    np.savez_compressed(folder / CHECK, **arrays)
    return {"run": source.name, "check": CHECK}
