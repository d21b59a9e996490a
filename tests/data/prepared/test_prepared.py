import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_depth import data
from keras_depth.data.pipeline import resize
from keras_depth.data.prepared import builder, tfrecords
from keras_depth.data.prepared.reader import open_prepared
from keras_depth.data.reader import NoSplit, Reader
from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.images import to_uint8
from tests.helpers.write_nyu import write_layout
from tests.helpers.write_rig import write_rig

SIZE = (24, 32)


@pytest.fixture
def nyu(tmp_path):
    rooms = {split: Rooms(5, (48, 64), split=split, holes=True) for split in ("train", "test")}
    return write_layout(rooms["train"], tmp_path / "nyu", "bts", rooms["test"])


def copy(nyu, tmp_path, name="copy"):
    return builder.prepare("nyu", nyu, tmp_path / name, SIZE)


def assert_same(reader: Reader, copied: Reader):
    assert len(copied) == len(reader)
    assert (copied.stereo, copied.measured) == (reader.stereo, reader.measured)
    for index in range(len(reader)):
        whole, small = resize(reader.stored(index), SIZE), copied.stored(index)
        assert small.keys() == whole.keys() and copied.key(index) == reader.key(index)
        for key, array in whole.items():
            array = to_uint8(array) if key in ("image", "right") else array
            assert small[key].dtype == array.dtype
            np.testing.assert_array_equal(small[key], array)


def test_a_copy_holds_the_very_bits(nyu, tmp_path):
    home = copy(nyu, tmp_path)
    for split in ("train", "validation", "test"):
        reader = data.open_reader("nyu", nyu, split)
        copied = data.open_reader("prepared", tmp_path / "copy", split)
        assert_same(reader, copied)
        assert not copied.rendered
        assert copied.description == (
            f"prepared copy, 24x32, {split}: 5 frames in {home}, from {reader.description}"
        )
    # Nothing else is left behind, and the copy's own folder opens it too.
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["prepared_depth"]
    assert len(open_prepared(home)) == 5


def test_test_frames_that_serve_for_validation_are_written_once(nyu, tmp_path):
    home = copy(nyu, tmp_path)
    assert {file.name.split(".")[0] for file in home.glob("*.tfrecord*")} == {
        "prepared_depth-train", "prepared_depth-validation",
    }  # fmt: skip
    assert open_prepared(home).description.startswith("prepared copy, 24x32, test: 5 frames")


def test_test_frames_of_their_own_are_copied(tmp_path):
    rooms = {split: Rooms(4, (48, 64), split=split) for split in ("train", "test")}
    nyu = write_layout(rooms["train"], tmp_path / "nyu", "bts", rooms["test"], scenes=2)
    home = builder.prepare("nyu", nyu, tmp_path / "copy", SIZE, {"hold_out": 0.5})
    for split, count in (("train", 2), ("validation", 2), ("test", 4)):
        assert len(list(home.glob(f"*-{split}.tfrecord*"))) == 1
        reader = data.open_reader("nyu", nyu, split, hold_out=0.5)
        assert len(reader) == count
        assert_same(reader, open_prepared(home, split))


def test_a_copy_of_an_earlier_version(nyu, tmp_path):
    """It has no test frames, and does not say so."""
    home = copy(nyu, tmp_path)
    file = home / "metadata.json"
    metadata = json.loads(file.read_text())
    del metadata["stored_as"], metadata["source"]["test"], metadata["measured"]["test"]
    file.write_text(json.dumps(metadata))
    assert "validation: 5 frames" in open_prepared(home).description
    with pytest.raises(NoSplit, match="this copy has no test frames, only train and validation"):
        open_prepared(home, "test")


def test_a_broken_test_folder_is_not_left_out(nyu, tmp_path):
    for file in (nyu / "official_splits/test/bathroom").glob("sync_depth_*"):
        file.unlink()
    with pytest.raises(InputError, match="5 of 5 frames .* are missing a partner"):
        builder.prepare("nyu", nyu, tmp_path / "copy", SIZE, {"hold_out": 0.5})


