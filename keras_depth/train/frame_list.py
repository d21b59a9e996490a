"""Whether a run that goes on has the frames that it began with.

Order of the frames, length of an epoch and best epoch follow from them, and frames that were
trained on may have become held-out ones. So a run keeps their names, and goes on with others only
if it is told to.
"""

import dataclasses
import warnings
from pathlib import Path

from tqdm import tqdm

from keras_depth.data.reader import Reader, spread
from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder, RunFrames
from keras_depth.train.checkpoints import Checkpoints

_KEYS = 16  # records of a prepared copy that are read for their key


def name_frames(train: Reader, validation: Reader, data: str) -> RunFrames:
    """Names the frames of a run on a data set `data`, by their place in it."""
    return RunFrames(_names(train, data), _names(validation, data))


def _names(reader: Reader, data: str) -> list[str]:
    if data != "prepared":
        return [reader.key(index) for index in range(len(reader))]
    # There a key is in its record, with the pictures, and all of them take minutes to read.
    names = [Path(reader.name(index)).name for index in range(len(reader))]
    for index in spread(len(reader), _KEYS):
        names[index] += f" {reader.key(index)}"
    return names


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
