"""Reports what a check of a data set found, as Markdown and as JSON."""

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_depth.data.checks.depth_values import number
from keras_depth.data.reader import Reader
from keras_depth.errors import InputError
from keras_depth.files import distinct, write_text
from keras_depth.markdown import table

_NAMED = 3  # frames or drives that a sentence names
_SAME_FRAMES = ("units_per_metre", "max_missing")  # options that choose no other frames


@dataclass
class Split:
    """Holds what was found in a split.

    Attributes:
        name: "train", "validation", "test", or "all".
        description: the reader's: layout, frames and folder.
        frames, official: how many frames there are, and how many are published.
        missing: missing files, see `Reader.missing`.
        drives: KITTI's incomplete drives: name -> "0 of 108".
        read: how many frames were read.
        unreadable: name -> the reader's error.
        sizes: "480x640" -> number of frames.
        depth: `DepthValues.summary()` of the frames read.
    """

    name: str
    description: str
    frames: int
    official: int | None = None
    missing: list[str] = field(default_factory=list)
    drives: dict[str, str] = field(default_factory=dict)
    read: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    depth: dict[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """Holds what a check found.

    Attributes:
        data, data_dir, options: the data set, see `data.open_reader`; the folder's whole path.
        splits: what was found in each.
        absent: splits that cannot be opened -> the reader's error. This need not be wrong.
        findings: what seems wrong, one sentence each; hints begin with "hint".
        sheet: (title, reader, index) of the frames for the contact sheet.
    """

    data: str
    data_dir: str | None
    options: dict[str, Any]
    splits: list[Split]
    absent: dict[str, str]
    findings: list[str]
    sheet: list[tuple[str, Reader, int]] = field(repr=False)

    def to_markdown(self) -> str:
        """Returns the report as text, which is Markdown with aligned tables."""
        lines = [f"# Check of {self.data}", ""]
        lines += [f"- {split.description}" for split in self.splits]
        lines += [f"- {split}: none. {sentence}" for split, sentence in self.absent.items()]
        counts, depths = map(_count_row, self.splits), map(_depth_row, self.splits)
        lines += ["", *table(_COUNTS, counts, "r" * len(_COUNTS), padded=True)]
        if any("50%" in split.depth for split in self.splits):
            lines += ["", *table(_DEPTHS, depths, "r" * len(_DEPTHS), padded=True)]
        lines += ["", "## Findings", ""]
        lines += [f"- {finding}" for finding in self.findings] or ["Nothing seems wrong."]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Writes report.md and report.json."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.repr}
        values["splits"] = [dataclasses.asdict(split) for split in self.splits]
        write_text(folder / "report.md", self.to_markdown())
        write_text(folder / "report.json", json.dumps(values, indent=2, default=str) + "\n")


def find_folder(
    data: str,
    data_dir: str | Path | None,
    options: dict[str, Any],
    asked: Path | None,
    parent: Path = Path("data_check"),
) -> Path:
    """Returns the folder for a report; that of another data set is left alone.

    Args:
        data, data_dir, options: the data set, see `data.open_reader`.
        asked: the folder that the user names; None: one named after the data set and, where that
            is taken, its folder.
        parent: the folder of all reports.

    Raises:
        InputError: the folder that the user names holds the report of another data set.
    """
    place = None if data_dir is None else os.path.abspath(Path(data_dir).expanduser())
    own = _frames_of(data, place, options)
    if asked:
        if _stored_frames(asked) not in (None, own):
            raise InputError(
                f"{asked}: holds the report of other frames; give --output another folder"
            )
        return asked
    name = re.sub(r"[^\w.=]+", "-", "-".join([data, Path(place or "").name])).strip("-")
    folders = [parent / data, parent / name, distinct(parent / name, own)]
    for folder in folders:
        if _stored_frames(folder) == own:
            return folder
    return next((folder for folder in folders if not folder.exists()), folders[-1])


def _frames_of(data: str, data_dir: str | None, options: dict[str, Any]) -> str:
    chosen = {key: value for key, value in options.items() if key not in _SAME_FRAMES}
    return json.dumps([data, data_dir, chosen], sort_keys=True, default=str)


def _stored_frames(folder: Path) -> str | None:
    """Returns which frames the report in a folder is of; None if there is none."""
    try:
        values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return _frames_of(values["data"], values["data_dir"], values["options"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # none, or another program's


def some(names: Sequence[str]) -> str:
    """Lists the first few names, and shows that there are more."""
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def size_text(size: tuple[int, int]) -> str:
    """Formats (height, width) as "480x640"."""
    return f"{size[0]}x{size[1]}"


_COUNTS = ("split", "frames", "official", "read", "unreadable", "pictures")
_DEPTHS = ("split", "measured", "min", "1 %", "median", "99 %", "max, m", "distinct values")


def _count_row(split: Split) -> tuple[str, ...]:
    counts = (split.frames, split.official, split.read, len(split.unreadable))
    texts = ("-" if count is None else f"{count:,}" for count in counts)
    return (split.name, *texts, some(list(split.sizes)) or "-")


def _depth_row(split: Split) -> tuple[str, ...]:
    depth = split.depth
    metres = [depth.get(key) for key in ("minimum", "1%", "50%", "99%", "maximum")]
    texts = ("-" if value is None else number(value) for value in metres)
    levels = depth.get("levels")
    steps = "over 256" if levels is None else str(levels)
    return (split.name, f"{depth.get('measured', 0):.1%}", *texts, steps)