def test_a_full_disk(nyu, tmp_path, monkeypatch):
    class Full:
        def __init__(self, path):
            raise tf.errors.ResourceExhaustedError(None, None, "shard; No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    with pytest.raises(InputError) as error:
        copy(nyu, tmp_path)
    shard = tmp_path / "copy/unfinished-nyu_24x32/prepared_depth-train.tfrecord-00000-of-00001"
    assert str(error.value) == (
        f"{shard}: cannot be written (shard; No space left on device); choose another folder, or"
        " make room on the disk"
    )


def test_rendered_frames_stay_rendered(tmp_path):
    builder.prepare("rooms", None, tmp_path, SIZE, {"count": 2, "size": [48, 64]})
    copied = open_prepared(tmp_path, "train")
    assert copied.rendered
    assert_same(data.open_reader("rooms", None, "train", count=2, size=(48, 64)), copied)


def test_pairs_of_a_rig(tmp_path):
    """Of those for training alone the depth may be unknown."""
    drives = Drives(2, (48, 64), frames_per_drive=2, stereo=True)
    write_rig(drives, tmp_path / "rig/train", depth=False)
    write_rig(drives, tmp_path / "rig/validation")
    options = {"units_per_metre": 256}
    builder.prepare("folder", tmp_path / "rig", tmp_path / "copy", SIZE, options)
    for split in ("train", "validation"):
        copied = open_prepared(tmp_path / "copy", split)
        assert copied.stereo and copied.measured == (split == "validation")
        assert_same(data.open_reader("folder", tmp_path / "rig", split, **options), copied)


class Stereo(Rooms):
    stereo = True
    measured = False

    def stored(self, index):
        sample = super().stored(index)
        extra = {"right": sample["image"][:, ::-1], "focal_baseline": np.float32(40.5)}
        return sample | extra


def test_a_stereo_copy(tmp_path, monkeypatch):
    monkeypatch.setitem(
        data.DATA_SETS, "stereo", data.DataSet("stereo", f"{__name__}:Stereo", rendered=True)
    )
    builder.prepare("stereo", None, tmp_path, SIZE, {"count": 2, "size": [48, 64]})
    copied = open_prepared(tmp_path, "train")
    assert_same(Stereo(2, (48, 64), 0, "train"), copied)
    assert copied[0]["focal_baseline"] == np.float32(40.5) / 2  # half the width


def test_an_interrupted_copy_goes_on(nyu, tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "SHARD_BYTES", 2 * 7 * SIZE[0] * SIZE[1])  # two frames
    whole = copy(nyu, tmp_path, "whole")
    broken = sorted(nyu.rglob("sync_depth_*.png"))
    reader = data.open_reader("nyu", nyu, "train")
    broken = next(path for path in broken if reader.key(4)[-5:] in path.name)
    content = broken.read_bytes()
    broken.write_bytes(content[:50])
    with pytest.raises(InputError, match="cut short"):
        copy(nyu, tmp_path)
    # Two shards of two frames are kept; no copy that looks finished, no half file.
    kept = tmp_path / "copy" / "unfinished-nyu_24x32"
    assert len(list(kept.glob("prepared_depth-*"))) == 2
    assert not list((tmp_path / "copy").rglob("dataset_info.json"))
    # What a killed process would leave beside.
    (tmp_path / "copy" / "prepared_depth" / "nyu_24x32" / "incomplete.X_1.0.0").mkdir(parents=True)

    broken.write_bytes(content)
    read = []
    stored = type(reader).stored
    monkeypatch.setattr(
        type(reader), "stored", lambda self, index: read.append(index) or stored(self, index)
    )
    home = copy(nyu, tmp_path)
    assert sorted(read) == [0, 1, 2, 3, 4, 4]  # the last training frame, and five of validation
    for file in whole.iterdir():
        if "tfrecord" in file.name:
            assert (home / file.name).read_bytes() == file.read_bytes()
    assert sorted(path.name for path in home.parent.iterdir()) == ["1.0.0"]
    assert not kept.exists()


@pytest.mark.slow
def test_a_killed_copy_goes_on(tmp_path):
    options = {"count": 200, "size": list(SIZE)}
    shard = 20 * 7 * SIZE[0] * SIZE[1]
    code = (
        "from keras_depth.data.prepared import builder\n"
        f"builder.SHARD_BYTES = {shard}\n"
        f"builder.prepare('rooms', None, {str(tmp_path / 'copy')!r}, {SIZE}, {options})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while len(kept := list((tmp_path / "copy").glob("unfinished-*/prepared_depth-*"))) < 3:
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    finished = {(path.name, path.stat().st_mtime_ns) for path in kept}
    assert 3 <= len(finished) < 20

    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    (home,) = (tmp_path / "copy" / "prepared_depth").glob("rooms*/*")
    assert finished <= {(path.name, path.stat().st_mtime_ns) for path in home.iterdir()}
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["prepared_depth"]
    for split in ("train", "validation", "test"):
        reader = data.open_reader("rooms", None, split, count=200, size=SIZE)
        assert_same(reader, open_prepared(home, split))


def test_shards_of_another_copy_are_not_taken_and_not_lost(nyu, tmp_path):
    kept = tmp_path / "copy" / "unfinished-nyu_24x32"
    kept.mkdir(parents=True)
    (kept / "copy.json").write_text("{}")
    shard = kept / "prepared_depth-train.tfrecord-00000-of-00001"
    shard.write_bytes(b"other")
    with pytest.raises(InputError, match="unfinished copy of other frames"):
        copy(nyu, tmp_path)
    assert shard.read_bytes() == b"other"


def test_copies_with_other_options_stand_beside(tmp_path):
    for seed in (1, 2):
        builder.prepare("rooms", None, tmp_path, SIZE, {"count": 2, "seed": seed})
    assert "several copies" in open_error(tmp_path)
    for seed in (1, 2):
        home = tmp_path / "prepared_depth" / f"rooms_24x32_count-2_seed-{seed}"
        assert len(open_prepared(home)) == 2


def test_beams_options_bring_its_runner(tmp_path, monkeypatch):
    # tfds' command line gives options alone; without a runner its shards are written one by one.
    config = builder.PreparedConfig(name="x", data="rooms", options={"count": 2}, size=[8, 8])
    assert config.size == (8, 8)
    writer = builder.PreparedDepth(data_dir=tmp_path, config=config)
    seen = []
    monkeypatch.setattr(
        tfds.core.ShardBasedBuilder,
        "_download_and_prepare",
        lambda self, manager, how: seen.append(how.beam_runner),
    )

    class Options:
        def get_all_options(self):
            return {"runner": "FlinkRunner"}

    for options in (Options(), None):
        writer._download_and_prepare(None, tfds.download.DownloadConfig(beam_options=options))
    assert seen == ["FlinkRunner", None]


def test_a_finished_copy_is_not_overwritten(nyu, tmp_path):
    copy(nyu, tmp_path)
    with pytest.raises(InputError, match="exists already; remove it"):
        copy(nyu, tmp_path)


def open_error(path, split="train", index=None):
    with pytest.raises(InputError) as error:
        reader = open_prepared(path, split)
        if index is not None:
            reader.stored(index)
    return str(error.value)


def test_bad_copies(nyu, tmp_path):
    assert "no prepared copy" in open_error(tmp_path)
    home = copy(nyu, tmp_path)
    assert "unknown split 'tets': did you mean 'test'?" in open_error(home, "tets")
    shutil.copytree(home, tmp_path / "copy" / "prepared_depth" / "other" / "1.0.0")
    assert "several copies" in open_error(tmp_path / "copy")

    # What a kill in tfds' last moment leaves looks like a copy, and is none.
    shutil.copytree(home, tmp_path / "half" / "prepared_depth" / "x" / "incomplete.AB_1.0.0")
    assert "no prepared copy" in open_error(tmp_path / "half")

    file = next(home.glob("*train*"))
    record = tfrecords.index(file)[0]
    content = bytearray(file.read_bytes())
    content[record.start : record.start + 40] = bytes(40)
    file.write_bytes(content)
    assert open_error(home, index=0).endswith("damaged record; prepare the data set again")
    file.write_bytes(content[:-10])
    assert "cut short" in open_error(home)
    file.unlink()
    assert "cannot be read" in open_error(home)
    info = json.loads((home / "dataset_info.json").read_text())
    (home / "dataset_info.json").write_text(json.dumps(info | {"name": "mnist"}))
    assert "is tfds' mnist" in open_error(home)
    (home / "dataset_info.json").write_text("{")
    assert "damaged" in open_error(home)


def test_a_file_that_shrinks_while_it_is_read(nyu, tmp_path):
    home = copy(nyu, tmp_path)
    reader = open_prepared(home, "train")
    file = next(home.glob("*train*"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match="cut short"):
        reader[4]
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        reader[0]


def test_copies_of_unknown_cameras_and_those_of_earlier_versions(nyu, tmp_path, monkeypatch):
    assert {reader_key for reader_key in data.open_reader("nyu", nyu)[0]} >= {"focal_length"}
    copy(nyu, tmp_path)
    copied = open_prepared(tmp_path / "copy", "train")
    assert copied.stored(0)["focal_length"] == pytest.approx([518.858 / 20, 519.47 / 20])
    features = copied._features

    def earlier(index):
        found = features(index)
        del found["focal_length"]
        return found

    monkeypatch.setattr(copied, "_features", earlier)
    assert set(copied.stored(0)) == {"image", "depth"}
    monkeypatch.setattr(copied, "_features", features)
    unknown = features(0)
    unknown["focal_length"].float_list.value[:] = [0, 0]
    monkeypatch.setattr(copied, "_features", lambda index: unknown)
    assert set(copied.stored(0)) == {"image", "depth"}
