"""Writes predicted depth: as numbers, as colors and as points; videos in colors."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from keras_depth import colormap, depth_png, geometry, images
from keras_depth.errors import InputError
from keras_depth.files import replacing, write_bytes

FORMATS = ("png", "npy", "color", "ply")
# Metres from the brightest to the darkest color of a video. They are the same for every frame, so
# that it does not flicker.
ROOM = (0.0, 10.0)
ROAD = (0.0, 80.0)

Write = Callable[[np.ndarray, np.ndarray], None]  # an image (H, W, 3) and its depth (H, W)


class Writer:
    """Writes the depth of images and videos to a folder.

    Args:
        folder: where to.
        formats: any of `FORMATS`.
        color_range: metres of the brightest and the darkest color; None: each image's own range,
            and `video_range` for videos.
        video_range: likewise, for videos.
        intrinsics: of the camera, in pixels of the images; "ply" needs it.

    Attributes:
        clipped: pixels so far that 16 bits of a PNG could not hold them.
    """

    def __init__(
        self,
        folder: Path,
        formats: tuple[str, ...],
        color_range: tuple[float, float] | None = None,
        video_range: tuple[float, float] = ROOM,
        intrinsics: geometry.Intrinsics | None = None,
    ):
        self.clipped = 0
        self._folder = folder
        self._formats = formats
        self._color_range = color_range
        self._video_range = color_range or video_range
        self._intrinsics = intrinsics

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
            add_frame = None
            if "color" in self._formats:
                add_frame = stack.enter_context(_mp4(self._folder / f"{name}_color.mp4", rate))

            def write(image: np.ndarray, depth: np.ndarray) -> None:
                self._write_numbers(f"{name}_{next(numbers):06d}", image, depth)
                if add_frame:
                    add_frame(colormap.colorize_with_bar(depth, *self._video_range))

            yield write

    def _write_numbers(self, name: str, image: np.ndarray, depth: np.ndarray) -> None:
        measured = geometry.measured(depth)
        if "png" in self._formats:
            write_bytes(self._folder / f"{name}_depth.png", depth_png.encode(depth))
            self.clipped += int(np.sum(measured & (depth > depth_png.farthest())))
        if "npy" in self._formats:
            with replacing(self._folder / f"{name}_depth.npy") as partial:
                np.save(partial, depth)
        if "ply" in self._formats:
            assert self._intrinsics
            points = geometry.back_project(depth, self._intrinsics)
            geometry.write_ply(self._folder / f"{name}_cloud.ply", points, image[measured])


@contextmanager
def _mp4(path: Path, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields a function that adds an RGB frame to the video `path`."""
    writer = cv2.VideoWriter()
    with replacing(path) as partial:

        def add(frame: np.ndarray) -> None:
            if not writer.isOpened():
                size = (frame.shape[1], frame.shape[0])
                if not writer.open(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), rate, size):
                    raise InputError(f"{path}: OpenCV cannot write it; leave out --format color")
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

        try:
            yield add
        finally:
            writer.release()
