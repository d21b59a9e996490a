import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from keras_depth.data import open_reader
from keras_depth.data.nyu import open_nyu
from keras_depth.data.nyu.layouts import scene_of
from keras_depth.data.reader import NoSplit, make_sample
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from tests.helpers.write_nyu import write_layout

SIZE = (48, 64)
TRAIN, TEST = Rooms(3, SIZE, split="train", holes=True), Rooms(2, SIZE, split="test", holes=True)
SMALL = ("labelled", "densedepth", "densedepth_zip", "fastdepth", "bts")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders with all layouts, three training and two test frames each; not to be changed."""
    return {
        layout: write_layout(TRAIN, tmp_path_factory.mktemp(layout), layout, TEST)
        for layout in SMALL
    }


def layout_error(folder, **options):
    with pytest.raises(InputError) as error:
        reader = open_nyu(folder, **options)
        for index in range(len(reader)):
            reader[index]
    return str(error.value)


def check_frames(reader, frames, depth_error, image_error):
    assert len(reader) == len(frames)
    for index in range(len(frames)):
        read, true = reader[index], frames[index]
        assert read["image"].dtype == read["depth"].dtype == np.float32
        assert read["image"].shape == (*true["depth"].shape[:2], 3)
        np.testing.assert_array_equal(read["depth"] == 0, true["depth"] == 0)
        np.testing.assert_allclose(read["depth"], true["depth"], atol=depth_error)
        assert np.abs(read["image"] - true["image"]).mean() < image_error


# Half a step of each format; JPEG is not exact.
@pytest.mark.parametrize(
    "layout, train_error, test_error, image_error",
    [
        ("densedepth", 0.0197, 0.000501, 0.03),
        ("densedepth_zip", 0.0197, 0.000501, 0.03),
        ("fastdepth", 0, 0, 0.002),
        ("bts", 0.000501, 0.000501, 0.03),
    ],
)
def test_what_was_written_is_read(folders, layout, train_error, test_error, image_error):
    check_frames(open_nyu(folders[layout], "train"), TRAIN, train_error, image_error)
    check_frames(open_nyu(folders[layout], "test"), TEST, test_error, image_error)


def test_labelled_raw_and_filled(folders):
    path = folders["labelled"]
    check_frames(open_nyu(path, "train", depth="raw"), TRAIN, 0, 0.002)
    check_frames(open_nyu(path, "test", depth="raw"), TEST, 0, 0.002)
    filled, true = open_nyu(path, "test")[0]["depth"], TEST[0]["depth"]
    assert (filled > 0).all() and (true == 0).any()
    np.testing.assert_array_equal(filled[true > 0], true[true > 0])
    assert "depth as measured" in open_nyu(path, depth="raw").description


def test_tfds_reads_what_its_builder_reads(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    large, test = Rooms(2, (480, 640)), Rooms(1, (480, 640), split="test", holes=True)
    write_layout(large, tmp_path, "tfds", test)
    reader = open_nyu(tmp_path, "train")
    check_frames(reader, large, 0.004, 0.002)  # float16
    check_frames(open_nyu(tmp_path, "test"), test, 0.004, 0.002)
    assert [reader.name(i).rsplit("@", 1)[0] for i in (0, 1)] == [
        str(tmp_path / "nyu_depth_v2/0.0.1/nyu_depth_v2-train.tfrecord-00000-of-00001")
    ] * 2
    builder = tfds.builder_from_directory(tmp_path / "nyu_depth_v2" / "0.0.1")
    assert builder.info.splits["validation"].num_examples == 1
    for index, example in enumerate(builder.as_dataset(split="train", shuffle_files=False)):
        depth = example["depth"].numpy().astype(np.float32)
        np.testing.assert_array_equal(reader[index]["depth"], depth)
    keys = [reader.key(i) for i in (0, 1)] + [open_nyu(tmp_path, "test").key(0)]
    assert len(set(keys)) == 3
    assert re.fullmatch(r"nyu_depth_v2-train.tfrecord-00000-of-00001/\d{12}", keys[0])
    assert open_nyu(tmp_path, "validation").key(0) == keys[2]
    assert "does not store which scene" in layout_error(tmp_path, split="train", hold_out=0.1)
    assert "480x640 frames" in str(pytest.raises(
        InputError, write_layout, TRAIN, tmp_path / "small", "tfds").value)  # fmt: skip

    (records,) = (tmp_path / "nyu_depth_v2/0.0.1").glob("*train.tfrecord*")
    whole = records.read_bytes()
    records.write_bytes(whole[:-9])
    assert layout_error(tmp_path, split="train") == (
        f"{records}: the file is cut short; prepare the data set again"
    )
    records.write_bytes(whole[:12] + bytes(400) + whole[412:])
    assert "damaged record" in layout_error(tmp_path, split="train")


def test_tfds_prepared_as_array_record(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    records = pytest.importorskip("array_record.python.array_record_module")
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(480, 640, 3)),
            "depth": tfds.features.Tensor(shape=(480, 640), dtype=np.float16),
        }
    )
    folder = tmp_path / "nyu_depth_v2" / "0.0.1"
    folder.mkdir(parents=True)
    path = folder / "nyu_depth_v2-train.array_record-00000-of-00001"
    writer = records.ArrayRecordWriter(str(path), "group_size:1")
    for k in range(3):
        image, depth = np.full((480, 640, 3), 51 * k, np.uint8), np.full((480, 640), 1.5 + k)
        example = features.encode_example({"image": image, "depth": depth.astype(np.float16)})
        writer.write(features.serialize_example(example))
    writer.close()
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=[tfds.core.SplitInfo(name="train", shard_lengths=[3], num_bytes=1)],
        filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        check_data=False,
    )
    reader = open_nyu(tmp_path)
    assert len(reader) == 3 and reader.name(2) == f"{folder}/train[2]"
    assert reader.key(2) == "train/000002"
    for index in (2, 0, 1):
        np.testing.assert_array_equal(reader[index]["depth"], np.float32(1.5 + index))
        np.testing.assert_allclose(reader[index]["image"], 0.2 * index, rtol=1e-6)


@pytest.mark.parametrize("layout", SMALL)
def test_no_split_means_test_where_there_is_one(folders, layout):
    reader = open_nyu(folders[layout])
    assert len(reader) == 2 and ", test: 2 frames" in reader.description
    assert str(folders[layout]) in reader.description and "NYU Depth v2" in reader.description


def test_no_split_means_all_where_there_is_no_test(tmp_path):
    write_layout(TRAIN, tmp_path, "bts")
    reader = open_nyu(tmp_path)
    assert len(reader) == 3 and ", all: 3 frames" in reader.description
    assert "no test frames in the BTS layout (3 train, 0 test" in layout_error(
        tmp_path, split="test"
    )


def test_names_are_files(folders):
    name = open_nyu(folders["bts"], "train").name(1)
    assert Path(name).name == "rgb_00001.jpg" and Path(name).is_file()
    zipped = open_nyu(folders["densedepth_zip"], "test").name(0)
    assert zipped.endswith("nyu_data.zip/data/nyu2_test/00000_colors.png")
    assert open_nyu(folders["labelled"], "train").name(2).endswith("nyu_depth_v2_labeled.mat[2]")


@pytest.mark.parametrize("layout", SMALL)
def test_threads_read_the_same(folders, layout):
    reader = open_nyu(folders[layout], "train")
    order = [0, 1, 2] * 8
    with ThreadPoolExecutor(4) as pool:
        for index, sample in zip(order, pool.map(reader.__getitem__, order), strict=True):
            np.testing.assert_array_equal(sample["depth"], reader[index]["depth"])
            np.testing.assert_array_equal(sample["image"], reader[index]["image"])


def test_colours_are_rgb(bts):
    folder, rgb, _ = bts
    cv2.imwrite(str(rgb), np.full((*SIZE, 3), (0, 128, 255), np.uint8))  # OpenCV's order: orange
    np.testing.assert_allclose(open_nyu(folder)[0]["image"][20, 30], (1, 0.5, 0), atol=0.02)


def test_an_index_past_the_end(folders):
    with pytest.raises(IndexError):
        open_nyu(folders["bts"], "test")[2]


@pytest.mark.parametrize(
    "layout, inside",
    [
        ("labelled", "nyu_depth_v2_labeled.mat"),
        ("densedepth", "data"),
        ("densedepth_zip", "nyu_data.zip"),
        ("fastdepth", "nyudepthv2"),
        ("bts", "sync"),
        ("bts", "sync/living_room_0004a"),
    ],
)
def test_the_data_set_itself_may_be_given(folders, layout, inside):
    assert len(open_nyu(folders[layout] / inside, "train")) == 3


def test_the_kaggle_tree_has_one_folder_more(tmp_path):
    write_layout(TRAIN, tmp_path / "nyu_data", "densedepth", TEST)
    assert len(open_nyu(tmp_path, "train")) == 3


@pytest.mark.parametrize("layout", SMALL)
def test_keys_are_relative_paths_of_one_frame_each(folders, layout):
    train, test = open_nyu(folders[layout], "train"), open_nyu(folders[layout], "test")
    keys = [reader.key(i) for reader in (train, test) for i in range(len(reader))]
    assert len(set(keys)) == 5
    assert all(not Path(key).is_absolute() and ".." not in Path(key).parts for key in keys)
    assert all(not key.endswith((".jpg", ".png", ".h5", ".mat")) for key in keys)
    for reader, split in ((train, "train"), (test, None), (test, "validation")):
        again = open_nyu(folders[layout], split)
        assert [again.key(i) for i in range(len(again))] == [
            reader.key(i) for i in range(len(reader))
        ]


def test_keys_are_named_after_the_files(folders):
    found = {layout: open_nyu(folders[layout], "train").key(1) for layout in SMALL}
    assert found == {
        "labelled": "00001",
        "densedepth": "nyu2_train/living_room_0004_out/2",
        "densedepth_zip": "data/nyu2_train/living_room_0004_out/2",
        "fastdepth": "train/living_room_0004/00002",
        "bts": "sync/living_room_0004a/rgb_00001",
    }


@pytest.mark.parametrize("layout", SMALL)
def test_pictures_are_stored_in_bytes(folders, layout):
    reader = open_nyu(folders[layout], "test")
    stored, sample = reader.stored(1), reader[1]
    assert stored["image"].dtype == np.uint8 and stored["image"].shape == (*SIZE, 3)
    np.testing.assert_array_equal(stored["depth"], sample["depth"])
    np.testing.assert_allclose(sample["image"], stored["image"] / 255, atol=1e-6)


# Validation ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folders of six training frames in three scenes and one test frame; not to be changed."""
    frames, test = Rooms(6, SIZE, split="train"), Rooms(1, SIZE, split="test")
    return {
        layout: write_layout(frames, tmp_path_factory.mktemp(layout), layout, test, scenes=3)
        for layout in SMALL
    }


