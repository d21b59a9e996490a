"""Depth maps of other programs: found by their names, refused by name, and written for them."""

import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from keras_depth import depth_png
from keras_depth.data import Reader, Subset
from keras_depth.errors import InputError
from keras_depth.evaluate.depth_maps import (
    DepthMaps,
    check_sides,
    median_ratio,
    write_ground_truth,
)
from keras_depth.files import write_bytes

KEYS = ["2011_09_26/drive_0002/0000000069", "2011_09_26/drive_0002/0000000054", "b/rgb_1.5"]


class Drive(Reader):
    """Three frames of 6x9 pixels; frame i is i + 1 m deep where it was measured."""

    description = "three frames"

    def __len__(self):
        return 3

    def stored(self, index):
        depth = np.full((6, 9), index + 1, "float32")
        depth[:2] = 0
        return {"image": np.zeros((6, 9, 3), "uint8"), "depth": depth}

    def name(self, index):
        return f"disk/{KEYS[index]}.jpg"

    def key(self, index):
        return KEYS[index]


def write(path, depth, units=256):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, depth)
    else:
        assert cv2.imwrite(str(path), np.rint(np.asarray(depth) * units).astype("uint16"))


def metres(index, size=(3, 4)):
    return np.full(size, 1.5 * (index + 1), "float32")


def expect_all(predictions):
    assert len(predictions) == 3
    for index in range(3):
        assert predictions[index].dtype == np.float32
        np.testing.assert_array_equal(predictions[index], metres(index))


@pytest.mark.parametrize("ending", [".npy", ".png"])
@pytest.mark.parametrize("flat", [False, True])
def test_maps_named_by_their_frames(tmp_path, ending, flat):
    for index, key in enumerate(KEYS):
        name = key.replace("/", "_") if flat else key
        write(tmp_path / f"{name}{ending}", metres(index))
    write(tmp_path / "000007.npy", metres(7))  # of a frame that is not scored
    expect_all(DepthMaps(tmp_path, Drive()))


@pytest.mark.parametrize("form", ["{}.npy", "{:06d}.png", "{:03d}.npy"])
def test_maps_named_by_number(tmp_path, form):
    for index in range(3):
        write(tmp_path / form.format(index), metres(index))
    (tmp_path / "notes.txt").write_text("of my network")
    expect_all(DepthMaps(tmp_path, Drive()))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_array(tmp_path, dtype):
    np.save(tmp_path / "all.npy", np.stack([metres(index) for index in range(3)]).astype(dtype))
    expect_all(DepthMaps(tmp_path / "all.npy", Drive()))


def test_the_order_is_the_readers(tmp_path):
    for index, key in enumerate(KEYS):
        write(tmp_path / f"{key}.npy", metres(index))
    turned = DepthMaps(tmp_path, Subset(Drive(), [2, 0]))
    assert [float(depth[0, 0]) for depth in turned] == [4.5, 1.5]


def test_units_and_a_channel(tmp_path):
    write(tmp_path / "0.png", metres(0), units=1000)
    write(tmp_path / "1.png", metres(1), units=1000)
    write(tmp_path / "2.npy", metres(2)[..., None])
    expect_all(DepthMaps(tmp_path, Drive(), png_units=1000))
    with pytest.raises(InputError, match="0 units per metre: give a number above 0"):
        DepthMaps(tmp_path, Drive(), png_units=0)


def test_files_that_name_their_unit_are_believed(tmp_path):
    for index in range(3):
        write_bytes(tmp_path / f"{index}.png", depth_png.encode(metres(index)))
    expect_all(DepthMaps(tmp_path, Drive()))
    expect_all(DepthMaps(tmp_path, Drive(), png_units=1000))
    asked = DepthMaps(tmp_path, Drive(), png_units=500)  # who asks for a unit gets it, and is told
    np.testing.assert_array_equal(asked[0], 2 * metres(0))
    assert asked.describe_units([1.0]) == "1/500 m (as --png-units says; the files say 1/1000 m)"


