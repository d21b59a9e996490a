"""What may be asked for, whichever protocol it comes by, and the sentence for what may not.

Nothing here knows KServe or TensorFlow: bytes and numbers in, arrays or an InputError out.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import orjson
from PIL import Image

from keras_depth import images
from keras_depth.errors import InputError, unknown_name

MAX_INSTANCES = 16  # of one request
MAX_PIXELS = 1 << 24  # of one request's pictures together: a phone's 12 megapixels pass
UNITS = {"metres": "metres", "png16": "millimetres"}  # of an answer, by its format
SIZES = ("picture", "network")


class Spec(NamedTuple):
    """What a model takes: the sides in pixels, and "uint8" or "float32"."""

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
    """The parameters of a request."""

    format: str = "metres"
    size: str = "picture"

    @property
    def units(self) -> str:
        return UNITS[self.format]


@dataclass(frozen=True)
class Request:
    """A request that is in order: tensors or pictures, and how its answer is written.

    Attributes:
        options: its parameters.
        encode: makes the protocol's answer of the depth maps, each float32 (h, w), metres.
        tensor: (B, H, W, 3) as the model takes it; None where pictures came.
        pictures: uint8 RGB, each (H, W, 3) of any size.
    """

    options: Options
    encode: Callable[[Sequence[np.ndarray]], Any]
    tensor: np.ndarray | None = None
    pictures: Sequence[np.ndarray] = ()


def read_json(content: bytes, example: str) -> dict[str, Any]:
    """Returns the JSON object that `content` holds.

    Raises:
        InputError: it is not JSON, or no object.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the body is not JSON ({error}); send {example}") from error
    if not isinstance(document, dict):
        raise InputError(f"the body is JSON, but no object; send {example}")
    return document


def options(parameters: Any) -> Options:
    """Reads a request's parameters.

    Raises:
        InputError: an unknown name or value, with the nearest known one.
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
    """Refuses a request of no pictures, or of too many.

    Raises:
        InputError: as above.
    """
    if number == 0:
        raise InputError("there is no picture in the request; give at least one")
    if number > MAX_INSTANCES:
        raise InputError(
            f"{number} pictures in one request; give at most {MAX_INSTANCES}, and send"
            " several requests"
        )


def array(values: Any, name: str, spec: Spec) -> np.ndarray:
    """Returns nested lists of numbers as an array, of whatever shape.

    Raises:
        InputError: rows of different lengths, or something that is no number.
    """
    try:
        numbers = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: rows of different lengths; the model takes {spec}") from error
    if numbers.dtype.kind not in "iuf":
        raise InputError(f"{name}: holds other things than numbers; the model takes {spec}")
    return numbers


def checked(numbers: np.ndarray, name: str, spec: Spec) -> np.ndarray:
    """Returns numbers as the model takes them, if they are of its shape and range.

    Args:
        numbers: (B, H, W, 3).
        name: what the client calls them.
        spec: what the model takes.

    Returns:
        The same in the model's type.

    Raises:
        InputError: another shape, type or range.
    """
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


def from_base64(text: Any, name: str) -> bytes:
    """Returns the bytes that a JSON string holds.

    Raises:
        InputError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InputError(f"{name}: not base64; give the file's bytes in base64") from error


def pictures(files: Sequence[bytes], names: Sequence[str]) -> list[np.ndarray]:
    """Decodes pictures: uint8 RGB (H, W, 3) each, of any sizes, turned as their EXIF data say.

    Args:
        files: the contents of JPEG, PNG, PPM, BMP or WEBP files.
        names: what the client calls them.

    Raises:
        InputError: no or too many pictures, one that is none or is damaged, or more pixels than
            MAX_PIXELS by what their headers say: nothing is decoded then.
    """
    check_count(len(files))
    named = [_Named(*both) for both in zip(files, names, strict=True)]
    total = sum(_pixels(file) for file in named)
    if total > MAX_PIXELS:
        raise InputError(
            f"{total:,} pixels in one request; give at most {MAX_PIXELS:,}, of smaller pictures or"
            " in several requests"
        )
    return [images.read(file) for file in named]  # type: ignore[arg-type]


def check_stackable(pictures: Sequence[np.ndarray], options: Options) -> None:
    """Refuses pictures whose depth, each of its picture's size, would make no tensor.

    Raises:
        InputError: as above.
    """
    if options == Options() and len({picture.shape for picture in pictures}) > 1:
        raise InputError(
            "image: pictures of several sizes, whose depth makes no tensor; send several requests"
        )


class _Named(BytesIO):
    """A file in memory that is called by its name where an error speaks of it."""

    def __init__(self, content: bytes, name: str):
        super().__init__(content)
        self._name = name

    def __str__(self) -> str:
        return self._name


def _pixels(file: _Named) -> int:
    """Returns how many pixels a picture has by its header; 0 where it has none to read."""
    try:
        with Image.open(file, formats=images.FORMATS) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except (OSError, SyntaxError, ValueError, struct.error):
        return 0  # the reader says what is wrong with it
    finally:
        file.seek(0)
