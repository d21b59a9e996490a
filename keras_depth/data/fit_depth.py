"""Fits a depth map to its picture: turned as the picture is, and resized where that is asked for.

A picture is read as a viewer shows it, turned by the orientation in its EXIF data. The depth map
beside it has no such data; its sides say whether it lies as the picture is stored or as it is
shown. Where they fit both, it is an error: a wrong guess would train on depth upside down.
"""

import cv2
import numpy as np

from keras_depth.errors import InputError
from keras_depth.images import turn

RESIZE_RULES = ("none", "nearest")
_TOLERANCE = 0.01  # of the ratio of the sides: rounding of one side, not another view


def fit_depth(
    depth: np.ndarray,
    size: tuple[int, int],
    name: str,
    orientation: int = 1,
    resize: str | None = None,
) -> np.ndarray:
    """Returns a depth map as its picture is: (height, width) of `size`.

    Args:
        depth: (h, w), as its file stores it.
        size: (height, width) of the picture as it is shown.
        name: the file, for messages.
        orientation: by which the picture was turned, see `images.Picture`.
        resize: of `RESIZE_RULES`: "nearest" takes the nearest pixel where the sides differ, but not
            their ratio; None for a reader without this option.

    Raises:
        InputError: the sizes differ; or the picture was turned, and the sides of the depth do not
            say whether it was too.
    """
    exchanged = orientation >= 5
    stored = size[::-1] if exchanged else size
    as_shown, as_stored = (_fits(depth.shape, sides, resize) for sides in (size, stored))
    if orientation != 1 and as_shown and as_stored:
        raise InputError(
            f"{name}: its EXIF data say to turn the picture (orientation {orientation}), and the"
            f" sides of its depth, {depth.shape}, do not tell whether that is turned already; if it"
            " lies as the stored pixels, remove the tag (exiftool -Orientation= FILE), else turn"
            " the pixels (mogrify -auto-orient FILE)"
        )
    if as_stored and not as_shown:
        depth = turn(depth, orientation)
    elif not as_shown:
        raise _other_size(depth.shape, size, name, orientation, resize)
    if depth.shape == size:
        return depth
    # Nearest: the mean over an edge or a hole is a depth that nothing has.
    return cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def _fits(shape: tuple[int, ...], size: tuple[int, int], resize: str | None) -> bool:
    if resize != "nearest" or len(shape) != 2 or 0 in shape:
        return shape == size
    ratio = shape[0] * size[1] / (shape[1] * size[0])
    return abs(ratio - 1) <= _TOLERANCE


def _other_size(
    shape: tuple[int, ...],
    size: tuple[int, int],
    name: str,
    orientation: int,
    resize: str | None,
) -> InputError:
    """Returns the error for depth of another size than its picture's; see `fit_depth`."""
    what = f"{name}: the picture is {size} but its depth {shape} (rows, columns)"
    if len(shape) != 2:
        return InputError(f"{what}; give depth of one channel")
    if orientation != 1:
        what += f", and its EXIF data turn it (orientation {orientation})"
    if shape == size[::-1]:
        return InputError(
            f"{what}: one of them lies on its side; turn the depth map, or the picture's pixels"
        )
    remedy = "align (register) the depth map to the color camera"
    if not any(_fits(shape, sides, "nearest") for sides in (size, size[::-1])):
        remedy += ": the ratio of its sides is another, so it shows another view"
    elif resize is None:
        remedy += " or, if both show the same view, resize it to the picture, by the nearest pixel"
    else:
        remedy += " or, if both show the same view, give --set data.resize_depth=nearest"
    return InputError(f"{what}; {remedy}")
