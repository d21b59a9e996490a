"""Reads the papers' tables: a YAML file each in `evaluation/published/`, see its schema.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from keras_depth import files, markdown
from keras_depth.errors import InputError
from keras_depth.registry import Registry

_LOSS = "loss, value"  # a column of `to_markdown`


@dataclass(frozen=True)
class Row:
    """One row of a paper's table.

    Attributes:
        paper, table, row, name: the paper's key, and the table, number and name of the row.
        architecture: the model here that the row is about.
        recipe: the recipe that trains it as the paper did, `paper/row`.
        loss: the loss as the table calls it.
        size: (height, width) of a frame. Where `crop` is given, the model sees a crop of that size.
        metrics: metric -> its published value, in the units of `metrics.describe`.
        protocol: the protocol nearest to the paper's scoring.
        reproducible: which part of the table can be reproduced, which cannot, and why.
        reference: the row that this row's time is compared with.
        parameters: millions, as printed; None: not published.
        loss_value: the final value of the loss, as printed; None: not published.
        seconds: device as the paper calls it -> seconds a frame.
        frames: options of the data set that select the frames the paper scores, where these are
            not the recipe's test frames.
        rendered: changes of the recipe for rendered frames that set this row apart.
        note: what is known of this row alone.
    """

    paper: str
    table: str
    row: int
    name: str
    architecture: str
    recipe: str
    loss: str
    size: tuple[int, int]
    metrics: dict[str, float]
    protocol: str
    reproducible: str
    reference: int
    crop: tuple[int, int] | None = None
    parameters: float | None = None
    loss_value: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)
    rendered: tuple[str, ...] = ()
    note: str = ""

    @property
    def title(self) -> str:
        return f"{self.name}, row {self.row} of {self.paper}"

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.crop or self.size


def papers() -> list[str]:
    """Returns the papers that have a file."""
    return list(_files())


def read(paper: str) -> dict[str, Any]:
    """Reads a paper's file.

    Raises:
        InputError: an unknown paper; the message names the nearest.
    """
    return yaml.safe_load(_files()[paper].read_text(encoding="utf-8"))


def rows(paper: str) -> list[Row]:
    """Reads the rows of a paper's own models, without those that it quotes.

    Raises:
        InputError: an unknown paper.
    """
    content = read(paper)
    return [_row(entry, content) for entry in content["rows"]]


def row(paper: str, row: int) -> Row:
    """Reads one row of a paper's own models.

    Raises:
        InputError: an unknown paper, or a row that it lacks.
    """
    known = {each.row: each for each in rows(paper)}
    if row not in known:
        raise InputError(
            f"{paper}: its table has no row {row!r} of its own; known are"
            f" {', '.join(map(str, known))}"
        )
    return known[row]


def to_markdown(paper: str, measured: Mapping[str, Mapping[str, float]] | None = None) -> str:
    """Returns a paper's own rows as a Markdown table, with what limits a comparison below it.

    The column "loss, value" is there only if a row has one.

    Args:
        paper: see `papers`.
        measured: scores to show below the rows: name -> metric -> value. Metrics that the paper
            does not have are left out.

    Raises:
        InputError: an unknown paper.
    """
    content = read(paper)
    rows = content["rows"]
    names = list(dict.fromkeys(name for entry in rows for name in entry["metrics"]))
    if any("loss_value" in entry for entry in rows):
        names.append(_LOSS)
    cells = []
    for entry in rows:
        size = "x".join(map(str, entry["size"]))
        what = [entry["row"], entry["name"], f"`{entry['architecture']}`", entry["loss"], size]
        loss = {_LOSS: entry["loss_value"]} if "loss_value" in entry else {}
        cells.append([*what, *_numbers(names, entry["metrics"] | loss)])
    for name, scores in (measured or {}).items():
        rounded = {key: round(value, 3) for key, value in scores.items()}
        cells.append([None, f"here: {name}", None, None, None, *_numbers(names, rounded)])
    header = ["row", "name", "model", "loss", "image", *names]
    lines = markdown.table(header, cells, "rllll" + "r" * len(names))
    lines += ["", f"What can be reproduced: {content['reproducible']}", ""]
    lines += [f"- Row {entry['row']}: {entry['note']}" for entry in rows if entry.get("note")]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Formats a published number with three decimals, or more where the paper prints more."""
    return f"{value:.3f}" if value == round(value, 3) else f"{value:g}"


def _files() -> Registry[Path]:
    paths = sorted(files.resource_folder("published").glob("*.yaml"))
    return Registry("paper", {path.stem: path for path in paths})


def _numbers(names: list[str], scores: Mapping[str, float]) -> list[str | None]:
    return [number(scores[name]) if name in scores else None for name in names]


def _row(entry: dict[str, Any], content: dict[str, Any]) -> Row:
    crop = entry.get("crop")
    return Row(
        paper=content["paper"],
        table=str(entry["table"]),
        row=entry["row"],
        name=entry["name"],
        architecture=entry["architecture"],
        recipe=f"{content['paper']}/{entry['recipe']}",
        loss=entry["loss"],
        size=tuple(entry["size"]),
        metrics=entry["metrics"],
        protocol=entry.get("protocol", content["protocol"]),
        reproducible=content["reproducible"],
        reference=entry.get("reference", content["reference"]),
        crop=tuple(crop) if crop else None,
        parameters=entry.get("parameters"),
        loss_value=entry.get("loss_value"),
        seconds=entry.get("seconds", {}),
        frames=content.get("frames", {}),
        rendered=tuple(entry.get("rendered", ())),
        note=entry.get("note", ""),
    )
