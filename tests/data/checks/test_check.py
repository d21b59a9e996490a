import csv

import cv2
import numpy as np
import pytest

from keras_depth import depth_png
from keras_depth.data import Reader
from keras_depth.data.checks.alignment import find_alignment_faults, match_edges
from keras_depth.data.checks.check import check
from keras_depth.data.checks.depth_values import (
    _UNITS,
    DepthValues,
    find_trend_fault,
    find_value_faults,
    number,
    trend,
)
from keras_depth.data.checks.stereo import find_stereo_faults, match_pair
from keras_depth.data.dataset import DATA_SETS, DataSet
from keras_depth.data.reader import make_sample
from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.images import encode_png, to_uint8
from tests.helpers.write_kitti import DATE, write_kitti
from tests.helpers.write_nyu import write_layout
from tests.helpers.write_rig import write_rig

SIZE = (96, 128)
NYU, KITTI = (DATA_SETS[name].find_official() for name in ("nyu", "kitti"))


def draw(count, **arguments):
    rooms = Rooms(count, SIZE, **arguments)
    return [(to_uint8(rooms[i]["image"]), rooms[i]["depth"]) for i in range(count)]


@pytest.fixture(scope="module")
def frames():
    """(picture, depth) of rooms for training."""
    return draw(16, noise=True)


@pytest.fixture(scope="module")
def others():
    """(picture, depth) of rooms for testing."""
    return draw(8, split="test")


def write(folder, frames):
    """Writes a recording of PNG pictures and .npy depth."""
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    for k, (picture, depth) in enumerate(frames):
        cv2.imwrite(str(folder / f"rgb/{k}.png"), picture[..., ::-1])
        np.save(folder / f"depth/{k}.npy", depth.astype(np.float32))


def look(folder, frames, **options):
    """Returns the findings on a recording without validation frames."""
    write(folder, frames)
    return check("folder", folder, {"hold_out": 0, **options}).findings


def values(*depths):
    return sum(map(DepthValues.of, depths), DepthValues.of(np.zeros(0)))


def test_a_clean_data_set_has_no_findings(tmp_path, frames, others):
    write(tmp_path / "train", frames)
    write(tmp_path / "test", others)
    report = check("folder", tmp_path)
    assert report.findings == []
    assert report.absent == {}
    assert [(s.name, s.frames, s.read, s.official) for s in report.splits] == [
        ("train", 14, 14, None),
        ("test", 8, 8, None),
        ("validation", 2, 2, None),
    ]
    assert report.splits[0].sizes == {"96x128": 14}
    depths = np.stack([depth for _, depth in others])
    found = report.splits[1].depth
    assert found["measured"] == 1 and found["levels"] is None
    assert found["minimum"] == depths.min() and found["maximum"] == depths.max()
    for percent in (1, 50, 99):
        assert found[f"{percent}%"] == pytest.approx(np.percentile(depths, percent), rel=0.004)
    assert [title for title, _, _ in report.sheet[4:9]] == [
        *("test: test/rgb/0", "test: test/rgb/2", "test: test/rgb/5", "test: test/rgb/7"),
        "validation: train/rgb/14",
    ]
    text = report.to_markdown()
    assert "Nothing seems wrong." in text
    assert "| validation |      2 |        - |    2 |          0 |   96x128 |" in text
    for split in report.splits:
        assert split.description in text


def test_rendered_frames_are_clean_too():
    report = check("rooms", None, {"count": 30, "size": SIZE, "holes": True}, frames=10)
    assert report.findings == []
    assert [(split.frames, split.read) for split in report.splits] == [(30, 10), (30, 10)]


def test_real_frames_are_clean_but_for_their_number(samples):
    report = check("nyu", samples / "nyu" / "sync")
    assert report.findings == ["train: 2 of about 24,231 frames found"]
    assert "no test frames" in report.absent["test"]
    tum = samples / "tum_rgbd" / "freiburg_desk_pair"
    assert check("folder", tum, {"hold_out": 0, "units_per_metre": 5000}).findings == []
    report = check("kitti", samples / "kitti_object", {"list": "object"})
    assert report.findings == ["all: 1 of 7,481 frames found"]
    assert report.splits[0].depth["50%"] == pytest.approx(12.5, abs=0.1)


def test_real_drives_name_what_is_missing(samples):
    report = check("kitti", samples / "kitti_raw", {"stereo": True})
    count, absent, partly, *others = report.findings
    assert count.startswith("test: 1 of 697 frames found, first missing ")
    assert absent.startswith("test: drives not there (27): 2011_09_26_drive_0002_sync, ")
    assert partly == "test: drives there in part (1): 2011_09_26_drive_0048_sync (1 of 22)"
    assert len(report.splits[0].drives) == 28 and len(report.splits[0].missing) == 696
    assert [other.split(":")[0] for other in others] == ["train", "validation"]


