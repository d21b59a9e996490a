"""Chooses the folder of a report: reports of different data sets never share one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_depth.errors import InputError
from keras_depth.evaluate.frames import Frames
from keras_depth.files import distinct, read_json

REPORT = "report.json"


def choose(
    asked: Path | None,
    scored: Path,
    frames: Frames,
    protocol: str,
    changes: Mapping[str, Any] | None,
) -> Path:
    """Returns the folder of a report.

    Args:
        asked: the folder that the user names; None: one in `evaluation/` of what is scored, named
            after the frames and the protocol.
        scored: a run folder, a file or a folder of depth maps.
        frames: the frames that are scored.
        protocol, changes: how they are scored.

    Raises:
        InputError: the folder that the user names holds the report of another data set.
    """
    folder = asked or _name(scored, frames, protocol, changes)
    there = _read_source(folder)
    if there not in (None, frames.source):
        if asked:
            raise InputError(
                f"{folder}: holds the report of other frames ({there}, now {frames.source}); give"
                " --output another folder"
            )
        folder = distinct(folder, frames.source)
    return folder


def _name(scored: Path, frames: Frames, protocol: str, changes: Mapping[str, Any] | None) -> Path:
    changed = [*(changes or {}).items(), *frames.options.items()]
    settings = [f"{key}={value}" for key, value in changed]
    folder = frames.data_dir and Path(frames.data_dir).name
    parts = [frames.data, folder, frames.split, protocol, *settings]
    name = re.sub(r"[^\w.=]+", "-", "-".join(part for part in parts if part)).strip("-")
    home = scored if scored.is_dir() else scored.parent / scored.stem
    return home / "evaluation" / name


def _read_source(folder: Path) -> str | None:
    """Returns which frames the report in a folder is of; None: there is none, or it is older."""
    file = folder / REPORT
    return read_json(file).get("source") if file.is_file() else None
