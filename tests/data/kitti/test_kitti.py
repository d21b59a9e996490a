import shutil
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from keras_depth.data.kitti import files, open_kitti
from keras_depth.data.kitti import lists as kitti_lists
from keras_depth.errors import InputError

# Small pictures, fx = fy = 10, cx = 6, cy = 4; the right camera is half a metre from the left one,
# which stands where the LiDAR does.
SIZE = (8, 12)
CAMERAS = """\
calib_time: 09-Jan-2012 13:57:47
S_rect_02: 12 8
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 10 0 6 0 0 10 4 0 0 0 1 0
P_rect_03: 10 0 6 -5 0 10 4 0 0 0 1 0
"""
LIDAR = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n"
FRAME = """\
P2: 10 0 6 0 0 10 4 0 0 0 1 0
P3: 10 0 6 -5 0 10 4 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
"""
# 10 m ahead and 2 m to the left: left u, v = 4, 4; right u, v = 3.5, 4, which is rounded to 4, 4.
POINT = (10, 2, 0, 0.5)
PIXEL = (3, 3)

DATE, DRIVE = "2011_09_26", "2011_09_26_drive_0048_sync"


def write_picture(path, value, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))


def write_16_bits(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.zeros(SIZE, np.uint16)
    picture[PIXEL] = value
    assert cv2.imwrite(str(path), picture)


def write_scan(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.array([POINT], np.float32).tofile(path)


def write_drive(root, count, date=DATE, drive=DRIVE, first=0):
    """Writes a drive of KITTI raw: the left picture of frame i is grey i, the right 100 + i."""
    (root / date).mkdir(parents=True, exist_ok=True)
    (root / date / "calib_cam_to_cam.txt").write_text(CAMERAS)
    (root / date / "calib_velo_to_cam.txt").write_text(LIDAR)
    for i in range(first, first + count):
        folder = root / date / drive
        write_picture(folder / f"image_02/data/{i:010d}.png", i)
        write_picture(folder / f"image_03/data/{i:010d}.png", (100 + i) % 256)
        write_scan(folder / f"velodyne_points/data/{i:010d}.bin")
    return root


def write_list(path, *rows):
    path.write_text("\n".join(["date,drive,side,frames", *rows, ""]))
    return path


def error(*arguments, **options):
    with pytest.raises(InputError) as raised:
        reader = open_kitti(*arguments, **options)
        for index in range(len(reader)):
            reader[index]
    return str(raised.value)


@pytest.fixture
def raw(tmp_path):
    return write_drive(tmp_path / "raw", 3)


def test_raw_sample(raw, tmp_path):
    reader = open_kitti(raw, list=write_list(tmp_path / "some.csv", f"{DATE},0048,l,2 0"))
    assert len(reader) == 2 and not reader.stereo and reader.missing == []
    assert reader.description == f"KITTI {tmp_path}/some.csv, LiDAR: 2 frames from {raw}"
    assert reader.key(0) == f"{DATE}/{DRIVE}/image_02/0000000002"
    assert reader.name(0) == f"{raw}/{DATE}/{DRIVE}/image_02/data/0000000002.png"
    sample = reader[0]
    assert set(sample) == {"image", "depth", "focal_length"}
    assert sample["focal_length"].tolist() == [10, 10]
    assert sample["image"].dtype == sample["depth"].dtype == np.float32
    assert sample["image"].shape == (*SIZE, 3) and (sample["image"] == np.float32(2 / 255)).all()
    assert sample["depth"].shape == SIZE
    assert np.argwhere(sample["depth"]).tolist() == [list(PIXEL)]
    assert sample["depth"][PIXEL] == 10
    assert reader.stored(1)["image"].dtype == np.uint8
    with pytest.raises(IndexError):
        reader[2]


def test_right_pictures_have_their_own_projection(raw, tmp_path):
    calibration = raw / DATE / "calib_cam_to_cam.txt"
    calibration.write_text(CAMERAS.replace("10 0 6 -5", "10 0 6 -20"))
    reader = open_kitti(raw, list=write_list(tmp_path / "right.csv", f"{DATE},0048,r,1"))
    assert reader.key(0) == f"{DATE}/{DRIVE}/image_03/0000000001"
    assert (reader.stored(0)["image"] == 101).all()
    # u = 6 + 10 * (-2 - 2) / 10 = 2.
    assert np.argwhere(reader[0]["depth"]).tolist() == [[3, 1]]


def test_stereo_sample(raw):
    reader = open_kitti(raw, list="all", stereo=True)
    assert reader.stereo and reader.measured and len(reader) == 3
    sample = reader.stored(1)
    assert (sample["image"] == 1).all() and (sample["right"] == 101).all()
    assert sample["focal_baseline"] == 5 and sample["focal_baseline"].dtype == np.float32
    assert sample["depth"][PIXEL] == 10


def test_stereo_without_depth_needs_no_scan(raw):
    shutil.rmtree(raw / DATE / DRIVE / "velodyne_points")
    (raw / DATE / "calib_velo_to_cam.txt").unlink()
    sample = open_kitti(raw, list="all", stereo=True, depth="none")[0]
    assert sample["depth"].shape == SIZE and not sample["depth"].any()
    assert sample["focal_baseline"] == 5
    shutil.rmtree(raw / DATE / DRIVE / "image_03")
    (raw / DATE / "calib_cam_to_cam.txt").unlink()
    blind = open_kitti(raw, list="all", depth="none")
    assert set(blind[0]) == {"image", "depth"}
    assert not blind.measured


def test_lidar_x_is_the_scanners_distance(raw):
    calibration = raw / DATE / "calib_velo_to_cam.txt"
    calibration.write_text(LIDAR.replace("T: 0 0 0", "T: 0 0 -0.25"))
    assert open_kitti(raw, list="all")[0]["depth"].max() == 9.75
    reader = open_kitti(raw, list="all", depth="lidar_x")
    assert reader[0]["depth"].max() == 10 and "LiDAR (its own x)" in reader.description


def test_jpg_pictures_are_taken(raw):
    folder = raw / DATE / DRIVE / "image_02/data"
    for i in (0, 1):
        write_picture(folder / f"{i:010d}.jpg", 50 + i)
    (folder / "0000000000.png").unlink()
    reader = open_kitti(raw, list="all")
    # Frame 1 is there as .png, too: it is one frame, and the .png is the original.
    assert [reader.stored(i)["image"].max() for i in range(len(reader))] == [50, 1, 2]
    assert reader.name(0).endswith("0000000000.jpg")
    assert reader.key(0) == f"{DATE}/{DRIVE}/image_02/0000000000"


@pytest.mark.parametrize("where", [".", "data_depth_annotated", "kitti_depth"])
@pytest.mark.parametrize("part", ["train", "val"])
def test_annotated_depth(tmp_path, where, part):
    write_drive(tmp_path, 2, first=5)
    # The depth benchmark's scans look much alike, and hold no ground truth.
    write_16_bits(tmp_path / f"a/train/{DRIVE}/proj_depth/velodyne_raw/image_02/0000000005.png", 1)
    for camera, value in (("image_02", 256), ("image_03", 640)):
        file = f"{DRIVE}/proj_depth/groundtruth/{camera}/0000000006.png"
        write_16_bits(tmp_path / where / part / file, value)
    reader = open_kitti(tmp_path, list="all", depth="annotated", max_missing=0.5)
    assert reader.missing == [
        str(tmp_path / where / part / file.replace("image_03", "image_02").replace("06.p", "05.p"))
    ]
    assert reader[0]["depth"][PIXEL] == 1 and reader[0]["depth"].sum() == 1
    right = write_list(tmp_path / "right.csv", f"{DATE},0048,r,6")
    assert open_kitti(tmp_path, list=right, depth="annotated")[0]["depth"][PIXEL] == 2.5


def test_annotated_drives_of_train_and_val_are_one(tmp_path):
    drives = [f"{DATE}_drive_{number:04d}_sync" for number in (1, 2, 3)]
    for drive, part in zip(drives, ("train", "val", None), strict=True):
        write_drive(tmp_path / "raw", 1, drive=drive, first=5)
        if part:
            file = f"{drive}/proj_depth/groundtruth/image_02/0000000005.png"
            write_16_bits(tmp_path / "depth" / part / file, 512)
    reader = open_kitti(tmp_path, list="all", depth="annotated", max_missing=0.4)
    assert [reader[i]["depth"].max() for i in range(2)] == [2, 2]
    assert len(reader.missing) == 1 and drives[2] in reader.missing[0]


def write_empty(root, frames):
    """Writes what a whole download of KITTI raw and its annotated depth has of a list: no bytes."""
    for date, number, _, frame in frames:
        drive = f"{date}_drive_{number:04d}_sync"
        annotated = 5 <= frame < kitti_lists.drives()[date, number] - 5
        for folder in [
            root / date / drive / "image_02/data",
            *([root / f"train/{drive}/proj_depth/groundtruth/image_02"] if annotated else []),
        ]:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{frame:010d}.png").touch()


def test_frames_that_were_never_annotated_are_not_missing(tmp_path):
    write_empty(tmp_path, kitti_lists.load("eigen", "test"))
    reader = open_kitti(tmp_path, depth="annotated", max_missing=0)
    assert len(reader) == 652 and reader.missing == []
    assert reader.description == (
        f"KITTI eigen, test, annotated depth: 652 frames from {tmp_path}; "
        "45 of 697 frames have no annotated depth"
    )
    assert len(open_kitti(tmp_path, depth="none")) == 697


def test_frames_without_a_scan_are_not_missing(tmp_path):
    drive = f"{DATE}_drive_0009_sync"
    write_drive(tmp_path, 6, drive=drive, first=176)
    for i in range(177, 181):
        (tmp_path / DATE / drive / f"velodyne_points/data/{i:010d}.bin").unlink()
    reader = open_kitti(tmp_path, list="all", max_missing=0)
    assert [reader.key(i)[-3:] for i in range(len(reader))] == ["176", "181"]
    assert reader.description.endswith("; 4 of 6 frames have no LiDAR scan")
    assert len(open_kitti(tmp_path, list="all", depth="none")) == 6


def test_a_list_without_any_annotated_frame_is_refused(raw, tmp_path):
    write_16_bits(raw / f"train/{DRIVE}/proj_depth/groundtruth/image_02/0000000005.png", 256)
    message = error(
        raw, list=write_list(tmp_path / "x.csv", f"{DATE},0048,l,0-2"), depth="annotated"
    )
    assert "x.csv: KITTI has no annotated depth of any of its 3 frames; choose other" in message


def test_a_folder_of_lists(raw, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    write_list(lists / "train.csv", f"{DATE},0048,l,0-1")
    write_list(lists / "validation.csv", f"{DATE},0048,l,1-2")
    assert [len(open_kitti(raw, s, list=lists)) for s in ("train", "validation")] == [2, 2]
    every = open_kitti(raw, list=lists)
    assert [every.key(i)[-1] for i in range(len(every))] == ["0", "1", "2"]
    assert every.description.startswith(f"KITTI {lists}, all splits, LiDAR: 3 frames")
    assert "has no test frames, only train and validation" in error(raw, "test", list=lists)
    assert "has its own split" in error(raw, "train", list=lists, hold_out=0.1)
    write_list(lists / "test.csv", f"{DATE},0048,l,2")
    assert open_kitti(raw, list=lists).description.startswith(f"KITTI {lists}, test, LiDAR: 1 ")
    assert "this folder has no train.csv, validation.csv or test.csv" in error(raw, list=raw)


def test_raw_folder_may_be_one_down(tmp_path):
    write_drive(tmp_path / "kitti_raw", 1)
    (tmp_path / "notes.txt").write_text("2011_09_26")
    assert len(open_kitti(tmp_path, list="all")) == 1
    write_drive(tmp_path / "copy", 1)
    message = error(tmp_path, list="all")
    assert "found KITTI raw" in message and "give one of these" in message
    assert f"{tmp_path}/copy, {tmp_path}/kitti_raw" in message


def test_all_takes_dates_and_drives_in_order(tmp_path):
    for date, number in (("2011_10_03", 27), (DATE, 48), (DATE, 5)):
        write_drive(tmp_path, 1, date, f"{date}_drive_{number:04d}_sync")
    (tmp_path / DATE / "2011_09_26_drive_0048_extract/image_02/data").mkdir(parents=True)
    reader = open_kitti(tmp_path, list="all")
    assert [reader.key(i).split("/")[1] for i in range(len(reader))] == [
        "2011_09_26_drive_0005_sync",
        "2011_09_26_drive_0048_sync",
        "2011_10_03_drive_0027_sync",
    ]


def test_whole_drives_are_held_out(tmp_path):
    for number in range(1, 6):
        write_drive(tmp_path, 2, DATE, f"{DATE}_drive_{number:04d}_sync")
    drives = {}
    for split in ("train", "validation"):
        reader = open_kitti(tmp_path, split, list="all", hold_out=0.4)
        drives[split] = {reader.key(i).split("/")[1] for i in range(len(reader))}
        assert len(reader) == 2 * len(drives[split])
        assert f", {split} (2 of 5 drives held out), LiDAR" in reader.description
    assert len(drives["train"]) == 3 and len(drives["validation"]) == 2
    assert not drives["train"] & drives["validation"]
    some = write_list(tmp_path / "some.csv", f"{DATE},0001,l,0", f"{DATE},0002,l,0-1")
    sizes = [len(open_kitti(tmp_path, s, list=some, hold_out=0.1)) for s in drives]
    assert sorted(sizes) == [1, 2]
    assert len(open_kitti(tmp_path, list="all", hold_out=0.4)) == 10, "without a split, all"

    assert "hold_out=0.1" in error(tmp_path, "validation", list="all")
    assert "no test frames of their own" in error(tmp_path, "test", list="all", hold_out=0.4)
    assert "has its own split" in error(tmp_path, "train", list="eigen", hold_out=0.1)
    assert "data.hold_out is 2" in error(tmp_path, "train", list="all", hold_out=2)


def test_the_end_of_a_single_drive_is_held_out(raw):
    train, kept = (open_kitti(raw, s, list="all", hold_out=0.4) for s in ("train", "validation"))
    assert [train.key(i)[-1] for i in range(len(train))] == ["0", "1"]
    assert [kept.key(i)[-1] for i in range(len(kept))] == ["2"]
    assert "KITTI all, validation (the last 1 of 3 frames held out), LiDAR" in kept.description


@pytest.mark.parametrize(
    "absent, options",
    [
        (f"{DRIVE}/image_02/data/0000000001.png", {}),
        (f"{DRIVE}/velodyne_points/data/0000000001.bin", {}),
        (f"{DRIVE}/image_03/data/0000000001.png", {"stereo": True, "depth": "none"}),
    ],
)
def test_frame_without_a_file_is_left_out_and_said(raw, tmp_path, absent, options):
    chosen = write_list(tmp_path / "three.csv", f"{DATE},0048,l,0-2")
    (raw / DATE / absent).unlink()
    reader = open_kitti(raw, list=chosen, max_missing=0.34, **options)
    assert reader.missing == [f"{raw}/{DATE}/{absent}"]
    assert [reader.key(i)[-1] for i in range(len(reader))] == ["0", "2"]
    assert reader.description.endswith(
        f": 2 frames from {raw}; 1 of 3 frames are missing, first {raw}/{DATE}/{absent}"
    )
    message = error(raw, list=chosen, **options)
    assert "1 of 3 frames (33.3 %) are missing" in message and f"first {raw}/{DATE}" in message
    assert message.endswith("; download them, or go without: --set data.max_missing=0.34")
    assert "drives" not in message


def test_absent_drives_and_calibrations_are_named(raw, tmp_path):
    rows = [f"{DATE},0048,l,0-2", f"{DATE},0049,l,0-1", "2011_09_28,0001,l,5"]
    chosen = write_list(tmp_path / "drives.csv", *rows)
    message = error(raw, list=chosen)
    assert "3 of 6 frames (50.0 %) are missing" in message
    assert (
        "2 of 3 drives are not there: 2011_09_26_drive_0049_sync, 2011_09_28_drive_0001_sync;"
        in message
    )
    (raw / DATE / "calib_velo_to_cam.txt").unlink()
    message = error(raw, list=chosen, max_missing=1)
    assert "6 of 6 frames" in message and f"first {raw}/{DATE}/calib_velo_to_cam.txt" in message
    assert message.endswith("; download them")


@pytest.mark.parametrize(
    "options, title, count",
    [
        ({}, "eigen, test", 697),
        ({"split": "validation"}, "eigen, validation", 888),
        ({"list": "eigen_benchmark"}, "eigen_benchmark, test", 652),
        ({"list": "optidepthnet_kitti"}, "optidepthnet_kitti, all splits", 4256),
        ({"list": "optidepthnet_kitti", "split": "train"}, "optidepthnet_kitti, train", 3756),
    ],
)
def test_published_lists(raw, options, title, count):
    (raw / DATE / DRIVE / "image_02/data/0000000000.png").unlink()
    message = error(raw, **options)
    assert f"{raw}: KITTI {title}: " in message and f" of {count} frames" in message


def test_each_folder_is_read_once(tmp_path, monkeypatch):
    write_drive(tmp_path, 20)
    read, listdir = [], files.os.listdir

    def counted(folder):
        read.append(folder)
        return listdir(folder)

    monkeypatch.setattr(files.os, "listdir", counted)
    monkeypatch.setattr(files.os.path, "exists", None)
    assert len(open_kitti(tmp_path, list="all", stereo=True)) == 20
    assert len(read) == len(set(read)) <= 6


def test_threads_read_the_same(tmp_path):
    reader = open_kitti(write_drive(tmp_path, 8), list="all", stereo=True)
    with ThreadPoolExecutor(8) as pool:
        samples = list(pool.map(reader.stored, range(8)))
    assert [int(sample["right"].max()) for sample in samples] == list(range(100, 108))
    assert all(sample["depth"][PIXEL] == 10 for sample in samples)


def write_stereo(root, year):
    left, right, disparity, calibration = {
        2015: ("image_2", "image_3", "disp_noc_0", "calib_cam_to_cam"),
        2012: ("colored_0", "colored_1", "disp_noc", "calib"),
    }[year]
    training = root / "training"
    for i in range(2):
        for moment in (10, 11):
            write_picture(training / left / f"{i:06d}_{moment}.png", i)
            write_picture(training / right / f"{i:06d}_{moment}.png", 100 + i)
        write_16_bits(training / disparity / f"{i:06d}_10.png", 640)
        (training / calibration).mkdir(exist_ok=True)
        text = CAMERAS if year == 2015 else FRAME.replace("Tr_", "")
        (training / calibration / f"{i:06d}.txt").write_text(text)


@pytest.mark.parametrize("year, count, left", [(2015, 200, "image_2"), (2012, 194, "colored_0")])
def test_stereo_benchmarks(tmp_path, year, count, left):
    write_stereo(tmp_path / "data", year)
    for folder in (tmp_path, tmp_path / "data"):
        reader = open_kitti(folder, list=f"stereo{year}", stereo=True, max_missing=1)
        assert len(reader) == 2 and len(reader.missing) == count - 2
        assert reader.missing[0].endswith(f"training/{left}/000002_10.png")
        assert reader.key(1) == f"training/{left}/000001_10"
        sample = reader[1]
        # 640 / 256 = 2.5 pixels; 5 / 2.5 = 2 metres.
        assert sample["depth"][PIXEL] == 2 and sample["depth"].sum() == 2
        assert sample["focal_baseline"] == 5
        assert (reader.stored(1)["right"] == 101).all()
    reader = open_kitti(tmp_path, list=f"stereo{year}", max_missing=1)
    assert reader[0]["focal_length"].tolist() == [10, 10] and "right" not in reader[0]
    assert "disparity" in reader.description
    assert not open_kitti(tmp_path, list=f"stereo{year}", depth="none", max_missing=1)[0][
        "depth"
    ].any()
    message = error(tmp_path, list=f"stereo{year}")
    assert f"{count - 2} of {count} frames (99.0 %)" in message and "drives" not in message


def write_object(root, count):
    for i in range(count):
        write_picture(root / f"training/image_2/{i:06d}.png", i)
        write_scan(root / f"training/velodyne/{i:06d}.bin")
        (root / "training/calib").mkdir(exist_ok=True)
        (root / f"training/calib/{i:06d}.txt").write_text(FRAME)


def test_object_frames(tmp_path):
    write_object(tmp_path / "kitti_object", 2)
    reader = open_kitti(tmp_path, list="object")
    assert reader.description == f"KITTI object, LiDAR: 2 frames from {tmp_path}"
    assert reader.key(1) == "training/image_2/000001"
    assert reader[1]["depth"][PIXEL] == 10 and reader.stored(1)["image"].max() == 1
    message = error(tmp_path, list="object", stereo=True)
    assert message.endswith("training/image_3/000000.png; download them")
    write_picture(tmp_path / "kitti_object/training/image_3/000000.png", 100)
    reader = open_kitti(tmp_path, list="object", stereo=True, max_missing=0.5)
    assert reader[0]["focal_baseline"] == 5


def test_object_and_stereo_beside_one_another(tmp_path):
    write_object(tmp_path / "object", 1)
    write_stereo(tmp_path / "stereo", 2015)
    write_drive(tmp_path / "raw", 1)
    assert len(open_kitti(tmp_path, list="object")) == 1
    assert len(open_kitti(tmp_path, list="stereo2015", max_missing=1)) == 2
    assert len(open_kitti(tmp_path, list="all")) == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"split": "tset"}, "unknown split 'tset': did you mean 'test'?"),
        ({"list": "eigne"}, "unknown KITTI list 'eigne': did you mean 'eigen'?"),
        ({"list": "stereo2016"}, "unknown KITTI list 'stereo2016': did you mean 'stereo201"),
        ({"depth": "lidr"}, "unknown depth of KITTI list eigen 'lidr': did you mean 'lidar'?"),
        ({"list": "object", "depth": "annotated"}, "known are lidar, lidar_x, none"),
        ({"list": "stereo2015", "depth": "lidar_x"}, "known are lidar, none"),
        ({"max_missing": 2}, "max_missing=2: a share of the frames; give 0 to 1"),
        ({"list": "eigen_benchmark", "split": "train"}, "eigen_benchmark has no train frames"),
        ({"list": "no/such.csv"}, "no/such.csv: the list cannot be read"),
        ({"depth": "annotated"}, "for annotated depth, {train,val}/<drive>/proj_depth/groundtruth"),
        ({"list": "stereo2012"}, "for KITTI stereo2012, i.e. training/colored_0 with training/di"),
        ({"list": "object"}, "for KITTI object, i.e. training/image_2 with training/velodyne"),
    ],
)
def test_wrong_options(raw, options, message):
    assert message in error(raw, **options)


