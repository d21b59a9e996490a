"""Whether a run that goes on has the frames that it began with.

Order of the frames, length of an epoch and best epoch follow from them, and frames that were
trained on may have become held-out ones. So a run keeps their names, and goes on with others only
if it is told to.
"""

import dataclasses
import warnings
from pathlib import Path

from tqdm import tqdm

from keras_depth.data.reader import Reader, sample_to_bytes, spread
from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder, RunFrames
from keras_depth.train.checkpoints import Checkpoints

_LOOKED_AT = 4  # frames of each split, evenly spread
_SAME = (0.5, 0.5, 2.0, 0.05)  # how far two looks may differ, where a picture is decoded otherwise


def note_frames(train: Reader, validation: Reader, data: str) -> RunFrames:
    """Names the frames of a run on a data set `data`, and looks at a few.

    Raises:
        InputError: a frame cannot be read.
    """
    named = [(reader, _names(reader, data)) for reader in (train, validation)]
    looks = {
        names[index]: _look(reader, index)
        for reader, names in named
        for index in spread(len(reader), _LOOKED_AT)
    }
    return RunFrames(named[0][1], named[1][1], looks=looks)


def _names(reader: Reader, data: str) -> list[str]:
    if data != "prepared":
        return [reader.key(index) for index in range(len(reader))]
    # There a key is in its record, with the pictures, and all of them take minutes to read.
    return [Path(reader.name(index)).name for index in range(len(reader))]


def _look(reader: Reader, index: int) -> list[float]:
    """Returns height, width, mean of the image (0 to 255) and mean depth of a frame."""
    sample = sample_to_bytes(reader.stored(index))
    image = sample["image"]
    return [*image.shape[:2], float(image.mean()), float(sample["depth"].mean())]


def check(folder: RunFolder, now: RunFrames, other_frames: bool) -> bool:
    """Returns whether the frames have changed since the run in the folder began, if one has.

    Raises:
        InputError: they have, the run has a checkpoint to go on from, and `other_frames` does not
            tell it to.
    """
    there = folder.frames()
    if there is None:
        return False
    changes = [
        *_describe("training", there.train, now.train),
        *_describe("validation", there.validation, now.validation),
        *_describe_looks(there.looks, now.looks),
    ]
    if changes and Checkpoints.exist(folder) and not other_frames:
        raise InputError(
            f"{folder.path}: the frames of this run have changed: {'; '.join(changes)}; restore"
            " them, give --output a new folder, or go on with the frames as they are now with"
            " train --other-frames"
        )
    return bool(changes)


def _describe(what: str, there: list[str], now: list[str]) -> list[str]:
    """Returns what has changed in a list of frames, in words."""
    gone, new = sorted(set(there) - set(now)), sorted(set(now) - set(there))
    changes = []
    if gone:
        changes.append(f"{len(gone)} of {len(there)} {what} frames are gone, first {gone[0]}")
    if new:
        changes.append(f"{len(new)} of now {len(now)} {what} frames are new, first {new[0]}")
    if not changes and there != now:
        changes.append(f"the {what} frames are in another order")
    return changes


def _describe_looks(there: dict[str, list[float]], now: dict[str, list[float]]) -> list[str]:
    """Returns which of the frames that both have looked at are not the same any more, in words."""
    both = sorted(there.keys() & now.keys())
    other = [
        name
        for name in both
        if any(abs(a - b) > e for a, b, e in zip(there[name], now[name], _SAME, strict=True))
    ]
    if not other:
        return []
    return [f"{len(other)} of {len(both)} frames that were looked at are others, first {other[0]}"]


def write(folder: RunFolder, now: RunFrames, step: int) -> None:
    """Notes the frames of a run that begins (`step` 0), or goes on from a step with other ones.

    What was computed from the frames before is deleted.
    """
    there = folder.frames()
    if step and not there:
        tqdm.write(
            f"{folder.path}: an earlier version began this run and did not note its frames, so"
            " whether they have changed since is not known"
        )
    if step and there:
        earlier = sorted({*there.train, *there.earlier} - set(now.train))
        now = dataclasses.replace(now, since=step, earlier=earlier)
    if there:
        report = folder.report_file
        for file in (
            *(folder.mean_depth_file, folder.camera_file),
            *(report, report.with_suffix(".json")),
        ):
            file.unlink(missing_ok=True)
    folder.write_frames(now)


def warn_of_learned_frames(frames: RunFrames) -> None:
    """Warns if a run validates on frames that it learned from before they were changed."""
    learned = sorted(set(frames.validation) & set(frames.earlier))
    if learned:
        warnings.warn(
            f"{len(learned)} of {len(frames.validation)} validation frames were trained on before"
            f" the frames changed, first {learned[0]}: scores on them are too good",
            stacklevel=4,
        )