def test_every_unreadable_frame_is_named(tmp_path, frames):
    write(tmp_path, frames)
    (tmp_path / "rgb/3.png").write_bytes((tmp_path / "rgb/3.png").read_bytes()[:500])
    (tmp_path / "depth/5.npy").write_bytes(b"")
    np.save(tmp_path / "depth/7.npy", np.full(SIZE, -1, np.float32))
    report = check("folder", tmp_path, {"hold_out": 0})
    (finding,) = report.findings
    first, *named = finding.split("\n  - ")
    assert first == "train: frames that cannot be read (3):"
    assert "3.png: the file is cut short" in named[0]
    assert "5.npy: not an array" in named[1]
    assert "7.png: the depth holds NaN, infinity or negative metres" in named[2]
    assert report.splits[0].read == 13 and len(report.splits[0].unreadable) == 3
    assert not any(title.endswith(("/3", "/5", "/7")) for title, _, _ in report.sheet)


def test_of_many_unreadable_frames_some_are_named(tmp_path, frames):
    write(tmp_path, frames)
    for k in range(12):
        (tmp_path / f"rgb/{k}.png").write_bytes(b"")
    report = check("folder", tmp_path, {"hold_out": 0})
    assert report.findings[0].endswith("\n  - ...")
    assert report.findings[0].count("\n") == 11 and len(report.splits[0].unreadable) == 12


def test_one_damaged_calibration_is_one_sentence(tmp_path):
    write_kitti(Drives(4, (48, 156), frames_per_drive=4, stereo=True), tmp_path)
    calibration = tmp_path / DATE / "calib_velo_to_cam.txt"
    calibration.write_text("R: 1\n")
    (tmp_path / DATE / f"{DATE}_drive_0001_sync/image_02/data/0000000002.png").write_bytes(b"")
    report = check("kitti", tmp_path, {"list": "all"})
    first, *named = report.findings[0].split("\n  - ")
    assert first == "all: frames that cannot be read (4):" and len(named) == 2
    assert str(calibration) in named[0] and named[0].endswith(" (3 frames)")
    assert "0000000002.png" in named[1] and len(report.splits[0].unreadable) == 4


def test_a_data_set_of_nothing_readable_is_a_report(tmp_path, frames):
    write(tmp_path, frames[:1])
    (tmp_path / "rgb/0.png").write_bytes(b"")
    report = check("folder", tmp_path, {"hold_out": 0})
    assert report.sheet == []
    assert "| train |      1 |        - |    0 |          1 |        - |" in report.to_markdown()


def test_odd_frames_are_named(tmp_path, frames):
    picture, depth = frames[0]
    odd = [
        (picture[:80], depth[:80]),
        (np.full_like(picture, 7), depth),
        (frames[1][0], np.full(SIZE, 2.0)),
        (frames[2][0], np.zeros(SIZE)),
        frames[4],
        (frames[5][0], frames[6][1]),
    ]
    # Sorted by number, these are frames 16 to 21.
    found = look(tmp_path, [*frames, *odd])
    rgb = tmp_path / "rgb"
    assert found[:4] == [
        f"train: frames of odd size (1): {rgb}/16.png (80x128)",
        f"train: images of one color (1): {rgb}/17.png",
        f"train: depth maps of one value (1): {rgb}/18.png",
        f"train: frames without depth (1): {rgb}/19.png",
    ]
    assert len(found) == 5
    # 18 to 21 have the pictures of others.
    assert found[4].startswith("train: images that occur more than once (4): ")
    assert f"{rgb}/1.png = {rgb}/18.png" in found[4]


def test_training_frames_in_the_test_split(tmp_path, frames, others):
    write(tmp_path / "train", frames)
    write(tmp_path / "test", [*others, frames[9]])
    (finding,) = check("folder", tmp_path, {"hold_out": 0}).findings
    assert finding == (
        "train and test share images under different names (1):"
        f" {tmp_path}/train/rgb/9.png = {tmp_path}/test/rgb/8.png"
    )


def test_rows_that_stand_in_both_lists(tmp_path, frames):
    folder = tmp_path / "data"
    rows = [f"data/rgb/{k}.png,data/depth/{k}.png\n" for k in range(6)]
    write(folder, frames[:6])
    for k in range(6):
        stored = np.rint(frames[k][1] / 10 * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"depth/{k}.png"), stored)
    (folder / "nyu2_train.csv").write_text("".join(rows[:5]))
    (folder / "nyu2_test.csv").write_text("".join(rows[4:]))
    findings = check("nyu", tmp_path).findings
    assert findings == [
        "train: 5 of 50,688 frames found",
        "test: 2 of 654 frames found",
        f"train and test share frames (1): {folder}/rgb/4.png",
    ]