def test_wrong_folders(tmp_path):
    assert "no such folder; give the one that holds KITTI" in error(tmp_path / "absent")
    assert "for KITTI raw, i.e. dates such as 2011_09_26 and found none" in error(tmp_path)
    (tmp_path / DATE).mkdir()
    assert "KITTI all: there is no picture" in error(tmp_path, list="all")


def test_list_of_right_pictures_is_no_list_of_pairs(raw, tmp_path):
    chosen = write_list(tmp_path / "right.csv", f"{DATE},0048,l,0", f"{DATE},0048,r,1")
    message = error(raw, list=chosen, stereo=True)
    assert "right.csv: 2011_09_26, drive 0048 names right pictures" in message


def test_resized_pictures_do_not_fit_their_calibration(raw):
    picture = raw / DATE / DRIVE / "image_02/data/0000000001.png"
    write_picture(picture, 1, (4, 6))
    message = error(raw, list="all")
    assert f"{picture}: the picture is (4, 6) but {raw}/{DATE}/calib_cam_to_cam.txt" in message
    assert "is for (8, 12) (rows, columns)" in message


def test_annotated_depth_of_another_size(tmp_path):
    raw = write_drive(tmp_path, 3, first=5)
    file = f"train/{DRIVE}/proj_depth/groundtruth/image_02"
    for i in range(5, 8):
        write_16_bits(raw / file / f"{i:010d}.png", 256)
    write_picture(raw / DATE / DRIVE / "image_02/data/0000000007.png", 2, (4, 6))
    message = error(raw, list="all", depth="annotated")
    assert "0000000007.png: the picture is (4, 6) but its depth (8, 12)" in message


