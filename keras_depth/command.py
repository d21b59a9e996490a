"""Starts and ends the commands, and reads their arguments."""

import argparse
import math
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

import yaml

from keras_depth.environment import choose_backend, ignore_settings_of_other_programs
from keras_depth.errors import InputError, first_line
from keras_depth.files import not_utf8, printable
from keras_depth.memory import keep_freed_memory


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs a command and exits the process with its exit code.

    Bad input (InputError) prints `error: <sentence>` on stderr and exits with 2, as argparse does
    for bad arguments; Ctrl-C exits with 130.

    Args:
        main: parses the arguments, then imports TensorFlow and does the work; returns the exit
            code, or None for 0.
    """
    keep_freed_memory()
    ignore_settings_of_other_programs()
    warnings.formatwarning = _format_warning
    try:
        choose_backend()
        code = main() or 0
        sys.stdout.flush()
    except BrokenPipeError:  # `head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except OSError as error:  # a full disk, a lost network drive
        reason = error.strerror or first_line(error)
        print(f"error: {error.filename or 'this machine'}: {reason}", file=sys.stderr)
        code = 2
    except UnicodeEncodeError as error:  # a path: all that is printed or written is escaped
        print(f"error: {not_utf8(error.object)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except Exception as error:
        if not _is_of_tensorflows_files(error):
            raise
        print(f"error: {first_line(error)}", file=sys.stderr)
        code = 2
    sys.exit(code)


_format_by_python = warnings.formatwarning


def _format_warning(message, category, filename, lineno, line=None) -> str:
    """Formats a warning to the user as a sentence; others tell a programmer where they arose."""
    if issubclass(category, UserWarning):
        return f"warning: {message}\n"
    return _format_by_python(message, category, filename, lineno, line)


def _is_of_tensorflows_files(error: Exception) -> bool:
    """Returns whether TensorFlow could not read or write a file, whose path its sentence has."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return False
    errors = tensorflow.errors  # none of which is an OSError
    kinds = (
        errors.ResourceExhaustedError,  # a full disk; or memory
        errors.NotFoundError,
        errors.AlreadyExistsError,
        errors.PermissionDeniedError,
        errors.FailedPreconditionError,  # a folder where a file should be
        errors.UnavailableError,
        errors.DataLossError,
    )
    return isinstance(error, kinds)


def program(name: str) -> str:
    """Returns how the user has called the command `name`, for a parser's `prog`.

    That is `keras-depth NAME` where `keras_depth.__main__` runs it.
    """
    typed = sys.argv[0]
    return typed if typed.endswith(f" {name}") else f"python -m keras_depth.{name}"


def suggest(name: str, *arguments: object, file: TextIO | None = None) -> None:
    """Prints the command to type next, as the user has called this one.

    Args:
        name: the command.
        arguments: its arguments.
        file: stderr for a command whose output is a table that goes into a file; None: stdout.
    """
    # "keras-depth train" or "python -m keras_depth train", where keras_depth.__main__ runs it.
    first, space, _ = sys.argv[0].rpartition(" ")
    typed = f"{first} {name}" if space else f"python -m keras_depth.{name}"
    print("next:", typed, *(_quote(str(argument)) for argument in arguments), file=file)


def _quote(text: str) -> str:
    """Quotes an argument for a shell; one that is not UTF-8 by its bytes, as bash and zsh do."""
    if printable(text) == text:
        return shlex.quote(text)
    signs = (
        chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\{b:03o}" for b in os.fsencode(text)
    )
    return f"$'{''.join(signs)}'"


def end_with_parent() -> None:
    """Terminates this process when its parent dies."""
    parent = multiprocessing.parent_process()
    assert parent

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def load_tensorflow() -> None:
    """Imports TensorFlow without its start-up notices; call it once the arguments are checked.

    No setting of TensorFlow 2.21 silences them all, so stderr is redirected to a file during the
    import. If the import fails, the file is printed.
    """
    with tempfile.TemporaryFile("w+") as notices:
        stderr = os.dup(2)
        os.dup2(notices.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
        except BaseException:
            os.dup2(stderr, 2)
            notices.seek(0)
            shutil.copyfileobj(notices, sys.stderr)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


class _Loader(yaml.SafeLoader):
    """Reads 1e-4 and 0360 as the numbers they look like, and refuses a key that is given twice.

    YAML 1.1 takes the first for text, the second for 240, and of two values the last.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"{name!r} is given twice")
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if re.fullmatch("[-+]?0[0-9_]+", node.value):
            return int(node.value)
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str) -> Any:
    """Parses YAML; 1e-4 and 0360 are numbers.

    Raises:
        yaml.YAMLError: it is none, or gives a key twice.
    """
    try:
        return yaml.load(text, _Loader)  # a SafeLoader, which builds plain values only
    # What PyYAML raises for values such as 2011-09-31, 0b_ and !!timestamp x; for deep brackets.
    except (ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise yaml.YAMLError(first_line(error)) from error


def size(text: str) -> tuple[int, int]:
    """Parses an argument HEIGHTxWIDTH; a type for argparse."""
    sides = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not sides:
        raise argparse.ArgumentTypeError(f"{text!r}: give height x width, for example 240x320")
    return int(sides[1]), int(sides[2])


def count(text: str) -> int:
    """Parses a whole number above 0; a type for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, 1 or more")
    return int(text)


def positive(text: str) -> float:
    """Reads a number above 0; a type for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number above 0")
    return number


def numbers(text: str, count: int) -> list[float]:
    """Parses `count` finite numbers with commas between them; for types of argparse."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"{text!r}: give {count} numbers with commas between them")
    return found


def setting(text: str) -> tuple[str, Any]:
    """Parses an argument KEY=VALUE, the value in YAML; a type for argparse."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: write it as KEY=VALUE")
    try:
        return key.strip(), parse_yaml(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: {value!r} is not a YAML value; check its brackets"
        ) from error
