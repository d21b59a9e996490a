"""Depth as sheets of sample frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_depth.colormap import ERROR, color_scale, depth_range
from keras_depth.errors import InputError
from keras_depth.geometry import measured

_WIDTH = 12.0  # inches; 1200 pixels
_DPI = 100


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
    depths = color_scale(*depth_range(_joined(truths)))
    gaps = color_scale(0.0, depth_range(_joined(errors))[1], ERROR)

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


def stereo_figure(
    lefts: Sequence[np.ndarray],
    disparities: Sequence[np.ndarray],
    depths: Sequence[np.ndarray],
    seen: Sequence[np.ndarray],
    path: str | Path,
) -> None:
    """Writes a sheet with one row a stereo pair, of what a network trained on pairs is judged by.

    Left picture, its disparity and depth, the right picture as the left camera sees it by that
    disparity, and how far it is from the left picture.

    Args:
        lefts: RGB (H, W, 3) each, floating in [0, 1].
        disparities: (H, W) or (H, W, 1) each, pixels.
        depths: likewise, metres.
        seen: RGB like `lefts`.
        path: the picture to write, 1500 pixels wide.

    Raises:
        InputError: no pairs, or not as many of each.
    """
    counts = [len(each) for each in (lefts, disparities, depths, seen)]
    if len(set(counts)) > 1 or not counts[0]:
        raise InputError(
            "{} left pictures, {} disparities, {} depths and {} views: give one of each a"
            " pair".format(*counts)
        )
    disparities, depths = [_flat(x) for x in disparities], [_flat(x) for x in depths]
    errors = [np.abs(a - b).mean(-1) for a, b in zip(lefts, seen, strict=True)]
    scales = (
        color_scale(0.0, depth_range(_joined(disparities))[1], ERROR),
        color_scale(*depth_range(_joined(depths))),
        color_scale(0.0, 0.25, ERROR),
    )
    columns = (
        ("left picture", lefts, None),
        ("disparity", disparities, scales[0]),
        ("depth", depths, scales[1]),
        ("right picture, from the left", seen, None),
        ("|error|", errors, scales[2]),
    )
    rows, width = len(lefts), 15.0
    row_height = width / len(columns) * max(one.shape[0] / one.shape[1] for one in lefts)
    tight = ConstrainedLayoutEngine(compress=True, w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure((width, rows * row_height + 0.9), dpi=_DPI, layout=tight)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for panels, (title, pictures, scale) in zip(axes.T, columns, strict=True):
        panels[0].set_title(title, fontsize=11)
        for panel, picture in zip(panels, pictures, strict=True):
            panel.imshow(scale.to_rgba(picture) if scale else np.clip(picture, 0, 1))
            panel.set_axis_off()
    for column, label in ((1, "disparity, pixels"), (2, "depth, m"), (4, "|error|")):
        _add_bar(figure, scales[(1, 2, 4).index(column)], axes[:, column : column + 1], label)
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


def _save(figure: Figure, path: str | Path) -> None:
    FigureCanvasAgg(figure).print_figure(path)
