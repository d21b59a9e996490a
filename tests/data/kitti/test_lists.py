"""The lists: their published counts, which of them share frames, and their files."""

from collections import Counter
from pathlib import Path

import pytest

from keras_depth.data.kitti import lists as kitti_lists
from keras_depth.data.kitti.lists import LISTS, Frame, drives, load, splits, with_depth, write
from keras_depth.errors import InputError

FOLDER = Path(kitti_lists.__file__).parent

# Frames and drives, as published; the last two pairs are the OptiDepthNet paper's counts.
COUNTS = {
    ("eigen", "train"): (22600, 33),
    ("eigen", "validation"): (888, 33),
    ("eigen", "test"): (697, 28),
    ("eigen_benchmark", "test"): (652, 28),
    ("eigen_zhou", "train"): (39810, 32),
    ("eigen_zhou", "validation"): (4424, 31),
    ("kitti", "train"): (29000, 32),
    ("kitti", "validation"): (1159, 31),
    ("kitti", "test"): (12223, 29),
    ("optidepthnet_eigen", "train"): (3756, 30),
    ("optidepthnet_eigen", "validation"): (500, 30),
    ("optidepthnet_kitti", "train"): (3756, 30),
    ("optidepthnet_kitti", "validation"): (500, 28),
}


def drives_of(frames):
    return {frame[:2] for frame in frames}


@pytest.mark.parametrize(("name", "split"), COUNTS)
def test_every_list_has_its_published_counts_and_no_frame_twice(name, split):
    frames = load(name, split)
    assert (len(frames), len(drives_of(frames))) == COUNTS[name, split]
    assert len(set(frames)) == len(frames)
    length = drives()
    assert all(0 <= frame.number < length[frame[:2]] for frame in frames)
    if split != "test":
        assert frames == sorted(frames)


def test_names_and_splits_are_what_loads():
    listed = {(name, split) for name in LISTS for split in splits(name)}
    assert listed == {*COUNTS, ("eigen_zhou", "test"), ("optidepthnet_eigen", "test")}


def test_test_lists_keep_the_published_order():
    eigen = load("eigen", "test")
    assert eigen[:3] == [Frame("2011_09_26", 2, "l", n) for n in (69, 54, 42)]
    assert eigen[-1] == Frame("2011_10_03", 47, "l", 768)
    benchmark = set(load("eigen_benchmark", "test"))
    assert [frame for frame in eigen if frame in benchmark] == load("eigen_benchmark", "test")
    kitti = load("kitti", "test")
    # Line numbers read in the original: whole drives, one after the other.
    assert kitti[0] == Frame("2011_09_26", 5, "l", 0)
    assert kitti[1588:1590] == [
        Frame("2011_09_26", 15, "l", 296),
        Frame("2011_09_26", 17, "l", 0),
    ]
    assert kitti[9611:9613] == [Frame("2011_09_26", 104, "l", 311), Frame("2011_09_28", 2, "l", 0)]
    assert kitti[-1] == Frame("2011_10_03", 47, "l", 836)


@pytest.mark.parametrize("name", ["eigen_zhou", "optidepthnet_eigen"])
def test_lists_of_eigen_are_tested_on_his_697(name):
    assert load(name, "test") == load("eigen", "test")


@pytest.mark.parametrize("name", [name for name in LISTS if len(splits(name)) > 1])
def test_training_validation_and_test_share_no_frame(name):
    counts = Counter(frame for split in splits(name) for frame in load(name, split))
    assert max(counts.values()) == 1


def test_training_drives_are_not_tested_within_a_list():
    for name in ("eigen", "eigen_zhou", "kitti", "optidepthnet_eigen"):
        trained = drives_of(load(name, "train") + load(name, "validation"))
        assert not trained & drives_of(load(name, "test"))


def test_eigen_test_frames_are_in_the_training_list_of_kitti():
    assert len(set(load("eigen", "test")) & set(load("kitti", "train"))) == 330


def test_kitti_raw_has_61_drives_and_42382_pairs():
    length = drives()
    assert (len(length), sum(length.values())) == (61, 42382)
    assert length["2011_09_26", 48] == 22
    # Every frame of every drive is in one of monodepth's three lists.
    frames = Counter(f[:2] for split in splits("kitti") for f in load("kitti", split))
    assert frames == length


def test_eigen_training_and_validation_are_all_frames_of_their_drives():
    frames = Counter(f[:2] for split in ("train", "validation") for f in load("eigen", split))
    assert all(drives()[drive] == count for drive, count in frames.items())


def test_lists_of_optidepthnet_are_subsets():
    for source in ("kitti", "eigen"):
        for split in ("train", "validation"):
            assert set(load(f"optidepthnet_{source}", split)) <= set(load(source, split))
        trained = drives_of(load(f"optidepthnet_{source}", "train"))
        assert drives_of(load(f"optidepthnet_{source}", "validation")) <= trained


def test_all_lists_are_small_files():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.csv")) < 150_000


