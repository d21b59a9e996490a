"""Draws sheets of sample frames: images, depth maps and errors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from keras_depth.colormap import ERROR, clipped, color_scale, depth_range
from keras_depth.errors import InputError
from keras_depth.files import write_figure
from keras_depth.geometry import measured

_DPI = 100
_PANEL = 3.0  # inches of a panel's width
_GAP, _TITLE, _BAR = 0.06, 0.3, 0.62  # inches between panels, above them and below them
_NAME = 40  # characters of a frame's name, which fit on its image

_Column = tuple[str, list[np.ndarray]]  # its title, and a picture of each sample
# A scale, its label, the values that it is for, and the columns that its bar stands under.
_Bar = tuple[ScalarMappable, str, np.ndarray, range]


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

    columns = [
        ("image", list(images)),
        ("true depth", [_colored(depths, one, measured(one)) for one in targets]),
        ("predicted depth", [_colored(depths, one, measured(one)) for one in predictions]),
        ("|error|", [_colored(gaps, one, np.isfinite(one)) for one in errors]),
    ]
    bars = [
        (depths, "depth, m", _joined(targets + predictions), range(1, 3)),
        (gaps, "|error|, m", _joined(errors), range(3, 4)),
    ]
    _draw(columns, bars, names, path)


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
    shift = color_scale(0.0, depth_range(_joined(disparities))[1], ERROR)
    metres = color_scale(*depth_range(_joined(depths)))
    gap = color_scale(0.0, 0.25, ERROR)
    columns = [
        ("left image", list(lefts)),
        ("disparity", [shift.to_rgba(one) for one in disparities]),
        ("depth", [metres.to_rgba(one) for one in depths]),
        ("right image, warped", [np.clip(one, 0, 1) for one in warped]),
        ("|error|", [gap.to_rgba(one) for one in errors]),
    ]
    bars = [
        (shift, "disparity, pixels", _joined(disparities), range(1, 2)),
        (metres, "depth, m", _joined(depths), range(2, 3)),
        (gap, "|error|", _joined(errors), range(4, 5)),
    ]
    _draw(columns, bars, names, path)


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


def _colored(scale: ScalarMappable, depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    return scale.to_rgba(np.ma.array(depth, mask=~known))


def _draw(
    columns: Sequence[_Column],
    bars: Sequence[_Bar],
    names: Sequence[str] | None,
    path: str | Path,
) -> None:
    """Draws all panels into one pair of axes, whose units are inches from the upper left corner.

    Axes for each panel, and a layout of them, would take four times as long at each epoch's end.
    """
    rows = zip(*(pictures for _, pictures in columns), strict=True)
    # An upright picture gets a higher row, not white margins around all others.
    heights = [_PANEL * max(one.shape[0] / one.shape[1] for one in row) for row in rows]
    *tops, end = np.cumsum([_TITLE, *heights])
    width, height = _PANEL * len(columns), end + _BAR
    figure = Figure((width, height), dpi=_DPI)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    page.set_axis_off()
    for number, (title, pictures) in enumerate(columns):
        left, right = _PANEL * number + _GAP / 2, _PANEL * (number + 1) - _GAP / 2
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11}
        figure.text((left + right) / 2 / width, 1 - _TITLE / 2 / height, title, **style)
        for top, picture in zip(tops, pictures, strict=True):
            bottom = top + (right - left) * picture.shape[0] / picture.shape[1]
            page.imshow(picture, extent=(left, right, bottom, top), aspect="auto")
    for top, name in zip(tops, names or [""] * len(tops), strict=True):
        _write_name(page, top, name)
    for bar in bars:
        _add_bar(figure, bar)
    write_figure(figure, path)


def _write_name(page: Axes, top: float, name: str) -> None:
    """Writes a frame's name on its image, so that two figures can be told apart."""
    box: dict[str, Any] = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5}
    style: dict[str, Any] = {"va": "top", "fontsize": 7, "family": "monospace", "bbox": box}
    short = name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"
    page.text(_GAP, top + _GAP / 2, short, **style)


def _add_bar(figure: Figure, bar: _Bar) -> None:
    """Adds a color bar, with an arrow where there are values beyond its end."""
    scale, label, values, columns = bar
    width, height = figure.get_size_inches()
    left, wide = _PANEL * (columns.start + 0.05), _PANEL * (len(columns) - 0.1)
    axes = figure.add_axes((left / width, 0.42 / height, wide / width, 0.12 / height))
    ends = clipped(values, *scale.get_clim())
    drawn = figure.colorbar(scale, cax=axes, orientation="horizontal", extend=ends)
    drawn.set_label(label, fontsize=10)
    axes.tick_params(labelsize=9)
