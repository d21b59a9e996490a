"""Draws the report's charts: published and measured numbers, row by row."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from keras_depth.files import make_folder, write_figure

_PUBLISHED, _HERE = "#1b6ca8", "#d1495b"


def errors(
    names: Sequence[str],
    published: Sequence[float | None],
    here: Sequence[float | None],
    scope: str,
    path: Path,
) -> None:
    """Draws REL of each row, published and measured.

    Args:
        names: the rows' names, from the top.
        published, here: linear REL; None is not drawn.
        scope: what was scored here, for the legend.
        path: a .png file.
    """
    _dots(
        names,
        {"published": (published, _PUBLISHED, "o"), f"here, {scope}": (here, _HERE, "D")},
        "REL, mean |error| / depth",
        path,
    )


def times(
    names: Sequence[str],
    published: Mapping[str, Sequence[float | None]],
    here: Sequence[float | None],
    path: Path,
) -> None:
    """Draws the ratio of each row's time to that of the row it is compared with.

    Args:
        names: the rows' names, from the top.
        published: device -> the published ratios; None is not drawn.
        here: the ratios measured here.
        path: a .png file.
    """
    colors = (_PUBLISHED, "#4c9f70", "#8d6cab")
    series = {
        f"published, {device}": (ratios, color, "o")
        for (device, ratios), color in zip(published.items(), colors, strict=False)
    }
    _dots(
        names,
        {**series, "here": (here, _HERE, "D")},
        "time / time of the row that it is compared with",
        path,
    )


def _dots(names: Sequence[str], series: dict, label: str, path: Path) -> None:
    figure = Figure((8, 1.2 + 0.34 * len(names)), dpi=110, layout="constrained")
    axes = figure.subplots()
    for name, (values, color, marker) in series.items():
        known = [(value, at) for at, value in enumerate(values) if value is not None]
        if known:
            axes.scatter(
                *zip(*known, strict=True), color=color, marker=marker, label=name, zorder=3
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
    make_folder(path.parent)
    write_figure(figure, path)
