"""Chooses the frames of a split: scenes held out for validation; frames that are missing."""

import hashlib
import math
import os
from collections.abc import Iterable, Sequence

from keras_depth.errors import InputError


def check_hold_out(part: float) -> None:
    """Raises InputError unless `part` is a number from 0 to below 1."""
    if not isinstance(part, int | float) or not 0 <= part < 1:
        raise InputError(
            f"data.hold_out is {part!r}; give the part of the training scenes to keep for "
            "validation, from 0 to below 1, such as 0.05"
        )


def choose_held_out(
    scenes: Sequence[str], part: float, where: object, what: str
) -> tuple[list[bool], str]:
    """Chooses frames for validation: whole scenes or, of a single one, its last frames.

    Frames of one scene look alike. With some of them in training and others in validation, a model
    that memorizes would score like one that generalizes.

    Args:
        scenes: the scene of each frame, in the frames' order.
        part: the part to hold out, above 0 and below 1; at least one scene or frame, never all.
        where: the data set's folder, for the message.
        what: what the scenes are called in the description, such as "recordings".

    Returns:
        Whether each frame is held out, and a description, such as "2 of 10 recordings".

    Raises:
        InputError: there is only one frame.
    """
    names = set(scenes)
    if len(names) > 1:
        kept = hold_out_scenes(names, part)
        return [scene in kept for scene in scenes], f"{len(kept)} of {len(names)} {what}"
    total = len(scenes)
    if total < 2:
        raise InputError(f"{where}: has only one frame; leave data.hold_out at 0, or add frames")
    count = min(max(1, round(part * total)), total - 1)
    return [place >= total - count for place in range(total)], f"the last {count} of {total} frames"


def hold_out_scenes(scenes: Iterable[str], part: float) -> set[str]:
    """Chooses scenes for validation, by their names alone.

    Args:
        scenes: the names of two scenes or more, in any order.
        part: the part of them to hold out; at least one, never all.
    """
    names = sorted(set(scenes), key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    return set(names[: min(max(1, round(part * len(names))), len(names) - 1)])


def check_max_missing(max_missing: float) -> None:
    """Raises InputError unless `max_missing` is a number from 0 to 1."""
    if not isinstance(max_missing, int | float) or not 0 <= max_missing <= 1:
        raise InputError(f"max_missing={max_missing!r}: a share of the frames; give 0 to 1")


def describe_missing(
    what: str,
    kept: int,
    missing: Sequence[str],
    max_missing: float,
    word: str = "missing",
    detail: str = "",
    remedy: str = "download them",
    named: int = 1,
) -> str:
    """Returns the part of a description that counts missing frames; "" if there are none.

    Args:
        what: the folder and the data set, for the message.
        kept: the number of frames that have all their files.
        missing: a missing file of each other frame.
        max_missing: the share of all frames, 0 to 1, that may be missing.
        word: says what is wrong with them.
        detail: more for the message.
        remedy: what to do about them.
        named: how many of them are named.

    Raises:
        InputError: more frames are missing, or all.
    """
    if not missing:
        return ""
    first = ", ".join(missing[:named]) + ", ..." * (1 < named < len(missing))
    total = kept + len(missing)
    share = len(missing) / total
    if kept and share <= max_missing:
        return f"; {len(missing)} of {total} frames are {word}, first {first}"
    message = f"{what}: {len(missing)} of {total} frames ({100 * share:.1f} %) are {word}, "
    message += f"first {first}; {detail}{'; ' * bool(detail)}{remedy}"
    if kept:
        message += f", or go without: --set data.max_missing={math.ceil(100 * share) / 100:g}"
    raise InputError(message)
