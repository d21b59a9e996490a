"""Which frames a split has: scenes held out for validation, and frames that are missing."""

import hashlib
import math
from collections.abc import Iterable, Sequence

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


def check_share(max_missing: float) -> None:
    """Raises InputError unless `max_missing` is a number from 0 to 1."""
    if not isinstance(max_missing, int | float) or not 0 <= max_missing <= 1:
        raise InputError(f"max_missing={max_missing!r}: a share of the frames; give 0 to 1")


def lacking(
    what: str,
    kept: int,
    missing: Sequence[str],
    max_missing: float,
    word: str = "missing",
    detail: str = "",
) -> str:
    """Returns what a description adds for the frames left out: nothing where there are none.

    Args:
        what: the folder and the data set, for the message.
        kept: how many frames have all their files.
        missing: a file for each frame that has not.
        max_missing: the share of all frames, 0 to 1, that may be left out.
        word: what the frames are.
        detail: what else the message should say.

    Raises:
        InputError: more of them are left out, or all.
    """
    if not missing:
        return ""
    total = kept + len(missing)
    share = len(missing) / total
    if kept and share <= max_missing:
        return f"; {len(missing)} of {total} frames are {word}, first {missing[0]}"
    message = f"{what}: {len(missing)} of {total} frames ({100 * share:.1f} %) are {word}, "
    message += f"first {missing[0]}; {detail}{'; ' * bool(detail)}download them"
    if kept:
        message += f", or go without with max_missing={math.ceil(100 * share) / 100:g}"
    raise InputError(message)
