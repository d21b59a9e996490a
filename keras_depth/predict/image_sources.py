"""Finds and reads images in files, folders, videos and cameras, all as RGB arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from keras_depth import images
from keras_depth.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".webp")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class ImageSource:
    """A still image or a video by its path, or a camera by its number."""

    origin: Path | int

    @property
    def is_camera(self) -> bool:
        return isinstance(self.origin, int)

    @property
    def is_video(self) -> bool:
        """Whether it has many frames: a video, or a camera."""
        return not isinstance(self.origin, Path) or self.origin.suffix.lower() in VIDEO_SUFFIXES

    @property
    def name(self) -> str:
        """What the names of files made from it begin with."""
        return self.origin.stem if isinstance(self.origin, Path) else f"camera{self.origin}"

    def __str__(self) -> str:
        return str(self.origin) if isinstance(self.origin, Path) else f"camera {self.origin}"


def find(inputs: Sequence[str]) -> list[ImageSource]:
    """Finds the images and videos that the inputs name; those of a folder in alphabetic order.

    Args:
        inputs: paths of pictures, videos and folders, or "camera:0".

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    sources = []
    for text in inputs:
        path = Path(text)
        if text.startswith("camera:") and text[7:].isdigit():
            sources.append(ImageSource(int(text[7:])))
        elif path.is_dir():
            known = IMAGE_SUFFIXES + VIDEO_SUFFIXES
            files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in known]
            if not files:
                raise InputError(
                    f"{path}: no picture or video in this folder; looked for files that end in"
                    f" {', '.join(known)}"
                )
            sources += [ImageSource(file) for file in files]
        elif path.exists():
            sources.append(ImageSource(path))
        else:
            raise InputError(f"{path}: no such file or folder; check its name")
    return sources


@contextmanager
def frames(source: ImageSource) -> Iterator[tuple[Iterable[np.ndarray], float]]:
    """Opens a source.

    Yields:
        Its frames, each uint8 RGB (H, W, 3), and how many of them there are in a second (1 for a
        still picture).

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """
    if isinstance(source.origin, Path) and not source.is_video:
        yield [images.read(source.origin)], 1.0
        return
    # OpenCV and its FFmpeg would comment on a bad video before we can.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    capture = cv2.VideoCapture(source.origin if source.is_camera else str(source.origin))
    try:
        if not capture.isOpened():
            remedy = (
                "check that it is plugged in and that no other program uses it"
                if source.is_camera
                else "it is damaged or no video that OpenCV knows; convert it to mp4 (H.264)"
            )
            raise InputError(f"{source}: cannot be opened; {remedy}")
        rate = capture.get(cv2.CAP_PROP_FPS)
        yield _read(source, capture), rate if 1 <= rate <= 240 else 30.0
    finally:
        capture.release()


def _read(source: ImageSource, capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    read, frame = capture.read()
    if not read:
        remedy = "check its cable" if source.is_camera else "copy it again"
        raise InputError(f"{source}: opened, but gave no frame; {remedy}")
    while read:
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        read, frame = capture.read()
