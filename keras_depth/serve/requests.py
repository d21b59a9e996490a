"""Requests of every protocol: what they may ask for, and the sentence that refuses the rest.

This module knows neither KServe nor TensorFlow: it takes bytes and numbers, and returns arrays or
raises InputError.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from keras_depth import images
from keras_depth.errors import InputError, unknown_name
from keras_depth.serve import bodies

MAX_INSTANCES = 16  # images in one request
MAX_PIXELS = 1 << 24  # in all images of one request: the 12 megapixels of a phone pass
UNITS = {"metres": "metres", "png16": "millimetres"}  # of an answer, by its format
SIZES = ("picture", "network")
SIGNATURE = "serving_default"  # TensorFlow's name for the only function of a model


class Spec(NamedTuple):
    """The input of a model: its sides in pixels, and "uint8" or "float32"."""

    height: int
    width: int
    dtype: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3

    def __str__(self) -> str:
        numbers = "whole numbers, 0 to 255" if self.dtype == "uint8" else "numbers, 0 to 1"
        return f"RGB of shape {self.shape}, {numbers}"


class Options(NamedTuple):
    """The parameters of a request: the format and the size of the depth in its answer."""

    format: str = "metres"
    size: str = "picture"

    @property
    def units(self) -> str:
        return UNITS[self.format]


@dataclass(frozen=True)
class Request:
    """A valid request: a tensor or images, and the function that encodes its answer.

    Attributes:
        options: its parameters.
        encode: encodes depth maps, each float32 (h, w), metres, as the protocol's answer.
        tensor: (B, H, W, 3) as the model takes it; None if the request holds images.
        images: uint8 RGB (H, W, 3) each, of any size.
    """

    options: Options
    encode: Callable[[Sequence[np.ndarray]], Any]
    tensor: np.ndarray | None = None
    images: Sequence[np.ndarray] = ()


def read_options(parameters: Any) -> Options:
    """Reads a request's parameters.

    Raises:
        InputError: a name or a value is unknown; the nearest known one is said.
    """
    if not isinstance(parameters, dict):
        raise InputError('parameters: give an object, for example {"format": "png16"}')
    known: dict[str, Sequence[str]] = {"format": tuple(UNITS), "size": SIZES}
    for name, value in parameters.items():
        if name not in known:
            raise unknown_name("parameter", name[:40], known)
        if value not in known[name]:
            raise unknown_name(name, str(value)[:40], known[name])
    return Options(**parameters)


def check_count(number: int) -> None:
    """Checks the number of images in a request.

    Raises:
        InputError: there are none, or too many.
    """
    if number == 0:
        raise InputError("there is no picture in the request; give at least one")
    if number > MAX_INSTANCES:
        raise InputError(
            f"{number} pictures in one request; give at most {MAX_INSTANCES}, and send"
            " several requests"
        )


def check_signature(name: Any) -> None:
    """Checks the signature that a client of TensorFlow Serving names; none, or "", is the default.

    Raises:
        InputError: the model has no such signature.
    """
    if name and name != SIGNATURE:
        raise InputError(f'signature_name: the model has one, "{SIGNATURE}"; leave it out')


def check_list(shape: Sequence[int], name: str, spec: Spec) -> None:
    """Checks that a tensor is a list of pictures, even where there is only one.

    Args:
        shape: of the tensor.
        name: the client's name for it.
        spec: what the model takes.

    Raises:
        InputError: it is a picture, or gray pictures without channels.
    """
    if len(shape) == 3 and shape[-1] != 3:
        raise InputError(
            f"{name}: shape {list(shape)} has no channels; the model takes {spec}, so give each"
            " value of a gray picture three times"
        )
    if len(shape) == 3:
        raise InputError(
            f"{name}: one picture, of shape {list(shape)}; one picture lies in a list of its own,"
            f" of shape {[1, *spec.shape]}"
        )


def to_array(values: Any, name: str, spec: Spec) -> np.ndarray:
    """Converts nested lists of numbers to an array of any shape.

    Raises:
        InputError: the rows have different lengths, or hold something that is no number.
    """
    try:
        numbers = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: rows of different lengths; the model takes {spec}") from error
    if numbers.dtype.kind not in "iuf":
        raise InputError(f"{name}: holds other things than numbers; the model takes {spec}")
    return numbers


def check_numbers(numbers: np.ndarray, name: str, spec: Spec) -> np.ndarray:
    """Checks numbers, and converts them to the type that the model takes.

    Args:
        numbers: (B, H, W, 3).
        name: the client's name for them.
        spec: what the model takes.

    Returns:
        The numbers in the model's type.

    Raises:
        InputError: the model takes another shape, type or range.
    """
    check_list(numbers.shape, name, spec)
    if numbers.ndim != 4 or numbers.shape[1:] != spec.shape:
        raise InputError(
            f"{name}: pictures of shape {numbers.shape[1:]}; the model takes {spec} (or send JPEG"
            " or PNG, of any size)"
        )
    check_count(len(numbers))
    if spec.dtype == "uint8" and numbers.dtype.kind == "f":
        raise InputError(f"{name}: numbers with a decimal point; the model takes {spec}")
    low, high = numbers.min(), numbers.max()
    highest = 255 if spec.dtype == "uint8" else 1
    if not (low >= 0 and high <= highest):  # also where one of them is not a number
        raise InputError(f"{name}: values from {low:g} to {high:g}; the model takes {spec}")
    return numbers.astype(spec.dtype)


def decode_images(files: Sequence[bytes], names: Sequence[str]) -> list[np.ndarray]:
    """Decodes images: uint8 RGB (H, W, 3) each, of any size, rotated as their EXIF data say.

    Args:
        files: the contents of JPEG, PNG, PPM, BMP, WEBP or TIFF files.
        names: the client's names for them.

    Raises:
        InputError: there are no or too many files, or one is damaged, no image or still in base64.
            By their headers they have more than MAX_PIXELS; then nothing is decoded.
    """
    check_count(len(files))
    for content, name in zip(files, names, strict=True):
        if bodies.is_encoded_picture(content):
            raise InputError(
                f"{name}: a picture in base64, where the picture itself belongs; encode it once"
                " less"
            )
    named = [_NamedFile(*both) for both in zip(files, names, strict=True)]
    total = sum(_count_pixels(file) for file in named)
    if total > MAX_PIXELS:
        raise InputError(
            f"{total:,} pixels in one request; give at most {MAX_PIXELS:,}, of smaller pictures or"
            " in several requests"
        )
    return [images.read(file) for file in named]  # type: ignore[arg-type]


def check_stackable(pictures: Sequence[np.ndarray], options: Options) -> None:
    """Checks that the depth of all images fits into one tensor.

    Raises:
        InputError: it is to have the sizes of the images, and these differ.
    """
    if options == Options() and len({picture.shape for picture in pictures}) > 1:
        raise several_sizes()


def several_sizes() -> InputError:
    """Returns the error for images whose depth makes no tensor."""
    return InputError(
        "image: pictures of several sizes, whose depth makes no tensor; send several requests"
    )


class _NamedFile(BytesIO):
    """A file in memory, with a name for error messages."""

    def __init__(self, content: bytes, name: str):
        super().__init__(content)
        self._name = name

    def __str__(self) -> str:
        return self._name


def _count_pixels(file: _NamedFile) -> int:
    """Returns the number of pixels in an image's header; 0 if that cannot be read."""
    try:
        with Image.open(file, formats=images.FORMATS) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except (OSError, SyntaxError, ValueError, struct.error):
        return 0  # images.read will say what is wrong
    finally:
        file.seek(0)
