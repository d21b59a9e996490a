"""Checks a data set before a week of training on it: `check` reports what seems wrong.

Training on half a data set, in a wrong unit or with shifted depth raises no error, and goes badly.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from keras_depth.data.checks.alignment import EdgeMatch, find_alignment_faults, match_edges
from keras_depth.data.checks.depth_values import (
    DepthValues,
    find_trend_fault,
    find_value_faults,
    trend,
)
from keras_depth.data.checks.report import Report, Split, size_text, some
from keras_depth.data.checks.stereo import PairMatch, find_stereo_faults, match_pair
from keras_depth.data.dataset import DATA_SETS, DataSet
from keras_depth.data.official import Official
from keras_depth.data.reader import NoSplit, Reader, spread
from keras_depth.errors import InputError
from keras_depth.images import to_uint8

_THREADS = 8
_ALIGNED = 100  # frames of a split, evenly spread, whose edges are compared
_PAIRS = 5  # frames of a split whose stereo pair is matched
_SHEET = 12  # frames on the contact sheet
_LISTED = 10  # reasons in the text why frames are unreadable


class _FrameStats(NamedTuple):
    """Holds what a check keeps of a frame.

    image: a hash of its pixels.
    flat: the image has one color.
    measured: some pixel has depth.
    constant: all measured pixels have the same depth.
    """

    name: str
    size: tuple[int, int]
    image: bytes
    flat: bool
    measured: bool
    constant: bool
    trend: float | None
    edges: EdgeMatch | None
    pair: PairMatch | None


def check(
    name: str,
    data_dir: str | Path | None = None,
    options: dict[str, Any] | None = None,
    frames: int | None = 200,
) -> Report:
    """Reads some frames of a data set, and reports what seems wrong with it.

    Args:
        name, data_dir, options: the data set, see `data.open_reader`.
        frames: how many frames of each split to read, evenly spread; None: all.

    Raises:
        InputError: an unknown name or option, or no split can be opened.
    """
    options, data_set = dict(options or {}), DATA_SETS[name]
    official = data_set.find_official()
    splits = official.splits(options) or data_set.splits
    readers, absent = _open(data_set, data_dir, splits, options)
    folder = None if data_dir is None else os.path.abspath(Path(data_dir).expanduser())
    reasons = {split: str(error) for split, error in absent.items()}
    report = Report(name, folder, options, [], reasons, [], [])
    stats: dict[str, list[_FrameStats]] = {}
    chosen = {split: spread(len(reader), frames) for split, reader in readers.items()}
    # None: no bar if the output is no terminal.
    with tqdm(total=sum(map(len, chosen.values())), unit="frame", disable=None) as bar:
        for title, reader in readers.items():
            split = Split(title, reader.description, len(reader), missing=list(reader.missing))
            stats[title], values = _read(reader, chosen[title], split, bar)
            growing = find_trend_fault(
                [frame.trend for frame in stats[title] if frame.trend is not None]
            )
            faults = find_value_faults(values, data_set.scene, reader.units_per_metre)
            if growing:  # of inverse depth the median says little
                faults = [fault for fault in faults if not fault.startswith("hint: ")]
            sentences = [
                *_compare_with_official(official, data_dir, options, split, reader),
                *_find_odd_frames(split, stats[title], data_set.sizes, reader.measured),
                *faults,
                growing,
                *find_alignment_faults([frame.edges for frame in stats[title] if frame.edges]),
                *find_stereo_faults([frame.pair for frame in stats[title] if frame.pair]),
            ]
            report.findings += [f"{title}: {sentence}" for sentence in sentences if sentence]
            report.splits.append(split)
    report.findings += [
        f"{split}: {error}" for split, error in absent.items() if not isinstance(error, NoSplit)
    ]
    report.findings += _find_shared(readers, stats)
    report.sheet = _choose_sheet(readers, report.splits, chosen)
    return report


def _open(
    data_set: DataSet,
    data_dir: str | Path | None,
    splits: Sequence[str | None],
    options: dict[str, Any],
) -> tuple[dict[str, Reader], dict[str, InputError]]:
    """Returns the readers by split, and why other splits have none."""
    # Missing files are counted here, not refused.
    lenient = {"max_missing": 1.0, **options} if "max_missing" in data_set.options else options
    readers: dict[str, Reader] = {}
    absent: dict[str, InputError] = {}
    names: list[list[str]] = []
    for split in splits:
        try:
            reader = data_set.open(data_dir, split, **lenient)
        except InputError as error:
            absent[split or "all"] = error
            continue
        own = [reader.name(index) for index in range(len(reader))]
        # Without validation frames, some readers give the test frames.
        if own not in names:
            readers[split or "all"] = reader
            names.append(own)
    if not readers:
        # Frames of no split; if there are none, this error is the one to show.
        readers["all"] = data_set.open(data_dir, None, **lenient)
    return readers, absent


def _read(
    reader: Reader, indices: Sequence[int], split: Split, bar: tqdm
) -> tuple[list[_FrameStats], DepthValues]:
    """Reads frames, and fills in the split's part of the report."""
    values = DepthValues.of(np.zeros(0, np.float32))
    stats: list[_FrameStats] = []
    aligned = {indices[i] for i in spread(len(indices), _ALIGNED)}
    paired = {indices[i] for i in spread(len(indices), _PAIRS)} if reader.stereo else set()

    def inspect(index: int) -> tuple[_FrameStats, DepthValues] | InputError:
        try:
            return _inspect(reader, index, index in aligned, index in paired)
        except InputError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        bar.set_description(split.name)
        for index, found in zip(indices, pool.map(inspect, indices), strict=True):
            bar.update()
            if isinstance(found, InputError):
                split.unreadable[reader.name(index)] = str(found)
            else:
                stats.append(found[0])
                values += found[1]
    split.read = len(stats)
    split.sizes = dict(Counter(size_text(one.size) for one in stats).most_common())
    split.depth = values.summary() if values.pixels else {}
    return stats, values


