"""Reads the images that 8 bits are chosen by, and their depth where it is known."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import images, listing
from keras_depth.data import Reader, open_reader
from keras_depth.data.folders.depth_files import NoUnit
from keras_depth.data.pipeline import resize
from keras_depth.data.reader import sample_to_bytes
from keras_depth.errors import InputError
from keras_depth.letterbox import place
from keras_depth.predict import image_sources

_MOST = 200  # images


def read(
    folder: Path, size: tuple[int, int], fit: str
) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """Reads at most 200 images of a folder, evenly spread.

    Args:
        folder: holds images; or recordings with depth, as the data set `folder` reads them.
        size: (height, width) of the result.
        fit: how an image of another shape is brought to it, see `letterbox.FITS`.

    Returns:
        uint8 RGB (N, H, W, 3), and the depth of each in metres, (H, W), 0 = not measured; None: it
        is not known.

    Raises:
        InputError: there is no image, the depth is damaged or its unit is not known.
    """
    found = listing.look(folder) if folder.is_dir() else None
    if found and found.folders and not any(map(_is_still, found.files)):
        return _read_recordings(folder, size, fit)
    stills = [source for source in image_sources.find([str(folder)]) if not source.is_video]
    paths = [source.origin for source in stills if isinstance(source.origin, Path)]
    if not paths:
        raise InputError(f"{folder}: no still image; give a folder of images for calibration")
    if sentence := image_sources.say_passed_over(folder, image_sources.STILLS):
        warnings.warn(sentence, stacklevel=2)
    pictures = (images.read(path) for path in _some(paths))
    return np.stack([place(one.shape[:2], size, fit).fit(one) for one in pictures]), None


def _is_still(file: Path) -> bool:
    return listing.ending(file) in image_sources.STILLS


def _read_recordings(
    folder: Path, size: tuple[int, int], fit: str
) -> tuple[np.ndarray, list[np.ndarray] | None]:
    reader = _open(folder)
    pictures, truth = [], []
    for index in _some(range(len(reader))):
        sample = resize(sample_to_bytes(reader.stored(index)), size, fit)
        pictures.append(sample["image"])
        truth.append(sample["depth"])
    return np.stack(pictures), truth if reader.measured else None


def _open(folder: Path) -> Reader:
    try:
        return open_reader("folder", folder, "train", stereo=False, hold_out=0)
    except NoUnit as error:
        raise InputError(
            f"{folder}: its 16-bit depth does not name its unit; write metres as .npy or as"
            " floating .tiff, or leave the depth out and give the folder of the pictures"
        ) from error


def _some(everything: Sequence[Any]) -> Sequence[Any]:
    return everything[:: -(-len(everything) // _MOST)]
