"""Which rows of a paper are reproduced, on which frames, and where their results lie."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth import protocols, recipes, tables
from keras_depth.errors import InputError
from keras_depth.files import write_text
from keras_depth.recipes import Recipe
from keras_depth.tables import Row

_SETTINGS = "settings.json"
_RENDERED = {"nyu": "synthetic", "kitti": "drives"}  # what stands in for a data set


@dataclass(frozen=True)
class RowPlan:
    """One row, and how it is to be had again.

    Attributes:
        row: the published row.
        folder: where its results lie: `counts.json`, `run/`, `paper/`, `standard/`, `time.json`.
        network: the recipe of the published row, for the network as the paper has it.
        recipe: what is trained and scored: that recipe on the data set, or the one of rendered
            frames.
        run: a run that was trained before, in place of training; None: `folder / "run"`.
        trained: the recipe of the run; None where a run that was given does not tell.
        standard: the protocol that most papers score this data set under.
    """

    row: Row
    folder: Path
    network: Recipe
    recipe: Recipe
    run: Path | None
    trained: Recipe | None
    standard: str

    @property
    def run_folder(self) -> Path:
        return self.run or self.folder / "run"

    @property
    def rendered(self) -> bool:
        return "dir" not in self.recipe.data


def plan(
    paper: str,
    output: Path,
    *,
    folders: Mapping[str, Path] | None = None,
    runs: Mapping[int, Path] | None = None,
    steps: int | None = None,
    changes: Sequence[str] = (),
) -> list[RowPlan]:
    """Says how each row of a paper is to be reproduced.

    Args:
        paper: a name of `tables.papers()`.
        output: folder of all results.
        folders: of the data sets, by their names ("nyu", "kitti"). A row whose data set is not
            among them is trained on rendered frames.
        runs: trained runs by row, which are scored in place of training.
        steps: training steps; None: those of the recipes. 0 trains nothing.
        changes: of every trained recipe, as `recipes.load` takes them.

    Raises:
        InputError: no such paper or row, what a recipe does not take, or a run of something else.
    """
    folders, runs = folders or {}, runs or {}
    for number in runs:
        tables.row(paper, number)
    if steps:
        changes = [*changes, f"steps={steps}"]
    plans = []
    for row in tables.rows(paper):
        network = recipes.load(row.recipe)
        data = network.data["name"]
        run = runs.get(row.row)
        trained = _trained(run, row) if run else None
        if data in folders:
            own = [f"data.dir={json.dumps(str(folders[data]))}"]
            recipe = recipes.load(row.recipe, [*own, *changes])
        elif trained and trained.data["name"] not in _RENDERED.values():
            recipe = _on_its_own_data(trained, data, run)
        else:
            recipe = _on_rendered_frames(row, data, changes)
        plans.append(
            RowPlan(
                row=row,
                folder=output / f"row{row.row:02}",
                network=network,
                recipe=recipe,
                run=run,
                trained=trained if run else recipe,
                standard=protocols.usual(data),
            )
        )
    return plans


def _trained(run: Path, row: Row) -> Recipe | None:
    """The recipe of a run that was given; None of a file, or of an exported network."""
    file = run / "recipe.yaml"
    if not file.is_file():
        return None
    recipe = recipes.load(str(file))
    if recipe.architecture != row.architecture:
        raise InputError(
            f"--run {row.row}={run}: holds {recipe.architecture}, and row {row.row} of {row.paper}"
            f" is {row.architecture}"
        )
    return recipe


def _on_its_own_data(trained: Recipe, data: str, run: Path | None) -> Recipe:
    if trained.data["name"] != data:
        raise InputError(
            f"{run}: was trained on {trained.data['name']}, and is to be scored on {data}: give its"
            " folder with --data-dir"
        )
    return trained


def _on_rendered_frames(row: Row, data: str, changes: Sequence[str]) -> Recipe:
    """The paper's recipe of rendered frames with the row's network, encoding and loss.

    Of drives where the row's frames are streets.
    """
    name = f"{row.paper}/{'drives' if _RENDERED[data] == 'drives' else 'rooms'}"
    recipe = recipes.load(name, [*row.rendered, *changes], architecture=row.architecture)
    return dataclasses.replace(recipe, protocol=row.protocol)


def begin(output: Path, settings: Mapping[str, Any]) -> None:
    """Makes the folder of the results, or takes up what is in it.

    Args:
        output: the folder.
        settings: what the results depend on, in JSON's types; more may come later.

    Raises:
        InputError: it holds something else, or results of other settings; nothing is touched.
    """
    file = output / _SETTINGS
    there: dict[str, Any] = {}
    if file.exists():
        there = json.loads(file.read_text(encoding="utf-8"))
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(
            f"{output}: holds something else (no {_SETTINGS}); give --output a new folder"
        )
    different = [
        f"{key} ({there[key]!r} there, {value!r} now)"
        for key, value in settings.items()
        if key in there and there[key] != value
    ]
    if different:
        raise InputError(
            f"{output}: holds results of other settings: {'; '.join(different)}; give the same"
            " ones to go on, or --output another folder"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps({**there, **settings}, indent=2) + "\n")
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written ({error.strerror}); give --output a folder of your own"
        ) from error


def choose(paper: str, text: str) -> list[int]:
    """Reads which rows are meant: "5,7-9".

    Raises:
        InputError: it is not written so, or the paper's table has no such row.
    """
    known = [row.row for row in tables.rows(paper)]
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"--rows {text}: write it as 5 or 5,7-9")
        numbers = range(int(first), int(last if dash else first) + 1)
        missing = [number for number in numbers if number not in known]
        if missing or not numbers:
            raise InputError(
                f"--rows {text}: {paper}'s table has no row {part.strip()} of its own; known are"
                f" {', '.join(map(str, known))}"
            )
        chosen += numbers
    return sorted(set(chosen))
