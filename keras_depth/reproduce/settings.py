"""What each row was done with, kept beside its results, so that no other settings mix in."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_depth.errors import InputError
from keras_depth.files import read_json, write_text
from keras_depth.reproduce.plan import RowPlan

_FILE = "settings.json"
# A row that has one of these cannot take other settings.
_RESULTS = ("run/checkpoints", "paper/report.json", "standard/report.json")


def begin(output: Path, paper: str) -> None:
    """Makes the folder of a paper's results, or takes up what is in it.

    Raises:
        InputError: it holds something else, or another paper's results; nothing is touched.
    """
    file = output / _FILE
    if file.exists():
        there = read_json(file).get("paper")
        if there != paper:
            raise InputError(f"{output}: holds {there}'s results; give --output another folder")
        return
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: holds something else (no {_FILE}); give --output a new folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps({"paper": paper}) + "\n")
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written ({error.strerror}); give --output a folder of your own"
        ) from error


def check(plans: Iterable[RowPlan]) -> None:
    """Compares what rows are to be done with to what their results were had with.

    Raises:
        InputError: they differ; nothing is touched.
    """
    for plan in plans:
        there = of(plan.folder)
        if there is None or not any((plan.folder / each).exists() for each in _RESULTS):
            continue
        different = [
            f"{key} ({there.get(key)!r} there, {value!r} now)"
            for key, value in plan.settings.items()
            if there.get(key) != value
        ]
        if different:
            raise InputError(
                f"{plan.folder}: holds results of other settings: {'; '.join(different)}; give the"
                " same ones to go on, or --output another folder, or remove this one to do the row"
                " anew"
            )


def keep(plan: RowPlan) -> None:
    """Writes what a row is done with."""
    if of(plan.folder) == plan.settings:
        return
    plan.folder.mkdir(parents=True, exist_ok=True)
    write_text(plan.folder / _FILE, json.dumps(plan.settings, indent=2) + "\n")


def of(folder: Path) -> dict[str, Any] | None:
    """Reads what a row was done with; None where it has not been begun."""
    file = folder / _FILE
    return read_json(file) if file.exists() else None
