"""The pinhole camera."""

from typing import NamedTuple


class Intrinsics(NamedTuple):
    """A pinhole camera, in pixels of the picture it belongs to; (0, 0) is the centre of the
    top left pixel."""

    fx: float
    fy: float
    cx: float
    cy: float


NYU = Intrinsics(518.858, 519.470, 325.582, 253.736)  # the Kinect's colour camera at 640x480


def scale_intrinsics(
    intrinsics: Intrinsics, from_size: tuple[int, int], to_size: tuple[int, int]
) -> Intrinsics:
    """Returns the camera of a picture after it is resized.

    Args:
        intrinsics: of the picture before.
        from_size, to_size: (height, width) before and after.
    """
    fx, fy, cx, cy = intrinsics
    y, x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    # Resizing keeps the picture's edges in place, and they lie half a pixel outside the centres.
    return Intrinsics(fx * x, fy * y, (cx + 0.5) * x - 0.5, (cy + 0.5) * y - 0.5)