def test_file_damaged_or_removed_after_opening_is_named(raw):
    reader = open_kitti(raw, list="all")
    scan = raw / DATE / DRIVE / "velodyne_points/data/0000000000.bin"
    scan.write_bytes(bytes(5))
    with pytest.raises(InputError, match="0000000000.bin: 5 bytes are no whole number"):
        reader[0]
    (raw / DATE / DRIVE / "image_02/data/0000000001.png").unlink()
    with pytest.raises(InputError, match="image_02/data/0000000001.png: cannot be read"):
        reader[1]


def statistics(depth):
    """Returns the share of measured pixels, and their least, median and greatest metres."""
    metres = depth[depth > 0]
    return [metres.size / depth.size, metres.min(), np.median(metres), metres.max()]


def test_real_lidar(samples):
    reader = open_kitti(samples, list="all", max_missing=0.75)
    assert reader.key(0).endswith("drive_0048_sync/image_02/0000000000") and len(reader) == 1
    assert reader.missing[-1].endswith("drive_0048_sync/velodyne_points/data/0000000001.bin")
    sample = reader[0]
    assert sample["image"].shape == (375, 1242, 3)
    assert statistics(sample["depth"]) == pytest.approx([0.036, 3.0, 11.6, 79.7], rel=0.02)


def test_real_annotated_depth(samples):
    reader = open_kitti(samples, list="all", depth="annotated", max_missing=0.5)
    assert [reader.key(i)[-2:] for i in range(len(reader))] == ["05", "50"]
    for index, known in enumerate([(0.195, 5.33, 13.84, 84.89), (0.206, 5.20, 13.44, 83.23)]):
        assert statistics(reader[index]["depth"]) == pytest.approx(known, rel=0.003)


