"""Stores each row's settings beside its results, so that different settings never mix."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_depth.errors import InputError
from keras_depth.files import make_folder, read_json, write_text
from keras_depth.reproduce.plan import RowPlan

_FILE = "settings.json"
# A row that has one of these refuses other settings.
_RESULTS = ("run/checkpoints", "paper/report.json", "standard/report.json")


def prepare_folder(output: Path, paper: str) -> None:
    """Makes the folder of a paper's results, or continues in the one that exists.

    Raises:
        InputError: it holds something else, or another paper's results; nothing is changed.
    """
    file = output / _FILE
    if file.exists():
        stored = read_json(file).get("paper")
        if stored != paper:
            raise InputError(f"{output}: holds {stored}'s results; give --output another folder")
        return
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: holds something else (no {_FILE}); give --output a new folder")
    make_folder(output)
    write_text(file, json.dumps({"paper": paper}) + "\n")


def check(plans: Iterable[RowPlan]) -> None:
    """Checks that each row's requested settings match those its stored results were made with.

    Raises:
        InputError: they differ; nothing is changed.
    """
    for plan in plans:
        stored = read(plan.folder)
        if stored is None or not any((plan.folder / each).exists() for each in _RESULTS):
            continue
        different = [
            f"{key} (stored {stored.get(key)!r}, now {value!r})"
            for key, value in plan.settings.items()
            if stored.get(key) != value
        ]
        if different:
            raise InputError(
                f"{plan.folder}: holds results of other settings: {'; '.join(different)}; repeat"
                " the stored ones to continue, give --output another folder, or delete this one to"
                " do the row again"
            )


def write(plan: RowPlan) -> None:
    """Stores a row's settings."""
    if read(plan.folder) != plan.settings:
        make_folder(plan.folder)
        write_text(plan.folder / _FILE, json.dumps(plan.settings, indent=2) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """Reads the settings of a row's results; None if the row was not begun."""
    file = folder / _FILE
    return read_json(file) if file.exists() else None
