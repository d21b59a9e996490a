"""Writing files whole or not at all, and reading what was so written."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_depth.errors import InputError


def read_json(path: Path) -> Any:
    """Reads a file of JSON that a command has written.

    Raises:
        InputError: it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path}: damaged ({error}); restore it, or delete it and give the command again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` make a file beside `target`, then puts it in its place in one step."""
    partial = target.with_name(f".partial-{target.name}")
    write(partial)
    os.replace(partial, target)
