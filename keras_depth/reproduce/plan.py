"""Which rows of a paper are reproduced, on which frames, and where their results lie."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth import protocols, published, recipes
from keras_depth.errors import InputError
from keras_depth.published import Row
from keras_depth.recipes import Recipe

_RENDERED = {"nyu": "synthetic", "kitti": "drives"}  # what stands in for a data set


@dataclass(frozen=True)
class RowPlan:
    """One row, and how it is to be had again.

    Attributes:
        row: the published row.
        folder: where its results lie: `counts.json`, `time.json`, and with `settings.json` `run/`,
            `paper/` and `standard/`.
        network: the recipe of the published row, for the network as the paper has it.
        recipe: what is trained and scored: that recipe on the data set, or the one of rendered
            frames.
        run: a run that was trained before, in place of training; None: `folder / "run"`.
        standard: the protocol that most papers score this data set under.
        settings: what its results depend on, in JSON's types.
    """

    row: Row
    folder: Path
    network: Recipe
    recipe: Recipe
    run: Path | None
    standard: str
    settings: dict[str, Any]

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
        paper: a name of `published.papers()`.
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
    network = recipes.load(row.recipe)
    data = network.data["name"]
    trained = _trained(run, row) if run else None
    asked = {"run": str(run)} if run else {"run": None, "steps": steps, "set": list(changes)}
    if steps:
        changes = [*changes, f"steps={steps}"]
    if data in folders:
        where = f"data.dir={json.dumps(str(folders[data]))}"
        recipe = recipes.load(row.recipe, [where, *changes])
    elif trained and trained.data["name"] not in _RENDERED.values():
        recipe = _on_its_own_data(trained, data, run)
    else:
        recipe = _on_rendered_frames(row, data, changes)
    return RowPlan(
        row=row,
        folder=output / f"row{row.row:02}",
        network=network,
        recipe=recipe,
        run=run,
        standard=protocols.usual(data),
        settings={"data": recipe.data["name"], "dir": recipe.data.get("dir"), **asked},
    )


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
    return recipes.load(
        name, [*row.rendered, *changes], architecture=row.architecture, protocol=row.protocol
    )


def choose(paper: str, text: str) -> list[int]:
    """Reads which rows are meant: "5,7-9".

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
