"""Rooms, drives and walks that a program draws, with exact depth; nothing is downloaded."""

import numpy as np

from keras_depth.errors import InputError, check_choice
from keras_depth.geometry import Intrinsics

SPLITS = ("train", "test")  # a split's index is part of the random seed of its frames


def check_request(
    name: str, thing: str, split: str, count: int, size: tuple[int, int], seed: int, **counts: int
) -> None:
    """Checks what is asked of a rendered data set.

    Args:
        name: that of the data set.
        thing: what `count` counts.
        split, count, size, seed: see `rooms.Rooms`.
        counts: its other numbers that must be 1 or more, by name.

    Raises:
        InputError: the split, the count, the size, the seed or another number is invalid.
    """
    check_choice("split", split, SPLITS)
    if min(count, *counts.values(), seed + 1) < 1 or len(size) != 2 or min(size) < 8:
        asked = {"count": count, "size": tuple(size), "seed": seed, **counts}
        raise InputError(
            f"{name}: {', '.join(f'{key}={value}' for key, value in asked.items())}: ask for at"
            f" least one {thing}, at least 8x8 pixels and a seed of 0 or more"
        )


def focal_length(camera: Intrinsics) -> np.ndarray:
    """Returns a sample's `focal_length`, see `data.reader`."""
    return np.array([camera.fx, camera.fy], np.float32)