def test_files_without_partner(tmp_path, frames):
    write(tmp_path, frames)
    (tmp_path / "depth/2.npy").unlink()
    (finding,) = check("folder", tmp_path, {"hold_out": 0}).findings
    assert finding == f"train: files without partner (1): {tmp_path}/rgb/2.png"


def test_the_unit_of_tum_s_layout_is_doubted_too(tmp_path, frames):
    """The benchmark's unit is taken for granted, and recordings in its layout may have another."""
    lines = []
    for k, (picture, depth) in enumerate(frames):
        (tmp_path / "rgb").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"rgb/{k}.png"), picture)
        (tmp_path / f"depth{k}.png").write_bytes(encode_png(depth_png.quantize(depth, 1000)))
        lines.append(f"{k}.0 rgb/{k}.png")
    (tmp_path / "rgb.txt").write_text("\n".join(lines))
    text = "\n".join(f"{k}.0 depth{k}.png" for k in range(len(frames)))
    (tmp_path / "depth.txt").write_text(text)
    (finding,) = check("folder", tmp_path, {"hold_out": 0}).findings
    assert finding.startswith("train: hint: median depth 0.")
    assert "these look like millimetres; give units_per_metre=1000 (median as 1000: " in finding
    assert check("folder", tmp_path, {"hold_out": 0, "units_per_metre": 1000}).findings == []


def test_a_stereo_rig(tmp_path):
    drives = Drives(10, (96, 312), frames_per_drive=2, stereo=True)
    rig = write_rig(drives, tmp_path / "rig")
    options = {"units_per_metre": 256}
    report = check("folder", rig, options)
    assert report.findings == [] and [s.frames for s in report.splits] == [8, 2]
    (rig / "camera.yaml").write_text("focal_length: 500\nbaseline: 0.54\n")
    assert "train: focal_baseline / disparity is " in check("folder", rig, options).findings[0]
    # Without depth, neither its absence nor its unit is doubted.
    blind = write_rig(drives, tmp_path / "blind", depth=False)
    assert check("folder", blind).findings == []
    for pair in blind.glob("*"):
        if pair.is_dir():
            (pair / "left").rename(pair / "middle")
            (pair / "right").rename(pair / "left")
            (pair / "middle").rename(pair / "right")
    assert check("folder", blind).findings[0].startswith("train: left and right look swapped")


def test_frames_that_are_read_are_spread_evenly(tmp_path, frames):
    write(tmp_path, frames)
    (tmp_path / "rgb/15.png").write_bytes(b"")
    options = {"hold_out": 0}
    few = check("folder", tmp_path, options, frames=4)
    assert few.splits[0].read == 3 and len(few.splits[0].unreadable) == 1
    assert [title for title, _, _ in few.sheet] == [f"train: rgb/{k}" for k in (0, 5, 10)]
    assert check("folder", tmp_path, options, frames=None).splits[0].read == 15


def test_nothing_to_check_is_the_reader_s_error(tmp_path):
    with pytest.raises(InputError, match="no recording found"):
        check("folder", tmp_path)
    with pytest.raises(InputError, match="did you mean 'hold_out'"):
        check("folder", tmp_path, {"holdout": 0})
    with pytest.raises(InputError, match="unknown data set 'foler'"):
        check("foler", tmp_path)


# Counts


@pytest.mark.parametrize(
    ("layout", "count"),
    [("labelled", 795), ("densedepth_zip", 50_688), ("fastdepth", 47_584), ("bts", 24_231)],
)
def test_nyu_is_counted_against_the_published_copy(tmp_path, others, layout, count):
    rooms = Rooms(8, SIZE)
    write_layout(rooms, tmp_path, layout, Rooms(3, SIZE, split="test"))
    report = check("nyu", tmp_path)
    assert {split.name: split.official for split in report.splits} == {"train": count, "test": 654}
    about = "about " if layout == "bts" else ""
    assert report.findings == [
        f"train: 8 of {about}{count:,} frames found",
        "test: 3 of 654 frames found",
    ]
    if layout == "bts":
        held = NYU.count(tmp_path, {"hold_out": 0.1}, "train")
        assert held is None and NYU.count(tmp_path, {"hold_out": 0.1}, "test") == (654, False)


