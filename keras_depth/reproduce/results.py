"""What the folder of a reproduction holds by now, row by row, whatever is asked for next."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth import recipes
from keras_depth.files import read_json
from keras_depth.published import Row
from keras_depth.recipes import Recipe
from keras_depth.reproduce import settings
from keras_depth.reproduce.plan import RowPlan
from keras_depth.reproduce.row import SEEN
from keras_depth.run_folder import RunFolder

_FRAMES = {
    "synthetic": "rendered rooms",
    "drives": "rendered drives",
    "nyu": "NYU Depth v2",
    "kitti": "KITTI",
}
_PROTOCOLS = ("paper", "standard")


@dataclass(frozen=True)
class Result:
    """What is known of one row.

    Attributes:
        row: the published one.
        network: its architecture, with the options that the recipe gives it.
        counts, time: what `row.count` and `row.time` wrote.
        scores: `report.json` of "paper" and "standard", as far as they are there.
        seen: how many of the scored frames the network was trained on; None: not known.
        unscored: why one of them is not there.
        frames: what was scored, for people; "" where nothing was.
        trained: what was trained, on what and for how long; on rendered frames it may be smaller.
        changed: what was changed of its recipe.
        steps: how long it was trained; None where no run folder says so.
        picture: the figure of the paper's protocol.
    """

    row: Row
    network: str
    counts: dict[str, Any] | None
    time: dict[str, Any] | None
    scores: dict[str, dict[str, Any]]
    seen: dict[str, int | None]
    unscored: dict[str, str]
    frames: str
    trained: str
    changed: list[str]
    steps: int | None
    picture: Path | None

    @property
    def rendered(self) -> bool:
        return self.frames.startswith("rendered")


def read(plan: RowPlan) -> Result:
    """Reads what is there of a row.

    Raises:
        InputError: a file is damaged.
    """
    folder = plan.folder
    done = settings.of(folder) or {}
    run = RunFolder(done.get("run") or folder / "run")
    scores = _found(folder, "report.json")
    seen = {name: values["frames"] for name, values in _found(folder, SEEN).items()}
    steps = _steps(run)
    sentences = {name: folder / name / "not_scored.txt" for name in _PROTOCOLS}
    picture = folder / "paper" / "figures" / "samples.png"
    return Result(
        row=plan.row,
        network=_network(plan.network),
        counts=_json(folder / "counts.json"),
        time=_json(folder / "time.json"),
        scores=scores,
        seen={name: None if names is None else len(names) for name, names in seen.items()},
        unscored={
            name: file.read_text(encoding="utf-8").strip()
            for name, file in sentences.items()
            if file.exists() and name not in scores
        },
        frames=_FRAMES.get(done.get("data", ""), "unknown frames") if scores else "",
        trained=_trained(run, steps),
        changed=done.get("set", []),
        steps=steps,
        picture=picture if picture.exists() else None,
    )


def _trained(run: RunFolder, steps: int | None) -> str:
    if not run.recipe_file.is_file():
        return f"{run.path}, which does not say how"
    recipe = recipes.load(str(run.recipe_file))
    frames = _FRAMES.get(recipe.data["name"], recipe.data["name"])
    size = "x".join(map(str, recipe.size))
    long = f", {steps:,} steps" if steps else ""
    return f"`{_network(recipe)}`, {frames} of {size}, batch {recipe.batch_size}{long}"


def _network(recipe: Recipe) -> str:
    options = ", ".join(f"{key}={value}" for key, value in recipe.options.items())
    return recipe.architecture + (f" ({options})" if options else "")


def _steps(run: RunFolder) -> int | None:
    rows = run.log_rows() if run.path.is_dir() else []
    return rows[-1]["step"] if rows else None


def _found(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The files of that name of the two protocols, as far as they are there."""
    files = {protocol: _json(folder / protocol / name) for protocol in _PROTOCOLS}
    return {protocol: values for protocol, values in files.items() if values is not None}


def _json(file: Path) -> dict[str, Any] | None:
    return read_json(file) if file.exists() else None
