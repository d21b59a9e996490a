"""Tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], align: str, padded: bool = False
) -> list[str]:
    """Returns the lines of a Markdown table, without the columns that are empty in every row.

    Args:
        header: the columns' titles.
        rows: cells: texts, numbers, or None for an empty one. A short row's last cells are empty.
        align: a letter a column, "l" (left) or "r" (right).
        padded: pad cells with spaces to equal widths, for a table that a terminal shows as it is.
    """
    cells = [_texts(row, len(header)) for row in rows]
    used = [column for column in range(len(header)) if any(row[column] for row in cells)]
    lines = [[line[column] for column in used] for line in (header, *cells)]
    align = "".join(align[column] for column in used)
    widths = [0] * len(used)
    if padded:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first, *others = (_line(line, widths, align) for line in lines)
    return [first, _rule(widths, align), *others]


def bold(text: str) -> str:
    """Marks a text as bold; an empty one stays empty."""
    return f"**{text}**" if text else ""


def _texts(row: Sequence[Any], width: int) -> list[str]:
    texts = ["" if cell is None else str(cell).replace("|", "\\|") for cell in row]
    return texts + [""] * (width - len(texts))


def _line(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    padded = [
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, align, strict=True)
    ]
    return f"| {' | '.join(padded)} |"


def _rule(widths: Sequence[int], align: str) -> str:
    """Returns the line below the header; a colon marks a column that is aligned right."""
    marks = {"l": "---", "r": "---:"}
    cells = [marks[side].rjust(width + 2, "-") for width, side in zip(widths, align, strict=True)]
    return f"|{'|'.join(cells)}|"
