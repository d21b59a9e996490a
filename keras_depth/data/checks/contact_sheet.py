"""Draws a contact sheet: some frames of a data set, each with its depth."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from keras_depth.colormap import clipped, color_scale, colorize, depth_range
from keras_depth.errors import InputError
from keras_depth.files import write_figure
from keras_depth.geometry import measured
from keras_depth.images import to_uint8

_DPI = 100
_SHEET_WIDTH = 1600  # pixels
_GAP = 8  # pixels between panels
_LINE = 18  # pixels for the text above a frame, and for the ticks of the bar
_SPARSE = 0.3  # the share of pixels measured below which depth is shown as points
_STEP = 0.04  # of log depth from pixel to pixel: an edge


def contact_sheet(
    images: Sequence[np.ndarray],
    depths: Sequence[np.ndarray],
    titles: Sequence[str],
    path: str | Path,
) -> None:
    """Writes a sheet of frames: image, depth, and the image with the depth's edges drawn on it.

    All depth maps share one color scale. Sparse depth is drawn as enlarged points. The line above a
    frame has its title and its smallest, median and largest depth in metres.

    Args:
        images: RGB (H, W, 3) each, uint8 or floating in [0, 1].
        depths: (H, W) each, metres, 0 = not measured; of the images' sizes.
        titles: one for each frame.
        path: the image file to write, 1600 pixels wide.

    Raises:
        InputError: no frames, not as many of each, or the file cannot be written.
    """
    if not len(images) == len(depths) == len(titles) > 0:
        raise InputError(
            f"{len(images)} pictures, {len(depths)} depths and {len(titles)} titles: give one of"
            " each for every frame"
        )
    everything = np.concatenate([depth.ravel() for depth in depths])
    vmin, vmax = depth_range(everything)
    # Two upright frames a row, but one of wide ones, as a car's.
    across = 2 if np.median([depth.shape[1] / depth.shape[0] for depth in depths]) < 2 else 1
    width = (_SHEET_WIDTH - (3 * across - 1) * _GAP) // (3 * across)
    frames = [_panels(i, d, width, vmin, vmax) for i, d in zip(images, depths, strict=True)]
    row_height = _LINE + max(len(panels[0]) for panels in frames) + _GAP
    height = -(-len(frames) // across) * row_height + 3 * _LINE

    figure = Figure((_SHEET_WIDTH / _DPI, height / _DPI), dpi=_DPI)
    for place, (panels, depth, title) in enumerate(zip(frames, depths, titles, strict=True)):
        row, column = divmod(place, across)
        # From the bottom up, as matplotlib counts.
        top, left = height - row * row_height - _LINE, 3 * column * (width + _GAP)
        text = _shorten(title, 3 * width // 8 - 25) + "   " + _metres_text(depth)
        figure.text(left / _SHEET_WIDTH, (top + 5) / height, text, family="monospace", fontsize=8)
        for number, panel in enumerate(panels):
            figure.figimage(panel, left + number * (width + _GAP), top - len(panel), origin="upper")
    bar = figure.add_axes((0.3, 1.6 * _LINE / height, 0.3, 0.7 * _LINE / height))
    ends = clipped(everything, vmin, vmax)
    figure.colorbar(color_scale(vmin, vmax), cax=bar, orientation="horizontal", extend=ends)
    bar.tick_params(labelsize=8)
    legend = "m. Gray: not measured. Green: edges of the depth. Above: min / median / max"
    figure.text(0.61, 1.7 * _LINE / height, legend, fontsize=8)
    write_figure(figure, path)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"...{text[3 - length :]}"


def _metres_text(depth: np.ndarray) -> str:
    values = depth[measured(depth)]
    if not values.size:
        return "no depth"
    return f"{values.min():.3g} / {np.median(values):.3g} / {values.max():.3g} m"


def _panels(
    image: np.ndarray, depth: np.ndarray, width: int, vmin: float, vmax: float
) -> list[np.ndarray]:
    """Returns image, depth, and depth drawn on the image: uint8 RGB, `width` wide each."""
    size = (width, max(1, round(width * depth.shape[0] / depth.shape[1])))
    sparse = measured(depth).mean() < _SPARSE
    if sparse:
        # To two pixels of the panel, at least.
        depth = _enlarge_points(depth, 1 + 2 * max(1, round(depth.shape[1] / width)))
    image = cv2.resize(to_uint8(image), size, interpolation=cv2.INTER_AREA)
    depth = cv2.resize(depth.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    colors = colorize(depth, vmin, vmax)
    upon = image.copy()
    if sparse:
        blend = cv2.addWeighted(image, 0.5, colors, 0.5, 0)
        upon[measured(depth)] = blend[measured(depth)]
    else:
        upon[_depth_edges(depth)] = (0, 255, 0)  # in neither color map
    return [image, colors, upon]


def _enlarge_points(depth: np.ndarray, side: int) -> np.ndarray:
    """Makes each point a square of `side` pixels, the nearer ones in front."""
    inverse = np.where(measured(depth), 1 / np.where(measured(depth), depth, 1), 0)
    inverse = cv2.dilate(inverse.astype(np.float32), np.ones((side, side), np.uint8))
    return np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1), 0)


def _depth_edges(depth: np.ndarray) -> np.ndarray:
    """Returns where depth leaps: bool (H, W)."""
    known = cv2.erode(measured(depth).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    log = np.log(np.where(measured(depth), depth, 1))
    slope = np.hypot(cv2.Sobel(log, cv2.CV_32F, 1, 0), cv2.Sobel(log, cv2.CV_32F, 0, 1)) / 8
    return known & (slope > _STEP)
