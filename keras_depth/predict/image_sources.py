"""Finds and reads images in files, folders, videos and cameras, all as RGB arrays."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_depth import images, listing
from keras_depth.errors import InputError
from keras_depth.predict import videos

STILLS = (*images.ENDINGS, ".pgm")  # pgm: gray; data sets store depth so
_KNOWN = (*STILLS, *videos.SUFFIXES)
_NOTES = ("thumbs.db", "desktop.ini")  # what Windows leaves in a folder of pictures


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
        return not isinstance(self.origin, Path) or listing.ending(self.origin) in videos.SUFFIXES

    @property
    def name(self) -> str:
        """What the names of files made from it begin with."""
        return self.origin.stem if isinstance(self.origin, Path) else f"camera{self.origin}"

    def __str__(self) -> str:
        return str(self.origin) if isinstance(self.origin, Path) else f"camera {self.origin}"


def find(inputs: Sequence[str]) -> list[ImageSource]:
    """Finds the images and videos that the inputs name; those of a folder by name and number.

    Args:
        inputs: paths of pictures, videos and folders, or "camera:0".

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    sources = []
    for text in inputs:
        path = Path(text)
        if text.startswith("camera:") and text[7:].isdecimal():
            sources.append(ImageSource(int(text[7:])))
        elif path.is_dir():
            sources += _look(path)
        elif path.exists():
            sources.append(ImageSource(path))
        else:
            raise InputError(f"{path}: no such file or folder; check its name")
    return sources


def _look(folder: Path) -> list[ImageSource]:
    found = listing.look(folder)
    # A link that leads nowhere is said when it is read.
    files = [file for file in (*found.files, *found.lost) if listing.ending(file) in _KNOWN]
    if not files:
        others = _passed_over(folder)
        raise InputError(
            f"{folder}: no picture or video in this folder{others and f', but {others}'}; looked"
            f" for files that end in {', '.join(_KNOWN)}"
        )
    return [ImageSource(file) for file in files]


def say_passed_over(folder: Path, known: Sequence[str] = _KNOWN) -> str:
    """Returns a warning that says what is not taken from a folder; "": all is.

    Args:
        folder: where pictures were looked for.
        known: the endings of files that were taken.
    """
    others = _passed_over(folder, known)
    return others and (
        f"{folder}: passed over {others}; give folders by their names, and pictures as JPEG or PNG"
    )


def _passed_over(folder: Path, known: Sequence[str] = _KNOWN) -> str:
    """Says what is in a folder beside the known files; hidden ones do not count."""
    found = listing.look(folder)
    endings = Counter(
        listing.ending(file) or "without ending"
        for file in found.files
        if listing.ending(file) not in known and file.name.lower() not in _NOTES
    )
    said = []
    if count := endings.total():
        kinds = ", ".join(f"{number} {ending}" for ending, number in sorted(endings.items()))
        said.append(f"{count} file{'s' * (count != 1)} ({kinds})")
    if count := len(found.folders):
        names = ", ".join([path.name for path in found.folders[:3]] + ["..."] * (count > 3))
        said.append(f"{count} folder{'s' * (count != 1)} ({names})")
    return " and ".join(said)


@contextmanager
def frames(source: ImageSource) -> Iterator[tuple[Iterable[np.ndarray], float]]:
    """Opens a source.

    Yields:
        Its frames, each uint8 RGB (H, W, 3), and how many of them there are in a second (1 for a
        still picture).

    Raises:
        InputError: it cannot be opened, or gives no frame. At the end of the block: a video is cut
            short or damaged, or a camera has stopped.
    """
    if isinstance(source.origin, Path) and not source.is_video:
        check_video(source)
        yield [images.read(source.origin)], 1.0
        return
    with videos.read(source.origin, str(source)) as (pictures, rate):
        yield pictures, rate


def check_video(source: ImageSource) -> None:
    """Raises InputError for a video of a kind that is not read."""
    if isinstance(source.origin, Path) and listing.ending(source.origin) in videos.OTHERS:
        raise InputError(
            f"{source}: a video that is not read; convert it to mp4 (H.264), or give one of"
            f" {', '.join(videos.SUFFIXES)}"
        )