@pytest.mark.parametrize(
    "name", ["{key}_depth.png", "{flat}_depth.png", "{last}_depth.png", "{last}_depth.npy"]
)
def test_maps_named_as_predict_names_them(tmp_path, name):
    for index, key in enumerate(KEYS):
        names = {"key": key, "flat": key.replace("/", "_"), "last": key.split("/")[-1]}
        write(tmp_path / name.format(**names), metres(index))
    write(tmp_path / "0000000069_color.png", metres(7))
    expect_all(DepthMaps(tmp_path, Drive()))


def test_a_name_that_two_frames_share_is_no_frames(tmp_path, monkeypatch):
    keys = ["a/1", "b/1", "b/2"]
    monkeypatch.setattr(Drive, "key", lambda self, index: keys[index])
    for name in ("1", "2"):
        write(tmp_path / f"{name}_depth.png", metres(0))
    refuse(tmp_path, "2 of the 3 frames have no depth map here, first a/1.*NAME_depth.png")


UNITS = {
    "said by the files": ({"names": 1000}, "1/1000 m (as the files say)"),
    "given": ({"units": 1000, "asked": 1000}, "1/1000 m (as --png-units says)"),
    "not known": ({"units": 256}, "1/256 m (KITTI's, because the files do not say; "),
    "millimetres taken for KITTI's": (
        {"units": 1000},
        "but their median is 3.91 times the true depth's, as if they were of 1/1000 m",
    ),
    "TUM's taken for KITTI's": ({"units": 5000}, "19.5 times .*as if they were of 1/5000 m"),
    "KITTI's taken for millimetres": (
        {"units": 256, "asked": 1000},
        "0.256 times the true depth's, as if they were of 1/256 m",
    ),
    "a network that is far off": ({"units": 512}, r"if they are of others, give --png-units\)$"),
}


@pytest.mark.parametrize(("files", "said"), UNITS.values(), ids=UNITS)
def test_the_unit_is_said_and_doubted(tmp_path, files, said):
    for index in range(3):
        depth, file = Drive()[index]["depth"], tmp_path / f"{index}.png"
        if "names" in files:
            write_bytes(file, depth_png.encode(depth, files["names"]))
        else:
            write(file, depth, files["units"])
    maps = DepthMaps(tmp_path, Drive(), files.get("asked"))
    ratios = [median_ratio(maps[index], Drive()[index]["depth"]) for index in range(3)]
    text = maps.describe_units(ratios)
    assert re.search(said if "$" in said or ".*" in said else re.escape(said), text), text
    assert ("as if" in text) == ("as if" in said)


def test_maps_of_two_units(tmp_path):
    """Each is believed; but what names none may be of any."""
    for index, units in enumerate((1000, 256, 1000)):
        write_bytes(tmp_path / f"{index}.png", depth_png.encode(metres(index), units))
    maps = DepthMaps(tmp_path, Drive())
    expect_all(maps)
    assert maps.describe_units([1.0]) == "1/256 m and 1/1000 m (as the files say)"
    write(tmp_path / "2.png", metres(2), units=1000)
    refuse(tmp_path, "2.png: does not name its unit, where other maps beside it do; .*--png-units")
    asked = DepthMaps(tmp_path, Drive(), png_units=1000)
    assert asked.describe_units([1.0]).endswith("the files say 1/256 m and 1/1000 m)")


def test_arrays_hold_metres(tmp_path):
    np.save(tmp_path / "all.npy", np.full((3, 6, 9), 2000.0))
    maps = DepthMaps(tmp_path / "all.npy", Drive())
    assert maps.describe_units([1.0, math.nan]) == "metres (.npy)"
    assert maps.describe_units([980.0, 1010.0]).endswith("as if they were of 1/1000 m")
    assert math.isnan(median_ratio(maps[0], np.zeros((6, 9), "float32")))


