"""The papers' tables: `evaluation/published/`, a file a paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from keras_depth import resources
from keras_depth.errors import InputError, unknown_name


@dataclass(frozen=True)
class Row:
    """One row of a paper's table.

    paper, table, row, name: which one.
    metrics: metric -> its value there, in the units of `metrics.describe`.
    protocol: the one that comes nearest to how it was scored.
    reproducible: which part of the table can be had again, which cannot, and why.
    note: what is known of the row itself.
    """

    paper: str
    table: str
    row: int
    name: str
    metrics: dict[str, float]
    protocol: str
    reproducible: str
    note: str

    @property
    def title(self) -> str:
        return f"{self.name}, row {self.row} of {self.paper}"


def papers() -> list[str]:
    """Returns the papers whose tables are here."""
    return sorted(path.stem for path in resources.folder("published").glob("*.yaml"))


def table(paper: str) -> dict[str, Any]:
    """Reads a paper's file.

    Raises:
        InputError: there is none.
    """
    if paper not in papers():
        raise unknown_name("paper", paper, papers())
    text = (resources.folder("published") / f"{paper}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def row(paper: str, row: int) -> Row:
    """Returns a row of a paper's table.

    Raises:
        InputError: there is none.
    """
    content = table(paper)
    for entry in content["rows"]:
        if entry["row"] == row:
            return Row(
                paper=paper,
                table=str(content["table"]),
                row=row,
                name=entry["name"],
                metrics=entry["metrics"],
                protocol=entry.get("protocol", content["protocol"]),
                reproducible=content["reproducible"],
                note=entry.get("note", ""),
            )
    known = ", ".join(str(entry["row"]) for entry in content["rows"])
    raise InputError(f"{paper}: its table has no row {row!r} of its own; known are {known}")


def to_markdown(paper: str, measured: Mapping[str, Mapping[str, float]] | None = None) -> str:
    """Returns a paper's own rows as a Markdown table, with what keeps other numbers from them.

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
    lines = [f"| row | name | network | loss | picture | {' | '.join(names)} |"]
    lines.append(f"|---:|---|---|---|---|{'---:|' * len(names)}")
    for entry in rows:
        network, size = f"`{entry['architecture']}`", "x".join(map(str, entry["size"]))
        what = [str(entry["row"]), entry["name"], network, entry["loss"], size]
        lines.append(_line(what, names, entry["metrics"]))
    for name, scores in (measured or {}).items():
        rounded = {key: round(value, 3) for key, value in scores.items()}
        lines.append(_line(["", f"here: {name}", "", "", ""], names, rounded))
    lines += ["", f"What can be reproduced: {content['reproducible']}", ""]
    lines += [f"- Row {entry['row']}: {entry['note']}" for entry in rows if entry.get("note")]
    return "\n".join(lines) + "\n"


def _line(what: list[str], names: list[str], scores: Mapping[str, float]) -> str:
    numbers = [_number(scores[name]) if name in scores else "" for name in names]
    return f"| {' | '.join([*what, *numbers])} |"


def _number(value: float) -> str:
    """Three decimals, and more where a paper prints more."""
    return f"{value:.3f}" if value == round(value, 3) else f"{value:g}"
