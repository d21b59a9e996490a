"""Reads JSON and base64, the texts of requests; says what was sent in their place."""

import base64
import codecs
import re
from typing import Any

import orjson

from keras_depth import images
from keras_depth.errors import InputError

# How files begin, for `re`.
_PICTURE = rb"\xff\xd8\xff|\x89PNG|RIFF....WEBP|BM|II[*+]\0|MM\0[*+]|P[1-6]\s"
_UNREAD = rb"GIF8|v/1\x01|....ftyp"  # pictures that are not read; `images` has their names
_COMPRESSED = "compressed by {}, which this server does not take; send it as it is"
_SEND = (  # curl -d would drop the line ends from the picture
    "to /v1/models/NAME:predict, by curl --data-binary @room.jpg -H 'Content-Type: image/jpeg'"
)
_NO_JSON = {  # how bodies begin that are no JSON, and what they are
    _PICTURE: f"a picture, not JSON; send it {_SEND}, or in base64 within JSON",
    rb"--": f"a form (multipart), not JSON; send the picture alone, {_SEND}",
    rb"\x1f\x8b": _COMPRESSED.format("gzip"),
    rb"x[\x01\x5e\x9c\xda]": _COMPRESSED.format("zlib"),
    rb"\x28\xb5\x2f\xfd": _COMPRESSED.format("zstd"),
    rb"PK\x03\x04": "a ZIP or .npz file, not JSON; send what is in it",
    rb"\x93NUMPY": 'a NumPy file (.npy), not JSON; send {"instances": array.tolist()} to'
    " /v1/models/NAME:predict",
    rb"\xff\xfe|\xfe\xff|[\s{[]\0[^\0]\0|\0[\s{[]\0[^\0]": "not JSON in UTF-8 but in UTF-16; send"
    " it in UTF-8",
}
_DATA_URL = re.compile(r"data:[^,]*?(;base64)?(?:,|$)", re.IGNORECASE)
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/_=\s-]| |=(?=\s*[^=\s])", re.ASCII)
_FROM_URLS = str.maketrans("-_", "+/")


def read_json(content: bytes, example: str) -> dict[str, Any]:
    """Decodes a JSON object, also behind a byte order mark.

    Raises:
        InputError: the content is not JSON, or no object.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    if _begins(content, _UNREAD):
        images.decode_picture(content, "the body")  # refuses it, with what it is
    for beginning, what in _NO_JSON.items():
        if _begins(content, beginning):
            raise InputError(f"the body is {what}")
    if is_encoded_picture(content):
        raise InputError(f"the body is a picture in base64, not JSON; send {example}")
    try:
        document = orjson.loads(content.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not JSON, which is text in UTF-8; send {example}") from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"the body is not JSON ({error}); send {example}") from error
    if not isinstance(document, dict):
        raise InputError(f"the body is JSON, but no object; send {example}")
    return document


def decode_base64(text: Any, name: str) -> bytes:
    """Decodes the bytes in a JSON string.

    Args:
        text: base64, also with line breaks, in the alphabet for URLs (- and _), without the = at
            its end, or as a browser's `data:` URL.
        name: the client's name for it.

    Raises:
        InputError: the text is no base64.
    """
    give = "give the file's bytes in base64"
    if not isinstance(text, str):
        raise InputError(f"{name}: not base64, because it is no text; {give}")
    text, start = text.strip(), 0
    if url := _DATA_URL.match(text):
        start = url.end()
        if not url[1]:
            raise InputError(f"{name}: a data: URL without base64; {give}")
    if wrong := _NO_BASE64.search(text, start):
        plus = " (a form makes + a space: write %2B there, or -)" if wrong[0] == " " else ""
        raise InputError(
            f"{name}: not base64, because character {wrong.start() + 1} is {wrong[0]!r}{plus};"
            f" {give}"
        )
    digits = "".join(text[start:].split()).rstrip("=").translate(_FROM_URLS)
    if len(digits) % 4 == 1:
        raise InputError(f"{name}: base64 of {len(digits)} characters, so some are missing; {give}")
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def is_encoded_picture(content: bytes) -> bool:
    """Returns whether content is a picture in base64, or its `data:` URL, not the picture."""
    text = content[:200].decode("latin-1").strip()
    url = _DATA_URL.match(text)
    text = text[url.end() if url else 0 :]
    try:
        head = base64.b64decode(text[:16].translate(_FROM_URLS), validate=True)
    except ValueError:
        return False
    return _begins(head, _PICTURE) or _begins(head, _UNREAD)


def _begins(content: bytes, pattern: bytes) -> bool:
    return re.match(pattern, content, re.DOTALL) is not None