def test_nyu_is_counted_against_the_list_that_is_asked_for(tmp_path):
    write_layout(Rooms(8, SIZE), tmp_path, "densedepth", Rooms(3, SIZE, split="test"))
    counts = {"train": 40_144, "validation": 10_036, "test": 508}
    report = check("nyu", tmp_path, options={"list": "wang"})
    assert {split.name: split.official for split in report.splits} == counts
    for split, count in (("train", 35_481), ("validation", 15_207)):
        assert NYU.count(tmp_path, {"list": "das2024"}, split) == (count, False)
    assert NYU.count(tmp_path, {"list": "das2024"}, "test") is None


def test_a_count_that_is_only_about_right():
    bts = NYU.count(None, {}, "train")
    assert bts is None
    whole = KITTI.count(None, {}, "test")
    assert whole.met_by(697) and not whole.met_by(696) and not whole.met_by(698)
    assert whole._replace(about=True).met_by(690) and not whole._replace(about=True).met_by(600)


@pytest.mark.parametrize(
    ("options", "split", "count"),
    [
        ({}, "train", 22_600),
        ({}, "test", 697),
        # 45 of them have no annotated depth, which eigen_benchmark leaves out.
        ({"depth": "annotated"}, "test", 652),
        ({"list": "eigen_benchmark", "depth": "annotated"}, "test", 652),
        ({"list": "eigen_zhou"}, "train", 39_810),
        # The scanner's frames 177 to 180 of drive 9 were never published.
        ({"list": "kitti"}, "test", 12_219),
        ({"list": "kitti", "depth": "none"}, "test", 12_223),
        ({"list": "stereo2015"}, None, 200),
    ],
)
def test_kitti_is_counted_against_its_lists(options, split, count):
    assert KITTI.count(None, options, split) == (count, False)
    assert split in KITTI.splits(options)


def test_the_drives_of_a_list_of_one_s_own(tmp_path):
    drive = tmp_path / "2011_09_26/2011_09_26_drive_0002_sync"
    (drive / "image_02/data").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(3):
        picture = rng.integers(0, 255, (375, 1242, 3), np.uint8)
        cv2.imwrite(str(drive / f"image_02/data/{k:010d}.png"), picture)
    chosen = tmp_path / "mine.csv"
    with open(chosen, "w", newline="") as file:
        rows = [["2011_09_26", "0002", "l", "0-2 5"], ["2011_09_26", "0005", "l", "0-1"]]
        csv.writer(file).writerows([["date", "drive", "side", "frames"], *rows])
    report = check("kitti", tmp_path, {"list": str(chosen), "depth": "none"})
    assert report.findings == [
        f"all: 3 of 6 frames found, first missing {drive}/image_02/data/0000000005.png",
        "all: drives not there (1): 2011_09_26_drive_0005_sync",
        "all: drives there in part (1): 2011_09_26_drive_0002_sync (3 of 4)",
    ]
    assert report.splits[0].drives == {
        "2011_09_26_drive_0002_sync": "3 of 4",
        "2011_09_26_drive_0005_sync": "0 of 2",
    }
    # One's own limit stays.
    with pytest.raises(InputError, match=r"3 of 6 frames \(50.0 %\) are missing"):
        check("kitti", tmp_path, {"list": str(chosen), "depth": "none", "max_missing": 0.1})

    # Whatever is there, against what its drives have.
    report = check("kitti", tmp_path, {"list": "all", "depth": "none"})
    assert report.findings == [
        "all: drives there in part (1): 2011_09_26_drive_0002_sync (3 of 77)"
    ]
    # A folder alone is no drive, but it is there.
    (tmp_path / "2011_09_26/2011_09_26_drive_0005_sync").mkdir()
    for listed, count in ((str(chosen), 2), ("all", 154)):
        report = check("kitti", tmp_path, {"list": listed, "depth": "none"})
        assert report.findings[-2] == (
            "all: drives there, but no frame with its files (1): "
            f"2011_09_26_drive_0005_sync (0 of {count})"
        )


def test_a_folder_of_lists_is_checked_by_its_splits(tmp_path):
    drive = tmp_path / "2011_09_26/2011_09_26_drive_0002_sync"
    (drive / "image_02/data").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(2):
        picture = rng.integers(0, 255, (375, 1242, 3), np.uint8)
        cv2.imwrite(str(drive / f"image_02/data/{k:010d}.png"), picture)
    for split, numbers in (("train", "0"), ("validation", "1-2")):
        rows = f"date,drive,side,frames\n2011_09_26,0002,l,{numbers}\n"
        (tmp_path / f"{split}.csv").write_text(rows)
    report = check("kitti", tmp_path, {"list": str(tmp_path), "depth": "none"})
    counts = [(split.name, split.frames, split.official) for split in report.splits]
    assert counts == [("train", 1, 1), ("validation", 1, 2)]
    assert report.findings[0].startswith("validation: 1 of 2 frames found, first missing ")


