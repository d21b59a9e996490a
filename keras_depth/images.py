"""Images: read from a file, resized by the one rule of the package, and written as PNG or JPEG."""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_depth.errors import InputError

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "WEBP")  # what Pillow may try to decode


def read(path: str | Path | BinaryIO) -> np.ndarray:
    """Reads an image file as a viewer shows it: uint8 RGB (H, W, 3), rotated as its EXIF data say.

    Gray becomes RGB, transparency is dropped.

    Args:
        path: a file, or an open binary file, whose `str` is its name in messages.

    Raises:
        InputError: the file is missing, damaged, huge or no image, or holds 16-bit gray, which is
            how depth is stored.
    """
    try:
        with warnings.catch_warnings():
            # Pillow takes the size from the header, so it refuses a huge image before decoding it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.mode[0] in "IF":
                    raise InputError(
                        f"{path}: a picture of one channel with more than 8 bits, which is how"
                        " depth is stored; give the color picture"
                    )
                return np.array(ImageOps.exif_transpose(image).convert("RGB"))
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


def decode_rgb(content: bytes, name: str) -> np.ndarray:
    """Decodes the JPEG or PNG file of a data set: uint8 RGB (H, W, 3), as it is stored.

    Args:
        content: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: the file is damaged or no image.
    """
    # The orientation tag is ignored: the depth map beside the image has none.
    bgr = _decode(content, name, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def decode_pixels(content: bytes, name: str) -> np.ndarray:
    """Decodes an image file to the channels and the type that it holds; colors are BGR.

    By default OpenCV would silently cut 16 bits to 8, which for depth are steps of 25 cm.

    Args, Raises: as for `decode_rgb`.
    """
    return _decode(content, name, cv2.IMREAD_UNCHANGED)


def _decode(content: bytes, name: str, flags: int) -> np.ndarray:
    if _is_cut_short(content):
        raise InputError(f"{name}: the file is cut short ({len(content)} bytes); copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{name}: not a picture that can be decoded; restore the file")
    return image


def _is_cut_short(content: bytes) -> bool:
    # OpenCV fills the missing part of a truncated image with gray and says nothing.
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-32:]
    if content.startswith(b"\xff\xd8"):
        # The end marker cannot occur within coded data, but a thumbnail in the header has one.
        scan, end = content.rfind(b"\xff\xda"), content.rfind(b"\xff\xd9")
        return end < scan or scan < 0
    return False


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