def keys_of(folder, split, **options):
    reader = open_nyu(folder, split, **options)
    return [reader.key(i) for i in range(len(reader))]


def scenes_of(keys):
    """Tells the scenes of the fixture's training frames: the writer goes round three of them."""
    return {int(re.findall(r"[0-9]+", key)[-1]) % 3 for key in keys}


@pytest.mark.parametrize("layout", SMALL)
def test_whole_scenes_are_held_out(scenes, layout):
    folder = scenes[layout]
    everything = keys_of(folder, "train")
    train = keys_of(folder, "train", hold_out=0.4)
    kept = keys_of(folder, "validation", hold_out=0.4)
    assert len(everything) == 6 and len(train) == 4 and len(kept) == 2
    assert set(train) | set(kept) == set(everything)
    assert len(scenes_of(kept)) == 1 and len(scenes_of(train)) == 2
    assert kept == keys_of(folder, "validation", hold_out=0.4)
    assert "validation (1 of 3 training scenes held out): 2 frames" in (
        open_nyu(folder, "validation", hold_out=0.4).description
    )
    # The test frames are another matter.
    assert keys_of(folder, "test", hold_out=0.4) == keys_of(folder, "test")
    assert keys_of(folder, None, hold_out=0.4) == keys_of(folder, "test")


