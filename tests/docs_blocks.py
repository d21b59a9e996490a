"""Takes commands and programs out of the documentation."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    *("docs/start.md", "docs/data.md", "docs/prepare.md", "docs/training.md"),
    *("docs/protocols.md", "docs/serving.md", "docs/jetson.md", "docs/troubleshooting.md"),
    *("evaluation/minmax.md", "evaluation/benchmarks/README.md"),
    "custom_ops/interleave/README.md",
]
ARCHITECTURE = "docs/architecture.md"  # is run elsewhere: in a copy of the repository
SHELL = ("", "sh", "bash", "console")
# Neither commands nor programs.
OTHER = ("text", "yaml", "diff", "dockerfile")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Returns language and text of a page's fenced blocks, in order."""
    return _BLOCK.findall((ROOT / page).read_text())


def statements(text: str) -> Iterator[str]:
    """Yields the commands of a shell block, each in one piece."""
    piece = ""
    for line in text.replace("\\\n", " ").splitlines():
        piece = f"{piece}\n{line}" if piece else line
        try:
            words = shlex.split(piece, comments=True)
        except ValueError:  # a quotation that goes on
            continue
        if words and words[-1] == "|":
            continue
        if words:
            yield _without_comment(piece, words)
        piece = ""
    assert not piece, f"a command without end: {piece}"


def _without_comment(piece: str, words: list[str]) -> str:
    for place in re.finditer(r"\s+#", piece):
        command = piece[: place.start()].strip()
        with contextlib.suppress(ValueError):  # within a quotation
            if shlex.split(command, comments=True) == words:
                return command
    return piece.strip()


def commands(page: str) -> list[str]:
    """Returns all commands of a page's shell blocks."""
    return [
        statement
        for language, text in blocks(page)
        if language in SHELL
        for statement in statements(text)
    ]


def inline_commands(page: str) -> list[str]:
    """Returns the commands within a page's sentences; "..." for what is left out."""
    text = _BLOCK.sub("", (ROOT / page).read_text())
    found = re.findall(r"`(python -m keras_depth(?:\.\w+)*(?:\s[^`]*)?)`", text)
    return [" ".join(each.split()) for each in found]


def module_and_words(statement: str) -> tuple[str, list[str]]:
    """Splits `python -m MODULE WORD ...`; a word's ~ is made the home folder, as a shell does."""
    words = shlex.split(statement, comments=True)
    assert words[:2] == ["python", "-m"], statement
    return words[2], [_expanded(word) for word in words[3:] if word != "..."]


def _expanded(word: str) -> str:
    return str(Path(word).expanduser()) if word.startswith("~/") else word
