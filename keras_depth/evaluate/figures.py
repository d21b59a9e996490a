"""Draws sheets of sample frames: images, depth maps and errors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_depth.colormap import ERROR, clipped, color_scale, depth_range
from keras_depth.errors import InputError
from keras_depth.files import write_figure
from keras_depth.geometry import measured

_WIDTH = 12.0  # inches; 1200 pixels
_DPI = 100
_NAME = 40  # characters of a frame's name, which fit on its image


def sample_figure(
    images: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    path: str | Path,
    names: Sequence[str] | None = None,
) -> None:
    """Draws a row for each sample: image, true depth, predicted depth and |error|.

    All depth maps share a color scale, chosen for the true depths; all errors share another. An
    arrow at the end of a scale's bar says that some values lie beyond it.

    Args:
        images: RGB (H, W, 3) each, uint8 or floating in [0, 1].
        targets: (H, W) or (H, W, 1) each, metres, 0 = not measured.
        predictions: like `targets`, of the same sizes.
        path: the image file to write, 1200 pixels wide.
        names: what is written on each image, such as the frame's key.

    Raises:
        InputError: no samples, not as many or as large ones of each, or the file cannot be
            written.
    """
    if not len(images) == len(targets) == len(predictions) > 0:
        raise InputError(
            f"{len(images)} images, {len(targets)} true and {len(predictions)} predicted depths:"
            " give one of each for every sample"
        )
    targets, predictions = [_flat(x) for x in targets], [_flat(x) for x in predictions]
    errors = [_error(t, p) for t, p in zip(targets, predictions, strict=True)]
    depths = color_scale(*depth_range(_joined(targets)))
    gaps = color_scale(0.0, depth_range(_joined(errors))[1], ERROR)

    rows = len(images)
    # An upright picture gets a higher row, not white margins around all others.
    heights = [_WIDTH / 4 * target.shape[0] / target.shape[1] for target in targets]
    tight = ConstrainedLayoutEngine(compress=True, w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure((_WIDTH, sum(heights) + 0.7), dpi=_DPI, layout=tight)
    axes = figure.subplots(rows, 4, squeeze=False, height_ratios=heights)
    titles = ("image", "true depth", "predicted depth", "|error|")
    for row in range(rows):
        target, prediction = targets[row], predictions[row]
        sheet = (
            images[row],
            depths.to_rgba(np.ma.array(target, mask=~measured(target))),
            depths.to_rgba(np.ma.array(prediction, mask=~measured(prediction))),
            gaps.to_rgba(np.ma.masked_invalid(errors[row])),
        )
        for panel, image, title in zip(axes[row], sheet, titles, strict=True):
            panel.imshow(image)
            panel.set_axis_off()
            if row == 0:
                panel.set_title(title, fontsize=11)
    _write_names(axes[:, 0], names)
    _add_bar(figure, depths, axes[:, 1:3], "depth, m", targets + predictions)
    _add_bar(figure, gaps, axes[:, 3:], "|error|, m", errors)
    write_figure(figure, path)


def stereo_figure(
    lefts: Sequence[np.ndarray],
    disparities: Sequence[np.ndarray],
    depths: Sequence[np.ndarray],
    warped: Sequence[np.ndarray],
    path: str | Path,
    names: Sequence[str] | None = None,
) -> None:
    """Draws a row for each stereo pair, to judge a model trained on pairs.

    A row has the left image, its disparity and depth, the right image warped to the left camera by
    that disparity, and the difference between the two images.

    Args:
        lefts: RGB (H, W, 3) each, floating in [0, 1].
        disparities: (H, W) or (H, W, 1) each, pixels.
        depths: likewise, metres.
        warped: RGB like `lefts`.
        path: the image file to write, 1500 pixels wide.
        names: what is written on each left image, such as the frame's key.

    Raises:
        InputError: no pairs, not as many of each, or the file cannot be written.
    """
    counts = [len(each) for each in (lefts, disparities, depths, warped)]
    if len(set(counts)) > 1 or not counts[0]:
        raise InputError(
            "{} left images, {} disparities, {} depths and {} warped images: give one of each for"
            " every pair".format(*counts)
        )
    disparities, depths = [_flat(x) for x in disparities], [_flat(x) for x in depths]
    errors = [np.abs(a - b).mean(-1) for a, b in zip(lefts, warped, strict=True)]
    scales = (
        color_scale(0.0, depth_range(_joined(disparities))[1], ERROR),
        color_scale(*depth_range(_joined(depths))),
        color_scale(0.0, 0.25, ERROR),
    )
    columns = (
        ("left image", lefts, None),
        ("disparity", disparities, scales[0]),
        ("depth", depths, scales[1]),
        ("right image, warped", warped, None),
        ("|error|", errors, scales[2]),
    )
    rows, width = len(lefts), 15.0
    row_height = width / len(columns) * max(one.shape[0] / one.shape[1] for one in lefts)
    tight = ConstrainedLayoutEngine(compress=True, w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure((width, rows * row_height + 0.9), dpi=_DPI, layout=tight)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for panels, (title, images, scale) in zip(axes.T, columns, strict=True):
        panels[0].set_title(title, fontsize=11)
        for panel, image in zip(panels, images, strict=True):
            panel.imshow(scale.to_rgba(image) if scale else np.clip(image, 0, 1))
            panel.set_axis_off()
    _write_names(axes[:, 0], names)
    bars = ((1, "disparity, pixels"), (2, "depth, m"), (4, "|error|"))
    for (column, label), scale in zip(bars, scales, strict=True):
        _add_bar(figure, scale, axes[:, column : column + 1], label, columns[column][1])
    write_figure(figure, path)


def _flat(depth: np.ndarray) -> np.ndarray:
    return depth[..., 0] if depth.ndim == 3 else depth


def _joined(maps: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([one.ravel() for one in maps])


def _error(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    if target.shape != prediction.shape:
        raise InputError(
            f"true depth of shape {target.shape}, predicted of shape {prediction.shape}: resize the"
            " prediction to the size of the true depth"
        )
    return np.where(measured(target), np.abs(prediction - target), np.nan)


def _write_names(panels: np.ndarray, names: Sequence[str] | None) -> None:
    """Writes each frame's name on its image, so that two figures can be told apart."""
    box: dict[str, Any] = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5}
    style: dict[str, Any] = {"va": "top", "fontsize": 7, "family": "monospace", "bbox": box}
    for panel, name in zip(panels, names or [""] * len(panels), strict=True):
        short = name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"
        if short:
            panel.annotate(short, (0.01, 0.98), xycoords="axes fraction", **style)


def _add_bar(
    figure: Figure,
    scale: ScalarMappable,
    axes: np.ndarray,
    label: str,
    maps: Sequence[np.ndarray],
) -> None:
    """Adds a bar, with an arrow where `maps` have values beyond its end."""
    ends = clipped(_joined(maps), *scale.get_clim())
    shape = {"fraction": 0.05, "aspect": 25 * axes.shape[1], "shrink": 0.9, "pad": 0.01}
    bar = figure.colorbar(scale, ax=axes, location="bottom", extend=ends, **shape)
    bar.set_label(label, fontsize=10)
    bar.ax.tick_params(labelsize=9)
