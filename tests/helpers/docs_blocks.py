"""Takes commands and programs out of the documentation."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    *("docs/start.md", "docs/presets.md", "docs/data.md", "docs/prepare.md", "docs/training.md"),
    *("docs/cameras.md", "docs/protocols.md", "docs/serving.md", "docs/jetson.md", "docs/kit.md"),
    *("docs/boards.md", "docs/int8.md", "docs/robot.md", "docs/troubleshooting.md"),
    *("evaluation/minmax.md", "evaluation/benchmarks/README.md", "evaluation/trained/README.md"),
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
    """Yields the commands of a shell block, each in one piece.

    `keras-depth X` is given as `python -m keras_depth.X`, which is the same.
    """
    piece = ""
    text = re.sub(r"^keras-depth (?=\w)", "python -m keras_depth.", text, flags=re.MULTILINE)
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
    command = r"python (?:-m keras_depth(?:\.\w+)*|evaluation/\S+?\.py)(?:\s[^`]*)?"
    return [" ".join(each.split()) for each in re.findall(f"`({command})`", text)]


def examples(text: str) -> list[str]:
    """Returns the commands of a command's `--help`; what is no line of its own is a sentence."""
    command = re.compile(
        r"^ *(?:example: )?(python (?:-m keras_depth|evaluation/).*)", re.MULTILINE
    )
    return [" ".join(each.split()) for each in command.findall(text.replace("\\\n", " "))]


def module_and_words(statement: str) -> tuple[str, list[str]]:
    """Splits `python -m MODULE WORD ...`, or `python SCRIPT WORD ...`.

    A word's ~ is made the home folder, as a shell does.
    """
    python, *words = shlex.split(statement, comments=True)
    if words[0] == "-m":
        del words[0]
    assert python == "python", statement
    return words[0], [_expanded(word) for word in words[1:] if word != "..."]


def _expanded(word: str) -> str:
    return str(Path(word).expanduser()) if word.startswith("~/") else word
