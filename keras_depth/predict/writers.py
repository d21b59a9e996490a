"""Writes predicted depth: as numbers, as colors and as points; videos in colors."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from keras_depth import colormap, depth_png, geometry, images
from keras_depth.errors import InputError, check_choice
from keras_depth.files import write_bytes
from keras_depth.predict import videos
from keras_depth.predict.camera import find_intrinsics

FORMATS = ("png", "npy", "color", "ply")
# What the colors of a video are taken from: its first seconds, as far as their depth fits in so
# many bytes (53 frames of 640x480, 7 of 1920x1080).
_FIRST_SECONDS = 2.0
_FIRST_BYTES = 64 * 2**20

Write = Callable[[np.ndarray, np.ndarray], None]  # an image (H, W, 3) and its depth (H, W)


class Writer:
    """Writes the depth of images and videos to a folder.

    Args:
        folder: where to.
        formats: any of `FORMATS`.
        color_range: metres of the brightest and the darkest color; None: each image's own range,
            and for videos that of their first seconds.
        intrinsics: of the camera, in pixels of the images; "ply" needs it, or `fov`.
        fov: instead, its horizontal field of view in degrees; its pixels are square.

    Attributes:
        clipped: pixels so far that 16 bits of a PNG could not hold them.

    Raises:
        InputError: an unknown format, or "ply" without intrinsics.
    """

    def __init__(
        self,
        folder: Path,
        formats: tuple[str, ...],
        color_range: tuple[float, float] | None = None,
        intrinsics: geometry.Intrinsics | None = None,
        fov: float | None = None,
    ):
        for name in formats:
            check_choice("format", name, FORMATS)
        if "ply" in formats and intrinsics is None and fov is None:
            raise InputError("a point cloud (ply) needs the intrinsics of the camera; give them")
        self.clipped = 0
        self._folder = folder
        self._formats = formats
        self._color_range = color_range
        self._intrinsics, self._fov = intrinsics, fov

    @contextmanager
    def still(self, name: str) -> Iterator[Write]:
        """Yields a function that writes an image's depth to NAME_depth.png and so on."""

        def write(image: np.ndarray, depth: np.ndarray) -> None:
            self._write_numbers(name, image, depth)
            if "color" in self._formats:
                metres = self._color_range or colormap.depth_range(depth)
                pixels = colormap.colorize_with_bar(depth, *metres)
                write_bytes(self._folder / f"{name}_color.png", images.encode_png(pixels))

        yield write

    @contextmanager
    def video(self, name: str, rate: float) -> Iterator[Write]:
        """Yields a function that writes the next frame's depth: NAME_000000_depth.png and so on.

        The colors of all frames become one video, NAME_color.mp4, when the context ends.

        Args:
            name: what the files' names begin with.
            rate: frames a second.
        """
        numbers = count()
        with ExitStack() as stack:
            paint = None
            if "color" in self._formats:
                path = self._folder / f"{name}_color.mp4"
                paint = stack.enter_context(_colored_video(path, rate, self._color_range))

            def write(image: np.ndarray, depth: np.ndarray) -> None:
                self._write_numbers(f"{name}_{next(numbers):06d}", image, depth)
                if paint:
                    paint(depth)

            yield write

    def _write_numbers(self, name: str, image: np.ndarray, depth: np.ndarray) -> None:
        measured = geometry.measured(depth)
        if "png" in self._formats:
            write_bytes(self._folder / f"{name}_depth.png", depth_png.encode(depth))
            self.clipped += int(np.sum(measured & (depth > depth_png.farthest())))
        if "npy" in self._formats:
            content = io.BytesIO()
            np.save(content, depth)
            write_bytes(self._folder / f"{name}_depth.npy", content.getvalue())
        if "ply" in self._formats:
            intrinsics = find_intrinsics(depth.shape, self._intrinsics, self._fov)
            points = geometry.back_project(depth, intrinsics)
            geometry.write_ply(self._folder / f"{name}_cloud.ply", points, image[measured])


@contextmanager
def _colored_video(
    path: Path, rate: float, color_range: tuple[float, float] | None
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields a function that adds a depth map, in colors, to the video `path`.

    Every frame has the same range, so that the video does not flicker: `color_range`, or that of
    the first seconds' depth. These frames wait in memory until it is known.
    """
    waiting: list[np.ndarray] = []
    with videos.write(path, rate) as add_frame:

        def paint_waiting() -> tuple[float, float]:
            metres = color_range or colormap.depth_range(np.stack(waiting))
            for depth in waiting:
                add_frame(colormap.colorize_with_bar(depth, *metres))
            waiting.clear()
            return metres

        def add(depth: np.ndarray) -> None:
            nonlocal color_range
            waiting.append(depth)
            seconds, size = (len(waiting) + 1) / rate, (len(waiting) + 1) * depth.nbytes
            if color_range or seconds > _FIRST_SECONDS or size > _FIRST_BYTES:
                color_range = paint_waiting()

        yield add
        if waiting:  # a video of less than these seconds
            paint_waiting()
