"""Learning-rate schedules, by the names that recipes use."""

import inspect
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from keras.optimizers import schedules

from keras_depth.errors import InputError, check_keywords
from keras_depth.registry import Registry

Rate: TypeAlias = float | schedules.LearningRateSchedule  # what a Keras optimizer takes


def make_schedule(rate: float, steps: int, name: str, **arguments: Any) -> Rate:
    """Makes a learning-rate schedule for a Keras optimizer.

    Args:
        rate: the optimizer's learning rate.
        steps: steps of the whole training.
        name: "constant", "inverse_time" (`decay`), "cosine" (`warmup_steps`), "linear" (`parts`)
            or "steps" (`at`, `factor`).
        **arguments: the schedule's own, in parentheses above.

    Raises:
        InputError: an unknown name or argument (the message names the nearest), a missing argument,
            or a bad value.
    """
    build = SCHEDULES[name]
    check_keywords(f"argument of schedule {name}", build, arguments)
    for key, parameter in inspect.signature(build).parameters.items():
        if parameter.default is parameter.empty and key not in ("rate", "steps", *arguments):
            raise InputError(f"schedule {name} lacks its argument {key!r}; add it")
    return build(rate, steps, **arguments)


def _constant(rate: float, steps: int) -> Rate:
    return rate


def _inverse_time(rate: float, steps: int, decay: float) -> Rate:
    """Falls as rate / (1 + decay n) at step n: `decay` in the Keras of 2019."""
    return schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=decay)


def _cosine(rate: float, steps: int, warmup_steps: int = 0) -> Rate:
    """Rises to `rate` in `warmup_steps`, then falls to 0 at the last step along half a cosine."""
    return schedules.CosineDecay(
        0.0 if warmup_steps else rate,
        decay_steps=max(1, steps - warmup_steps),
        warmup_target=rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _linear(rate: float, steps: int, parts: int) -> Rate:
    """Falls linearly to 0 at the end, in `parts` levels, at most one per step."""
    if type(parts) is not int or parts < 1:
        raise InputError(
            f"schedule linear: parts must be a whole number above 0, such as the number of epochs,"
            f" got {parts!r}"
        )
    parts = min(parts, steps)
    if parts == 1:
        return rate
    last_steps = [round(part * steps / parts) - 1 for part in range(1, parts)]
    rates = [rate * (1 - part / parts) for part in range(parts)]
    return schedules.PiecewiseConstantDecay(last_steps, rates)


def _steps(rate: float, steps: int, at: Sequence[float], factor: float) -> Rate:
    """Multiplies the rate by `factor` after each of the fractions `at` of all steps.

    Steps count from 0, and step int(fraction * steps) still has the previous rate, as in the
    released code of Godard et al., which halves it at 3/5 and 4/5.
    """
    fractions = at if isinstance(at, list | tuple) else []
    numbers = all(type(fraction) in (int, float) for fraction in fractions)
    if not (fractions and numbers and all(a < b for a, b in pairwise([0, *fractions, 1]))):
        raise InputError(
            "schedule steps: at must be ascending fractions of the training, above 0 and below 1,"
            f" such as [0.6, 0.8], got {at!r}"
        )
    if type(factor) not in (int, float) or not factor > 0:
        raise InputError(f"schedule steps: factor must be a number above 0, got {factor!r}")
    return schedules.PiecewiseConstantDecay(
        [int(fraction * steps) for fraction in fractions],
        [rate * factor**passed for passed in range(len(fractions) + 1)],
    )


SCHEDULES: Registry[Callable[..., Rate]] = Registry(
    "schedule",
    {
        "constant": _constant,
        "inverse_time": _inverse_time,
        "cosine": _cosine,
        "linear": _linear,
        "steps": _steps,
    },
)
