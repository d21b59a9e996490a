"""Errors that a user can correct, and the sentences that say how."""

import difflib
import importlib.util
import inspect
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard


class InputError(ValueError):
    """Bad input. The message names the file, the key or the shape, and says what to do.

    Commands print it alone, without a traceback, and leave with exit code 2.
    """


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Returns the error for a name that is not among `known`, with the nearest one."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known_ones = f"known are {', '.join(known)}" if known else "there are none"
    return InputError(f"unknown {kind} {shown(name)}: {hint}{known_ones}")


def check_keywords(what: str, function: Callable, keywords: Iterable[str]) -> None:
    """Raises InputError where `function` does not take one of the keywords; names the nearest."""
    known = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    for keyword in keywords:
        if keyword not in known:
            raise unknown_name(what, keyword, known)


def check_choice(what: str, value: object, known: Iterable[str]) -> None:
    """Raises InputError unless `value` is one of `known`; names the nearest."""
    known = list(known)
    if not isinstance(value, str) or value not in known:
        raise unknown_name(what, str(value), known)


def check_flag(what: str, value: object) -> None:
    """Raises InputError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{what}={shown(value)}: give True or False")


def check_weights(what: str, **weights: float) -> None:
    """Raises InputError unless each weight is a finite number of 0 or more."""
    _check(what, weights, "give a number of 0 or more", lambda weight: weight >= 0)


def check_positive(what: str, **numbers: float) -> None:
    """Raises InputError unless each argument is a finite number above 0."""
    _check(what, numbers, "give a number above 0", lambda number: number > 0)


def check_shares(what: str, **shares: float) -> None:
    """Raises InputError unless each argument is a share, 0 to 1."""
    _check(what, shares, "give a share, 0 to 1", lambda share: 0 <= share <= 1)


def _check(what: str, given: dict[str, float], give: str, fits: Callable[[float], bool]) -> None:
    for key, number in given.items():
        if not (is_number(number) and fits(number)):
            raise InputError(f"{what}: {key}={shown(number)}: {give}")


def check_kinds(what: str, defaults: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raises InputError unless each value is of its default's kind.

    Kinds are flags, whole numbers and numbers, 0 or more; a value whose default is of another kind
    is not looked at.
    """
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(default, bool):
            right, kind = isinstance(value, bool), "give true or false"
        elif isinstance(default, int):
            least = min(default, 1)
            right = isinstance(value, numbers.Integral) and is_number(value) and value >= least
            kind = f"give a whole number of {least} or more"
        elif isinstance(default, float):
            right, kind = is_number(value) and value >= 0, "give a number of 0 or more"
        else:
            continue
        if not right:
            raise InputError(f"{what}: {key}={shown(value)}: {kind}")


def is_number(value: Any) -> TypeGuard[float]:
    """Returns whether `value` is one finite number; True and False are none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and abs(value) <= sys.float_info.max


def shown(value: object) -> str:
    """Returns a value as messages show it: in one line, and cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def cannot_write(path: Path, error: Exception) -> InputError:
    """Returns the error for a file or folder that cannot be written."""
    reason = getattr(error, "strerror", None) or first_line(error)
    return InputError(
        f"{path}: cannot be written ({reason}); choose another folder, or make room on the disk"
    )


def check_installed(extra: str, *modules: str) -> None:
    """Raises InputError unless the modules that come with an extra of this package are there."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise InputError(f"{module} is not installed; run pip install 'keras_depth[{extra}]'")


def first_line(error: BaseException) -> str:
    """Returns the first line of an exception's message, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