def test_every_layout_holds_out_the_same_scenes(scenes):
    """The same by name, not by place: a folder's order must not matter."""
    kept = [scenes_of(keys_of(scenes[k], "validation", hold_out=0.4)) for k in SMALL]
    # One writer counts from 0, another from 1.
    assert kept[0] == kept[4] and kept[1] == kept[2] == kept[3]
    assert [(k + 1) % 3 for k in kept[0]] == list(kept[1])


def test_without_hold_out_the_test_frames_validate(scenes):
    reader = open_nyu(scenes["bts"], "validation")
    assert len(reader) == 1 and "validation, which are the test frames" in reader.description
    assert len(open_nyu(scenes["bts"], "train")) == 6


def test_hold_out_errors(tmp_path, bts, scenes):
    folder, *_ = bts
    assert "set data.hold_out=0.05" in layout_error(folder, split="validation")
    assert "no test frames to validate on in the BTS layout (1 train, 0 test" in layout_error(
        folder, split="validation"
    )
    for split in ("train", "validation"):
        assert "has only one frame; leave data.hold_out at 0" in layout_error(
            folder, split=split, hold_out=0.5
        )
    only_test = tmp_path / "bathroom"
    only_test.mkdir()
    for file in (scenes["bts"] / "official_splits" / "test" / "bathroom").iterdir():
        (only_test / file.name).write_bytes(file.read_bytes())
    assert "no validation frames" in layout_error(only_test, split="validation", hold_out=0.5)


