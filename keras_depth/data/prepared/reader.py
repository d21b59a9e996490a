"""Reads a prepared copy of a data set (see `prepared.builder`), frame by frame."""

import math
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_depth.data.prepared import tfrecords
from keras_depth.data.reader import NoSplit, Reader, Sample, check_split, make_sample
from keras_depth.errors import InputError, check_installed

NAME = "prepared_depth"  # of the tfds builder
UNFINISHED = "incomplete."  # what tfds calls the folder of a copy that is being written


def open_prepared(data_dir: str | Path, split: str | None = None) -> "Prepared":
    """Opens a prepared copy.

    Args:
        data_dir: the copy's folder, or one that `prepare` wrote one copy into.
        split: "train", "validation", "test", or None: the test frames if the data set has any,
            otherwise the validation frames.

    Raises:
        NoSplit: the data set has no test frames, or the copy is of a version that left them out.
        InputError: there is no copy, or more than one; an unknown split; a damaged file.
    """
    check_installed("tfds", "tensorflow_datasets")
    path = Path(data_dir).expanduser()
    found = [p.parent for depth in ("", "*/", "*/*/", "*/*/*/")
             for p in sorted(path.glob(f"{depth}dataset_info.json"))
             if not p.parent.name.startswith(UNFINISHED)]  # fmt: skip
    if len(found) != 1:
        what = f"several copies ({', '.join(map(str, found))})" if found else "no prepared copy"
        raise InputError(
            f"{path}: holds {what}; give the folder of one that"
            " `python -m keras_depth.data --prepare` has written"
        )
    check_split(split)
    if split:
        return Prepared(found[0], split)
    try:
        return Prepared(found[0], "test")
    except NoSplit:
        return Prepared(found[0], "validation")


class Prepared(Reader):
    """Reads a prepared copy."""

    def __init__(self, folder: Path, split: str):
        import tensorflow_datasets as tfds

        try:
            info = tfds.builder_from_directory(folder).info
            if info.name != NAME:
                raise InputError(
                    f"{folder}: is tfds' {info.name}, not a prepared copy; give the folder of one"
                )
            shape, source = info.features["image"].shape, info.metadata["source"]
            if split not in source:
                raise NoSplit(
                    f"{folder}: this copy has no {split} frames, only {' and '.join(source)}; ask"
                    " for these, or open the data set itself"
                )
            self.rendered = bool(info.metadata["rendered"])
            self.measured = bool(info.metadata["measured"][split])
            stored = info.metadata.get("stored_as", {}).get(split, split)
            files = [Path(file) for file in info.splits[stored].filepaths]
        except InputError:
            raise
        except Exception as error:  # tfds raises errors of many types
            raise InputError(f"{folder}: damaged ({error}); prepare the data set again") from error
        self.stereo = "right" in info.features
        self._shape = shape[:2]
        self._records = [record for file in files for record in tfrecords.index(file)]
        self.description = (
            f"prepared copy, {shape[0]}x{shape[1]}, {split}: {len(self)} frames in {folder}, from"
            f" {source[split]}"
        )

    def __len__(self) -> int:
        return len(self._records)

    def name(self, index: int) -> str:
        record = self._records[index]
        return f"{record.file}@{record.start}"

    def key(self, index: int) -> str:
        return os.fsdecode(self._features(index)["key"].bytes_list.value[0])

    def stored(self, index: int) -> Sample:
        features = self._features(index)
        try:
            image = self._array(features["image"], np.uint8, (3,))
            depth = self._array(features["depth"], np.float32)
            # Copies of earlier versions lack it, and 0 says that the data set does.
            fx, fy = features["focal_length"].float_list.value or (0, 0)
            focal_length = (fx, fy) if fx and fy else None
            if not self.stereo:
                return make_sample(image, depth, self.name(index), focal_length=focal_length)
            right = self._array(features["right"], np.uint8, (3,))
            focal_baseline = features["focal_baseline"].float_list.value[0]
        except (IndexError, ValueError) as error:
            raise self._damaged(index) from error
        return make_sample(
            image, depth, self.name(index), right, focal_baseline, focal_length=focal_length
        )

    def _features(self, index: int):
        content = tfrecords.read(self._records[index])
        try:
            return tf.train.Example.FromString(content).features.feature
        except Exception as error:  # protobuf raises errors of many types
            raise self._damaged(index) from error

    def _array(self, feature, dtype, channels: tuple[int, ...] = ()) -> np.ndarray:
        array = np.frombuffer(feature.bytes_list.value[0], dtype)
        shape = (*self._shape, *channels)
        if array.size != math.prod(shape):
            raise IndexError
        return array.reshape(shape)

    def _damaged(self, index: int) -> InputError:
        return InputError(f"{self.name(index)}: damaged record; prepare the data set again")
