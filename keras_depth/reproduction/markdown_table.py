"""Tables of the report, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Iterable[Any]], align: str) -> list[str]:
    """Returns a table's lines; what a row lacks at its end stays empty.

    Args:
        head: what stands over the columns.
        rows: cells; a text, a number, or None for an empty one.
        align: a letter a column, "l" or "r".
    """
    marks = {"l": "---", "r": "---:"}
    lines = [_line(head), f"|{'|'.join(marks[each] for each in align)}|"]
    for row in rows:
        cells = ["" if cell is None else str(cell).replace("|", "\\|") for cell in row]
        lines.append(_line([*cells, *[""] * (len(head) - len(cells))]))
    return lines


def bold(text: str) -> str:
    return f"**{text}**" if text else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
