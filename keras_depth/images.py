"""Images: read from a file, resized by the one rule of the package, and written as PNG or JPEG."""

import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_depth.errors import InputError

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "WEBP", "TIFF")  # what Pillow may try to decode
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp", ".tif", ".tiff")  # their files'

# How the files begin that people take for pictures of these formats.
_OTHERS = {
    b"ftypheic": "a HEIC picture",
    b"ftypheix": "a HEIC picture",
    b"ftypmif1": "a HEIF picture",
    b"ftypavif": "an AVIF picture",
    b"GIF8": "a GIF picture",
    b"v/1\x01": "an OpenEXR file",
}
_ORIENTATION = 0x0112  # of the EXIF data: 1, as stored, to 8
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 273, 279, 324, 325  # TIFF's tags
_TIFF_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # type -> bytes, else 1
_TIFF_INTEGERS = {3: "H", 4: "I"}


class Picture(NamedTuple):
    """Holds a picture that was read.

    rgb: uint8 (H, W, 3), as a viewer shows it.
    orientation: the value of its EXIF data by which it was turned: 1, not at all, to 8; see `turn`.
    """

    rgb: np.ndarray
    orientation: int = 1


def read(path: str | Path | BinaryIO) -> np.ndarray:
    """Reads an image file as a viewer shows it: uint8 RGB (H, W, 3), turned as its EXIF data say.

    Gray becomes RGB, transparency is dropped, and colors of 16 bits lose their lower 8.

    Args:
        path: a file, or an open binary file, whose `str` is its name in messages.

    Raises:
        InputError: the file is missing, damaged, huge, no image or several, or holds one channel
            of more than 8 bits, which is how depth is stored.
    """
    try:
        content = _content(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow would comment on a cut TIFF before we can
            # Pillow takes the size from the header, so it refuses a huge image before decoding it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _read(_Named(content, str(path))).rgb
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check its name") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read ({reason}); copy it again") from error


def _content(path: str | Path | BinaryIO) -> bytes:
    if isinstance(path, str | Path):
        return Path(path).read_bytes()
    path.seek(0)
    return path.read()


def decode_picture(content: bytes, name: str) -> Picture:
    """Decodes the image file of a data set, by the same rules as `read`; threads may share it.

    Args:
        content: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: see `read`.
    """
    _check_whole(content, name)
    try:
        return _read(_Named(content, name))
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error}); copy it again") from error


class _Named(io.BytesIO):
    """A file in memory, with a name for messages."""

    def __init__(self, content: bytes, name: str):
        super().__init__(content)
        self._name = name

    def __str__(self) -> str:
        return self._name


def _read(file: _Named) -> Picture:
    """Reads a picture.

    Raises:
        InputError: it is none that can be used.
        OSError: it cannot be read, or is damaged.
    """
    size = len(file.getvalue())
    cut = None if _is_whole(file.getvalue()) else OSError(f"the file is cut short, {size} bytes")
    try:
        with Image.open(file, formats=FORMATS) as image:
            if cut:
                raise cut
            _check_usable(image, file)
            # Pillow drops the value where it turns the image.
            orientation = image.getexif().get(_ORIENTATION, 1)
            rgb = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except InputError:  # which is a ValueError too
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(
            f"{file}: more than {Image.MAX_IMAGE_PIXELS:,} pixels; shrink it first"
        ) from error
    except UnidentifiedImageError as error:
        raise cut or InputError(f"{file}: {_what_else(file)}") from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # what decoders raise
        raise cut or OSError(str(error)) from None
    return Picture(rgb, orientation if orientation in _TURNS else 1)


def _check_usable(image: Image.Image, file: object) -> None:
    """Raises InputError for depth, and for files of several pictures."""
    if image.mode[0] in "IF":
        raise InputError(
            f"{file}: a picture of one channel with more than 8 bits; depth is stored so: give the"
            " color picture or, if this is a gray picture, an 8-bit copy of it (values / 256)"
        )
    count = getattr(image, "n_frames", 1)
    # A phone's JPEG may hold a preview, or a second view, behind the picture.
    if count > 1 and image.format != "MPO":
        raise InputError(
            f"{file}: {count} pictures in one file, an animation or pages; save each as a file of"
            " its own"
        )


def _what_else(file: _Named) -> str:
    """Says what a file is that is no picture of `FORMATS`, and what to do."""
    head = file.getvalue()[:12]
    for sign, what in _OTHERS.items():
        if sign in (head[: len(sign)], head[4:]):
            return f"{what}, which is not read; convert it to JPEG or PNG"
    return f"not a picture; give one of {', '.join(FORMATS)}"


