"""Draws how a training run went."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_depth.errors import InputError
from keras_depth.files import write_figure

_WIDTH, _DPI = 12.0, 100  # inches; 1200 pixels
_METRICS = {  # key in the log -> title of the panel
    "val_abs_rel": "REL (lower is better)",
    "val_rmse": "RMSE, m (lower is better)",
    "val_delta1": "δ < 1.25 (higher is better)",
}


def draw_training_curves(log_rows: Sequence[dict[str, Any]], path: str | Path) -> None:
    """Draws the loss of each step, and the validation metrics of each epoch.

    Args:
        log_rows: the rows of a run's log. The keys that a row has are drawn: by `step`, `loss`,
            `val_loss` and `k` (the adaptive threshold); by `epoch`, `val_abs_rel`, `val_rmse` and
            `val_delta1`.
        path: the image file to write, 1200 pixels wide.

    Raises:
        InputError: no row holds a loss, or the file cannot be written.
    """
    steps, losses = _curve(log_rows, "step", "loss")
    if not steps:
        raise InputError("the log has no row with step and loss yet; train a little longer")
    curves = {title: _curve(log_rows, "epoch", key) for key, title in _METRICS.items()}
    metrics = {title: curve for title, curve in curves.items() if curve[0]}

    figure = Figure((_WIDTH, 6.0 if metrics else 3.2), dpi=_DPI, layout="constrained")
    top, *bottom = figure.subfigures(2 if metrics else 1, 1, squeeze=False)[:, 0]
    panel = top.subplots()
    _draw(panel, steps, losses, "loss", "step", label="training")
    validation = _curve(log_rows, "step", "val_loss")
    if validation[0]:
        panel.plot(*validation, "o--", color="tab:green", markersize=4, label="validation")
        panel.legend()
    thresholds = _curve(log_rows, "step", "k")
    if thresholds[0]:
        right = panel.twinx()
        right.plot(*thresholds, color="tab:orange", linewidth=1, alpha=0.5)
        right.set_ylabel("adaptive threshold k", color="tab:orange")
        right.spines["top"].set_visible(False)
        panel.set(zorder=right.get_zorder() + 1, facecolor="none")  # the loss stays in front
    for subfigure in bottom:
        panels = subfigure.subplots(1, len(metrics), squeeze=False)[0]
        for panel, (title, curve) in zip(panels, metrics.items(), strict=True):
            _draw(panel, *curve, title, "epoch", marker="o", markersize=4)
            panel.xaxis.get_major_locator().set_params(integer=True)
    write_figure(figure, path)


def _draw(
    axes: Axes, x: list[float], y: list[float], title: str, xlabel: str, **style: Any
) -> None:
    axes.plot(x, y, linewidth=1.5, **style)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(xlabel)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def _curve(rows: Sequence[dict[str, Any]], x: str, y: str) -> tuple[list[float], list[float]]:
    points = [(row[x], row[y]) for row in rows if row.get(x) is not None and row.get(y) is not None]
    return [point[0] for point in points], [point[1] for point in points]
