"""Writes a copy of a data set at the size of a model's input, which is fast to train from.

The copy is in tfrecord shards. Images are stored as uint8 and depth as float32, uncompressed:
nothing is left to decode, and a sample is bit-identical to the data set's, resized. `prepare`
writes the copy on this machine; its tfds builder also works under `tfds build`, with Beam on a
cluster.
"""

import contextlib
import dataclasses
import functools
import io
import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from keras_depth.data import open_reader
from keras_depth.data.pipeline import resize
from keras_depth.data.prepared import tfrecords
from keras_depth.data.prepared.reader import NAME, UNFINISHED
from keras_depth.data.reader import SPLITS, NoSplit, Reader, sample_to_bytes
from keras_depth.errors import InputError, cannot_write
from keras_depth.files import make_folder, replacing, write_text

SHARD_BYTES = 128_000_000  # a shard passes through memory as a whole
_THREADS = 8
_READING = 64  # frames in memory beside the shard's


@dataclasses.dataclass(eq=False, kw_only=True)
class PreparedConfig(tfds.core.BuilderConfig):
    """Says what to copy.

    data, data_dir, options: the data set, see `data.open_reader`.
    size: (height, width) of the copy.
    keep: folder of finished shards, so that a stopped copy can be resumed; None under Beam, which
        restarts lost shards by itself.
    """

    data: str
    data_dir: str | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    size: tuple[int, int] = (240, 320)
    keep: str | None = None

    def __post_init__(self):
        self.size = (int(self.size[0]), int(self.size[1]))  # tfds' command line gives a list

    def reader(self, split: str) -> Reader:
        return _reader(self.data, self.data_dir, split, json.dumps(self.options))

    def readers(self) -> dict[str, Reader]:
        """Returns the reader of each split that the data set has."""
        found = {split: self.reader(split) for split in ("train", "validation")}
        with contextlib.suppress(NoSplit):
            found["test"] = self.reader("test")
        return found

    def stored_as(self) -> dict[str, str]:
        """Returns {"test": "validation"} if the test frames serve for validation, else {}."""
        keys = {split: _keys(reader) for split, reader in self.readers().items()}
        return {"test": "validation"} if keys.get("test") == keys["validation"] else {}

    def copied(self) -> dict[str, Reader]:
        """Returns the readers whose frames are written."""
        same = self.stored_as()
        return {split: reader for split, reader in self.readers().items() if split not in same}


def _keys(reader: Reader) -> list[str]:
    return [reader.key(index) for index in range(len(reader))]


@functools.lru_cache(maxsize=len(SPLITS))
def _reader(data: str, data_dir: str | None, split: str, options: str) -> Reader:
    return open_reader(data, data_dir, split, **json.loads(options))


class PreparedDepth(tfds.core.ShardBasedBuilder):
    """Builds a tfds data set from the frames of a reader, resized, in their order."""

    VERSION = tfds.core.Version("1.0.0")
    # `tfds build` accepts a configuration on its command line only if the builder has one.
    BUILDER_CONFIGS = [PreparedConfig(name="rooms_240x320", data="rooms")]
    builder_config: PreparedConfig

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        readers = config.readers()
        size = tuple(config.size)
        raw = tfds.features.Encoding.BYTES
        features: dict[str, Any] = {
            "key": tfds.features.Text(),
            "image": tfds.features.Tensor(shape=(*size, 3), dtype=np.uint8, encoding=raw),
            "depth": tfds.features.Tensor(shape=size, dtype=np.float32, encoding=raw),
            "focal_length": tfds.features.Tensor(shape=(2,), dtype=np.float32),  # 0: not known
        }
        if readers["train"].stereo:
            features["right"] = features["image"]
            features["focal_baseline"] = tfds.features.Scalar(np.float32)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            description="Frames with depth in metres (0 = not measured), resized for training.",
            metadata=tfds.core.MetadataDict(
                source={split: reader.description for split, reader in readers.items()},
                rendered=readers["train"].rendered,
                measured={split: reader.measured for split, reader in readers.items()},
                stored_as=config.stored_as(),
            ),
        )

    def _download_and_prepare(self, dl_manager, download_config=None) -> None:
        # tfds' command line sets Beam's options, but its builder of shards looks for a runner.
        options = download_config and download_config.beam_options
        if options:
            runner = options.get_all_options()["runner"] or "DirectRunner"
            download_config = dataclasses.replace(download_config, beam_runner=runner)
        super()._download_and_prepare(dl_manager, download_config)

    def _shard_iterators_per_split(self, dl_manager) -> dict[str, list["_Shard"]]:
        config = self.builder_config
        pixels = config.size[0] * config.size[1]
        per_frame = pixels * (10 if config.reader("train").stereo else 7)
        return {split: _shards(config, split, per_frame) for split in config.copied()}

    def _example_writer(self):
        config = self.builder_config
        if config.keep is None:
            return super()._example_writer()
        return _Keeper(Path(config.keep), sum(map(len, config.copied().values())))


