"""Says what a split lacks, and from which share on that is an error."""

import math
from collections.abc import Sequence

from keras_depth.errors import InputError


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
