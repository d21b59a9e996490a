"""Cuts a walk of an RGB-D camera into recordings, by links and shorter lists."""

from collections.abc import Mapping
from pathlib import Path

_LISTS = ("rgb.txt", "depth.txt")


def cut_walk(walk: Path, folder: Path, parts: Mapping[str, slice]) -> Path:
    """Writes a recording in TUM's layout for each part of a walk in this layout.

    Args:
        walk: with rgb.txt and depth.txt, of which a line stands for a frame.
        folder: where the recordings go.
        parts: the folder of each recording, such as "train/a", and its frames.

    Returns:
        The folder, for `open_folder`.
    """
    for name, frames in parts.items():
        recording = folder / name
        recording.mkdir(parents=True)
        for each in _LISTS:
            lines = [line for line in (walk / each).read_text().splitlines() if line[0] != "#"]
            (recording / each).write_text("\n".join(lines[frames]) + "\n")
            source = Path(each).stem
            (recording / source).symlink_to(walk / source)
    return folder
