"""Looks through a data set before a week of training on it: `check` tells what seems wrong.

Half a data set, a wrong unit or a shifted depth map train without a murmur, and badly.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from keras_depth.data.checks.alignment import EdgeMatch, alignment_doubts, match_edges
from keras_depth.data.checks.depth_values import DepthValues, doubts, trend, trend_doubt
from keras_depth.data.checks.report import Report, Split, size_text, some
from keras_depth.data.checks.stereo import PairMatch, match_pair, stereo_doubts
from keras_depth.data.dataset import DATA_SETS, DataSet
from keras_depth.data.official import Official
from keras_depth.data.reader import Reader, spread
from keras_depth.errors import InputError
from keras_depth.images import to_uint8

_THREADS = 8
_ALIGNED = 100  # frames of a split, evenly spread, whose edges are compared
_PAIRS = 5  # frames of a split whose stereo pair is matched
_SHEET = 12  # frames on the contact sheet
_LISTED = 10  # reasons in the text why frames are unreadable


class _Look(NamedTuple):
    """What is kept of a frame that was read.

    picture: a hash of its pixels; flat: they have one colour.
    """

    name: str
    size: tuple[int, int]
    picture: bytes
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
    """Reads a part of a data set, and reports what seems wrong with it.

    Args:
        name, data_dir, options: the data set, as `data.open_reader` takes it.
        frames: how many of each split are read, evenly spread; None: all of them.

    Raises:
        InputError: an unknown name or option, or no split can be opened.
    """
    options, data_set = dict(options or {}), DATA_SETS[name]
    official = data_set.find_official()
    splits = official.splits(options) or data_set.splits
    readers, absent = _open(data_set, data_dir, splits, options)
    report = Report(name, None if data_dir is None else str(data_dir), options, [], absent, [], [])
    looks: dict[str, list[_Look]] = {}
    chosen = {split: spread(len(reader), frames) for split, reader in readers.items()}
    # None: no bar where nobody looks on.
    with tqdm(total=sum(map(len, chosen.values())), unit="frame", disable=None) as bar:
        for title, reader in readers.items():
            split = Split(title, reader.description, len(reader), missing=list(reader.missing))
            looks[title], values = _read(reader, chosen[title], split, bar)
            sentences = [
                *_incomplete(official, data_dir, options, split, reader),
                *_odd_frames(split, looks[title], data_set.sizes, options),
                *doubts(values, data_set.scene, options.get("units_per_metre")),
                trend_doubt([look.trend for look in looks[title] if look.trend is not None]),
                *alignment_doubts([look.edges for look in looks[title] if look.edges]),
                *stereo_doubts([look.pair for look in looks[title] if look.pair]),
            ]
            report.findings += [f"{title}: {sentence}" for sentence in sentences if sentence]
            report.splits.append(split)
    report.findings += _shared(readers, looks)
    report.sheet = _sheet(readers, report.splits, chosen)
    return report


def _open(
    data_set: DataSet,
    data_dir: str | Path | None,
    splits: Sequence[str | None],
    options: dict[str, Any],
) -> tuple[dict[str, Reader], dict[str, str]]:
    """Returns the readers by split, and why other splits have none."""
    # Missing files are counted here, not refused.
    lenient = {"max_missing": 1.0, **options} if "max_missing" in data_set.options else options
    readers: dict[str, Reader] = {}
    absent: dict[str, str] = {}
    names: list[list[str]] = []
    for split in splits:
        try:
            reader = data_set.open(data_dir, split, **lenient)
        except InputError as error:
            absent[split or "all"] = str(error)
            continue
        own = [reader.name(index) for index in range(len(reader))]
        # Where there are no frames to validate on, some readers give the test frames.
        if own not in names:
            readers[split or "all"] = reader
            names.append(own)
    if not readers:
        # Frames that belong to no split; if there are none, its sentence is the one to show.
        readers["all"] = data_set.open(data_dir, None, **lenient)
    return readers, absent


def _read(
    reader: Reader, indices: Sequence[int], split: Split, bar: tqdm
) -> tuple[list[_Look], DepthValues]:
    """Reads frames; fills in what the split's report says of them."""
    values = DepthValues.of(np.zeros(0, np.float32))
    looks: list[_Look] = []
    aligned = {indices[i] for i in spread(len(indices), _ALIGNED)}
    paired = {indices[i] for i in spread(len(indices), _PAIRS)} if reader.stereo else set()

    def look(index: int) -> tuple[_Look, DepthValues] | InputError:
        try:
            return _inspect(reader, index, index in aligned, index in paired)
        except InputError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        bar.set_description(split.name)
        for index, found in zip(indices, pool.map(look, indices), strict=True):
            bar.update()
            if isinstance(found, InputError):
                split.unreadable[reader.name(index)] = str(found)
            else:
                looks.append(found[0])
                values += found[1]
    split.read = len(looks)
    split.sizes = dict(Counter(size_text(one.size) for one in looks).most_common())
    split.depth = values.summary() if values.pixels else {}
    return looks, values