def test_without_scenes_frames_in_a_row_are_held_out(tmp_path):
    """Copies of the labelled file leave out `scenes`, and it is in the order of the scenes."""
    labelled(tmp_path, count=100)
    train, kept = (open_nyu(tmp_path, split, hold_out=0.3) for split in ("train", "validation"))
    frames = [{int(r[i]["depth"][0, 0]) - 1 for i in range(len(r))} for r in (train, kept)]
    assert frames[1] and not {f // 25 for f in frames[0]} & {f // 25 for f in frames[1]}
    everything = open_nyu(tmp_path, "train")
    assert len(train) + len(kept) == len(everything)


def test_parts_of_a_scene_stay_together(tmp_path):
    write_layout(Rooms(4, SIZE), tmp_path, "bts", scenes=2)
    (tmp_path / "sync" / "bedroom_0004a").rename(tmp_path / "sync" / "living_room_0004b")
    train, kept = (open_nyu(tmp_path, split, hold_out=0.5) for split in ("train", "validation"))
    assert len(train) == len(kept) == 2
    assert "validation (the last 2 of 4 frames held out)" in kept.description


def test_scenes_of_unknown_names_are_named(tmp_path):
    write_layout(Rooms(4, SIZE), tmp_path, "bts", scenes=2)
    scene = tmp_path / "sync" / "bedroom_0004a"
    for file in scene.iterdir():
        file.rename(file.with_name(file.name.replace("_000", "_990")))  # no index of a test frame
    scene.rename(tmp_path / "sync" / "my_bedroom")
    apart = (
        "; 2 frames are in 1 folders that are not named as official training scenes are, such as"
        f" kitchen_0003, first {tmp_path}/sync/my_bedroom"
    )
    reader = open_nyu(tmp_path, "train")
    assert len(reader) == 2 and reader.description.endswith(apart)
    everything = open_nyu(tmp_path)
    assert len(everything) == 4 and "my_bedroom" not in everything.description
    for file in (tmp_path / "sync" / "living_room_0004a").iterdir():
        file.unlink()
    message = layout_error(tmp_path, split="train", hold_out=0.5)
    assert "no train frames in the BTS layout (0 train, 0 test, 2 unlisted there)" in message
    assert apart in message


def test_missing_files_follow_their_scene(tmp_path):
    write_layout(Rooms(4, SIZE), tmp_path, "bts", scenes=2)
    lonely = []
    for scene in (tmp_path / "sync").iterdir():
        lonely.append(scene / "rgb_00099.jpg")
        lonely[-1].write_bytes(b"")
    found = [
        open_nyu(tmp_path, split, hold_out=0.5, max_missing=0.5).missing
        for split in ("train", "validation")
    ]
    assert [len(files) for files in found] == [1, 1]
    assert {*found[0], *found[1]} == {str(path) for path in lonely}


@pytest.mark.parametrize(
    "file, scene",
    [
        ("sync/basement_0001a/rgb_00000.jpg", "basement_0001"),
        ("basement_0001b/d-1316653580.471513-1316138413.pgm", "basement_0001"),
        ("data/nyu2_train/living_room_0038_out/37.jpg", "living_room_0038"),
        ("data/nyu2_train/office_kitchen_0001a_out/37.jpg", "office_kitchen_0001"),
        ("data/nyu2_train/bedroom/bedroom_0086_out_12.jpg", "bedroom_0086"),
        ("train/home_office_0004/00001.h5", "home_office_0004"),
        ("train/my room/00001.h5", "my room"),
    ],
)
def test_scene_names(file, scene):
    assert scene_of(file) == scene


# The labelled file ---------------------------------------------------------------------------


def labelled(folder, count=16, **arrays):
    """Writes a tiny labelled file whose depth tells frame, row and column."""
    n, y, x = np.meshgrid(np.arange(count), np.arange(3), np.arange(4), indexing="ij")
    depth = (n + 0.1 * y + 0.01 * x + 1).astype(np.float32)
    image = np.stack([n, 10 * y, 20 * x], -1).astype(np.uint8)
    contents = {"images": image.transpose(0, 3, 2, 1), "depths": depth.transpose(0, 2, 1)} | arrays
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        for key, array in contents.items():
            if array is not None:
                file[key] = array
    return image, depth


def test_labelled_axes_and_official_split(tmp_path):
    image, depth = labelled(tmp_path)
    train, test = open_nyu(tmp_path, "train"), open_nyu(tmp_path, "test")
    # No splits.mat beside it: the official list, 0-based. "The first 654" would be wrong.
    assert [int(test[i]["depth"][0, 0]) - 1 for i in range(len(test))] == [0, 1, 8, 13, 14, 15]
    assert [int(train[i]["depth"][0, 0]) - 1 for i in range(3)] == [2, 3, 4]
    np.testing.assert_array_equal(test[2]["depth"], depth[8])
    np.testing.assert_allclose(test[2]["image"], image[8] / np.float32(255), rtol=1e-6)


def test_official_lists():
    folder = Path(open_nyu.__code__.co_filename).parent
    test = [int(i) for i in (folder / "labelled_test.csv").read_text().split()[1:]]
    assert len(test) == len(set(test)) == 654 and test == sorted(test)
    assert test[:12] == [0, 1, 8, 13, 14, 15, 16, 17, 20, 27, 28, 29]
    assert test[-5:] == [1444, 1445, 1446, 1447, 1448] and sum(i < 654 for i in test) == 268
    scenes = (folder / "train_scenes.csv").read_text().split()[1:]
    assert len(set(scenes)) == 249 and all(re.fullmatch(r"[a-z_]+_\d{4}", s) for s in scenes)


def test_labelled_errors(tmp_path):
    folders = [tmp_path / name for name in ("other", "poor", "good")]
    for folder in folders:
        folder.mkdir()
    other, poor, good = folders
    path = other / "nyu_depth_v2_labeled.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" * 50)
    assert f"{path}: not a MATLAB v7.3 (HDF5) file" in layout_error(other)
    labelled(poor, depths=None)
    assert "has no 'depths'" in layout_error(poor)
    labelled(good)
    assert "has no 'rawDepths'" in layout_error(good, depth="raw")
    (good / "splits.mat").write_bytes(b"no")
    assert "splits.mat: not the official split file" in layout_error(good)


# Damaged and strange files -------------------------------------------------------------------


@pytest.fixture
def bts(tmp_path):
    """A BTS folder of one training frame; its picture and its depth file."""
    write_layout(Rooms(1, SIZE), tmp_path, "bts")
    scene = tmp_path / "sync" / "living_room_0004a"
    return tmp_path, scene / "rgb_00000.jpg", scene / "sync_depth_00000.png"


def test_cut_short(bts):
    folder, rgb, depth = bts
    whole = rgb.read_bytes()
    rgb.write_bytes(whole[: len(whole) // 2])
    assert layout_error(folder) == (
        f"{rgb}: the file is cut short ({len(whole) // 2} bytes); copy it again"
    )
    rgb.write_bytes(whole)
    content = depth.read_bytes()
    depth.write_bytes(content[:-20])
    assert f"{depth}: the file is cut short" in layout_error(folder)


def test_a_thumbnail_does_not_hide_a_cut(bts):
    folder, rgb, _ = bts
    whole = rgb.read_bytes()
    thumbnail = b"\xff\xd8\xff\xda\x00\x00\xff\xd9"
    header = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    rgb.write_bytes(whole[:2] + header + whole[2:])
    assert len(open_nyu(folder)) == 1 and open_nyu(folder)[0]["image"].shape == (*SIZE, 3)
    rgb.write_bytes(whole[:2] + header + whole[2:-400])
    assert "cut short" in layout_error(folder)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 60 + b"IEND"]
)
def test_not_a_picture(bts, content):
    folder, _, depth = bts
    depth.write_bytes(content)
    assert layout_error(folder) == f"{depth}: not a picture that can be decoded; restore the file"


