"""Depth and training as pictures: colour maps with their bars, sample sheets, curves."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_depth.errors import InputError
from keras_depth.point_cloud import measured

_NEAR_IS_BRIGHT = "inferno_r"
_ERROR = "viridis"
_NOT_MEASURED = (0.6, 0.6, 0.6)  # grey is not in either colour map
_WIDTH = 12.0  # inches; 1200 pixels
_DPI = 100


def _scale(vmin: float, vmax: float, name: str = _NEAR_IS_BRIGHT) -> ScalarMappable:
    """The one place where values become colours: pictures and their bars both take it."""
    colours = matplotlib.colormaps[name].with_extremes(bad=_NOT_MEASURED)
    return ScalarMappable(Normalize(vmin, max(vmax, vmin + 1e-6), clip=True), colours)


def colourise(
    depth: np.ndarray, vmin: float, vmax: float, valid: np.ndarray | None = None
) -> np.ndarray:
    """Paints depth, near bright and far dark, and grey where there is none.

    Args:
        depth: (H, W), metres.
        vmin, vmax: metres of the brightest and the darkest colour; depth beyond takes these.
        valid: boolean (H, W); None: where depth is finite and above 0.

    Returns:
        uint8 RGB (H, W, 3).
    """
    valid = measured(depth) if valid is None else valid
    colours = _scale(vmin, vmax).to_rgba(np.ma.array(depth, mask=~valid), bytes=True)
    return colours[..., :3]


_LOWEST_BAR = 24  # pixels; lower, nothing could be read beside it


@lru_cache(maxsize=8)  # the frames of a video share one bar
def colour_bar(height: int, vmin: float, vmax: float) -> np.ndarray:
    """Draws the bar that explains `colourise` with the same vmin and vmax.

    Returns:
        uint8 RGB (height, about height / 6, 3).
    """
    inches = 4.8
    figure = Figure(figsize=(inches / 6, inches), dpi=height / inches)
    bar = figure.add_axes((0.1, 0.04, 0.25, 0.86))
    figure.colorbar(_scale(vmin, vmax), cax=bar)
    bar.set_title("m", fontsize=11)
    bar.tick_params(labelsize=11)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    pixels.setflags(write=False)  # every caller gets the same array
    return pixels


def colour_picture(depth: np.ndarray, vmin: float, vmax: float) -> np.ndarray:
    """Returns `colourise` and its bar side by side: uint8 RGB (H, W + bar, 3)."""
    colours = colourise(depth, vmin, vmax)
    if len(colours) < _LOWEST_BAR:
        return colours
    return np.hstack([colours, colour_bar(len(colours), vmin, vmax)])


def depth_range(depth: np.ndarray) -> tuple[float, float]:
    """Returns the metres to paint a picture between: all of its depth but the outermost 1 %."""
    values = depth[measured(depth)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high)


def sample_figure(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    path: str | Path,
) -> None:
    """Writes a sheet with one row a sample: picture, true depth, predicted depth, |error|.

    All depth has one colour scale, of the true depths, and all errors another.

    Args:
        images: RGB (H, W, 3) each, uint8 or floating in [0, 1].
        truths: (H, W) or (H, W, 1) each, metres, 0 = not measured.
        predictions: like `truths`, of the same sizes.
        path: the picture to write, 1200 pixels wide.

    Raises:
        InputError: no samples, or not as many or as large ones of each.
    """
    if not len(images) == len(truths) == len(predictions) > 0:
        raise InputError(
            f"{len(images)} pictures, {len(truths)} true and {len(predictions)} predicted depths:"
            " give one of each a sample"
        )
    truths, predictions = [_flat(x) for x in truths], [_flat(x) for x in predictions]
    errors = [_error(t, p) for t, p in zip(truths, predictions, strict=True)]
    depths = _scale(*depth_range(_joined(truths)))
    gaps = _scale(0.0, depth_range(_joined(errors))[1], _ERROR)

    rows = len(images)
    row_height = _WIDTH / 4 * max(truth.shape[0] / truth.shape[1] for truth in truths)
    tight = ConstrainedLayoutEngine(compress=True, w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure((_WIDTH, rows * row_height + 0.7), dpi=_DPI, layout=tight)
    axes = figure.subplots(rows, 4, squeeze=False)
    titles = ("picture", "true depth", "predicted depth", "|error|")
    for row in range(rows):
        truth, prediction = truths[row], predictions[row]
        sheet = (
            images[row],
            depths.to_rgba(np.ma.array(truth, mask=~measured(truth))),
            depths.to_rgba(np.ma.array(prediction, mask=~measured(prediction))),
            gaps.to_rgba(np.ma.masked_invalid(errors[row])),
        )
        for panel, picture, title in zip(axes[row], sheet, titles, strict=True):
            panel.imshow(picture)
            panel.set_axis_off()
            if row == 0:
                panel.set_title(title, fontsize=11)
    _add_bar(figure, depths, axes[:, 1:3], "depth, m")
    _add_bar(figure, gaps, axes[:, 3:], "|error|, m")
    _save(figure, path)


def _flat(depth: np.ndarray) -> np.ndarray:
    return depth[..., 0] if depth.ndim == 3 else depth


def _joined(maps: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([one.ravel() for one in maps])


def _error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    if truth.shape != prediction.shape:
        raise InputError(
            f"true depth of shape {truth.shape}, predicted of shape {prediction.shape}: resize the"
            " prediction to the size of the truth"
        )
    return np.where(measured(truth), np.abs(prediction - truth), np.nan)


def _add_bar(figure: Figure, scale: ScalarMappable, axes: np.ndarray, label: str) -> None:
    shape = {"fraction": 0.05, "aspect": 25 * axes.shape[1], "shrink": 0.9, "pad": 0.01}
    bar = figure.colorbar(scale, ax=axes, location="bottom", **shape)
    bar.set_label(label, fontsize=10)
    bar.ax.tick_params(labelsize=9)


_METRICS = {  # key in the log: what the panel says
    "val_rel": "REL (lower is better)",
    "val_rmse": "RMSE, m (lower is better)",
    "val_delta1": "δ < 1.25 (higher is better)",
}


def training_curves(log_rows: Sequence[dict[str, Any]], path: str | Path) -> None:
    """Writes how a training run went: the loss by step, and validation metrics by epoch.

    Args:
        log_rows: a run's log; of each row the keys it has are drawn: `step` with `loss` and `k`
            (the adaptive threshold), `epoch` with `val_rel`, `val_rmse` and `val_delta1`.
        path: the picture to write, 1200 pixels wide.

    Raises:
        InputError: no row holds a loss.
    """
    steps, losses = _curve(log_rows, "step", "loss")
    if not steps:
        raise InputError("the log has no row with step and loss yet; train a little longer")
    curves = {title: _curve(log_rows, "epoch", key) for key, title in _METRICS.items()}
    metrics = {title: curve for title, curve in curves.items() if curve[0]}

    figure = Figure((_WIDTH, 6.0 if metrics else 3.2), dpi=_DPI, layout="constrained")
    top, *bottom = figure.subfigures(2 if metrics else 1, 1, squeeze=False)[:, 0]
    panel = top.subplots()
    _draw(panel, steps, losses, "training loss", "step")
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
    _save(figure, path)


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


def _save(figure: Figure, path: str | Path) -> None:
    FigureCanvasAgg(figure).print_figure(path)