def test_real_object_frame(samples):
    reader = open_kitti(samples, list="object")
    assert len(reader) == 1 and reader.key(0) == "training/image_2/000001"
    assert statistics(reader[0]["depth"])[1:] == pytest.approx([4.8, 12.5, 76.7], rel=0.01)


def test_real_lidar_agrees_with_stereo_matching(samples, tmp_path):
    chosen = write_list(tmp_path / "one.csv", f"{DATE},0048,l,0")
    sample = open_kitti(samples, list=chosen, stereo=True).stored(0)
    assert sample["focal_baseline"] == pytest.approx(384.38, abs=0.005)
    left, right = (cv2.cvtColor(sample[key], cv2.COLOR_RGB2GRAY) for key in ("image", "right"))
    matcher = cv2.StereoSGBM.create(
        numDisparities=128, blockSize=5, P1=200, P2=800, disp12MaxDiff=1, uniquenessRatio=10
    )
    disparity = matcher.compute(left, right) / np.float32(16)
    lidar = sample["depth"]
    both = (disparity > 0) & (lidar > 0)
    assert both.sum() > 10000
    matched = sample["focal_baseline"] / disparity[both]
    assert np.median(np.abs(matched - lidar[both]) / lidar[both]) < 0.05


def test_the_focal_length_of_the_day(raw, tmp_path):
    """It is read where the depth needs no calibration too; where there is none it is left out."""
    calibration = raw / DATE / "calib_cam_to_cam.txt"
    calibration.write_text(CAMERAS.replace("P_rect_03: 10 0 6", "P_rect_03: 20 0 6"))
    rows = (f"{DATE},0048,l,1", f"{DATE},0048,r,1")
    listed = write_list(tmp_path / "both.csv", *rows)
    blind = open_kitti(raw, list=listed, depth="none")
    assert [sample["focal_length"].tolist() for sample in blind] == [[10, 10], [20, 10]]
    calibration.write_text(CAMERAS.replace("S_rect_02: 12 8", "S_rect_02: 24 16"))
    assert "focal_length" not in open_kitti(raw, list=listed, depth="none")[0]