@dataclasses.dataclass
class _Shard:
    """Reads the frames of one shard; Beam sends it to its workers."""

    config: PreparedConfig
    split: str
    frames: range
    file: str

    def __call__(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        keep = self.config.keep
        if keep and Path(keep, self.file).exists():
            # tfds counts these, and reads none.
            yield from ((index, None) for index in self.frames)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            # In parts: one by one, threads would idle; all at once, memory holds the shard twice.
            for start in range(0, len(self.frames), _READING):
                yield from pool.map(self._example, self.frames[start : start + _READING])

    def _example(self, index: int) -> tuple[int, dict[str, Any]]:
        reader = self.config.reader(self.split)
        sample = resize(reader.stored(index), self.config.size)
        # Names of files need not be UTF-8, so bytes are stored.
        return index, {
            "key": os.fsencode(reader.key(index)),
            "focal_length": np.zeros(2, np.float32),
            **sample_to_bytes(sample),
        }


def _shards(config: PreparedConfig, split: str, bytes_per_frame: int) -> list[_Shard]:
    count, size = len(config.reader(split)), max(1, SHARD_BYTES // bytes_per_frame)
    starts = range(0, count, size)
    file = f"{NAME}-{split}.tfrecord-{{:05d}}-of-{len(starts):05d}"  # as tfds names it
    return [
        _Shard(config, split, range(start, min(start + size, count)), file.format(number))
        for number, start in enumerate(starts)
    ]


class _Keeper:
    """Writes a shard whole or not at all, and reuses a shard of an earlier run."""

    def __init__(self, folder: Path, frames: int):
        self._folder = folder
        self._bar = tqdm(total=frames, unit="frame", desc="prepare")

    def write(self, path: Path, examples: Iterable[tuple[str, bytes]]) -> None:
        kept = self._folder / Path(path).name
        if kept.exists():
            self._bar.update(len(tfrecords.index(kept)))
        else:
            try:
                with replacing(kept) as partial:
                    self._write(partial, examples)
            except InputError:
                self._bar.close()  # or it would be drawn again, below the message
                raise
        try:
            os.link(kept, path)
        except OSError:  # a file system without links
            shutil.copyfile(kept, path)

    def _write(self, path: Path, examples: Iterable[tuple[str, bytes]]) -> None:
        try:
            with tf.io.TFRecordWriter(str(path)) as writer:
                for _, example in examples:
                    writer.write(example)
                    self._bar.update()
        except tf.errors.OpError as error:  # a full disk, which is no OSError to TensorFlow
            raise OSError(error.message) from error


def prepare(
    data: str,
    data_dir: str | Path | None,
    target: str | Path,
    size: tuple[int, int] = (240, 320),
    options: dict[str, Any] | None = None,
) -> Path:
    """Writes a copy of a data set's training, validation and test frames, at `size`.

    Test frames that serve for validation are written once, and have both names.

    Killed at any moment and called again, it resumes after the last finished shard. The copy
    appears when it is complete.

    Args:
        data, data_dir, options: the data set, see `data.open_reader`.
        target: folder to write into.
        size: (height, width) of the copy, as in a recipe.

    Returns:
        The folder of the copy, for the reader `prepared`.

    Raises:
        InputError: the data set cannot be read, `target` holds a copy of that name already, or the
            disk is full.
    """
    target = Path(target).expanduser().resolve()
    name = "_".join(
        [data, f"{size[0]}x{size[1]}", *(f"{k}-{v}" for k, v in (options or {}).items())]
    )
    name = re.sub(r"[^\w.-]+", "-", name).strip("-")
    source = None if data_dir is None else str(Path(data_dir).expanduser().resolve())
    keep = target / f"unfinished-{name}"
    config = PreparedConfig(
        name=name, data=data, data_dir=source, options=options or {}, size=size, keep=str(keep)
    )
    _reader.cache_clear()
    home = target / NAME / name
    for leftover in home.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)
    if any(home.glob("*/dataset_info.json")):
        raise InputError(f"{home}: exists already; remove it to write it again")
    _continue(keep, _identity(config))
    tfds.disable_progress_bar()
    logging.getLogger("absl").setLevel(logging.ERROR)
    # tfds prints that it downloads, which it does not.
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder = PreparedDepth(data_dir=target, config=config)
            builder.download_and_prepare(download_dir=keep / "downloads")
    except (OSError, tf.errors.OpError) as error:
        raise cannot_write(target, error) from error
    shutil.rmtree(keep)
    return Path(builder.data_dir)


def _identity(config: PreparedConfig) -> str:
    """Describes what must not change between two runs that write one copy."""
    frames = {split: _keys(reader) for split, reader in config.copied().items()}
    return json.dumps({"config": dataclasses.asdict(config), "frames": frames})


def _continue(keep: Path, identity: str) -> None:
    """Makes the folder of finished shards, or continues the one of this copy."""
    note = keep / "copy.json"
    if any(keep.glob("*.tfrecord-*")) and not (note.exists() and note.read_text() == identity):
        raise InputError(
            f"{keep}: holds shards of an unfinished copy of other frames (another data set, or it"
            " has changed since); remove the folder to start anew"
        )
    make_folder(keep)
    write_text(note, identity)
