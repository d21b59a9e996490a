"""The papers' tables, a file each in `evaluation/published/`; its schema.json explains the keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from keras_depth import files
from keras_depth.errors import InputError, unknown_name

_LOSS = "loss, value"  # a column of `to_markdown`


@dataclass(frozen=True)
class Row:
    """One row of a paper's table.

    Attributes:
        paper, table, row, name: which one.
        architecture: the network here.
        recipe: the recipe that trains it as the paper did, `paper/row`.
        loss: as the table calls it.
        size: (height, width) of the frame; `crop`, where it is there, of what the network sees.
        metrics: metric -> its value there, in the units of `metrics.describe`.
        protocol: the one that comes nearest to how it was scored.
        reproducible: which part of the table can be had again, which cannot, and why.
        reference: the row whose time this one's is compared with.
        parameters: millions, as printed; None: not published.
        loss_value: what the loss comes down to, as printed; None: not published.
        seconds: a frame, by the device's name there.
        frames: options of the data set for the frames that the paper scores, where they are not
            the test frames of the recipe.
        rendered: changes of the recipe of rendered frames that make it this row's.
        note: what is known of the row itself.
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
        """(height, width) of what the network sees."""
        return self.crop or self.size


def papers() -> list[str]:
    """Returns the papers whose tables are here."""
    return sorted(path.stem for path in files.resource_folder("published").glob("*.yaml"))


def table(paper: str) -> dict[str, Any]:
    """Reads a paper's file.

    Raises:
        InputError: there is none.
    """
    if paper not in papers():
        raise unknown_name("paper", paper, papers())
    text = (files.resource_folder("published") / f"{paper}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def rows(paper: str) -> list[Row]:
    """Returns all rows of a paper's own.

    Raises:
        InputError: there is no such paper.
    """
    content = table(paper)
    return [_row(entry, content) for entry in content["rows"]]


def row(paper: str, row: int) -> Row:
    """Returns a row of a paper's table.

    Raises:
        InputError: there is none.
    """
    known = rows(paper)
    for each in known:
        if each.row == row:
            return each
    numbers = ", ".join(str(each.row) for each in known)
    raise InputError(f"{paper}: its table has no row {row!r} of its own; known are {numbers}")


def to_markdown(paper: str, measured: Mapping[str, Mapping[str, float]] | None = None) -> str:
    """Returns a paper's own rows as a Markdown table, with what keeps other numbers from them.

    A column "loss, value" is there where a row has one.

    Args:
        paper: see `table`.
        measured: scores to stand below the rows: what they are called -> metric -> value. Metrics
            that the paper does not have are left out.

    Raises:
        InputError: there is no such paper.
    """
    content = table(paper)
    rows = content["rows"]
    names = list(dict.fromkeys(name for entry in rows for name in entry["metrics"]))
    if any("loss_value" in entry for entry in rows):
        names.append(_LOSS)
    lines = [f"| row | name | network | loss | picture | {' | '.join(names)} |"]
    lines.append(f"|---:|---|---|---|---|{'---:|' * len(names)}")
    for entry in rows:
        network, size = f"`{entry['architecture']}`", "x".join(map(str, entry["size"]))
        what = [str(entry["row"]), entry["name"], network, entry["loss"], size]
        loss = {_LOSS: entry["loss_value"]} if "loss_value" in entry else {}
        lines.append(_line(what, names, entry["metrics"] | loss))
    for name, scores in (measured or {}).items():
        rounded = {key: round(value, 3) for key, value in scores.items()}
        lines.append(_line(["", f"here: {name}", "", "", ""], names, rounded))
    lines += ["", f"What can be reproduced: {content['reproducible']}", ""]
    lines += [f"- Row {entry['row']}: {entry['note']}" for entry in rows if entry.get("note")]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Returns a published number as text: three decimals, and more where the paper prints more."""
    return f"{value:.3f}" if value == round(value, 3) else f"{value:g}"


def _line(what: list[str], names: list[str], scores: Mapping[str, float]) -> str:
    numbers = [number(scores[name]) if name in scores else "" for name in names]
    return f"| {' | '.join([*what, *numbers])} |"


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
