"""Chooses the frames of a split: scenes held out for validation; frames that are missing."""

import hashlib
import math
from collections.abc import Iterable, Sequence

from keras_depth.errors import InputError


def check_hold_out(part: float) -> None:
    """Raises InputError unless `part` is a number from 0 to below 1."""
    if not isinstance(part, int | float) or not 0 <= part < 1:
        raise InputError(
            f"data.hold_out is {part!r}; give the part of the training scenes to keep for "
            "validation, from 0 to below 1, such as 0.05"
        )


def hold_out_scenes(scenes: Iterable[str], part: float, where: object) -> set[str]:
    """Chooses whole scenes for validation, by their names alone.

    Frames of one scene look alike. With some of them in training and others in validation, a model
    that memorizes would score like one that generalizes.

    Args:
        scenes: the scenes' names, in any order, repeated or not.
        part: the part of the scenes to hold out, above 0 and below 1; at least one, never all.
        where: the data set's folder, for the message.

    Raises:
        InputError: there is only one scene.
    """
    names = sorted(set(scenes), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(names) < 2:
        raise InputError(
            f"{where}: has only one training scene ({names[0]}), and scenes are held out whole;"
            " leave data.hold_out at 0, or add scenes"
        )
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
        message += f", or go without with max_missing={math.ceil(100 * share) / 100:g}"
    raise InputError(message)
