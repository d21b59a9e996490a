"""The papers' tables: `evaluation/published/`, a file a paper."""

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
