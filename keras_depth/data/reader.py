"""Defines what a reader of a data set is, and builds the samples that all readers return.

A reader is a plain Python sequence of samples, in NumPy alone and safe to index from several
threads. It converts the data set's units to metres, and nobody after it does.

A depth map is (H, W) in NumPy, everywhere, and (B, h, w, 1) in a tensor. The last axis is added
where `data.batches` makes a batch, and removed where `DepthEstimator` returns metres.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_depth.data.fit_depth import fit_depth
from keras_depth.errors import InputError, check_choice
from keras_depth.images import Picture, decode_picture, to_float32, to_uint8

# {"image": float32 (H, W, 3) RGB in [0, 1], "depth": float32 (H, W) metres, 0 = not measured};
# where the camera is known, also "focal_length", float32 (2,): (fx, fy) in pixels of this image.
# A stereo sample also has "right" like the image, which is the left one, and "focal_baseline",
# float32 (): focal length in pixels of this image times the distance of the cameras in metres.
Sample = dict[str, np.ndarray]

IMAGE_KEYS = ("image", "right")
CAMERA_KEYS = ("focal_length", "focal_baseline")  # the others are maps of the image's size

SPLITS = ("train", "validation", "test")


class NoSplit(InputError):
    """Says that a data set has no frames of a split: nothing is damaged or missing.

    Whoever may do with other frames catches this, and no other `InputError`.
    """


def check_split(split: str | None) -> None:
    """Raises InputError unless `split` is one of `SPLITS`, or None."""
    if split is not None:
        check_choice("split", split, SPLITS)


class Reader(ABC):
    """A sequence of samples; `reader[i]` raises IndexError past the end, InputError on bad files.

    description: one line: layout, split, number of frames, folder.
    missing: a file of each frame that the split's list names and the folder lacks.
    stereo: samples are stereo samples.
    measured: samples have depth; otherwise all of it is 0.
    rendered: a program draws the frames; every report on them says so.
    units_per_metre: what the depth pictures store for one metre, where that is for the user to say.
    """

    description: str
    missing: Sequence[str] = ()
    stereo: bool = False
    measured: bool = True
    rendered: bool = False
    units_per_metre: float | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def stored(self, index: int) -> Sample:
        """Returns sample `index` with its images as stored: uint8, if the files hold that.

        This is a quarter of the bytes of float32, so the pipeline reads it.
        """

    def __getitem__(self, index: int) -> Sample:
        return {
            key: to_float32(array) if key in IMAGE_KEYS else array
            for key, array in self.stored(index).items()
        }

    def __iter__(self) -> Iterator[Sample]:
        # Python's default iteration would take an IndexError inside `stored` for the end.
        return (self[index] for index in range(len(self)))

    @abstractmethod
    def name(self, index: int) -> str:
        """Returns the name of frame `index` in messages and reports: its file, if it has one."""

    @abstractmethod
    def key(self, index: int) -> str:
        """Returns the relative path of frame `index` without an ending: unique in the data set.

        Whatever belongs to the frame, such as another program's prediction, is stored under it.
        """


class Subset(Reader):
    """Reads some frames of a reader.

    Args:
        reader: the reader of all frames.
        indices: the frames to keep, in order.
    """

    def __init__(self, reader: Reader, indices: Sequence[int]):
        self._reader = reader
        self._indices = list(indices)
        self.description = f"{len(self._indices)} of {reader.description}"
        self.missing, self.stereo = reader.missing, reader.stereo
        self.measured, self.rendered = reader.measured, reader.rendered
        self.units_per_metre = reader.units_per_metre

    def __len__(self) -> int:
        return len(self._indices)

    def stored(self, index: int) -> Sample:
        return self._reader.stored(self._indices[index])

    def name(self, index: int) -> str:
        return self._reader.name(self._indices[index])

    def key(self, index: int) -> str:
        return self._reader.key(self._indices[index])


def spread(count: int, wanted: int | None) -> list[int]:
    """Returns `wanted` of `count` indices, or all, evenly spread from the first to the last."""
    wanted = count if wanted is None else min(wanted, count)
    return [round(i) for i in np.linspace(0, count - 1, wanted)]


def sample_to_bytes(sample: Sample) -> Sample:
    """Returns a sample whose pictures are uint8."""
    return {key: to_uint8(array) if key in IMAGE_KEYS else array for key, array in sample.items()}


def make_sample(
    rgb: np.ndarray,
    depth: np.ndarray,
    name: str,
    right: np.ndarray | None = None,
    focal_baseline: float = 0.0,
    orientation: int = 1,
    resize_depth: str | None = None,
    depth_file: Path | None = None,
    focal_length: tuple[float, float] | None = None,
) -> Sample:
    """Builds a stored sample from decoded arrays, and checks them.

    Args:
        rgb: uint8 (H, W, 3), RGB.
        depth: any float type, (H, W), metres, 0 = not measured.
        name: the file, for messages.
        right: the right image of a stereo pair, whose left image is `rgb`.
        focal_baseline: of a stereo pair, focal length in pixels times baseline in metres.
        orientation: by which `rgb` was turned, see `images.Picture`.
        resize_depth: whether depth of another size is resized, see `fit_depth`.
        depth_file: the file of the depth, for messages, where it is not `name`.
        focal_length: (fx, fy) in pixels of the picture as it is stored, before it was turned; None:
            not known.

    Raises:
        InputError: sizes differ, the depth holds NaN, infinity or negative values, a pair has no
            focal_baseline above 0, or a picture of a pair was turned.
    """
    for picture in (rgb, right):
        if picture is None:
            continue
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise InputError(
                f"{name}: the picture is {picture.dtype} {picture.shape}, not uint8 (height, width,"
                " 3); restore the file"
            )
    if right is not None and orientation != 1:
        raise InputError(
            f"{name}: its EXIF data say to turn the picture (orientation {orientation}), but a"
            " stereo pair is rectified as it is stored; remove the tag (exiftool -Orientation=)"
        )
    depth = fit_depth(depth, rgb.shape[:2], name, orientation, resize_depth)
    depth = np.asarray(depth, np.float32)
    if not np.isfinite(depth).all() or (depth < 0).any():
        where = f" in {depth_file}" if depth_file else ""
        raise InputError(
            f"{name}: the depth holds NaN, infinity or negative metres{where}; restore the file, or"
            " write 0 where nothing was measured"
        )
    sample = {"image": rgb, "depth": depth}
    if focal_length is not None:
        exchanged = orientation >= 5  # the turn made columns of rows
        sample["focal_length"] = np.array(focal_length[:: -1 if exchanged else 1], np.float32)
    if right is not None:
        if right.shape != rgb.shape:
            raise InputError(
                f"{name}: the left picture is {rgb.shape[:2]} but the right one {right.shape[:2]} "
                "(rows, columns); rectify both to one size, or restore the pair"
            )
        if not 0 < focal_baseline < np.inf:
            raise InputError(
                f"{name}: focal length times baseline is {focal_baseline:g}; restore its"
                " calibration"
            )
        sample |= {"right": right, "focal_baseline": np.array(focal_baseline, np.float32)}
    return sample


def read_bytes(path: Path) -> bytes:
    """Returns a file's content.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore the file") from None


def read_picture(path: Path) -> Picture:
    """Returns a picture as a viewer shows it; see `images.read`.

    Raises:
        InputError: the file cannot be read, or is no picture.
    """
    return decode_picture(read_bytes(path), str(path))
