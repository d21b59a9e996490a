"""Writing files whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` make a file beside `target`, then puts it in its place in one step."""
    partial = target.with_name(f".partial-{target.name}")
    write(partial)
    os.replace(partial, target)