def test_written_frames_are_loaded_in_their_order(tmp_path):
    frames = [Frame("2011_09_26", 2, "l", n) for n in (69, 54, 42, 7, 8, 9)]
    frames += [Frame("2011_09_26", 2, "r", 10), Frame("2011_10_03", 47, "l", 0)]
    frames += [Frame("2011_09_26", 2, "l", 10)]
    path = tmp_path / "mine.csv"
    write(frames, path)
    assert path.read_text() == (
        "date,drive,side,frames\n"
        "2011_09_26,0002,l,69 54 42 7-9\n"
        "2011_09_26,0002,r,10\n"
        "2011_10_03,0047,l,0\n"
        "2011_09_26,0002,l,10\n"
    )
    assert load(path, "train") == load(str(path), "test") == frames


@pytest.mark.parametrize("name", ["eigen", "eigen_zhou"])
def test_shipped_lists_survive_a_round_trip(name, tmp_path):
    for split in ("validation", "test"):
        write(load(name, split), tmp_path / "list.csv")
        assert load(tmp_path / "list.csv", split) == load(name, split)


def test_a_list_saved_by_a_spreadsheet_loads(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbfdate,drive,side,frames\r\n2011_09_26,0002,l,3-4\r\n")
    assert load(path, "train") == [Frame("2011_09_26", 2, "l", n) for n in (3, 4)]


def test_unknown_names_say_the_nearest():
    with pytest.raises(InputError, match="unknown KITTI list 'eigen_zho': did you mean 'eigen_z"):
        load("eigen_zho", "train")
    with pytest.raises(InputError, match="unknown split 'valid': did you mean 'validation'"):
        load("eigen", "valid")


def test_a_missing_split_says_what_to_use():
    for split in ("train", "validation"):
        message = f"eigen_benchmark has no {split} frames, only test: train with list=eigen_zhou"
        with pytest.raises(InputError, match=message):
            load("eigen_benchmark", split)
    message = "optidepthnet_kitti has no test .*only train and validation: .*list=stereo2015"
    with pytest.raises(InputError, match=message):
        load("optidepthnet_kitti", "test")


@pytest.mark.parametrize(
    "row",
    [
        "2011_09_26,0002,l,",
        "2011_09_26,0002,left,3",
        "2011_09_26,2,l,3",
        "2011-09-26,0002,l,3",
        "2011_09_26,0002,l,3  4",
        "2011_09_26,0002,l,9-7",
        "2011_09_26,0002,l,3,4",
    ],
)
def test_a_damaged_row_is_named(row, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"date,drive,side,frames\n2011_09_26,0001,l,1\n{row}\n")
    with pytest.raises(InputError, match=r"mine\.csv, line 3: .* not a row such as 2011_09_26"):
        load(path, "train")


def test_files_that_are_no_list_are_refused(tmp_path):
    path = tmp_path / "mine.csv"
    with pytest.raises(InputError, match=r"mine\.csv: .*No such file.*; give a csv file"):
        load(path, "train")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"mine\.csv: UTF-16, or no text at all; save"):
        load(path, "train")
    path.write_text("2011_09_26,0001,l,1\n")
    with pytest.raises(InputError, match="line 1: .*starts with date,drive,side,frames"):
        load(path, "train")
    path.write_text("date,drive,side,frames\n")
    with pytest.raises(InputError, match=r"mine\.csv: the list has no frames"):
        load(path, "train")


@pytest.mark.parametrize("row", ["2011_09_26,0002,l,9 4-8 6", "2011_09_26,0001,l,6"])
def test_a_frame_that_is_listed_twice_is_refused(row, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"date,drive,side,frames\n2011_09_26,0001,l,5-6\n{row}\n")
    message = r"mine\.csv, line 3: frame 6 of 2011_09_26, drive 000., l is listed twice"
    with pytest.raises(InputError, match=message):
        load(path, "train")


def test_a_folder_of_lists_has_the_splits_of_its_files(tmp_path):
    with pytest.raises(InputError, match="has no train.csv, validation.csv or test.csv"):
        splits(str(tmp_path))
    frames = {split: [Frame("2011_09_26", 2, "l", len(split))] for split in ("train", "validation")}
    for split in frames:
        write(frames[split], tmp_path / f"{split}.csv")
    assert splits(str(tmp_path)) == ["train", "validation"]
    assert {split: load(tmp_path, split) for split in frames} == frames
    with pytest.raises(InputError, match="no test frames, only train and validation: add test.csv"):
        load(tmp_path, "test")


@pytest.mark.parametrize(("name", "split"), [(n, s) for n in LISTS for s in splits(n)])
def test_frames_with_annotated_depth(name, split):
    frames = load(name, split)
    annotated = with_depth(frames, "annotated")
    assert with_depth(frames, "none") == frames
    pairs = drives()
    assert annotated == [f for f in frames if 5 <= f.number < pairs[f[:2]] - 5]
    if split == "test" and name != "kitti":
        assert annotated == load("eigen_benchmark", "test")


def test_frames_with_a_scan():
    frames = [Frame("2011_09_26", drive, "l", n) for drive in (9, 11) for n in range(176, 182)]
    left = [frame for frame in frames if frame.drive == 11 or frame.number in (176, 181)]
    assert with_depth(frames, "lidar") == with_depth(frames, "lidar_x") == left
