"""Depth in colors: near bright, far dark, gray where there is none; and the bar beside it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from keras_depth.errors import InputError, check_choice, check_positive, is_number, shown
from keras_depth.geometry import measured

if TYPE_CHECKING:  # matplotlib is imported where it is used: `--help` should not wait for it
    from matplotlib.cm import ScalarMappable

DEPTH = "inferno_r"
ERROR = "viridis"
_NOT_MEASURED = (0.6, 0.6, 0.6)  # gray is in neither color map
_LOWEST_BAR = 24  # pixels; nobody could read a lower one

Ends = Literal["neither", "min", "max", "both"]


def color_scale(vmin: float, vmax: float, name: str = DEPTH) -> ScalarMappable:
    """Returns what turns values into colors, for maps and their bars alike.

    Args:
        vmin, vmax: values of the first and the last color; values beyond take these.
        name: the color map, `DEPTH` or `ERROR`. Masked values become gray in either.

    Raises:
        InputError: another color map, or ends that are no numbers.
    """
    check_choice("color map", name, (DEPTH, ERROR))
    if not (is_number(vmin) and is_number(vmax)):
        raise InputError(f"colors from {shown(vmin)} to {shown(vmax)}: give two numbers, metres")
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colors = matplotlib.colormaps[name].with_extremes(bad=_NOT_MEASURED)
    return ScalarMappable(Normalize(vmin, max(vmax, vmin + 1e-6), clip=True), colors)


def clipped(values: np.ndarray, vmin: float, vmax: float) -> Ends:
    """Tells beyond which ends of a color scale values lie, as a color bar's `extend` takes it.

    Args:
        values: any shape; holes, NaN and infinity do not count.
    """
    values = np.asarray(values)[measured(values)]
    below, above = (values < vmin).any(), (values > vmax).any()
    return "both" if below and above else "min" if below else "max" if above else "neither"


def colorize(
    depth: np.ndarray, vmin: float, vmax: float, valid: np.ndarray | None = None
) -> np.ndarray:
    """Paints depth: near is bright, far is dark, no depth is gray.

    Args:
        depth: (H, W), metres.
        vmin, vmax: metres of the brightest and the darkest color; depth beyond takes these.
        valid: boolean (H, W); None: where depth is finite and above 0.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        InputError: depth is no map, or vmin and vmax are no numbers.
    """
    there = measured(depth)
    if there.ndim != 2:
        raise InputError(f"depth of shape {there.shape}: give one map, (H, W)")
    valid = there if valid is None else valid
    colors = color_scale(vmin, vmax).to_rgba(np.ma.array(depth, mask=~valid), bytes=True)
    return colors[..., :3]


@lru_cache(maxsize=8)  # the frames of a video share one bar
def color_bar(height: int, vmin: float, vmax: float, ends: Ends = "neither") -> np.ndarray:
    """Draws the bar that explains `colorize` with the same vmin and vmax.

    Args:
        height: pixels.
        vmin, vmax: metres.
        ends: which end gets an arrow: depth beyond it has the end's color, see `clipped`.

    Returns:
        uint8 RGB (height, about height / 6, 3).

    Raises:
        InputError: a height that is no number above 0, or unknown ends.
    """
    check_positive("color bar", height=height)
    check_choice("ends of a color bar", ends, get_args(Ends))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inches = 4.8
    figure = Figure(figsize=(inches / 6, inches), dpi=height / inches)
    bar = figure.add_axes((0.1, 0.04, 0.25, 0.86))
    figure.colorbar(color_scale(vmin, vmax), cax=bar, extend=ends)
    bar.set_title("m", fontsize=11)
    bar.tick_params(labelsize=11)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    pixels.setflags(write=False)  # every caller gets the same array
    return pixels


def colorize_with_bar(depth: np.ndarray, vmin: float, vmax: float) -> np.ndarray:
    """Paints depth as `colorize` does, with its bar on the right: uint8 RGB (H, W + bar, 3)."""
    colors = colorize(depth, vmin, vmax)
    if len(colors) < _LOWEST_BAR:
        return colors
    ends = clipped(depth, vmin, vmax)
    return np.hstack([colors, color_bar(len(colors), vmin, vmax, ends)])


def depth_range(depth: np.ndarray) -> tuple[float, float]:
    """Returns the metres to paint a map between: all of its depth but the outermost 1 %."""
    values = np.asarray(depth)[measured(depth)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high)
