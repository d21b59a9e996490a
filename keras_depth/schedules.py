"""Learning-rate schedules, by the names recipes use."""

from collections.abc import Callable
from typing import Any

from keras.optimizers import schedules

from keras_depth.errors import check_keywords, unknown_name


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


_SCHEDULES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "inverse_time": _inverse_time,
    "cosine": _cosine,
}


def get(rate: float, steps: int, name: str, **arguments: Any):
    """Returns what a Keras optimizer takes as its learning rate.

    Args:
        rate: the optimizer's learning rate.
        steps: training steps in all.
        name: "constant", "inverse_time" (`decay`) or "cosine" (`warmup_steps`).

    Raises:
        InputError: unknown name or argument; the message names the nearest.
    """
    if name not in _SCHEDULES:
        raise unknown_name("schedule", name, _SCHEDULES)
    check_keywords(f"argument of schedule {name}", _SCHEDULES[name], arguments)
    return _SCHEDULES[name](rate, steps, **arguments)