def test_more_frames_than_published(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "keras_depth.data.nyu.official._COUNTS", {"FastDepth": {"train": 2, "test": 3}}
    )
    write_layout(Rooms(3, SIZE), tmp_path, "fastdepth", Rooms(3, SIZE, split="test"))
    (finding,) = check("nyu", tmp_path).findings
    assert finding.startswith("train: 3 frames, where 2 are published: another selection;")


def test_a_broken_split_is_a_finding(tmp_path):
    """A split that a data set does not have is none."""
    write_layout(Rooms(3, SIZE), tmp_path, "densedepth")
    assert not any("test" in finding for finding in check("nyu", tmp_path).findings)
    (tmp_path / "data" / "nyu2_test.csv").write_text("")
    sentence = f"test: {tmp_path}/data/nyu2_test.csv: there is no test frame in it; restore it"
    assert any(finding.startswith(sentence) for finding in check("nyu", tmp_path).findings)


# Values


def test_values_of_frames_add_up():
    first = np.array([[0, 1, 2], [2, 4, 4]], np.float32)
    second = np.array([[0, 0, 4], [3, 1, 1]], np.float32)
    both = values(first, second)
    assert (both.pixels, both.measured, both.minimum, both.maximum) == (12, 9, 1, 4)
    assert (both.at_maximum, both.reaching) == (3, 2)
    assert both.levels == {1, 2, 3, 4}
    assert both.percentile(50) == pytest.approx(2, rel=0.004)
    assert values(first, 2 * second).reaching == 1
    assert values(np.zeros((2, 2))).summary() == {
        "measured": 0.0,
        "minimum": None,
        "maximum": None,
        "levels": 0,
    }
    assert values(first, np.linspace(1, 2, 1000)[None]).levels is None


@pytest.mark.parametrize(
    ("factor", "scene", "units", "parts"),
    [
        (1000, "any", 1, "depth 2,... m: these look like millimetres; give units_per_metre=1000"),
        (1000, "indoor", None, "these look like millimetres; divide them by 1000"),
        (5000, "any", 1, "steps of 1/5000 m, as TUM's; give units_per_metre=5000"),
        (100, "any", 10, "these look like millimetres; give units_per_metre=1000"),
        (1280, "driving", None, "steps of 1/256 m, as KITTI's; divide them by 256"),
        (1e-3, "indoor", 1e6, "these look like millimetres; give units_per_metre=1000"),
        (1e-3, "any", None, "depth 0.002... or scaled to 0..1; multiply them by 1000"),
    ],
)
def test_units(frames, factor, scene, units, parts):
    (finding,) = find_value_faults(values(*(factor * depth for _, depth in frames)), scene, units)
    assert finding.startswith("median depth ")
    for part in parts.split("..."):
        assert part in finding


@pytest.mark.parametrize(
    ("stored", "given", "likely"),
    [(1000, 5000, 1000), (1000, 10000, 1000), (256, 5000, 256), (10000, 100, 10000)],
)
def test_a_unit_that_is_not_impossible_is_doubted(frames, stored, given, likely):
    """Depth pictures of `stored` units a metre, read as of `given`, in both directions."""
    found = values(*(depth * stored / given for _, depth in frames))
    (sentence,) = find_value_faults(found, "any", given)
    median = found.percentile(50) * given / stored
    assert median == pytest.approx(np.median([depth for _, depth in frames]), rel=0.004)
    assert f"these look like {_UNITS[likely]}; give units_per_metre={likely} (median" in sentence
    for unit in (likely, given):
        assert f"as {unit}: {number(median * stored / unit)} m" in sentence
    assert sentence.startswith("hint: ") == (0.1 < median * stored / given < 200)


def test_the_list_of_units_begins_with_the_likely_one(frames):
    found = values(np.linspace(0.1, 0.58, 5000))
    assert find_value_faults(found, "any", 5000) == [
        "hint: median depth 0.34 m: these look like millimetres; give units_per_metre=1000 (median"
        " as 1000: 1.7 m; as 256: 6.63 m; as 100: 17 m; as 5000: 0.34 m; as 10000: 0.17 m)"
    ]
    assert find_value_faults(found, "any", None) == [], "arrays of metres: a table top may be near"
    assert find_value_faults(found, "any", 1000) != []
    assert find_value_faults(found, "any", 100) == [
        "hint: median depth 0.34 m, 99 % within 0.574 m: neither a room (median 1.2 to 4.6 m) nor a"
        " street (6.5 to 23 m) is like that as a rule; check units_per_metre=100 with a distance"
        " that you know (median as 100: 0.34 m; as 256: 0.133 m; as 1000: 0.034 m; as 5000: 0.00679"
        " m; as 10000: 0.0034 m)"
    ], "no other unit is more likely"