def _inspect(reader: Reader, index: int, aligned: bool, paired: bool) -> tuple[_Look, DepthValues]:
    sample = reader.stored(index)
    picture, depth = to_uint8(sample["image"]), sample["depth"]
    values = DepthValues.of(depth)
    look = _Look(
        reader.name(index),
        depth.shape,
        hashlib.blake2b(picture.tobytes(), digest_size=16).digest(),
        bool(picture.std() < 1),
        values.measured > 0,
        values.measured > 1 and values.minimum == values.maximum,
        trend(depth),
        match_edges(picture, depth) if aligned else None,
        match_pair(sample) if paired else None,
    )
    return look, values


def _incomplete(
    official: Official,
    data_dir: str | Path | None,
    options: dict[str, Any],
    split: Split,
    reader: Reader,
) -> list[str]:
    """Compares a split with the published one."""
    part = None if split.name == "all" else split.name
    should = official.count(data_dir, options, part)
    split.official = should.frames if should else None
    sentences = []
    if should and split.frames > should.frames and not should.met_by(split.frames):
        sentences.append(
            f"{split.frames:,} frames, where {should.frames:,} are published: another selection;"
            " scores compare with nobody else's"
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


def _odd_frames(
    split: Split, looks: list[_Look], usual: frozenset[tuple[int, int]], options: dict[str, Any]
) -> list[str]:
    """Names the frames that cannot be read, and those that teach nothing."""
    sentences = []
    if split.unreadable:
        # Every frame of a day has the same calibration file, and the same sentence if it is bad.
        counts = Counter(split.unreadable.values())
        listed = [
            f"{sentence} ({n} frames)" if n > 1 else sentence for sentence, n in counts.items()
        ]
        if len(listed) > _LISTED:
            listed[_LISTED:] = ["..."]
        sentences.append(
            "\n  - ".join([f"frames that cannot be read ({len(split.unreadable)}):", *listed])
        )
    if looks:
        usual = usual | {Counter(look.size for look in looks).most_common(1)[0][0]}
    groups = {
        "frames of odd size": [
            f"{look.name} ({size_text(look.size)})" for look in looks if look.size not in usual
        ],
        "pictures of one colour": [look.name for look in looks if look.flat],
        "depth maps of one value": [look.name for look in looks if look.constant],
        "frames without depth": [look.name for look in looks if not look.measured],
    }
    if options.get("depth") == "none":  # as asked for
        del groups["frames without depth"]
    sentences += [
        f"{what} ({len(names)}): {some(names)}" for what, names in groups.items() if names
    ]
    pictures: dict[bytes, list[str]] = defaultdict(list)
    for look in looks:
        if not look.flat:
            pictures[look.picture].append(look.name)
    twice = [" = ".join(names) for names in pictures.values() if len(names) > 1]
    if twice:
        sentences.append(f"pictures that occur more than once ({len(twice)}): {some(twice)}")
    return sentences


def _shared(readers: dict[str, Reader], looks: dict[str, list[_Look]]) -> list[str]:
    """Finds frames of one split in another: by name of all, by pixels of those that were read."""
    sentences = []
    titles = list(readers)
    for place, one in enumerate(titles):
        for other in titles[place + 1 :]:
            names = [{r.name(i) for i in range(len(r))} for r in (readers[one], readers[other])]
            same = sorted(names[0] & names[1])
            if same:
                sentences.append(f"{one} and {other} share frames ({len(same):,}): {some(same)}")
            pictures = {look.picture: look.name for look in looks[one] if not look.flat}
            again = [
                f"{pictures[look.picture]} = {look.name}"
                for look in looks[other]
                if look.picture in pictures and look.name not in names[0]
            ]
            if again:
                sentences.append(
                    f"{one} and {other} share pictures under different names ({len(again):,}):"
                    f" {some(again)}"
                )
    return sentences


def _sheet(
    readers: dict[str, Reader], found: list[Split], chosen: dict[str, list[int]]
) -> list[tuple[str, Reader, int]]:
    """Chooses the contact sheet's frames, as many of each split."""
    sheet = []
    each = max(1, _SHEET // len(found))
    for split in found:
        reader = readers[split.name]
        good = [i for i in chosen[split.name] if reader.name(i) not in split.unreadable]
        for index in (good[i] for i in spread(len(good), each)):
            sheet.append((f"{split.name}: {reader.key(index)}", reader, index))
    return sheet
