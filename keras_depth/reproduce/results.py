"""Reads the results of a reproduction, row by row, as far as they exist."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth.data import DATA_SETS
from keras_depth.files import read_json
from keras_depth.published import Row
from keras_depth.recipes import Recipe
from keras_depth.reproduce import settings
from keras_depth.reproduce.plan import RowPlan
from keras_depth.reproduce.row import SEEN
from keras_depth.run_folder import RunFolder

_PROTOCOLS = ("paper", "standard")


@dataclass(frozen=True)
class Result:
    """The results of one row.

    Attributes:
        row: the published row.
        model: its architecture, with the options that the recipe gives it.
        counts, time: what `row.count` and `row.measure_time` wrote; None: not yet.
        scores: "paper" and "standard" -> their `report.json`, if it exists.
        seen: the same -> how many of the scored frames the model was trained on; None: unknown.
        unscored: the same -> why there is no score.
        frames: the scored frames, for people; "" if nothing was scored.
        trained: the model, frames and steps that were trained; on rendered frames the model may
            be smaller than the paper's.
        changed: the changes of the recipe.
        steps: training steps; None: no run folder tells.
        figure: the sample figure under the paper's protocol; None: there is none.
    """

    row: Row
    model: str
    counts: dict[str, Any] | None
    time: dict[str, Any] | None
    scores: dict[str, dict[str, Any]]
    seen: dict[str, int | None]
    unscored: dict[str, str]
    frames: str
    trained: str
    changed: list[str]
    steps: int | None
    figure: Path | None

    @property
    def rendered(self) -> bool:
        return self.frames.startswith("rendered")


def read(plan: RowPlan) -> Result:
    """Reads the results of a row.

    Raises:
        InputError: a file is damaged.
    """
    folder = plan.folder
    done = settings.read(folder) or {}
    run = RunFolder(done.get("run") or folder / "run")
    scores = _read_both(folder, "report.json")
    seen = {name: values["frames"] for name, values in _read_both(folder, SEEN).items()}
    steps = _steps(run)
    sentences = {name: folder / name / "not_scored.txt" for name in _PROTOCOLS}
    figure = folder / "paper" / "figures" / "samples.png"
    return Result(
        row=plan.row,
        model=_describe_model(plan.paper_recipe),
        counts=_json(folder / "counts.json"),
        time=_json(folder / "time.json"),
        scores=scores,
        seen={name: None if names is None else len(names) for name, names in seen.items()},
        unscored={
            name: file.read_text(encoding="utf-8").strip()
            for name, file in sentences.items()
            if file.exists() and name not in scores
        },
        frames=_title(done.get("data", "unknown frames")) if scores else "",
        trained=_describe_training(run, steps),
        changed=done.get("set", []),
        steps=steps,
        figure=figure if figure.exists() else None,
    )


def _describe_training(run: RunFolder, steps: int | None) -> str:
    if not run.recipe_file.is_file():
        return f"{run.path}; how is not known"
    recipe = run.recipe()
    frames = _title(recipe.data["name"])
    size = "x".join(map(str, recipe.size))
    duration = f", {steps:,} steps" if steps else ""
    return f"`{_describe_model(recipe)}`, {frames} of {size}, batch {recipe.batch_size}{duration}"


def _title(data: str) -> str:
    return (DATA_SETS[data].title if data in DATA_SETS else "") or data


def _describe_model(recipe: Recipe) -> str:
    options = ", ".join(f"{key}={value}" for key, value in recipe.options.items())
    return recipe.architecture + (f" ({options})" if options else "")


def _steps(run: RunFolder) -> int | None:
    rows = run.log_rows() if run.path.is_dir() else []
    return rows[-1]["step"] if rows else None


def _read_both(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Reads the file of that name of both protocols, without those that do not exist."""
    files = {protocol: _json(folder / protocol / name) for protocol in _PROTOCOLS}
    return {protocol: values for protocol, values in files.items() if values is not None}


def _json(file: Path) -> dict[str, Any] | None:
    return read_json(file) if file.exists() else None
