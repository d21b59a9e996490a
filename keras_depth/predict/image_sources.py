"""Where pictures come from: files, folders, videos and cameras, all as RGB arrays."""

import os
import struct
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_depth.errors import InputError

PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "WEBP")  # what Pillow may try to decode


@dataclass(frozen=True)
class Source:
    """A still picture or a video by its path, or a camera by its number."""

    origin: Path | int

    @property
    def is_camera(self) -> bool:
        return isinstance(self.origin, int)

    @property
    def moves(self) -> bool:
        return not isinstance(self.origin, Path) or self.origin.suffix.lower() in VIDEOS

    @property
    def name(self) -> str:
        """What files made from it are called."""
        return self.origin.stem if isinstance(self.origin, Path) else f"camera{self.origin}"

    def __str__(self) -> str:
        return str(self.origin) if isinstance(self.origin, Path) else f"camera {self.origin}"


def find(inputs: Sequence[str]) -> list[Source]:
    """Returns what the inputs name, a folder's files in the order of their names.

    Args:
        inputs: paths of pictures, videos and folders, or "camera:0".

    Raises:
        InputError: a path that is not there, or a folder without pictures.
    """
    sources = []
    for text in inputs:
        path = Path(text)
        if text.startswith("camera:") and text[7:].isdigit():
            sources.append(Source(int(text[7:])))
        elif path.is_dir():
            known = PICTURES + VIDEOS
            files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in known]
            if not files:
                raise InputError(
                    f"{path}: no picture or video in this folder; looked for files that end in"
                    f" {', '.join(known)}"
                )
            sources += [Source(file) for file in files]
        elif path.exists():
            sources.append(Source(path))
        else:
            raise InputError(f"{path}: no such file or folder; check its name")
    return sources


def read_picture(path: str | Path | BinaryIO) -> np.ndarray:
    """Reads a picture the way a viewer shows it: uint8 RGB (H, W, 3), turned as its EXIF data say.

    Grey becomes RGB, transparency is dropped.

    Raises:
        InputError: no such file, no picture, a damaged or a huge one, or 16-bit grey, which is
            how depth is stored.
    """
    try:
        with warnings.catch_warnings():
            # Pillow knows the size from the header: a huge picture is refused before it is decoded.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                if picture.mode[0] in "IF":
                    raise InputError(
                        f"{path}: a picture of one channel with more than 8 bits, which is how"
                        " depth is stored; give the colour picture"
                    )
                return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: more than {Image.MAX_IMAGE_PIXELS:,} pixels; shrink it first"
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check its name") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a picture; give one of {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # whatever decoders raise
        raise InputError(f"{path}: cannot be read ({error}); copy it again") from error


@contextmanager
def frames(source: Source) -> Iterator[tuple[Iterable[np.ndarray], float]]:
    """Opens a source.

    Yields:
        Its frames, each uint8 RGB (H, W, 3), and how many of them there are in a second (1 for a
        still picture).

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """
    if isinstance(source.origin, Path) and not source.moves:
        yield [read_picture(source.origin)], 1.0
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


def _read(source: Source, capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    read, frame = capture.read()
    if not read:
        remedy = "check its cable" if source.is_camera else "copy it again"
        raise InputError(f"{source}: opened, but gave no frame; {remedy}")
    while read:
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        read, frame = capture.read()