@pytest.fixture(scope="module")
def driven():
    """(picture, depth) of a drive."""
    drives = Drives(16, (48, 156))
    return [(to_uint8(drives[i]["image"]), drives[i]["depth"]) for i in range(16)]


def write_png(folder, frames, units):
    """Writes a recording of 16-bit PNG depth, `units` for a metre, which its files do not name."""
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    for k, (picture, depth) in enumerate(frames):
        cv2.imwrite(str(folder / f"rgb/{k}.png"), picture[..., ::-1])
        cv2.imwrite(str(folder / f"depth/{k}.png"), depth_png.quantize(depth, units))
    return folder


@pytest.mark.parametrize("scene", ["room", "street"])
def test_a_wrong_unit_is_found_in_both_directions(tmp_path, frames, driven, scene):
    """By units that a user may mistake for others, and by the factors between these."""
    units, shown = (1000, frames) if scene == "room" else (256, driven)
    folder = write_png(tmp_path, shown, units)
    for factor in (1, 2.56, 3.9, 5, 10, 39, 1 / 2.56, 1 / 3.9, 1 / 5, 1 / 10, 1 / 39):
        options = {"hold_out": 0, "units_per_metre": units * factor}
        findings = check("folder", folder, options).findings
        assert len(findings) == (factor != 1), (factor, findings)
        if factor != 1:
            assert "median depth" in findings[0] and f"as {units * factor:g}: " in findings[0]


@pytest.mark.parametrize("scene", ["room", "street"])
def test_metres_of_one_s_own_that_are_none(tmp_path, frames, driven, scene):
    """.npy files name no unit; whoever wrote them may have divided by another than their own."""
    for factor in (1, 2.56, 5, 10, 1 / 2.56, 1 / 5, 1 / 10):
        shown = [(p, d * factor) for p, d in (frames if scene == "room" else driven)]
        write(tmp_path / f"{factor:g}", shown)
        findings = check("folder", tmp_path / f"{factor:g}", {"hold_out": 0}).findings
        assert len(findings) == (factor != 1), (factor, findings)
        if factor != 1:
            assert findings[0].startswith("train: hint: median depth ")
            how = f"divided by {factor:g}" if factor > 1 else f"multiplied by {1 / factor:g}"
            assert f"check a distance that you know ({how}, the median is" in findings[0]


