"""Errors that a user can correct, and the sentences that say how."""

import difflib
import importlib.util
import inspect
import math
import numbers
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


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


def is_number(value: Any) -> bool:
    """Returns whether `value` is one finite number; True and False are none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and abs(value) < math.inf


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