def test_a_map_that_lies_on_its_side():
    for upright in ((6, 9), (12, 18), (3, 4), (1, 2)):
        check_sides(np.ones(upright), np.ones((6, 9)), "a.npy")
    check_sides(np.ones((9, 9)), np.ones((9, 9)), "a.npy")  # nobody can tell
    for lying in ((9, 6), (18, 12), (288, 192)):
        with pytest.raises(InputError, match=r"a.npy: the map is .* turned by 90 degrees"):
            check_sides(np.ones(lying), np.ones((6, 9)), "a.npy")


def refuse(path, message, index=None):
    with pytest.raises(InputError, match=message):
        predictions = DepthMaps(path, Drive())
        if index is not None:
            predictions[index]


def test_missing_maps(tmp_path):
    refuse(tmp_path / "none", "none: no such file or folder")
    refuse(tmp_path, f"3 of the 3 frames have no depth map here, first {KEYS[0]}")
    write(tmp_path / f"{KEYS[0]}.npy", metres(0))
    refuse(tmp_path, f"2 of the 3 frames have no depth map here, first {KEYS[1]}")


def test_two_maps_of_one_frame(tmp_path):
    for index, key in enumerate(KEYS):
        write(tmp_path / f"{key}.npy", metres(index))
    write(tmp_path / f"{KEYS[1].replace('/', '_')}.png", metres(1))
    refuse(tmp_path, "0000000054.npy and .*_drive_0002_0000000054.png are of the same frame")


@pytest.mark.parametrize("numbers", [[1, 2, 3], [0, 1], [0, 1, 2, 3]])
def test_numbers_must_fit(tmp_path, numbers):
    for number in numbers:
        write(tmp_path / f"{number:04d}.npy", metres(number))
    refuse(
        tmp_path,
        f"{len(numbers)} files named by numbers from {numbers[0]} to {numbers[-1]} do not fit the 3"
        f" frames of three frames; number them from 0 .* such as {KEYS[0]}.npy",
    )


def test_a_number_twice(tmp_path):
    for name in ("0.npy", "000.npy", "1.npy", "2.npy"):
        write(tmp_path / name, metres(0))
    refuse(tmp_path, "4 files named by numbers from 0 to 2 do not fit")


def test_missing_frames_are_told_where_the_count_is_wrong(tmp_path, monkeypatch):
    """One array of all of a published list, for a reader that lacks some of it."""
    monkeypatch.setattr(Drive, "missing", ["a.jpg", "b.jpg"])
    np.save(tmp_path / "all.npy", np.ones((5, 3, 4)))
    refuse(tmp_path / "all.npy", re.escape("(5, 3, 4), which does not fit the 3 frames (2 more of"))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (3, 3, 4, 1)])
def test_an_array_of_another_shape(tmp_path, shape):
    np.save(tmp_path / "all.npy", np.ones(shape))
    refuse(tmp_path / "all.npy", r"which does not fit the 3 frames .* \(3, height, width\)")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1])
def test_values_that_are_no_depth(tmp_path, value):
    for index in range(3):
        write(tmp_path / f"{index}.npy", metres(index))
    depth = metres(1)
    depth[1, 2] = value
    np.save(tmp_path / "1.npy", depth)
    refuse(tmp_path, r"1\.npy: holds NaN, infinity or negative depth", index=1)
    np.save(tmp_path / "all.npy", np.stack([depth] * 3))
    refuse(tmp_path / "all.npy", r"all\.npy\[2\]: holds NaN", index=2)


@pytest.mark.parametrize("array", [np.ones((3, 4), "int32"), np.ones((2, 3, 4)), np.ones((0, 4))])
def test_arrays_that_are_no_depth_map(tmp_path, array):
    for index in range(3):
        write(tmp_path / f"{index}.npy", array)
    refuse(tmp_path, r"0\.npy: holds .*, which is no depth map; write floating metres", index=0)


