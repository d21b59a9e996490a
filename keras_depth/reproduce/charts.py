"""The report's charts: published and measured numbers, row by row."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

_PUBLISHED, _HERE = "#1b6ca8", "#d1495b"


def errors(
    names: Sequence[str],
    published: Sequence[float | None],
    here: Sequence[float | None],
    here_is: str,
    path: Path,
) -> None:
    """Draws REL of each row, published and measured.

    Args:
        names: of the rows, from the top.
        published, here: linear REL; None is not drawn.
        here_is: what was scored here, for the legend.
        path: a .png file.
    """
    _dots(
        names,
        {"published": (published, _PUBLISHED, "o"), f"here, {here_is}": (here, _HERE, "D")},
        "REL, mean |error| / depth",
        path,
    )


def times(
    names: Sequence[str],
    published: Mapping[str, Sequence[float | None]],
    here: Sequence[float | None],
    path: Path,
) -> None:
    """Draws the time of each row by that of the row it is compared with.

    Args:
        names: of the rows, from the top.
        published: by device, ratios; None is not drawn.
        here: the same, measured here.
        path: a .png file.
    """
    colours = (_PUBLISHED, "#4c9f70", "#8d6cab")
    series = {
        f"published, {device}": (ratios, colour, "o")
        for (device, ratios), colour in zip(published.items(), colours, strict=False)
    }
    _dots(
        names,
        {**series, "here": (here, _HERE, "D")},
        "time / time of the row that it is compared with",
        path,
    )


def _dots(names: Sequence[str], series: dict, label: str, path: Path) -> None:
    figure = Figure(figsize=(8, 1.2 + 0.34 * len(names)), layout="constrained")
    axes = figure.subplots()
    for name, (values, colour, marker) in series.items():
        known = [(value, at) for at, value in enumerate(values) if value is not None]
        if known:
            axes.scatter(
                *zip(*known, strict=True), color=colour, marker=marker, label=name, zorder=3
            )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="0.9")
    axes.hlines(range(len(names)), *axes.get_xlim(), color="0.93", zorder=1)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
