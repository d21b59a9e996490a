"""What the folder of a reproduction holds by now, row by row."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth.recipes import Recipe
from keras_depth.reproduction.plan import RowPlan
from keras_depth.run_folder import RunFolder
from keras_depth.tables import Row

_FRAMES = {
    "synthetic": "rendered rooms",
    "drives": "rendered drives",
    "nyu": "NYU Depth v2",
    "kitti": "KITTI",
}


@dataclass(frozen=True)
class Result:
    """What is known of one row.

    Attributes:
        row: the published one.
        network: its architecture, with the options that the recipe gives it.
        frames: what it was, or would be, scored on, for people.
        steps: how long it was trained; None where no run folder says so.
        trained: what was trained, and on what: on rendered frames it may be smaller.
        counts, time: what `row.count` and `row.time` wrote.
        paper, standard: `report.json` of the two protocols.
        unscored: why one of them is not there, by its name.
        picture: the figure of the paper's protocol.
    """

    row: Row
    network: str
    frames: str
    steps: int | None
    trained: str
    counts: dict[str, Any] | None
    time: dict[str, Any] | None
    paper: dict[str, Any] | None
    standard: dict[str, Any] | None
    unscored: dict[str, str]
    picture: Path | None

    @property
    def rendered(self) -> bool:
        return self.frames.startswith("rendered")


def read(plan: RowPlan) -> Result:
    """Reads what is there of a row."""
    folder = plan.folder
    reports = {name: _json(folder / name / "report.json") for name in ("paper", "standard")}
    sentences = {name: folder / name / "not_scored.txt" for name in reports}
    picture = folder / "paper" / "figures" / "samples.png"
    return Result(
        row=plan.row,
        network=_network(plan.network),
        frames=_FRAMES[plan.recipe.data["name"]],
        steps=_steps(plan.run_folder),
        trained=_trained(plan.trained) if plan.trained else "not known",
        counts=_json(folder / "counts.json"),
        time=_json(folder / "time.json"),
        paper=reports["paper"],
        standard=reports["standard"],
        unscored={
            name: file.read_text(encoding="utf-8").strip()
            for name, file in sentences.items()
            if file.exists() and reports[name] is None
        },
        picture=picture if picture.exists() else None,
    )


def _network(recipe: Recipe) -> str:
    options = ", ".join(f"{key}={value}" for key, value in recipe.options.items())
    return recipe.architecture + (f" ({options})" if options else "")


def _trained(recipe: Recipe) -> str:
    size = "x".join(map(str, recipe.size))
    frames = _FRAMES.get(recipe.data["name"], recipe.data["name"])
    return f"`{_network(recipe)}`, {frames} of {size}, batch {recipe.batch_size}"


def _steps(run: Path) -> int | None:
    rows = RunFolder(run).log_rows() if run.is_dir() else []
    return rows[-1]["step"] if rows else None


def _json(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
