"""Reads the text files of data sets, lists, tables and calibrations, by one rule.

| oddity | rule |
|---|---|
| a byte order mark, as Excel and Windows' editor write it | is dropped |
| line ends of Windows, Unix or old Macs | are the same |
| blank lines, blanks around a cell | are dropped |
| a heading | is a first row without a picture's name, and without a number or of numbers alone |
| UTF-16, or another encoding than UTF-8 | is an error that names it |
"""

import csv
import re
from collections.abc import Iterator, Sequence

from keras_depth.errors import InputError
from keras_depth.images import ENDINGS
from keras_depth.listing import ending


def decode_text(content: bytes, name: str) -> str:
    r"""Decodes a text file; its lines end with "\n".

    Args:
        content: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: it is not UTF-8.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise InputError(f"{name}: UTF-16, or no text at all; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not a text in UTF-8 (byte {error.start}); save it as UTF-8, or restore the"
            " file"
        ) from error
    return re.sub("\r\n?", "\n", text)


def lines(content: bytes, name: str) -> Iterator[tuple[int, str]]:
    """Yields the number, from 1, and the text of each line that is not blank; see `decode_text`."""
    for number, line in enumerate(decode_text(content, name).split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def rows(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number, from 1, and the cells of each line of a csv file; see `lines`."""
    for number, line in lines(content, name):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line]))]
        except csv.Error as error:
            raise InputError(f"{name}, line {number}: {error}; restore the list") from error
        if any(cells):
            yield number, cells


def is_heading(cells: Sequence[str]) -> bool:
    """Tells whether the first row of a list of pictures names its columns."""
    if any(ending(cell) in ENDINGS for cell in cells):
        return False
    numbers = [_is_number(cell) for cell in cells]
    return not any(numbers) or (all(numbers) and len(cells) > 1)  # pandas calls columns 0 and 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
