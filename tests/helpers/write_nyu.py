"""Writes frames in the layouts of the copies of NYU Depth v2.

Tests read them, and commands can be tried on them before the real data set is there: folders, file
names and formats are the data set's, the frames usually rendered rooms.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from keras_depth import depth_png
from keras_depth.data import nyu
from keras_depth.data.reader import Reader
from keras_depth.errors import InputError, check_choice
from keras_depth.images import encode_jpeg, encode_png, to_uint8
from tests.helpers.files import write_file

Frames = Reader | Sequence[dict[str, np.ndarray]]
# All are official training scenes.
_SCENES = ("living_room_0004", "bedroom_0004", "kitchen_0003", "basement_0001")
_QUALITY = 97  # of JPEG files


def write_layout(
    reader: Frames, folder: str | Path, layout: str, test: Frames = (), scenes: int = 1
) -> Path:
    """Writes frames in a layout of NYU Depth v2.

    Args:
        reader: training frames.
        folder: is made if it is missing.
        layout: "labelled", "densedepth", "densedepth_zip" (its csv files end lines with CRLF, as
            in some copies), "fastdepth", "tfds" (480x640 only) or "bts".
        test: test frames.
        scenes: number of scenes that the training frames are spread over, 1 to 4; tfds stores none.

    Returns:
        The folder, for `open_nyu`.

    Raises:
        InputError: the layout is unknown, or cannot hold these frames.
    """
    check_choice("layout", layout, _WRITERS)
    if not 1 <= scenes <= len(_SCENES):
        raise InputError(f"write_layout: 1 to {len(_SCENES)} scenes can be written, not {scenes}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _WRITERS[layout](reader, test, folder, _SCENES[:scenes])
    return folder


def _frames(frames: Frames) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields uint8 (H, W, 3) RGB and float32 (H, W) metres."""
    for index in range(len(frames)):
        sample = frames[index]
        yield to_uint8(sample["image"]), sample["depth"]


def _labelled(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    frames = [*_frames(train), *_frames(test)]
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        # MATLAB stores columns first.
        file["images"] = np.stack([rgb.transpose(2, 1, 0) for rgb, _ in frames])
        file["rawDepths"] = np.stack([depth.T for _, depth in frames])
        filled = [np.where(d > 0, d, d[d > 0].mean() if d.any() else 1) for _, d in frames]
        file["depths"] = np.stack([depth.T for depth in filled]).astype(np.float32)
        names = [scenes[k % len(scenes)] for k in range(len(train))] + ["kitchen_0004"] * len(test)
        cells = file.create_dataset("scenes", (1, len(names)), h5py.ref_dtype)
        for k, name in enumerate(names):
            file[f"#refs#/{k}"] = np.array([[ord(letter)] for letter in name], np.uint16)
            cells[0, k] = file[f"#refs#/{k}"].ref
    numbers = np.arange(1, len(frames) + 1, dtype=np.uint16)[:, None]
    splits = {"trainNdxs": numbers[: len(train)], "testNdxs": numbers[len(train) :]}
    scipy.io.savemat(folder / "splits.mat", splits)


def _densedepth_files(
    train: Frames, test: Frames, end: str, scenes: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    rows = []
    for k, (rgb, depth) in enumerate(_frames(train), 1):
        stem = f"data/nyu2_train/{scenes[(k - 1) % len(scenes)]}_out/{k}"
        rows.append(f"{stem}.jpg,{stem}.png{end}")
        yield f"{stem}.jpg", encode_jpeg(rgb, _QUALITY)
        steps = np.rint(depth / 10 * 255).clip(0, 255)  # 8 bits up to 10 m: steps of 3.9 cm
        yield f"{stem}.png", encode_png(steps.astype(np.uint8))
    yield "data/nyu2_train.csv", "".join(rows).encode()
    rows = []
    for k, (rgb, depth) in enumerate(_frames(test)):
        stem = f"data/nyu2_test/{k:05d}"
        rows.append(f"{stem}_colors.png,{stem}_depth.png{end}")
        yield f"{stem}_colors.png", encode_png(rgb)
        yield f"{stem}_depth.png", encode_png(depth_png.quantize(depth))
    if rows:
        yield "data/nyu2_test.csv", "".join(rows).encode()


def _densedepth(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    for name, content in _densedepth_files(train, test, "\n", scenes):
        write_file(folder / name, content)


def _densedepth_zip(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    with zipfile.ZipFile(folder / "nyu_data.zip", "w") as archive:
        for name, content in _densedepth_files(train, test, "\r\n", scenes):
            archive.writestr(name, content)


def _fastdepth(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    for frames, parts in (
        (train, [f"train/{scene}" for scene in scenes]),
        (test, ["val/official"]),
    ):
        for k, (rgb, depth) in enumerate(_frames(frames)):
            target = folder / "nyudepthv2" / parts[k % len(parts)]
            target.mkdir(parents=True, exist_ok=True)
            with h5py.File(target / f"{k + 1:05d}.h5", "w") as file:
                file["rgb"] = rgb.transpose(2, 0, 1)
                file["depth"] = depth


def _bts(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    # Letters name the parts of a scene. Test frames have their labelled index: 0, 1, 8, 13 ...
    for frames, parts, numbers in (
        (train, [f"sync/{scene}a" for scene in scenes], list(range(len(train)))),
        (test, ["official_splits/test/bathroom"], _first_test_indices(len(test))),
    ):
        for k, (number, (rgb, depth)) in enumerate(zip(numbers, _frames(frames), strict=True)):
            target = folder / parts[k % len(parts)]
            write_file(target / f"rgb_{number:05d}.jpg", encode_jpeg(rgb, _QUALITY))
            write_file(
                target / f"sync_depth_{number:05d}.png", encode_png(depth_png.quantize(depth))
            )


def _first_test_indices(count: int) -> list[int]:
    listed = Path(nyu.__file__).with_name("labelled_test.csv").read_text().split()[1:]
    if count > len(listed):
        raise InputError(f"the BTS layout has {len(listed)} test frames; {count} were given")
    return [int(index) for index in listed[:count]]


def _tfds(train: Frames, test: Frames, folder: Path, scenes: Sequence[str]) -> None:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(480, 640, 3)),
            "depth": tfds.features.Tensor(shape=(480, 640), dtype=np.float16),
        }
    )
    target = folder / "nyu_depth_v2" / "0.0.1"
    target.mkdir(parents=True, exist_ok=True)
    splits = []
    for split, frames in (("train", train), ("validation", test)):
        path, total = target / f"nyu_depth_v2-{split}.tfrecord-00000-of-00001", 0
        with tf.io.TFRecordWriter(str(path)) as writer:
            for rgb, depth in _frames(frames):
                if depth.shape != (480, 640):
                    raise InputError(f"the tfds layout holds 480x640 frames, not {depth.shape}")
                example = {"image": rgb, "depth": depth.astype(np.float16)}
                record = features.serialize_example(features.encode_example(example))
                writer.write(record)
                total += len(record)
        splits.append(tfds.core.SplitInfo(name=split, shard_lengths=[len(frames)], num_bytes=total))
    tfds.folder_dataset.write_metadata(
        data_dir=target,
        features=features,
        split_infos=splits,
        supervised_keys=("image", "depth"),
        filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    )


_WRITERS: dict[str, Callable[[Frames, Frames, Path, Sequence[str]], None]] = {
    "labelled": _labelled,
    "densedepth": _densedepth,
    "densedepth_zip": _densedepth_zip,
    "fastdepth": _fastdepth,
    "tfds": _tfds,
    "bts": _bts,
}