def test_pictures_that_are_no_depth_map(tmp_path):
    grey = np.full((3, 4), 200, "uint8")
    for name, picture in {"0": grey, "1": np.stack([grey] * 3, -1)}.items():
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    write(tmp_path / "2.png", metres(2))
    data = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(data[: len(data) // 2])
    refuse(tmp_path, r"0\.png: .* uint8", index=0)
    refuse(tmp_path, r"1\.png: a depth map has one channel", index=1)
    refuse(tmp_path, r"2\.png: the file is cut short", index=2)


def test_files_that_are_no_arrays(tmp_path):
    (tmp_path / "text.npy").write_text("0 1 2")
    refuse(tmp_path / "text.npy", r"text\.npy: cannot be read as a \.npy array")
    np.save(tmp_path / "objects.npy", np.array([[1], [2, 3]], dtype=object), allow_pickle=True)
    refuse(tmp_path / "objects.npy", r"objects\.npy: cannot be read as a \.npy array")
    np.savez(tmp_path / "all.npz", np.ones((3, 3, 4)))
    refuse(tmp_path / "all.npz", r"all\.npz: give a folder of depth maps, or one \.npy file")


def test_ground_truth_round_trip(tmp_path):
    write_ground_truth(Drive(), tmp_path / "truth")
    files = sorted(path for path in (tmp_path / "truth").rglob("*") if path.is_file())
    assert files == sorted(tmp_path / "truth" / f"{key}.png" for key in KEYS)
    stored = cv2.imread(str(tmp_path / "truth" / f"{KEYS[1]}.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and set(np.unique(stored)) == {0, 512}
    again = DepthMaps(tmp_path / "truth", Drive())
    for index in range(3):
        np.testing.assert_array_equal(again[index], Drive()[index]["depth"])


def some_depth(monkeypatch, values):
    depth = np.zeros((6, 9), "float32")
    depth[0, : len(values)] = values
    sample = {"image": np.zeros((6, 9, 3), "uint8"), "depth": depth}
    monkeypatch.setattr(Drive, "stored", lambda self, index: sample)


def test_ground_truth_is_rounded_to_a_256th(tmp_path, monkeypatch):
    # Half a step at most; and the nearest is not taken for a hole, nor the farthest cut.
    some_depth(monkeypatch, [0.001, 1 / 256 + 0.0019, 5.123, 255.996])
    write_ground_truth(Drive(), tmp_path)
    stored = cv2.imread(str(tmp_path / f"{KEYS[0]}.png"), cv2.IMREAD_UNCHANGED)
    assert stored[0, :5].tolist() == [1, 1, 1311, 65535, 0]  # 5.123 * 256 = 1311.49


def test_ground_truth_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written .*; choose another folder"):
        write_ground_truth(Drive(), tmp_path / "file")
    some_depth(monkeypatch, [1.0, 256.0])
    with pytest.raises(
        InputError, match="disk/.*69.jpg: a depth of 256.000 m, where .* at 255.996 m"
    ):
        write_ground_truth(Drive(), tmp_path / "far")
    some_depth(monkeypatch, [])
    with pytest.raises(InputError, match="disk/.*69.jpg: no pixel was measured"):
        write_ground_truth(Drive(), tmp_path / "none")
    assert not (tmp_path / "far").exists() and not (tmp_path / "none").exists()


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    write_ground_truth(Drive(), tmp_path)
    before = (tmp_path / f"{KEYS[0]}.png").read_bytes()

    def full_disk(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        write_ground_truth(Drive(), tmp_path)
    assert (tmp_path / f"{KEYS[0]}.png").read_bytes() == before


def test_an_archive_is_no_array(tmp_path):
    np.savez(tmp_path / "all.npz", depth=np.ones((2, 4, 6)))
    (tmp_path / "all.npz").rename(tmp_path / "all.npy")
    with pytest.raises(InputError, match="is an archive of arrays"):
        DepthMaps(tmp_path / "all.npy", Drive())
