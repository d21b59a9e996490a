"""Keeps some training scenes for validation: the same ones in every run and on every machine."""

import hashlib
from collections.abc import Iterable

from keras_depth.errors import InputError


def check_part(part: float) -> None:
    """Raises InputError unless `part` is a number from 0 to below 1."""
    if not isinstance(part, int | float) or not 0 <= part < 1:
        raise InputError(
            f"data.hold_out is {part!r}; give the part of the training scenes to keep for "
            "validation, from 0 to below 1, such as 0.05"
        )


def held_out(scenes: Iterable[str], part: float, where: object) -> set[str]:
    """Chooses whole scenes for validation, by their names alone.

    Frames of one scene look alike: with some of them on either side, a network that remembers
    passes for one that understands.

    Args:
        scenes: the scenes' names, in any order, repeated or not.
        part: which part of the scenes, above 0 and below 1; at least one scene, and not all.
        where: the data set's folder, for the message.

    Raises:
        InputError: there is one scene alone.
    """
    names = sorted(set(scenes), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(names) < 2:
        raise InputError(
            f"{where}: has one training scene alone ({names[0]}), and a scene is held out whole or "
            "not at all; leave data.hold_out at 0, or add scenes"
        )
    return set(names[: min(max(1, round(part * len(names))), len(names) - 1)])
