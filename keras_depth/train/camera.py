"""Finds the camera of the frames that a run is trained on, for which its metres are right."""

from typing import Any

import numpy as np

from keras_depth.data.pipeline import resize
from keras_depth.data.reader import Reader, spread
from keras_depth.recipes import Recipe

_FRAMES = 64  # evenly spread, whose camera is looked at
_SAME = 0.02  # by so much the focal lengths of one camera may differ, as those of KITTI's days do


def find_camera(frames: Reader, recipe: Recipe) -> dict[str, Any]:
    """Returns the arguments of `RunFolder.write_camera`, in pixels at the recipe's size.

    Args:
        frames: the training frames.
        recipe: says their size, and the canonical focal length if it has one.

    Returns:
        {} where nothing is known; without `focal_length` where the frames are of several cameras.
    """
    camera: dict[str, Any] = {"size": recipe.size}
    if recipe.canonical_focal_length:
        camera["focal_length"] = (recipe.canonical_focal_length,) * 2
    elif focal_length := _find_focal_length(frames, recipe):
        camera["focal_length"] = focal_length
    if frames.stereo:
        first = resize(frames.stored(0), recipe.size, recipe.fit)
        camera["focal_baseline"] = float(first["focal_baseline"])
    return camera if len(camera) > 1 else {}


def _find_focal_length(frames: Reader, recipe: Recipe) -> tuple[float, float] | None:
    found = []
    for index in spread(len(frames), _FRAMES):
        sample = frames.stored(index)
        if "focal_length" not in sample:
            return None
        found.append(resize(sample, recipe.size, recipe.fit)["focal_length"])
    fx, fy = middle = np.median(found, axis=0)
    if (np.ptp(found, axis=0) >= _SAME * middle).any():
        return None
    return float(fx), float(fy)
