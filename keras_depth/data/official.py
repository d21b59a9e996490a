"""How many frames a data set has as published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from keras_depth.data.reader import Reader


class Count(NamedTuple):
    """How many frames there should be.

    frames: the published number of frames that have the requested depth.
    about: copies of the data set differ by a few per cent.
    """

    frames: int
    about: bool = False

    def met_by(self, frames: int) -> bool:
        return frames == self.frames or (self.about and frames > 0.95 * self.frames)


class Official:
    """What is published about a data set's frames. This base class is for those without counts."""

    def splits(self, options: Mapping[str, Any]) -> tuple[str | None, ...]:
        """Returns the splits of the chosen list; (None,) if it is not split; (): any split."""
        return ()

    def count(
        self, data_dir: str | Path | None, options: Mapping[str, Any], split: str | None
    ) -> Count | None:
        """Returns the published number of a split's frames; None if none is published."""
        return None

    def incomplete_drives(
        self, reader: Reader, data_dir: str | Path, options: Mapping[str, Any], split: str | None
    ) -> tuple[dict[str, str], list[str]] | None:
        """Returns the recordings that lack frames; None if the data set does not count by them.

        Returns:
            Name -> "0 of 108"; and the names of those that have no folder.
        """
        return None
