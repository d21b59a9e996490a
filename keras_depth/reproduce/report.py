"""The report of a reproduction: published and measured numbers side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_depth import metrics, published
from keras_depth.environment import describe
from keras_depth.files import write_text
from keras_depth.markdown import table
from keras_depth.models import CITATIONS
from keras_depth.reproduce import tables
from keras_depth.reproduce.html import to_html
from keras_depth.reproduce.plan import RowPlan
from keras_depth.reproduce.results import Result, read

_RENDERED = (
    "**Rendered frames**, drawn by a program: the measured errors show that the networks learn, and"
    " say nothing about NYU Depth v2 or KITTI. What was trained for them, at a smaller size and"
    " sometimes with fewer layers, stands with the pictures. Parameters, multiplications and times"
    " are those of the networks at the paper's sizes."
)


def write(plans: Sequence[RowPlan], output: Path, command: str) -> None:
    """Writes `report.md` and `report.html` of what the folder holds by now.

    Args:
        plans: of all rows of one paper.
        output: the folder of the results.
        command: what made the latest of them, for the reader.

    Raises:
        InputError: a file of the results is damaged.
    """
    results = [read(plan) for plan in plans]
    content = published.read(plans[0].row.paper)
    text = "\n".join(
        [
            *_opening(results, content, command),
            *tables.counts(results),
            *tables.errors(results, output),
            *tables.standard(results),
            *tables.times(results, output),
            *_pictures(results, output),
            *_quoted(content),
            *_apart(content),
        ]
    )
    write_text(output / "report.md", text + "\n")
    title = f"{content['paper']}: {tables.where(results)}"
    write_text(output / "report.html", to_html(text, title, output))


def _opening(results: Sequence[Result], content: dict[str, Any], command: str) -> list[str]:
    lines = [f"# {content['paper']}, published and here: {tables.where(results)}", ""]
    if any(result.rendered for result in results):
        lines += [_RENDERED, ""]
    scored = sum(bool(result.frames) for result in results)
    facts = {
        "paper": CITATIONS[content["paper"]],
        "published": content["source"],
        "units": content["units"],
        "rows scored": f"{scored} of {len(results)}",
        "last command": f"`{command}`",
    }
    times = [result.time for result in results if result.time]
    versions = dict.fromkeys(describe(time["environment"]) for time in times)
    if versions:
        facts["times by"] = "; ".join(versions)
    return [*lines, *table(["", ""], facts.items(), "ll"), ""]


def _pictures(results: Sequence[Result], output: Path) -> list[str]:
    lines: list[str] = []
    for result in results:
        if result.picture is None or "paper" not in result.scores:
            continue
        changed = ", ".join(f"`{change}`" for change in result.changed)
        lines += [
            f"### Row {result.row.row}, {result.row.name}, on {result.frames}",
            "",
            f"![Picture, true depth, predicted depth, error; {result.frames}]"
            f"({result.picture.relative_to(output)})",
            "",
            f"- Trained: {result.trained}.",
            *([f"- Changed of its recipe: {changed}."] if changed else []),
            f"- Scored: {result.scores['paper']['data']}.",
            "",
        ]
    return [f"## Pictures ({tables.where(results)})", "", *lines] if lines else []


def _quoted(content: dict[str, Any]) -> list[str]:
    """What the paper compares itself with; nothing of it is measured here."""
    quoted = content.get("quoted", [])
    if not quoted:
        return []
    keys = metrics.names()
    rows = [
        [f"Table {row['table']}", row["name"], row.get("loss"), _size(row.get("size"))]
        + [f"{row['parameters']:g} M" if "parameters" in row else None]
        + [published.number(row[key]) if key in row else None for key in keys]
        for row in quoted
    ]
    head = ["table", "name", "loss", "input, h x w", "parameters", *keys]
    return [
        "## What the paper quotes from others",
        "",
        *table(head, rows, "lll" + "r" * (len(head) - 3)),
        "",
    ]


def _size(size: list[int] | None) -> str:
    return "x".join(map(str, size or []))


def _apart(content: dict[str, Any]) -> list[str]:
    notes = [row for row in content["rows"] if row.get("note")]
    return [
        "## What can be reproduced, and what cannot",
        "",
        content["reproducible"],
        "",
        *(f"- {text}" for text in content["contradictions"]),
        *(f"- Row {row['row']}: {row['note']}" for row in notes),
    ]