@pytest.mark.parametrize(
    ("pattern", "units"),
    [
        ("real/nyu_labelled_half/depth/*", 1000),
        ("real/sequence_kitchen/depth/*", 1000),
        ("real/kitti_pairs_half/depth/*", 256),
        ("kitti_depth/train/*/proj_depth/groundtruth/image_02/*", 256),
        ("nyu/sync/*/sync_depth*", 1000),
        ("tum_rgbd/*/depth/*", 5000),
    ],
)
def test_real_depth_is_found_in_a_wrong_unit_alone(samples, pattern, units):
    files = sorted(samples.glob(pattern))
    maps = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files[:: 1 + len(files) // 60]]
    # Two frames alone may be of any distance.
    wrong = (2.56, 3.9, 5, 10, 1 / 2.56, 1 / 3.9, 1 / 5, 1 / 10) if len(maps) > 2 else ()
    for factor in (1, *wrong):
        given = units * factor
        found = sum((DepthValues.of(depth / given, given) for depth in maps), values())
        assert bool(find_value_faults(found, "any", given)) == (factor != 1), factor


@pytest.mark.parametrize("units", [1000, 5000, 8000])
def test_sun_rgbd_s_rotated_bits(tmp_path, frames, units):
    millimetres = [(1000 * depth).astype(np.uint16) for _, depth in frames]
    millimetres[0][:9] += 8000  # 13 bits hold 8.19 m
    folder = write_png(tmp_path, frames, 1000)
    for k, depth in enumerate(millimetres):
        cv2.imwrite(str(folder / f"depth/{k}.png"), (depth << 3) | (depth >> 13))
    options = {"hold_out": 0, "units_per_metre": units}
    (finding,) = check("folder", folder, options).findings
    assert "multiples of 8: these look like SUN RGB-D's rotated bits; write (d >> 3) |" in finding
    holes = [((depth << 3) | (depth >> 13)) / units for depth in millimetres]
    for depth in holes:
        depth[:19] = 65535 / units  # a fifth
    found = sum((DepthValues.of(depth, units) for depth in holes), values())
    saturated, rotated = find_value_faults(found, "any", units)
    assert "stored as 65535, which cameras write" in saturated and "rotated bits" in rotated
    for k, depth in enumerate(millimetres):
        d = cv2.imread(str(folder / f"depth/{k}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal((d >> 3) | (d << 13), depth)
        cv2.imwrite(str(folder / f"depth/{k}.png"), (d >> 3) | (d << 13))
    assert check("folder", folder, options | {"units_per_metre": 1000}).findings == []
    # 8-bit depth in the upper byte has multiples of 8 too.
    coarse = [(depth / 10 * 255).astype(np.uint16) * 256 for _, depth in frames]
    assert not any(
        "rotated" in sentence
        for sentence in find_value_faults(
            sum((DepthValues.of(d / 6528, 6528) for d in coarse), values()), "any", 6528
        )
    )


def test_saturated_pictures(frames):
    """65535, which some cameras write for none, is named, and not taken for depth."""
    depths = [depth.copy() for _, depth in frames]
    for depth in depths:
        depth[:60] = 65535 / 1000  # of 96 rows
    (sentence,) = find_value_faults(values(*depths), "any", 1000)
    assert sentence == (
        "62.5% of the depth is 65.535 m, stored as 65535, which cameras write where they measure"
        " nothing; write 0 there"
    )
    assert find_value_faults(values(*depths), "any", None) == [sentence]
    fine = [depth * 1000 / 5000 for depth in depths]
    saturated, unit = find_value_faults(values(*fine), "any", 5000)
    assert saturated.startswith("62.5% of the depth is 13.107 m, stored as 65535")
    assert unit.startswith("hint: median depth 0.") and "give units_per_metre=1000" in unit


def test_metres_are_not_doubted(frames):
    depths = [depth for _, depth in frames]
    assert find_value_faults(values(*depths), "indoor", None) == []
    assert find_value_faults(values(*depths), "any", 1000) == []
    assert find_value_faults(values(*(4 * depth for depth in depths)), "driving", None) == []


def test_eight_bit_pictures_as_metres(tmp_path, frames):
    raw = [(picture, np.rint(depth / 10 * 255)) for picture, depth in frames]
    (finding,) = look(tmp_path / "raw", raw)
    assert "with 8-bit steps of whole metres: these look like an 8-bit picture's" in finding
    assert "255 = 10 m in DenseDepth's copies" in finding
    # Decoded, they are metres, in steps.
    report_of = [(picture, depth / 255 * 10) for picture, depth in raw]
    write(tmp_path / "metres", report_of)
    report = check("folder", tmp_path / "metres", {"hold_out": 0})
    assert report.findings == []
    assert 100 < report.splits[0].depth["levels"] <= 256
    (finding,) = find_value_faults(values(*(depth / 1000 for _, depth in raw)), "any", None)
    assert "with 8-bit steps (" in finding


def test_frames_without_depth_have_no_unit_to_doubt():
    assert find_value_faults(values(np.zeros((4, 4))), "indoor", None) == []


def test_depth_cut_off_at_the_end_of_its_range(frames):
    depths = [depth for _, depth in frames]
    assert find_value_faults(values(*depths), "indoor", None) == []
    (finding,) = find_value_faults(values(*(depth.clip(0, 3) for depth in depths)), "indoor", None)
    assert "% of the depth is exactly 3 m, the maximum, in " in finding


def test_inverse_depth(tmp_path, frames):
    (finding,) = look(tmp_path, [(picture, 3 / depth) for picture, depth in frames])
    assert finding.startswith("train: depth grows downwards in the picture (correlation 0.")
    assert "inverse depth or disparity" in finding


def test_trend():
    rows = np.repeat(np.arange(1.0, 51), 10).reshape(50, 10)
    assert trend(np.exp(rows / 50)) == pytest.approx(1)
    assert trend(np.exp(-rows / 50)) == pytest.approx(-1)
    assert trend(np.full((50, 10), 2.0)) is None and trend(np.zeros((50, 10))) is None
    assert find_trend_fault([0.9] * 7) == "", "too few frames"
    assert find_trend_fault([0.9] * 8) != ""
    assert find_trend_fault([0.9, -0.8] * 10) == "", "not clear"


def test_numbers_are_read_easily():
    assert [number(v) for v in (2714.3, 0.00271, 87.0, 12.34)] == ["2,710", "0.00271", "87", "12.3"]


# Alignment


def compare(frames):
    return find_alignment_faults([match_edges(picture, depth) for picture, depth in frames])


def test_shifted_depth(frames):
    assert compare(frames) == []
    (hint,) = compare([(p, np.roll(d, (4, -6), (0, 1))) for p, d in frames])
    assert hint.startswith("hint: depth seems shifted by about (+4, -6) pixels (down, right)")


def test_the_shift_is_in_pixels_of_the_picture(frames):
    large = [
        (p.repeat(5, 0).repeat(5, 1), np.roll(d, (4, 3), (0, 1)).repeat(5, 0).repeat(5, 1))
        for p, d in frames
    ]
    (hint,) = compare(large)  # 480x640, compared at half of it
    assert "shifted by about (+20, +" in hint or "shifted by about (+18, +" in hint


def test_mirrored_and_upside_down_depth(tmp_path, frames):
    mirrored = look(tmp_path / "m", [(p, d[:, ::-1]) for p, d in frames])
    assert len(mirrored) == 1
    assert mirrored[0].startswith("train: hint: depth looks mirrored against the picture")
    upside_down = look(tmp_path / "u", [(p, d[::-1]) for p, d in frames])
    assert any("hint: depth looks upside down" in finding for finding in upside_down)


def test_depth_of_other_frames_is_not_taken_for_shifted(frames):
    pictures, depths = zip(*frames, strict=True)
    assert compare(list(zip(pictures, depths[5:] + depths[:5], strict=True))) == []


def test_alignment_is_not_judged_without_evidence(frames):
    shifted = [(p, np.roll(d, 6, 1)) for p, d in frames]
    assert compare(shifted[:4]) == [], "few frames"
    picture, depth = frames[0]
    assert match_edges(picture, np.full(SIZE, 2.0, np.float32)) is None, "no edges"
    assert match_edges(picture[:40, :40], depth[:40, :40]) is None, "small"
    sparse = np.where(np.random.default_rng(0).random(SIZE) < 0.1, depth, 0)
    assert match_edges(picture, sparse) is None, "sparse"


# Stereo


@pytest.fixture
def pair():
    """A textured wall at 4 m: 10 pixels of disparity."""
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.integers(0, 256, (120, 330, 3), np.uint8), (0, 0), 1)
    return {
        "image": wall[:, :320],
        "right": wall[:, 10:],
        "depth": np.full((120, 320), 4, np.float32),
        "focal_baseline": np.float32(40),
    }


def test_a_stereo_pair(pair):
    match = match_pair(pair)
    assert match.matched > 0.7 and match.swapped < 0.3
    assert match.ratio == pytest.approx(1, abs=0.02)
    assert find_stereo_faults([match]) == [] == find_stereo_faults([])
    assert match_pair(pair | {"depth": 0 * pair["depth"]}).ratio is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: {"image": p["right"], "right": p["image"]}, "left and right look swapped: "),
        (lambda p: {"right": p["image"]}, "left and right are the same picture in 3 of 3 pairs"),
        (lambda p: {"right": p["right"][::-1]}, "left and right hardly match: "),
        (
            lambda p: {"focal_baseline": 2 * p["focal_baseline"]},
            "focal_baseline / disparity is 2.00 times the depth: ",
        ),
    ],
)
def test_a_wrong_stereo_pair(pair, change, sentence):
    (finding,) = find_stereo_faults([match_pair(pair | change(pair))] * 3)
    assert finding.startswith(sentence)


