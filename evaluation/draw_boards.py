"""Draws the error of each network against its time on a board: docs/boards.jpg.

    python evaluation/draw_boards.py runs/fit/*.json --output docs/boards.jpg

Errors are those of the papers' tables, so each panel is of the papers that scored alike. Times are
the bounds of `keras-depth fit` (bars, with a dot where it is typical), and those measured: the JSON
files, of `run.py --bench` on any machine or of `evaluation/benchmarks/fit.py`.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from keras_depth import presets, published
from keras_depth.command import load_tensorflow, run
from keras_depth.errors import InputError, check_choice
from keras_depth.files import write_figure
from keras_depth.fit.boards import PRECISIONS, read_boards

# The papers whose errors may be compared: one protocol, or nearly.
PANELS = {
    "NYU Depth v2 (jetson_fcnn: its own split)": ("jetson_fcnn",),
    "NYU Depth v2 (three papers and the preset: a protocol each)": (
        *("irv2_unet", "mobile_unet", "msfnet", "presets"),
    ),
    "KITTI (optidepthnet: stereo 2015)": ("optidepthnet",),
}
BOARDS = ("tx2", "orin_nano")
COLORS = {"tx2": "#1b6ca8", "orin_nano": "#4c9f70"}
OTHERS = ("#8d6cab", "#c98a2b", "#6b6b6b")  # of other boards, in order
MEASURED = "#d1495b"
MARKERS = "DsPXv^"


@dataclass(frozen=True)
class Point:
    """A published row: what is drawn at one place of the axis of errors."""

    architecture: str
    size: tuple[int, int]
    abs_rel: float
    paper: str


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("times", nargs="*", type=Path, metavar="FILE", help="JSON of --bench")
    parser.add_argument("--boards", nargs="+", default=BOARDS, help=f"({' '.join(BOARDS)})")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp16", help="(fp16)")
    parser.add_argument("--paper", nargs="+", help="papers to draw, and presets (all)")
    parser.add_argument("--output", type=Path, required=True, help="the picture")
    arguments = parser.parse_args()
    boards = read_boards()
    chosen = [boards[name] for name in arguments.boards]
    for board in chosen:
        board.check_precision(arguments.precision)
    measured = [read_bench(path) for path in arguments.times]
    points = find_points(arguments.paper or [*published.papers(), "presets"])
    for path, one in zip(arguments.times, measured, strict=True):
        if not any(is_of(one, point) for point in points):
            size = "x".join(map(str, one["input"]))
            print(f"{path}: not drawn, no error is known of {one['architecture']} at {size}")
    load_tensorflow()
    from keras_depth.fit import roofline

    fits = {}
    for point in points:
        network = analyze(point)
        fits[point] = [roofline.fit(network, board, arguments.precision) for board in chosen]
    write_figure(draw(fits, measured, arguments.precision), arguments.output)
    print(arguments.output)


def find_points(papers):
    """Returns the rows to draw: of each network and size the one with the least error."""
    best = {}
    tables = [paper for paper in papers if paper != "presets"]
    for row in (row for paper in tables for row in published.rows(paper)):
        point = Point(row.architecture, row.input_size, row.metrics["abs_rel"], row.paper)
        # KITTI's row of msfnet belongs to no panel of its paper.
        if "kitti" in row.protocol and row.paper != "optidepthnet":
            continue
        key = (point.architecture, point.size)
        if key not in best or point.abs_rel < best[key].abs_rel:
            best[key] = point
    return list(best.values()) + (find_presets() if "presets" in papers else [])


def find_presets():
    """Returns the presets, at the REL of their cards."""
    points = []
    for name in presets.list_presets():
        card = presets.read_card(presets.find(name))
        metrics = card["model-index"][0]["results"][0]["metrics"]
        scores = {metric["name"]: metric["value"] for metric in metrics}
        size = tuple(card["input_size"])
        points.append(Point(card["architecture"], size, scores["abs_rel"], "presets"))
    return points


def is_of(one, point):
    """Returns whether a measured time is of a point's network at its size."""
    return (one["architecture"], tuple(one["input"])) == (point.architecture, point.size)


