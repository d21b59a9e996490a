"""Plans how each row of a paper is reproduced: recipe, frames, and folder of its results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth import published, recipes
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError
from keras_depth.published import Row
from keras_depth.recipes import Recipe
from keras_depth.run_folder import RunFolder


@dataclass(frozen=True)
class RowPlan:
    """How one row is reproduced.

    Attributes:
        row: the published row.
        folder: the folder of its results: `counts.json`, `time.json`, `settings.json`, `run/`,
            `paper/` and `standard/`.
        paper_recipe: the recipe of the published row, which builds the paper's model.
        recipe: the recipe that is trained and scored: the paper's on its data set, or that of
            rendered frames.
        run: an earlier run to score instead of training; None: train in `folder / "run"`.
        standard: the protocol that most papers score this data set under.
        settings: the settings that its results depend on, in JSON's types.
    """

    row: Row
    folder: Path
    paper_recipe: Recipe
    recipe: Recipe
    run: Path | None
    standard: str
    settings: dict[str, Any]

    @property
    def run_folder(self) -> Path:
        return self.run or self.folder / "run"

    @property
    def network(self) -> str:
        """What the paper's model is built from; rows that differ in their training share it."""
        recipe = self.paper_recipe
        parts = [recipe.architecture, dict(recipe.options), self.row.input_size]
        return json.dumps(parts, sort_keys=True, default=str)

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
    """Plans how each row of a paper is reproduced.

    Args:
        paper: a name of `published.papers()`.
        output: the folder of all results.
        folders: name of a data set ("nyu", "kitti") -> its folder. A row whose data set is not
            among them is trained on rendered frames.
        runs: row -> a trained run, which is scored instead of training.
        steps: training steps; None: those of the recipes. 0 trains nothing.
        changes: changes of every trained recipe, as `recipes.load` takes them.

    Raises:
        InputError: an unknown paper or row, a change that a recipe refuses, or a run of another
            architecture or data set.
    """
    folders, runs = folders or {}, runs or {}
    for number in runs:
        published.row(paper, number)
    return [
        _plan_row(row, output, folders, runs.get(row.row), steps, changes)
        for row in published.rows(paper)
    ]


def _plan_row(
    row: Row,
    output: Path,
    folders: Mapping[str, Path],
    run: Path | None,
    steps: int | None,
    changes: Sequence[str],
) -> RowPlan:
    paper_recipe = recipes.load(row.recipe)
    data = paper_recipe.data["name"]
    trained = _trained(run, row) if run else None
    asked = {"run": str(run)} if run else {"run": None, "steps": steps, "set": list(changes)}
    if steps:
        changes = [*changes, f"steps={steps}"]
    if data in folders:
        where = f"data.dir={json.dumps(str(folders[data]))}"
        recipe = recipes.load(row.recipe, [where, *changes])
    elif trained and not DATA_SETS[trained.data["name"]].rendered:
        recipe = _on_its_own_data(trained, data, run)
    else:
        recipe = _on_rendered_frames(row, data, changes)
    return RowPlan(
        row=row,
        folder=output / f"row{row.row:02}",
        paper_recipe=paper_recipe,
        recipe=recipe,
        run=run,
        standard=DATA_SETS[data].protocol,
        settings={"data": recipe.data["name"], "dir": recipe.data.get("dir"), **asked},
    )


def _trained(run: Path, row: Row) -> Recipe | None:
    """Returns the recipe of a run; None for a file or an exported model, which have none."""
    folder = RunFolder(run)
    if not folder.recipe_file.is_file():
        return None
    recipe = folder.recipe()
    if recipe.architecture != row.architecture:
        raise InputError(
            f"--run {row.row}={run}: holds {recipe.architecture}, but row {row.row} of {row.paper}"
            f" is {row.architecture}; give a run of that"
        )
    return recipe


def _on_its_own_data(trained: Recipe, data: str, run: Path | None) -> Recipe:
    """Returns the run's own recipe, if it was trained on the row's data set."""
    if trained.data["name"] != data:
        raise InputError(
            f"{run}: was trained on {trained.data['name']}, but its row is scored on {data}; give"
            f" the folder of {data} with --data-dir"
        )
    return trained


def _on_rendered_frames(row: Row, data: str, changes: Sequence[str]) -> Recipe:
    """Returns the paper's recipe for rendered frames, with the row's architecture and loss.

    The frames are drives for a row of KITTI, otherwise rooms.
    """
    name = f"{row.paper}/{DATA_SETS[data].stand_in}"
    return recipes.load(
        name, [*row.rendered, *changes], architecture=row.architecture, protocol=row.protocol
    )


def choose(paper: str, text: str) -> list[int]:
    """Reads a choice of rows such as "5,7-9".

    Raises:
        InputError: it is not written so, or the paper's table has no such row.
    """
    known = [row.row for row in published.rows(paper)]
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
