"""What every command shares: how it starts, and how it ends when something is wrong."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from keras_depth.errors import InputError


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs a command and leaves the process with its exit code.

    Args:
        main: parses the arguments, then imports TensorFlow and works; returns the exit code,
            None for 0.

    Bad input (InputError) prints `error: <sentence>` on stderr and leaves with 2, as argparse
    does for bad arguments; Ctrl-C leaves with 130.
    """
    try:
        choose_backend()
        code = main() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)


def choose_backend() -> None:
    """Makes Keras use TensorFlow, and TensorFlow keep its start-up notices to itself.

    Both read the environment when they are imported, so this comes first.

    Raises:
        InputError: the environment asks for another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise InputError(
            f"KERAS_BACKEND={backend}: this suite's data pipeline, training loop and export need"
            " TensorFlow; unset KERAS_BACKEND or set it to tensorflow"
        )