def test_real_pairs(samples):
    from keras_depth.data.kitti import open_kitti

    kitti = open_kitti(samples / "kitti_raw", list="all", stereo=True, max_missing=1)
    for sample in (kitti.stored(0), _cones(samples / "middlebury_2003" / "cones")):
        assert find_stereo_faults([match_pair(sample)]) == []
        swapped = sample | {"image": sample["right"], "right": sample["image"]}
        assert "look swapped" in find_stereo_faults([match_pair(swapped)])[0]


def _cones(folder):
    """Returns Middlebury's pair as a sample; its depth is 1 / disparity, stored in quarters."""
    left, right = (cv2.imread(str(folder / f"im{n}.png"))[..., ::-1] for n in (2, 6))
    disparity = cv2.imread(str(folder / "disp2.png"), cv2.IMREAD_UNCHANGED)
    depth = np.where(disparity > 0, 4 / np.maximum(disparity, 1), 0)
    return make_sample(left, depth, str(folder), right, 1.0)


class _Swapped(Reader):
    """A stereo reader that has its cameras the wrong way round."""

    description, stereo = "swapped", True

    def __init__(self, sample):
        self._sample = sample

    def __len__(self):
        return 2

    def name(self, index):
        return str(index)

    key = name

    def stored(self, index):
        picture = np.roll(self._sample["right"], index, 0)
        return self._sample | {"image": picture, "right": np.roll(self._sample["image"], index, 0)}


def test_stereo_readers_are_matched(monkeypatch, pair):
    monkeypatch.setattr(DataSet, "open", lambda *_, **__: _Swapped(pair))
    findings = check("drives").findings
    assert any(finding.startswith("train: left and right look swapped") for finding in findings)