def test_eight_bits_where_sixteen_are_meant(bts):
    folder, _, depth = bts
    cv2.imwrite(str(depth), np.ones(SIZE, np.uint8))
    assert f"{depth}: the depth is stored as uint8, where this layout has uint16" in layout_error(
        folder
    )


def test_a_colour_picture_as_depth(bts):
    folder, _, depth = bts
    cv2.imwrite(str(depth), np.ones((*SIZE, 3), np.uint8))
    assert f"{depth}: a depth map has one channel, this picture has 3" in layout_error(folder)


def test_sizes_differ(bts):
    folder, rgb, depth = bts
    cv2.imwrite(str(depth), np.ones((10, 12), np.uint16))
    assert f"{rgb}: the picture is (48, 64) but its depth (10, 12)" in layout_error(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(bts):
    folder, rgb, _ = bts
    rgb.chmod(0)
    assert f"{rgb}: cannot be read (Permission denied)" in layout_error(folder)


def test_a_file_that_went_away(bts):
    folder, rgb, _ = bts
    reader = open_nyu(folder)
    rgb.unlink()
    with pytest.raises(InputError, match="cannot be read .No such file"):
        reader[0]


def test_unpaired_files_are_told(bts):
    folder, rgb, _ = bts
    lonely = rgb.with_name("rgb_00007.jpg")
    lonely.write_bytes(rgb.read_bytes())
    reader = open_nyu(folder, max_missing=0.5)
    assert len(reader) == 1
    assert reader.description.endswith(f"; 1 of 2 frames are missing a partner, first {lonely}")
    assert reader.missing == (str(lonely),)
    assert reader.missing == open_nyu(folder, "train", max_missing=0.5).missing
    assert layout_error(folder) == (
        f"{folder}: NYU Depth v2, BTS, all: 1 of 2 frames (50.0 %) are missing a partner, first "
        f"{lonely}; download them, or go without: --set data.max_missing=0.5"
    )
    rgb.unlink()
    assert layout_error(folder, max_missing=1).endswith(
        "2 of 2 frames (100.0 %) are missing a partner, first "
        f"{lonely.with_name('sync_depth_00000.png')}; download them"
    )


def test_what_is_missing_is_of_the_split(bts):
    folder, rgb, depth = bts
    other = folder / "bathroom"
    other.mkdir()
    for number in (0, 1):
        (other / f"rgb_{number:05d}.jpg").write_bytes(rgb.read_bytes())
    (other / "sync_depth_00000.png").write_bytes(depth.read_bytes())
    assert open_nyu(folder, "train").missing == ()
    test = open_nyu(folder, "test", max_missing=0.5)
    assert test.missing == (str(other / "rgb_00001.jpg"),)
    # Nor is the share that of the whole folder.
    assert "test: 1 of 2 frames (50.0 %)" in layout_error(folder, max_missing=0.4)


def test_a_scene_is_known_from_within(bts, monkeypatch):
    folder, rgb, _ = bts
    monkeypatch.chdir(rgb.parent)
    reader = open_nyu(".", "train")
    assert len(reader) == 1 and reader.key(0) == "rgb_00000"


def test_bts_splits_by_the_official_lists(tmp_path):
    write_layout(Rooms(1, SIZE), tmp_path, "bts")
    source = tmp_path / "sync" / "living_room_0004a"
    # kitchen_0004 is a scene of the test set; 45 is a test index and 2 is not.
    for folder, number in (("kitchen_0004a", 0), ("bathroom", 45), ("bathroom", 2)):
        (tmp_path / folder).mkdir(exist_ok=True)
        for stem, suffix in (("rgb", "jpg"), ("sync_depth", "png")):
            content = (source / f"{stem}_00000.{suffix}").read_bytes()
            (tmp_path / folder / f"{stem}_{number:05d}.{suffix}").write_bytes(content)
    assert [Path(open_nyu(tmp_path, "train").name(0)).parent.name] == ["living_room_0004a"]
    test = open_nyu(tmp_path, "test")
    assert len(test) == 1 and test.name(0).endswith("bathroom/rgb_00045.jpg")
    assert len(open_nyu(tmp_path, "train")) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_depth_that_is_no_depth(tmp_path, value):
    write_layout(Rooms(1, SIZE), tmp_path, "fastdepth")
    (path,) = tmp_path.glob("nyudepthv2/train/*/*.h5")
    with h5py.File(path, "r+") as file:
        file["depth"][3, 4] = value
    assert f"{path}: the depth holds NaN, infinity or negative metres" in layout_error(tmp_path)


def test_fastdepth_errors(tmp_path):
    write_layout(Rooms(1, SIZE), tmp_path, "fastdepth")
    (path,) = tmp_path.glob("nyudepthv2/train/*/*.h5")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert f"{path}: not an HDF5 file, or cut short" in layout_error(tmp_path)
    with h5py.File(path, "w") as file:
        file["rgb"] = np.zeros((48, 64, 3), np.uint8)
        file["depth"] = np.ones(SIZE)
    assert f"{path}: rgb is (48, 64, 3), not (3, height, width)" in layout_error(tmp_path)
    with h5py.File(path, "w") as file:
        file["rgb"] = np.zeros((3, *SIZE), np.uint8)
    assert f"{path}: has no rgb or no depth" in layout_error(tmp_path)
    with h5py.File(path, "w") as file:
        file["rgb"] = np.zeros((3, *SIZE), np.float32)
        file["depth"] = np.ones(SIZE)
    assert "the picture is float32" in layout_error(tmp_path)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_csv_line_ends(tmp_path, end):
    write_layout(TRAIN, tmp_path, "densedepth", TEST)
    csv = tmp_path / "data" / "nyu2_train.csv"
    csv.write_bytes(csv.read_bytes().replace(b"\n", end) + end)
    assert open_nyu(tmp_path, "train")[2]["depth"].shape == SIZE


@pytest.mark.parametrize(
    "row, message",
    [
        ("data/only_one.jpg", "line 1: has 1 columns, not picture,depth"),
        ("../../etc/passwd,data/x.png", "line 1: '../../etc/passwd' is not a path within"),
        ("/etc/passwd,data/x.png", "line 1: '/etc/passwd' is not a path within"),
        ("data/gone.jpg,data/gone.png", "gone.jpg; download them"),
        ("", "nyu2_train.csv: there is no train frame in it; restore it"),
        ("image,depth", "nyu2_train.csv: there is no train frame in it; restore it"),
    ],
)
def test_csv_errors(tmp_path, row, message):
    (tmp_path / "nyu2_train.csv").write_text(row)
    assert message in layout_error(tmp_path, split="train")


def test_a_first_row_that_is_a_frame_is_no_heading(tmp_path):
    write_layout(TRAIN, tmp_path, "densedepth", TEST)
    csv = tmp_path / "data" / "nyu2_train.csv"
    csv.write_text(f"image.png,depth.png\n{csv.read_text()}")
    frames = len(open_nyu(tmp_path, "train"))
    for name in ("image.png", "depth.png"):
        (csv.parent / name).write_bytes(b"")
    assert len(open_nyu(tmp_path, "train")) == frames + 1


def test_frames_that_are_listed_twice_are_said(tmp_path):
    write_layout(TRAIN, tmp_path, "densedepth", TEST)
    csv = tmp_path / "data" / "nyu2_train.csv"
    assert "twice" not in open_nyu(tmp_path, "train").description
    rows = csv.read_text().splitlines()
    csv.write_text("\n".join([*rows, rows[1]]))
    picture = rows[1].split(",")[0].removeprefix("data/")
    said = f"; nyu2_train.csv lists 1 frames twice, first {picture}"
    assert said in open_nyu(tmp_path, "train").description


@pytest.mark.parametrize("layout", ["densedepth", "densedepth, heading", "fastdepth"])
def test_an_empty_test_part_is_not_none(tmp_path, layout):
    """Training frames must not be scored, or validated on, in place of the test frames."""
    write_layout(TRAIN, tmp_path, layout.split(",")[0], TEST)
    if layout == "fastdepth":
        place = tmp_path / "nyudepthv2" / "val"
        for file in place.rglob("*.h5"):
            file.rename(f"{file}.part")
    else:
        place = tmp_path / "data" / "nyu2_test.csv"
        place.write_text("image,depth\n" if "heading" in layout else "")
    for split in ("test", None, "validation"):
        with pytest.raises(InputError, match=f"{place}: there is no test frame in it") as error:
            open_nyu(tmp_path, split)
        assert not isinstance(error.value, NoSplit)
    for split in ("train", "validation"):
        assert len(open_nyu(tmp_path, split, hold_out=0.3))


def densedepth_without(folder, packed, gone):
    """Writes 50 test frames of the DenseDepth layout less some files; where they are."""
    write_layout(TRAIN, folder, "densedepth", TEST)
    data = folder / "data"
    rows = []
    for k in range(50):
        pair = [f"data/nyu2_test/{k:05d}_{kind}.png" for kind in ("colors", "depth")]
        rows.append(",".join(pair))
        for file, kind in zip(pair, ("colors", "depth"), strict=True):
            content = (data / "nyu2_test" / f"00000_{kind}.png").read_bytes()
            (folder / file).write_bytes(content)
    (data / "nyu2_test.csv").write_text("\n".join(rows))
    for file in gone:
        (folder / file).unlink()
    if not packed:
        return data, data
    archive = folder / "packed" / "nyu_data.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as pack:
        for file in data.rglob("*"):
            pack.write(file, file.relative_to(folder))
    return archive, archive / "data"


@pytest.mark.parametrize("packed", [False, True])
def test_rows_without_their_files_are_left_out(tmp_path, packed):
    gone = "data/nyu2_test/00003_depth.png"
    path, data = densedepth_without(tmp_path, packed, [gone])
    reader, first = open_nyu(path), str(data / "nyu2_test" / "00003_depth.png")
    assert len(reader) == 49 and reader.missing == (first,)
    assert reader.description == (
        f"NYU Depth v2, DenseDepth, test: 49 frames from {path}; "
        f"1 of 50 frames are missing, first {first}"
    )
    names = [Path(reader.name(i)).name for i in range(49)]
    assert "00003_colors.png" not in names and len(set(names)) == 49
    assert all(reader[i]["depth"].shape == SIZE for i in range(49))
    assert open_nyu(path, "train").missing == ()
    assert layout_error(path, max_missing=0.01) == (
        f"{path}: NYU Depth v2, DenseDepth, test: 1 of 50 frames (2.0 %) are missing, first "
        f"{first}; download them, or go without: --set data.max_missing=0.02"
    )


@pytest.mark.parametrize("packed", [False, True])
def test_too_many_rows_without_their_files(tmp_path, packed):
    # Of one frame both files: it is named once.
    gone = [f"data/nyu2_test/{k}.png" for k in ("00007_colors", "00007_depth", "00010_colors")]
    path, data = densedepth_without(tmp_path, packed, gone)
    assert layout_error(path) == (
        f"{path}: NYU Depth v2, DenseDepth, test: 2 of 50 frames (4.0 %) are missing, first "
        f"{data / 'nyu2_test' / '00007_colors.png'}; download them, or go without: "
        "--set data.max_missing=0.04"
    )
    assert [Path(file).name for file in open_nyu(path, max_missing=0.04).missing] == [
        "00007_colors.png",
        "00010_colors.png",
    ]


def test_a_list_whose_folder_is_gone_is_no_reason_to_take_another(tmp_path):
    write_layout(TRAIN, tmp_path, "densedepth", TEST)
    (tmp_path / "data" / "nyu2_test").rename(tmp_path / "elsewhere")
    for split in (None, "test", "validation"):
        message = layout_error(tmp_path, split=split, max_missing=1)
        assert "2 of 2 frames (100.0 %) are missing, first " in message
        assert message.endswith("/data/nyu2_test/00000_colors.png; download them")
    assert len(open_nyu(tmp_path, "train")) == 3


def test_densedepth_takes_the_scale_from_the_type(tmp_path):
    write_layout(Rooms(1, SIZE), tmp_path, "densedepth")
    (depth,) = tmp_path.glob("data/nyu2_train/*/1.png")
    for array, metres in ((np.uint8(51), 2.0), (np.uint16(2500), 2.5)):
        cv2.imwrite(str(depth), np.full(SIZE, array))
        np.testing.assert_allclose(open_nyu(tmp_path)[0]["depth"], metres, rtol=1e-6)
    cv2.imwrite(str(depth.with_suffix(".tiff")), np.ones(SIZE, np.float32))
    depth.write_bytes(depth.with_suffix(".tiff").read_bytes())
    assert "depth of type float32; this layout has 8 or 16 bits" in layout_error(tmp_path)


def test_zip_errors(tmp_path):
    path = tmp_path / "nyu_data.zip"
    path.write_bytes(b"PK no")
    assert f"{path}: not a zip archive, or cut short" in layout_error(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/nyu2_test.csv", "data/a.png,data/b.png\r\n")
        archive.writestr("data/b.png", b"")
    assert layout_error(tmp_path) == (
        f"{path}: NYU Depth v2, DenseDepth, test: 1 of 1 frames (100.0 %) are missing, first "
        f"{path}/data/a.png; download them"
    )


# Which layout --------------------------------------------------------------------------------


def test_nothing_recognized(tmp_path):
    message = layout_error(tmp_path)
    assert message.startswith(f"{tmp_path}: no layout of NYU Depth v2 is recognized. Looked for ")
    for sought in ("nyu_depth_v2_labeled.mat", "nyu2_train.csv", "*.h5", "dataset_info.json",
                   "sync_depth_*.png", "d-*.pgm"):  # fmt: skip
        assert sought in message
    assert "no such file or folder" in layout_error(tmp_path / "nowhere")


def test_several_layouts_are_not_guessed(tmp_path):
    write_layout(Rooms(1, SIZE), tmp_path, "bts")
    write_layout(Rooms(1, SIZE), tmp_path, "fastdepth")
    message = layout_error(tmp_path)
    assert "holds several layouts: FastDepth (" in message and "BTS (" in message


def test_a_folder_of_another_tfds_data_set_is_not_nyu(tmp_path):
    (tmp_path / "0.0.1").mkdir()
    (tmp_path / "0.0.1" / "dataset_info.json").write_text('{"name": "mnist"}')
    assert "no layout of NYU Depth v2 is recognized" in layout_error(tmp_path)


def test_options(folders):
    assert "unknown split 'tets': did you mean 'test'?" in layout_error(
        folders["bts"], split="tets"
    )
    assert "unknown depth 'rwa'" in layout_error(folders["bts"], depth="rwa")
    assert "the BTS layout has one depth" in layout_error(folders["bts"], depth="raw")
    for part in (1, -0.1, "half", None):
        assert "data.hold_out is" in layout_error(folders["bts"], hold_out=part)
    for share in (2, -0.1, "half", None, float("nan")):
        assert f"max_missing={share!r}: a share of the frames; give 0 to 1" in layout_error(
            folders["bts"], max_missing=share
        )
    with pytest.raises(InputError, match="1 to 4 scenes can be written, not 5"):
        write_layout(TRAIN, folders["bts"], "bts", scenes=5)
    with pytest.raises(InputError, match="unknown layout 'btss': did you mean 'bts'"):
        write_layout(TRAIN, folders["bts"], "btss")


def test_open_reader(folders):
    assert len(open_reader("nyu", folders["bts"], "test")) == 2
    rooms = open_reader("rooms", None, "test", count=4, size=SIZE)
    assert len(rooms) == 4 and rooms[0]["image"].shape == (*SIZE, 3)
    for arguments, options, message in (
        (("nuy",), {}, "unknown data set 'nuy': did you mean 'nyu'?"),
        (("nyu",), {}, "nyu: give the folder that holds"),
        (("nyu", "."), {"deep": "raw"}, "unknown option of nyu 'deep': did you mean 'depth'?"),
        (("rooms", "."), {}, "leave out the folder ."),
    ):
        with pytest.raises(InputError) as error:
            open_reader(*arguments, **options)
        assert message in str(error.value)


def test_make_sample_keeps_holes():
    depth = np.zeros((2, 2), np.float64)
    sample = make_sample(np.full((2, 2, 3), 255, np.uint8), depth, "x")
    assert sample["image"].dtype == np.uint8 and sample["image"].min() == 255
    assert sample["depth"].dtype == np.float32 and not sample["depth"].any()


# Raw recordings ------------------------------------------------------------------------------


@pytest.fixture
def raw(tmp_path):
    """A raw recording of three depth files, one of them without a picture near it."""
    scene = tmp_path / "living_room_0004a"
    scene.mkdir()
    picture = np.full((480, 640, 3), (200, 100, 50), np.uint8)
    for time in (10.0, 10.033):
        cv2.imwrite(str(scene / f"r-{time:.6f}-77.ppm"), picture)
    disparity = np.full((480, 640), 917, "<u2")  # 351.3 / 175.5 = 2.0017 m
    for time in (10.01, 10.04, 11.0):
        content = b"P5 640 480 65535\n" + disparity.tobytes()
        (scene / f"d-{time:.6f}-99.pgm").write_bytes(content)
    (scene / "a-10.000000-55.dump").write_bytes(b"accelerometer")
    return tmp_path


def test_a_raw_recording(raw):
    reader = open_nyu(raw, "train", max_missing=0.34)
    assert [reader.key(i) for i in range(len(reader))] == [
        "living_room_0004a/d-10.010000-99",
        "living_room_0004a/d-10.040000-99",
    ]
    assert reader.missing == (str(raw / "living_room_0004a" / "d-11.000000-99.pgm"),)
    assert "NYU Depth v2, raw, train: 2 frames" in reader.description
    assert "projected into the picture; 1 of 3 frames are missing a partner" in reader.description
    sample = reader[0]
    np.testing.assert_allclose(sample["image"][240, 320], (50 / 255, 100 / 255, 200 / 255))
    assert abs(sample["depth"][240, 320] - 351.3 / 175.5) < 0.01
    assert reader.name(1) == str(raw / "living_room_0004a" / "d-10.040000-99.pgm")


def test_raw_scenes_are_held_out(raw):
    (raw / "kitchen_0003").mkdir()
    for file in (raw / "living_room_0004a").iterdir():
        (raw / "kitchen_0003" / file.name).write_bytes(file.read_bytes())
    options = {"hold_out": 0.5, "max_missing": 0.34}
    parts = [keys_of(raw, split, **options) for split in ("train", "validation")]
    assert [len({Path(key).parent for key in part}) for part in parts] == [1, 1]
    assert len({*parts[0], *parts[1]}) == 4
    (raw / "kitchen_0003").rename(raw / "kitchen_0004")  # a scene of the test set
    counts = [len(keys_of(raw, split, max_missing=0.34)) for split in ("train", None)]
    assert counts == [2, 4]


def test_raw_errors(raw):
    assert "no test frames to validate on in the raw layout" in layout_error(
        raw, split="validation"
    )
    (raw / "living_room_0004a" / "d-11.000000-99.pgm").unlink()
    picture = raw / "living_room_0004a" / "r-10.000000-77.ppm"
    cv2.imwrite(str(picture), np.zeros((240, 320, 3), np.uint8))
    assert f"{picture}: the picture is (240, 320), where the Kinect's is (480, 640)" in (
        layout_error(raw)
    )
    picture.write_bytes(picture.read_bytes()[:-9])
    assert f"{picture}: cannot be read (image file is truncated" in layout_error(raw)


# Real frames ---------------------------------------------------------------------------------


def test_real_frames(samples):
    reader = open_nyu(samples / "nyu" / "sync")
    assert [Path(reader.name(i)).name for i in range(2)] == ["rgb_00000.jpg", "rgb_00050.jpg"]
    assert "all: 2 frames" in reader.description and not reader.missing
    assert len(open_nyu(samples / "nyu" / "sync", "train")) == 2
    with pytest.raises(InputError, match="several layouts: BTS .* raw"):
        open_nyu(samples / "nyu")
    frames = [reader[i] for i in range(2)]
    assert all(f["image"].shape == (480, 640, 3) and f["depth"].shape == (480, 640) for f in frames)
    depth = np.stack([f["depth"] for f in frames])
    assert [round(float((d > 0).mean()), 3) for d in depth] == [0.733, 0.751]
    measured = depth[depth > 0]
    found = measured.min(), np.median(measured), measured.max()
    np.testing.assert_allclose(found, (0.887, 3.239, 8.266), atol=0.0006)
    assert all(0.1 < f["image"].mean() < 0.9 for f in frames)


def test_a_real_raw_pair_meets_the_aligned_frame(samples):
    raw = open_nyu(samples / "nyu" / "raw", "train")[0]
    aligned = open_nyu(samples / "nyu" / "sync", "train")[0]
    both = (raw["depth"] > 0) & (aligned["depth"] > 0)
    apart = (raw["depth"] - aligned["depth"])[both]
    # One step of the sensor's disparity is 3 cm at the median's 3.2 m.
    assert abs(np.median(apart)) < 0.001 and np.median(abs(apart)) < 0.006
    assert both.mean() > 0.72 and (raw["depth"] > 0).mean() < 0.76
    assert abs(raw["image"] - aligned["image"]).mean() < 0.025  # JPEG of the straightened picture


def test_a_damaged_tfds_description(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    folder = tmp_path / "nyu_depth_v2" / "0.0.1"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text('{"name": "nyu_depth_v2", ')
    with pytest.raises(InputError, match="0.0.1: dataset_info.json or features.json is damaged"):
        open_nyu(tmp_path)
