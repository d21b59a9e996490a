"""Writes the report of a reproduction: published and measured numbers side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_depth import metrics, models, published
from keras_depth.environment import describe
from keras_depth.files import write_text
from keras_depth.markdown import table
from keras_depth.reproduce import tables
from keras_depth.reproduce.html import to_html
from keras_depth.reproduce.plan import RowPlan
from keras_depth.reproduce.results import Result, read

_RENDERED = (
    "**Rendered frames**, drawn by a program: the measured errors show that the models learn, and"
    " say nothing about NYU Depth v2 or KITTI. The models trained on them are smaller, some with"
    " fewer layers; the section with the images describes them. Parameters, multiplications and"
    " times are those of the models at the paper's sizes."
)


def write(plans: Sequence[RowPlan], output: Path, command: str) -> None:
    """Writes `report.md` and `report.html` of the results so far.

    Args:
        plans: the plans of all rows of a paper.
        output: the folder of the results.
        command: the command that made the latest of them, for the reader.

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
            *_images(results, output),
            *_quoted(content),
            *_limits(content),
        ]
    )
    write_text(output / "report.md", text + "\n")
    title = f"{content['paper']}: {tables.scope(results)}"
    write_text(output / "report.html", to_html(text, title, output))


def _opening(results: Sequence[Result], content: dict[str, Any], command: str) -> list[str]:
    lines = [f"# {content['paper']}, published and here: {tables.scope(results)}", ""]
    if any(result.rendered for result in results):
        lines += [_RENDERED, ""]
    scored = sum(bool(result.frames) for result in results)
    facts = {
        "paper": models.get(results[0].row.architecture).citation,
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


def _images(results: Sequence[Result], output: Path) -> list[str]:
    lines: list[str] = []
    for result in results:
        if result.figure is None or "paper" not in result.scores:
            continue
        changed = ", ".join(f"`{change}`" for change in result.changed)
        lines += [
            f"### Row {result.row.row}, {result.row.name}, on {result.frames}",
            "",
            f"![Image, true depth, predicted depth, error; {result.frames}]"
            f"({result.figure.relative_to(output)})",
            "",
            f"- Trained: {result.trained}.",
            *([f"- Changed in its recipe: {changed}."] if changed else []),
            f"- Scored: {result.scores['paper']['data']}.",
            "",
        ]
    return [f"## Images ({tables.scope(results)})", "", *lines] if lines else []


def _quoted(content: dict[str, Any]) -> list[str]:
    """Lists the rows that the paper quotes from others, of which none is measured here."""
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


def _limits(content: dict[str, Any]) -> list[str]:
    """Says what of the paper can be reproduced, and lists its contradictions."""
    notes = [row for row in content["rows"] if row.get("note")]
    return [
        "## What can be reproduced, and what cannot",
        "",
        content["reproducible"],
        "",
        *(f"- {text}" for text in content["contradictions"]),
        *(f"- Row {row['row']}: {row['note']}" for row in notes),
    ]