# EXIF's values -> how a viewer shows the stored pixels (rows, columns, ...).
_TURNS = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.swapaxes(pixels[::-1, ::-1], 0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns stored pixels, (H, W) or (H, W, C), as a viewer shows them.

    Args:
        pixels: as a file stores them.
        orientation: of the EXIF data: 2 to 4 mirror or turn by 180 degrees, 5 to 8 exchange the
            sides; 1 changes nothing.
    """
    return np.ascontiguousarray(_TURNS[orientation](pixels))


def decode_pixels(content: bytes, name: str) -> np.ndarray:
    """Decodes an image file to the channels and the type that it holds; colors are BGR.

    By default OpenCV would silently cut 16 bits to 8, which for depth are steps of 25 cm. Nothing
    is turned.

    Args:
        content: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: the file is damaged or no image.
    """
    _check_whole(content, name)
    silence_opencv()
    try:
        pixels = np.frombuffer(content, np.uint8)
        image = cv2.imdecode(pixels, cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{name}: not a picture that can be decoded; restore the file")
    return image


def silence_opencv() -> None:
    """Keeps OpenCV from commenting on a bad file before we can."""
    if hasattr(cv2, "setLogLevel"):  # version 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _check_whole(content: bytes, name: str) -> None:
    """Raises InputError for a file that ends too early."""
    if not _is_whole(content):
        raise InputError(f"{name}: the file is cut short ({len(content)} bytes); copy it again")


def _is_whole(content: bytes) -> bool:
    """Tells whether a file has its end, as far as its format shows it.

    Decoders fill the missing part of a truncated image with gray and say little or nothing.
    """
    if content.startswith(b"\x89PNG"):
        return b"IEND" in content[-32:]
    if content.startswith(b"\xff\xd8"):
        # The end marker cannot occur within coded data, but a thumbnail in the header has one.
        scan, end = content.rfind(b"\xff\xda"), content.rfind(b"\xff\xd9")
        return 0 <= scan < end
    if content.startswith((b"II*\0", b"MM\0*")):
        try:
            return _tiff_end(content) <= len(content)
        except struct.error:  # the directory itself, which may be at the end, is not there
            return False
    return True


def _tiff_end(content: bytes) -> int:
    """Returns where the first picture of a TIFF file ends, its values and its strips, in bytes.

    Raises:
        struct.error: the file ends before the directory of its values, or a list of strips, does.
    """
    order = "<" if content.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (entries,) = struct.unpack_from(f"{order}H", content, start)
    end, lists = 0, {}
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", content, place)
        at, size = place + 8, _TIFF_SIZES.get(kind, 1) * count
        if size > 4:  # the value is elsewhere
            (at,) = struct.unpack_from(f"{order}I", content, at)
        end = max(end, at + size)
        if kind in _TIFF_INTEGERS and tag in (_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES):
            lists[tag] = struct.unpack_from(f"{order}{count}{_TIFF_INTEGERS[kind]}", content, at)
    for places, sizes in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
        strips = zip(lists.get(places, ()), lists.get(sizes, ()), strict=False)
        end = max(end, *map(sum, strips), 0)
    return end


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an image: along each side, area where it shrinks, bilinear where it grows.

    Training, evaluation, prediction and serving all resize with this function, so a network always
    sees an image the same way. Averaging over areas keeps fine texture from turning into patterns.

    Args:
        image: (H, W, C) or (H, W), uint8 or float32.
        size: (height, width) of the result.

    Returns:
        The resized image, in the type it came in.
    """
    (height, width), (old_height, old_width) = size, image.shape[:2]
    if (height - old_height) * (width - old_width) < 0:  # OpenCV has one rule for both sides
        return resize(resize(image, (height, old_width)), size)
    if (height, width) == (old_height, old_width):
        return image
    shrinks = height < old_height or width < old_width
    rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=rule)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Converts an image to uint8: floating values in [0, 1] are rounded to 255 steps."""
    if image.dtype == np.uint8:
        return image
    return np.rint(image * np.float32(255)).astype(np.uint8)


def to_float32(image: np.ndarray) -> np.ndarray:
    """Converts an image to float32 in [0, 1]: uint8 values are divided by 255."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    return image.astype(np.float32, copy=False)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes pixels as the content of a PNG file.

    Args:
        pixels: RGB uint8 (H, W, 3), or one channel (H, W), uint8 or uint16.
    """
    return _encode(".png", pixels)


def encode_jpeg(pixels: np.ndarray, quality: int = 85) -> bytes:
    """Encodes pixels as the content of a JPEG file.

    Args:
        pixels: RGB uint8 (H, W, 3), or one channel (H, W), uint8.
        quality: 0 to 100.
    """
    return _encode(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, quality)


def _encode(suffix: str, pixels: np.ndarray, *parameters: int) -> bytes:
    bgr = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    encoded, content = cv2.imencode(suffix, bgr, parameters)
    if not encoded:
        raise ValueError(f"cannot encode {pixels.dtype} {pixels.shape} as {suffix}")
    return content.tobytes()