def _inspect(
    reader: Reader, index: int, aligned: bool, paired: bool
) -> tuple[_FrameStats, DepthValues]:
    sample = reader.stored(index)
    image, depth = to_uint8(sample["image"]), sample["depth"]
    values = DepthValues.of(depth, reader.units_per_metre)
    frame = _FrameStats(
        reader.name(index),
        depth.shape,
        hashlib.blake2b(image.tobytes(), digest_size=16).digest(),
        bool(image.std() < 1),
        values.measured > 0,
        values.measured > 1 and values.minimum == values.maximum,
        trend(depth),
        match_edges(image, depth) if aligned else None,
        match_pair(sample) if paired else None,
    )
    return frame, values


def _compare_with_official(
    official: Official,
    data_dir: str | Path | None,
    options: dict[str, Any],
    split: Split,
    reader: Reader,
) -> list[str]:
    """Returns how a split's frames differ from the published ones."""
    part = None if split.name == "all" else split.name
    should = official.count(data_dir, options, part)
    split.official = should.frames if should else None
    sentences = []
    if should and split.frames > should.frames and not should.met_by(split.frames):
        sentences.append(
            f"{split.frames:,} frames, where {should.frames:,} are published: another selection;"
            " its scores cannot be compared with published ones"
        )
    elif should and not should.met_by(split.frames):
        about = "about " if should.about else ""
        sentences.append(f"{split.frames:,} of {about}{should.frames:,} frames found")
    drives = None
    if data_dir is not None:
        drives = official.incomplete_drives(reader, data_dir, options, part)
    if drives is None:
        if split.missing:
            sentences.append(f"files without partner ({len(split.missing)}): {some(split.missing)}")
        return sentences
    if sentences and split.missing:
        sentences[0] += f", first missing {split.missing[0]}"
    split.drives, absent = drives
    there = {drive: count for drive, count in split.drives.items() if drive not in absent}
    none = [f"{drive} ({count})" for drive, count in there.items() if count.startswith("0 ")]
    partly = [f"{drive} ({count})" for drive, count in there.items() if count[:2] != "0 "]
    groups = {
        "drives not there": absent,
        "drives there, but no frame with its files": none,
        "drives there in part": partly,
    }
    return sentences + [
        f"{what} ({len(drives)}): {some(drives)}" for what, drives in groups.items() if drives
    ]


def _find_odd_frames(
    split: Split,
    stats: list[_FrameStats],
    usual: frozenset[tuple[int, int]],
    measured: bool,
) -> list[str]:
    """Names the frames that cannot be read, and those that are useless for training."""
    sentences = []
    if split.unreadable:
        # All frames of a day share a calibration file, and its error.
        counts = Counter(split.unreadable.values())
        listed = [
            f"{sentence} ({n} frames)" if n > 1 else sentence for sentence, n in counts.items()
        ]
        if len(listed) > _LISTED:
            listed[_LISTED:] = ["..."]
        sentences.append(
            "\n  - ".join([f"frames that cannot be read ({len(split.unreadable)}):", *listed])
        )
    if stats:
        usual = usual | {Counter(frame.size for frame in stats).most_common(1)[0][0]}
    groups = {
        "frames of odd size": [
            f"{frame.name} ({size_text(frame.size)})" for frame in stats if frame.size not in usual
        ],
        "images of one color": [frame.name for frame in stats if frame.flat],
        "depth maps of one value": [frame.name for frame in stats if frame.constant],
        "frames without depth": [frame.name for frame in stats if not frame.measured],
    }
    if not measured:  # none is expected
        del groups["frames without depth"]
    sentences += [
        f"{what} ({len(names)}): {some(names)}" for what, names in groups.items() if names
    ]
    images: dict[bytes, list[str]] = defaultdict(list)
    for frame in stats:
        if not frame.flat:
            images[frame.image].append(frame.name)
    twice = [" = ".join(names) for names in images.values() if len(names) > 1]
    if twice:
        sentences.append(f"images that occur more than once ({len(twice)}): {some(twice)}")
    return sentences


def _find_shared(readers: dict[str, Reader], stats: dict[str, list[_FrameStats]]) -> list[str]:
    """Finds frames that two splits share: by name among all, by pixels among those read."""
    sentences = []
    titles = list(readers)
    for place, one in enumerate(titles):
        for other in titles[place + 1 :]:
            names = [{r.name(i) for i in range(len(r))} for r in (readers[one], readers[other])]
            same = sorted(names[0] & names[1])
            if same:
                sentences.append(f"{one} and {other} share frames ({len(same):,}): {some(same)}")
            images = {frame.image: frame.name for frame in stats[one] if not frame.flat}
            again = [
                f"{images[frame.image]} = {frame.name}"
                for frame in stats[other]
                if frame.image in images and frame.name not in names[0]
            ]
            if again:
                sentences.append(
                    f"{one} and {other} share images under different names ({len(again):,}):"
                    f" {some(again)}"
                )
    return sentences


def _choose_sheet(
    readers: dict[str, Reader], found: list[Split], chosen: dict[str, list[int]]
) -> list[tuple[str, Reader, int]]:
    """Chooses the frames of the contact sheet, the same number from each split."""
    sheet = []
    each = max(1, _SHEET // len(found))
    for split in found:
        reader = readers[split.name]
        good = [i for i in chosen[split.name] if reader.name(i) not in split.unreadable]
        for index in (good[i] for i in spread(len(good), each)):
            sheet.append((f"{split.name}: {reader.key(index)}", reader, index))
    return sheet
