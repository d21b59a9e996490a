"""Writes a report as one HTML file, with its images inside."""

import base64
import html
import re
from pathlib import Path

import cv2
import markdown

from keras_depth.errors import InputError
from keras_depth.images import encode_jpeg

_WIDTH = 1200  # pixels of an image; a wider one is scaled down
_TEMPLATE = Path(__file__).with_name("page.html")


def to_html(text: str, title: str, folder: Path) -> str:
    """Returns a Markdown text as an HTML page that needs no other file.

    Args:
        text: Markdown. It names its images relative to `folder`.
        title: the page's title.
        folder: the images' folder.

    Raises:
        InputError: an image is missing, or is no image.
    """
    body = markdown.markdown(text, extensions=["tables", "sane_lists"])
    body = body.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )
    body = re.sub(r'src="([^"]+)"', lambda found: f'src="{_data_url(folder / found[1])}"', body)
    page = _TEMPLATE.read_text(encoding="utf-8")
    return page.replace("{{title}}", html.escape(title)).replace("{{body}}", body)


def jpeg(path: str | Path, width: int = 900) -> bytes:
    """Encodes an image file as JPEG, at most `width` pixels wide, to embed it in a page.

    Raises:
        InputError: the file is missing, or is no image.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise InputError(f"{path}: no image that can be read; check its name")
    if image.shape[1] > width:
        height = round(image.shape[0] * width / image.shape[1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return encode_jpeg(image[..., ::-1])


def _data_url(path: Path) -> str:
    # JPEG: a tenth of the PNG's size for photographs.
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(path, _WIDTH)).decode()
