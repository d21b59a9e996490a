"""Learning-rate schedules, by the names recipes use."""

import inspect
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from keras.optimizers import schedules

from keras_depth.errors import InputError, check_keywords, unknown_name


def _constant(rate, steps):
    return rate


def _inverse_time(rate, steps, decay):
    """rate / (1 + decay n) at step n: what `decay` meant in the Keras of 2019."""
    return schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=decay)


def _cosine(rate, steps, warmup_steps=0):
    """Rises to `rate` in `warmup_steps`, then falls to 0 at the last step along half a cosine."""
    return schedules.CosineDecay(
        0.0 if warmup_steps else rate,
        decay_steps=max(1, steps - warmup_steps),
        warmup_target=rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _linear(rate: float, steps: int, parts: int):
    """Falls in a straight line to 0 at the end, in `parts` levels, one a step at most."""
    if type(parts) is not int or parts < 1:
        raise InputError(
            f"schedule linear: parts={parts!r}: give a whole number of parts, the epochs for one"
        )
    parts = min(parts, steps)
    if parts == 1:
        return rate
    lasts = [round(part * steps / parts) - 1 for part in range(1, parts)]
    return schedules.PiecewiseConstantDecay(lasts, [rate * (1 - p / parts) for p in range(parts)])


def _steps(rate: float, steps: int, at: Sequence[float], factor: float):
    """Multiplies the rate by `factor` after each of the fractions `at` of all steps.

    Steps count from 0, and step int(fraction * steps) still has the rate from before it, as in the
    released code of Godard et al., which halves it at 3/5 and 4/5.
    """
    fractions = at if isinstance(at, list | tuple) else []
    numbers = all(type(fraction) in (int, float) for fraction in fractions)
    if not (fractions and numbers and all(a < b for a, b in pairwise([0, *fractions, 1]))):
        raise InputError(
            f"schedule steps: at={at!r}: give ascending fractions of the training, above 0 and"
            " below 1, such as [0.6, 0.8]"
        )
    if type(factor) not in (int, float) or not factor > 0:
        raise InputError(f"schedule steps: factor={factor!r}: give a number above 0, such as 0.5")
    return schedules.PiecewiseConstantDecay(
        [int(fraction * steps) for fraction in fractions],
        [rate * factor**passed for passed in range(len(fractions) + 1)],
    )


_SCHEDULES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "inverse_time": _inverse_time,
    "cosine": _cosine,
    "linear": _linear,
    "steps": _steps,
}


def get(rate: float, steps: int, name: str, **arguments: Any):
    """Returns what a Keras optimizer takes as its learning rate.

    Args:
        rate: the optimizer's learning rate.
        steps: training steps in all.
        name: "constant", "inverse_time" (`decay`), "cosine" (`warmup_steps`), "linear" (`parts`)
            or "steps" (`at`, `factor`).

    Raises:
        InputError: unknown name or argument (the message names the nearest), one that is missing,
            or a bad value.
    """
    if name not in _SCHEDULES:
        raise unknown_name("schedule", name, _SCHEDULES)
    check_keywords(f"argument of schedule {name}", _SCHEDULES[name], arguments)
    for key, parameter in inspect.signature(_SCHEDULES[name]).parameters.items():
        if parameter.default is parameter.empty and key not in ("rate", "steps", *arguments):
            raise InputError(f"schedule {name} lacks its argument {key!r}")
    return _SCHEDULES[name](rate, steps, **arguments)
