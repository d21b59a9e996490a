"""The report as one HTML file that needs nothing beside it: its pictures are inside."""

import base64
import html
import re
from pathlib import Path

import markdown

from keras_depth.evaluate import figures

_WIDTH = 1200  # of a picture; what is wider is scaled down
_TEMPLATE = Path(__file__).with_name("page.html")


def to_html(text: str, title: str, folder: Path) -> str:
    """Returns a Markdown text as a page.

    Args:
        text: its pictures are named relative to `folder`.
        title: of the page.
        folder: where the pictures are.
    """
    body = markdown.markdown(text, extensions=["tables", "sane_lists"])
    body = body.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )
    body = re.sub(r'src="([^"]+)"', lambda found: f'src="{_inline(folder / found[1])}"', body)
    page = _TEMPLATE.read_text(encoding="utf-8")
    return page.replace("{{title}}", html.escape(title)).replace("{{body}}", body)


def _inline(picture: Path) -> str:
    """A picture as a data URL; a JPEG, which is a tenth of the PNG of photographs."""
    return "data:image/jpeg;base64," + base64.b64encode(figures.jpeg(picture, _WIDTH)).decode()
