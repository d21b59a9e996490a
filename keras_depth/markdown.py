"""Tables of the report, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], align: str) -> list[str]:
    """Returns a table's lines, without the columns that no row has anything in.

    Args:
        head: what stands over the columns.
        rows: cells: texts, numbers, or None for an empty one; what a row lacks at its end is empty.
        align: a letter a column, "l" or "r".
    """
    marks = {"l": "---", "r": "---:"}
    cells = [_texts(row, len(head)) for row in rows]
    used = [column for column in range(len(head)) if any(row[column] for row in cells)]
    lines = [_line([head[column] for column in used])]
    lines.append(f"|{'|'.join(marks[align[column]] for column in used)}|")
    return lines + [_line([row[column] for column in used]) for row in cells]


def bold(text: str) -> str:
    return f"**{text}**" if text else ""


def _texts(row: Sequence[Any], width: int) -> list[str]:
    texts = ["" if cell is None else str(cell).replace("|", "\\|") for cell in row]
    return texts + [""] * (width - len(texts))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