def analyze(point):
    """Returns the layers of a network at a size."""
    import keras

    from keras_depth.fit import layers
    from keras_depth.models import create_model

    network = layers.analyze(create_model(point.architecture, (*point.size, 3)))
    keras.backend.clear_session()
    return network


def read_bench(path):
    """Reads a file of `run.py --bench`.

    Raises:
        InputError: it is none, or of another version.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        complete = result["format"] == 1 and result["milliseconds"]["median"] > 0
        wanted = ("architecture", "input", "precision", "backend", "board")
        complete = complete and all(key in result for key in wanted)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a file that run.py --bench wrote; run it again") from error
    if not complete:
        raise InputError(f"{path}: of another version of run.py; run it again with this one's")
    from keras_depth import models

    check_choice(f"architecture of {path}", result["architecture"], models.ARCHITECTURES)
    return result


def draw(fits, measured, precision):
    """Draws a panel for each group of papers whose errors may be compared."""
    panels = {
        title: [point for point in fits if point.paper in papers]
        for title, papers in PANELS.items()
    }
    panels = {title: points for title, points in panels.items() if points}
    figure = Figure((5.6 * len(panels), 6.2), dpi=90, layout="constrained")
    kinds = dict.fromkeys(describe(one) for one in measured)
    markers = {kind: MARKERS[i % len(MARKERS)] for i, kind in enumerate(kinds)}
    legend = {}
    for axes, (title, points) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                     panels.items(), strict=True):  # fmt: skip
        for point in points:
            draw_point(axes, point, fits[point], precision, legend)
        for one in measured:
            for point in points:
                if is_of(one, point):
                    label = describe(one)
                    milliseconds = one["milliseconds"]["median"] / one.get("batch", 1)
                    legend[label] = axes.scatter(
                        point.abs_rel, milliseconds, color=MEASURED,
                        marker=markers[label], s=34, zorder=4, label="measured")  # fmt: skip
        axes.set_yscale("log")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("published error: REL, mean |error| / depth")
        axes.set_ylabel("milliseconds a picture")
        axes.grid(color="0.92", which="both")
        axes.margins(x=0.16, y=0.08)
        label_points(axes, points, fits)
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def describe(one):
    """Returns what the legend calls a measured time."""
    return f"measured: {one['board']}, {one['backend']}, {one['precision']}"


def draw_point(axes, point, fits, precision, legend):
    """Draws the bounds of a network on each board."""
    others = iter(OTHERS)
    for fit in fits:
        color = COLORS.get(fit.board.name) or next(others)
        low, typical, high = (1e3 * each for each in (fit.low, fit.typical, fit.high))
        axes.plot([point.abs_rel] * 2, [low, high], color=color, lw=2.4, alpha=0.55)
        dot = axes.scatter(point.abs_rel, typical, color=color, s=18, zorder=3)
        legend[f"predicted: {fit.board.title}, {precision}: bounds, typical"] = dot


def label_points(axes, points, fits):
    """Writes the names below the bars, moved to the right where neighbors are near."""
    span = max(one.abs_rel for one in points) - min(one.abs_rel for one in points)
    last, moved = -1.0, 0
    for point in sorted(points, key=lambda one: one.abs_rel):
        moved = moved + 9 if point.abs_rel - last < span / 25 else 0
        last = point.abs_rel
        bottom = min(fit.low for fit in fits[point]) * 1e3
        text = f"{point.architecture} {point.size[0]}x{point.size[1]}"
        axes.annotate(
            text, (point.abs_rel, bottom), (moved, -4), textcoords="offset points", rotation=90,
            ha="center", va="top", fontsize=7)  # fmt: skip
    lowest = min(fit.low for point in points for fit in fits[point]) * 1e3
    axes.set_ylim(bottom=lowest / 60)


if __name__ == "__main__":
    run(main)
