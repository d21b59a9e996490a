import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from keras_depth import depth_png
from keras_depth.data import open_reader
from keras_depth.data.checks.stereo import match_pair
from keras_depth.data.folders import open_folder
from keras_depth.data.rendered.drives import Drives
from keras_depth.errors import InputError
from tests.helpers.write_rig import write_rig

SIZE = (6, 8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def recording(folder, count=2, units=1000, pictures="rgb", depths="depth", first=1):
    """Writes frames 1.png, 2.png, ...: frame k is k metres away."""
    for k in range(first, first + count):
        write(folder / pictures / f"{k}.png", np.full((*SIZE, 3), (0, 100, 10 * k), np.uint8))
        write(folder / depths / f"{k}.png", np.full(SIZE, k * units, np.uint16))
    return folder


def folder_error(folder, *arguments, **options):
    with pytest.raises(InputError) as error:
        reader = open_folder(folder, *arguments, **options)
        for index in range(len(reader)):
            reader[index]
    return str(error.value)


def metres(reader):
    return [float(reader[i]["depth"].max()) for i in range(len(reader))]


def keys(reader):
    return [reader.key(i) for i in range(len(reader))]


@pytest.mark.parametrize("pictures", ["rgb", "color", "colour", "image", "images"])
@pytest.mark.parametrize("depths", ["depth", "depths"])
def test_a_recording(tmp_path, pictures, depths):
    recording(tmp_path, pictures=pictures, depths=depths)
    reader = open_folder(tmp_path, units_per_metre=1000)
    assert metres(reader) == [1, 2] and keys(reader) == [f"{pictures}/1", f"{pictures}/2"]
    assert reader.name(1) == str(tmp_path / pictures / "2.png")
    assert reader.description == f"RGB-D folder, all: 2 frames from {tmp_path}"
    assert reader.missing == ()
    sample, stored = reader[1], reader.stored(1)
    assert sample["image"].dtype == sample["depth"].dtype == np.float32
    assert sample["depth"].shape == SIZE and stored["image"].dtype == np.uint8
    np.testing.assert_array_equal(stored["image"][0, 0], (20, 100, 0))
    with pytest.raises(IndexError):
        reader[2]


@pytest.mark.parametrize("units", [1000, 5000, 256, 1000.5])
def test_the_unit(tmp_path, units):
    write(tmp_path / "rgb" / "a.jpg", np.zeros((*SIZE, 3), np.uint8))
    depth = np.zeros(SIZE, np.uint16)
    depth[0, 0], depth[5, 7] = 2001, 65535
    write(tmp_path / "depth" / "a.png", depth)
    read = open_folder(tmp_path, units_per_metre=units)[0]["depth"]
    np.testing.assert_allclose((read[0, 0], read[5, 7]), (2001 / units, 65535 / units), rtol=1e-6)
    assert (read > 0).sum() == 2


def test_the_unit_is_not_guessed(tmp_path):
    recording(tmp_path)
    assert folder_error(tmp_path) == (
        f"{tmp_path}/depth/1.png: a depth picture does not tell its unit; say what it stores for "
        "one metre, 1000 (millimetres), 5000 (TUM) or 256 (KITTI): --set "
        "data.units_per_metre=1000"
    )
    for units in (0, -1, float("nan"), float("inf"), "1000"):
        assert "data.units_per_metre is" in folder_error(tmp_path, units_per_metre=units)


def test_pgm_has_its_big_end_first(tmp_path):
    write(tmp_path / "rgb" / "a.ppm", np.zeros((*SIZE, 3), np.uint8))
    content = b"P5 8 6 65535\n" + np.full(SIZE, 1234, ">u2").tobytes()
    path = tmp_path / "depth" / "a.pgm"
    path.parent.mkdir()
    path.write_bytes(content)
    assert metres(open_folder(tmp_path, units_per_metre=1000)) == [np.float32(1.234)]
    path.write_bytes(content[:-1])
    assert f"{path}: not a picture that can be decoded" in folder_error(
        tmp_path, units_per_metre=1000
    )


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_arrays_hold_metres(tmp_path, kind):
    recording(tmp_path, 1)
    (tmp_path / "depth" / "1.png").unlink()
    depth = np.linspace(0, 3, 48).reshape(SIZE).astype(kind)
    for array in (depth, depth[..., None]):
        np.save(tmp_path / "depth" / "1.npy", array)
        read = open_folder(tmp_path)[0]["depth"]
        np.testing.assert_array_equal(read, depth.astype(np.float32))
    # The unit is that of the pictures.
    assert open_folder(tmp_path, units_per_metre=5000)[0]["depth"].max() == 3


def test_array_errors(tmp_path):
    recording(tmp_path, 1)
    (tmp_path / "depth" / "1.png").unlink()
    path = tmp_path / "depth" / "1.npy"
    for array, message in (
        (np.ones(SIZE, np.uint16), "the depth is stored as uint16, where .npy holds metres as flo"),
        (
            np.ones((3, 4)),
            "the picture is (6, 8) but its depth (3, 4) (rows, columns); align (register) the depth"
            " map to the color camera or, if both show the same view, give --set data.resize_depth",
        ),
        (np.full(SIZE, np.nan), f"holds NaN, infinity or negative metres in {path}; restore"),
        (np.array([{"a": 1}]), "not an array that numpy.save wrote"),
    ):
        np.save(path, array)
        assert message in folder_error(tmp_path)
    np.save(path, np.ones(SIZE))
    whole = path.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:100], whole[:-1]):
        path.write_bytes(content)
        assert folder_error(tmp_path) == (
            f"{path}: not an array that numpy.save wrote, or cut short; restore the file"
        )


def test_an_eight_bit_view_is_no_depth(tmp_path):
    recording(tmp_path, 1)
    path = tmp_path / "depth" / "1.png"
    write(path, np.ones(SIZE, np.uint8))
    assert f"{path}: the depth is stored as uint8" in folder_error(tmp_path, units_per_metre=1000)
    write(path, np.ones((*SIZE, 3), np.uint8))
    assert "a depth map has one channel, this picture has 3" in folder_error(
        tmp_path, units_per_metre=1000
    )


def test_files_without_partner_are_named(tmp_path):
    recording(tmp_path, 3)
    (tmp_path / "rgb" / "2.png").unlink()
    (tmp_path / "depth" / "3.png").unlink()
    (tmp_path / "rgb" / "._1.png").write_bytes(b"a Mac's note")
    (tmp_path / "rgb" / "times.csv").write_text("1")
    files = f"{tmp_path}/depth/2.png, {tmp_path}/rgb/3.png"
    reader = open_folder(tmp_path, units_per_metre=1000, max_missing=0.67)
    assert metres(reader) == [1]
    assert reader.missing == (str(tmp_path / "depth/2.png"), str(tmp_path / "rgb/3.png"))
    assert reader.description.endswith(
        f"; 2 of 3 frames are without all their files, first {files}"
    )
    assert folder_error(tmp_path, units_per_metre=1000) == (
        f"{tmp_path}: RGB-D folder, all: 2 of 3 frames (66.7 %) are without all their files, first"
        f" {files}; give the files of a frame the same name, or go without: --set"
        " data.max_missing=0.67"
    )
    assert "max_missing=2: a share of the frames" in folder_error(tmp_path, max_missing=2)
    (tmp_path / "depth" / "1.png").unlink()
    message = folder_error(tmp_path, units_per_metre=1000)
    assert "all: no frame has both a picture and a depth map; 3 files without partner" in message


def test_two_meanings_are_not_guessed(tmp_path):
    recording(tmp_path, 1)
    write(tmp_path / "depth" / "1.pgm", np.ones(SIZE, np.uint16))
    assert f"{tmp_path}/depth: holds 1.pgm and 1.png" in folder_error(tmp_path, units_per_metre=1)
    (tmp_path / "depth" / "1.pgm").unlink()
    (tmp_path / "images").mkdir()
    assert f"{tmp_path}: holds rgb/ and images/" in folder_error(tmp_path, units_per_metre=1)


@pytest.mark.parametrize("split", [None, "train", "validation", "test"])
def test_two_validation_folders_are_not_guessed(tmp_path, split):
    for name, first in (("train", 1), ("val", 7), ("validation", 8), ("test", 9)):
        recording(tmp_path / name, 1, first=first)
    assert folder_error(tmp_path, split, units_per_metre=1000) == (
        f"{tmp_path}: holds val/ and validation/, either of which may be meant; rename one"
    )


def test_nothing_there(tmp_path):
    assert "no such folder" in folder_error(tmp_path / "nowhere")
    message = folder_error(tmp_path)
    assert message.startswith(f"{tmp_path}: no recording found: looked for a folder of pictures")
    assert "unknown split 'tets': did you mean 'test'?" in folder_error(tmp_path, "tets")
    assert "data.hold_out is 1" in folder_error(tmp_path, hold_out=1)


def test_recordings_one_and_two_levels_down(tmp_path):
    for place in ("b", "home/kitchen", "home/hall", "scene10", "scene2", ".trash"):
        recording(tmp_path / place, 1)
    recording(tmp_path / "far" / "too" / "deep", 1)
    reader = open_folder(tmp_path, units_per_metre=1000)
    assert keys(reader) == [
        "b/rgb/1", "home/hall/rgb/1", "home/kitchen/rgb/1", "scene2/rgb/1", "scene10/rgb/1",
    ]  # fmt: skip


# Splits --------------------------------------------------------------------------------------


def test_split_folders(tmp_path):
    recording(tmp_path / "train", 3)
    recording(tmp_path / "test" / "a", 1, first=8)
    recording(tmp_path / "test" / "b", 1, first=9)
    options = {"units_per_metre": 1000, "hold_out": 0}
    assert metres(open_folder(tmp_path, "train", **options)) == [1, 2, 3]
    assert metres(open_folder(tmp_path, "test", **options)) == [8, 9]
    assert metres(open_folder(tmp_path, **options)) == [8, 9]
    assert "RGB-D folder, test: 2 frames" in open_folder(tmp_path, **options).description
    assert metres(open_folder(tmp_path, "validation", **options)) == [8, 9]
    # A part of the training frames, where that is asked for; the test frames stay apart.
    options["hold_out"] = 0.34
    assert metres(open_folder(tmp_path, "validation", **options)) == [3]
    assert metres(open_folder(tmp_path, "train", **options)) == [1, 2]
    assert metres(open_folder(tmp_path, "test", **options)) == [8, 9]


@pytest.mark.parametrize("name", ["validation", "val"])
def test_a_validation_folder_takes_nothing_from_train(tmp_path, name):
    recording(tmp_path / "train", 3)
    recording(tmp_path / name, 1, first=7)
    options = {"units_per_metre": 1000}
    assert metres(open_folder(tmp_path, "train", **options)) == [1, 2, 3]
    assert metres(open_folder(tmp_path, "validation", **options)) == [7]
    assert metres(open_folder(tmp_path, **options)) == [1, 2, 3, 7]
    assert "no test frames: there is no test/ folder" in folder_error(tmp_path, "test")


def test_the_end_of_a_single_recording_is_held_out(tmp_path):
    recording(tmp_path, 12)
    options = {"units_per_metre": 1000, "hold_out": 0.25}
    train, kept = (open_folder(tmp_path, s, **options) for s in ("train", "validation"))
    # By number: by letters, 10 to 12 would stand between 1 and 2.
    assert metres(train) == list(range(1, 10)) and metres(kept) == [10, 11, 12]
    assert "validation (the last 3 of 12 frames held out): 3 frames" in kept.description
    assert metres(open_folder(tmp_path, units_per_metre=1000)) == list(range(1, 13))
    assert metres(open_folder(tmp_path, "validation", units_per_metre=1000)) == [12]
    everything = open_folder(tmp_path, "train", units_per_metre=1000, hold_out=0)
    assert len(everything) == 12 and "train: 12 frames" in everything.description
    assert "no test/ folder; keep some training frames for it with --set data.hold_out=0.1" in (
        folder_error(tmp_path, "validation", hold_out=0)
    )
    assert "no test frames: there is no test/ folder; make one" in folder_error(tmp_path, "test")


def test_whole_recordings_are_held_out(tmp_path):
    for name in ("attic", "hall", "kitchen", "lab"):
        recording(tmp_path / name, 3)
        (tmp_path / name / "rgb" / "3.png").unlink()
    options = {"units_per_metre": 1000, "hold_out": 0.5, "max_missing": 0.34}
    parts = [open_folder(tmp_path, split, **options) for split in ("train", "validation")]
    names = [{Path(key).parts[0] for key in keys(part)} for part in parts]
    assert [len(part) for part in parts] == [4, 4] and [len(n) for n in names] == [2, 2]
    assert names[0] | names[1] == {"attic", "hall", "kitchen", "lab"}
    assert "(2 of 4 recordings held out)" in parts[1].description
    for part, scenes in zip(parts, names, strict=True):
        assert {Path(file).relative_to(tmp_path).parts[0] for file in part.missing} == scenes
    assert keys(open_folder(tmp_path, "validation", **options)) == keys(parts[1])


def test_one_frame_cannot_be_divided(tmp_path):
    recording(tmp_path, 1)
    assert "has only one frame; leave data.hold_out at 0" in folder_error(
        tmp_path, "train", units_per_metre=1000
    )
    assert len(open_folder(tmp_path, "train", units_per_metre=1000, hold_out=0)) == 1


# Depth of other files and sizes --------------------------------------------------------------


@pytest.mark.parametrize("ending", [".bmp", ".webp", ".tif", ".tiff", ".JPEG"])
def test_pictures_of_other_endings(tmp_path, ending):
    recording(tmp_path, 2)
    for file in (tmp_path / "rgb").iterdir():
        write(file.with_suffix(ending), cv2.imread(str(file)))
        file.unlink()
    assert metres(open_folder(tmp_path, units_per_metre=1000)) == [1, 2]


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".TIFF"])
def test_tiff_holds_metres_or_units(tmp_path, ending):
    recording(tmp_path, 2)
    for file in (tmp_path / "depth").iterdir():
        file.unlink()
    for k in (1, 2):
        write(tmp_path / "depth" / f"{k}{ending}", np.full(SIZE, k + 0.25, np.float32))
    for units in (None, 1000):  # the unit is that of whole numbers
        reader = open_folder(tmp_path, units_per_metre=units)
        assert metres(reader) == [1.25, 2.25] and reader.units_per_metre is None
    for k in (1, 2):
        write(tmp_path / "depth" / f"{k}{ending}", np.full(SIZE, 500 * k, np.uint16))
    assert metres(open_folder(tmp_path, units_per_metre=1000)) == [0.5, 1]
    assert "a depth picture does not tell its unit" in folder_error(tmp_path)


def test_files_that_are_not_read_are_counted(tmp_path):
    recording(tmp_path, 3)
    for k in (1, 2, 3):
        (tmp_path / "depth" / f"{k}.png").rename(tmp_path / "depth" / f"{k}.exr")
    (tmp_path / "rgb" / "3.png").rename(tmp_path / "rgb" / "3.HEIC")
    unread = (
        f"4 files are of endings that are not read (.exr, .heic), first {tmp_path}/rgb/3.HEIC: read"
        " are .jpg, .jpeg, .png, .ppm, .bmp, .webp, .tif, .tiff as pictures, .png, .pgm, .tif,"
        " .tiff, .npy as depth; convert pictures to .png, depth to .tiff or .npy"
    )
    assert folder_error(tmp_path, units_per_metre=1000) == (
        f"{tmp_path}, all: no frame has both a picture and a depth map; 2 files without partner,"
        f" first {tmp_path}/rgb/1.png; {unread}"
    )
    write(tmp_path / "depth" / "1.png", np.ones(SIZE, np.uint16))
    message = folder_error(tmp_path, units_per_metre=1000)
    assert "1 of 2 frames (50.0 %) are without all their files" in message
    assert f"; 3 files are of endings that are not read (.exr, .heic), first {tmp_path}" in message


def test_depth_of_another_size(tmp_path):
    write(tmp_path / "color" / "1.jpg", np.zeros((97, 130, 3), np.uint8))
    depth = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) + 1
    write(tmp_path / "depth" / "1.png", depth)
    assert folder_error(tmp_path, units_per_metre=1) == (
        f"{tmp_path}/color/1.jpg: the picture is (97, 130) but its depth (48, 64) (rows, columns);"
        " align (register) the depth map to the color camera or, if both show the same view, give"
        " --set data.resize_depth=nearest"
    )
    reader = open_folder(tmp_path, units_per_metre=1, resize_depth="nearest")
    read = reader[0]["depth"]
    assert read.shape == (97, 130) and set(read.ravel()) == set(depth.ravel())  # none in between
    assert (read[0, 0], read[-1, -1]) == (depth[0, 0], depth[-1, -1])
    assert "unknown data.resize_depth 'bilinear'" in folder_error(tmp_path, resize_depth="bilinear")
    write(tmp_path / "depth" / "1.png", np.ones((48, 80), np.uint16))
    for option in ("none", "nearest"):
        message = folder_error(tmp_path, units_per_metre=1, resize_depth=option)
        assert message.endswith(
            "align (register) the depth map to the color camera: the ratio of its sides is another,"
            " so it shows another view"
        )
    write(tmp_path / "depth" / "1.png", np.ones((130, 97), np.uint16))
    assert "one of them lies on its side; turn the depth map" in folder_error(
        tmp_path, units_per_metre=1
    )


def test_depth_of_a_turned_picture_and_another_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "rgb").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "rgb" / "1.jpg", exif=exif)
    depth = np.arange(1, 24 * 32 + 1, dtype=np.uint16).reshape(24, 32)
    for stored, upright in ((depth, np.rot90(depth, -1)), (np.rot90(depth, -1),) * 2):
        write(tmp_path / "depth" / "1.png", stored)
        read = open_folder(tmp_path, units_per_metre=1, resize_depth="nearest")[0]["depth"]
        np.testing.assert_array_equal(read[::2, ::2], upright)


def test_depth_of_pairs_of_another_size(rig):
    file = rig / "0" / "depth" / "1.png"
    small = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[::2, ::2]
    write(file, small)
    assert "give --set data.resize_depth=nearest" in folder_error(rig, **UNITS)
    sample = open_folder(rig, resize_depth="nearest", **UNITS)[1]
    assert sample["depth"].shape == (32, 104)
    np.testing.assert_allclose(sample["depth"][::2, ::2], small / np.float32(256))


# Frames that lack a file ---------------------------------------------------------------------


def test_missing_files_are_counted_whatever_is_held_out(tmp_path):
    """Those of the end of a recording too, from which validation frames are taken."""
    recording(tmp_path, 20)
    for k in range(6, 21):
        (tmp_path / "depth" / f"{k}.png").unlink()
    for split in ("train", "validation", None):
        message = folder_error(tmp_path, split, units_per_metre=1000)
        assert "15 of 20 frames (75.0 %) are without all their files" in message
    for split, frames in (("train", 4), ("validation", 1), (None, 5)):
        reader = open_folder(tmp_path, split, units_per_metre=1000, max_missing=0.75)
        assert len(reader) == frames and len(reader.missing) == 15
        assert f"; 15 of {frames + 15} frames are without all their files" in reader.description


@pytest.mark.parametrize("half", ["rgb", "depth"])
def test_recordings_whose_partner_folder_is_not_there(tmp_path, half):
    for name in "abcde":
        recording(tmp_path / name, 4)
    for name in "cde":
        shutil.rmtree(tmp_path / name / half)
    for split in ("train", "validation", None):
        message = folder_error(tmp_path, split, units_per_metre=1000)
        assert "12 of 20 frames (60.0 %) are without all their files" in message
        assert f"; 3 recordings have no whole frame, first {tmp_path}/c; give the files" in message
    reader = open_folder(tmp_path, units_per_metre=1000, max_missing=0.6)
    assert len(reader) == 8 and len(reader.missing) == 12


def test_a_link_to_a_recording_is_no_second_one(tmp_path):
    recording(tmp_path / "monday", 2)
    (tmp_path / "latest").symlink_to("monday")
    (tmp_path / "monday" / "up").symlink_to(tmp_path)
    assert keys(open_folder(tmp_path, units_per_metre=1000)) == ["monday/rgb/1", "monday/rgb/2"]


# TUM RGB-D -----------------------------------------------------------------------------------


def tum(folder, times, depth_times, units=5000):
    """Writes a recording of the benchmark: depth frame k is k + 1 metres away."""
    for name, stamps in (("rgb", times), ("depth", depth_times)):
        lines = ["# a title", "# timestamp filename", ""]
        for k, time in enumerate(stamps):
            file = f"{name}/{time:.6f}.png"
            lines.append(f"{time:.6f} {file}")
            rgb, depth = np.full((*SIZE, 3), k, np.uint8), np.full(SIZE, (k + 1) * units, np.uint16)
            write(folder / file, rgb if name == "rgb" else depth)
        (folder / f"{name}.txt").write_text("\n".join(lines))
    return folder


def test_tum_pairs_by_time(tmp_path):
    tum(tmp_path, [1000.0, 1000.033, 1000.066, 1002.0], [1000.0145, 1000.0495, 1000.07, 1001.0])
    reader = open_folder(tmp_path)
    # 5000 units a metre, documented by the benchmark; 1000.0145 is 14.5 ms after the first picture.
    assert metres(reader) == [1, 2, 3]
    assert keys(reader) == [f"rgb/{t}" for t in ("1000.000000", "1000.033000", "1000.066000")]
    # Cameras that are not synchronized leave files over; no frame lacks one.
    assert reader.missing == ()
    first = tmp_path / "rgb/1002.000000.png"
    assert reader.description.endswith(f"; 2 files without partner near their time, first {first}")
    assert metres(open_folder(tmp_path, units_per_metre=2500)) == [2, 4, 6]


def test_tum_uses_no_file_twice(tmp_path):
    tum(tmp_path, [5.0], [4.99, 5.005])
    reader = open_folder(tmp_path)
    assert metres(reader) == [2] and "; 1 files without partner near" in reader.description
    assert reader.description.endswith(f"first {tmp_path}/depth/4.990000.png")


def test_tum_lists_files_that_are_not_there(tmp_path):
    tum(tmp_path, [1.0, 2.0], [1.0, 2.0])
    (tmp_path / "depth" / "1.000000.png").unlink()
    reader = open_folder(tmp_path, max_missing=0.5)
    assert metres(reader) == [2]
    assert reader.missing == (str(tmp_path / "depth" / "1.000000.png"),)
    assert "1 of 2 frames (50.0 %) are without all their files" in folder_error(tmp_path)


def test_tum_among_other_recordings(tmp_path):
    tum(tmp_path / "desk", [1.0], [1.0])
    recording(tmp_path / "mine", 1)
    assert "mine/depth/1.png: a depth picture does not tell its unit" in folder_error(tmp_path)
    assert len(open_folder(tmp_path, units_per_metre=1000)) == 2


@pytest.mark.parametrize(
    "line, message",
    [
        ("soon rgb/1.png", "rgb.txt, line 2: not 'seconds file'"),
        ("nan rgb/1.png", "line 2: not 'seconds file'"),
        ("1.0", "line 2: not 'seconds file'"),
        ("1.0 rgb/1.png depth/1.png", "line 2: not 'seconds file'"),
        ("1.0 ../1.png", "line 2: '../1.png' is not a path within the recording"),
        ("1.0 /1.png", "line 2: '/1.png' is not a path within the recording"),
        ("# nothing", "all: no frame has both a picture and a depth map; 1 files without"),
    ],
)
def test_tum_errors(tmp_path, line, message):
    tum(tmp_path, [1.0], [1.0])
    (tmp_path / "rgb.txt").write_text(f"# a title\n{line}\n")
    assert message in folder_error(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "1000 rgb/1.000000.png", "3.0 rgb/1.000000.png"], ids=["none", "ms", "clock"]
)
def test_tum_times_that_do_not_meet(tmp_path, text):
    tum(tmp_path / "a", [1.0], [1.0])
    (tmp_path / "a" / "rgb.txt").write_text(text)
    times = (
        "; rgb.txt and depth.txt must both name files, with their times in seconds of one clock,"
        " those of a frame at most 0.02 s apart; correct the lists"
    )
    message = folder_error(tmp_path)
    assert "no frame has both a picture and a depth map" in message and message.endswith(times)
    tum(tmp_path / "b", [1.0], [1.0])  # beside one whose times do
    assert folder_error(tmp_path) == f"{tmp_path}/a: no two files are near in time{times}"


# Stereo --------------------------------------------------------------------------------------


DRIVES = Drives(6, (32, 104), frames_per_drive=2, stereo=True)
UNITS = {"units_per_metre": 256}


@pytest.fixture
def rig(tmp_path):
    return write_rig(DRIVES, tmp_path)


@pytest.fixture
def blind(tmp_path):
    return write_rig(DRIVES, tmp_path, depth=False)


def test_stereo_pairs(rig):
    reader = open_folder(rig, **UNITS)
    assert len(reader) == 6 and reader.stereo and reader.measured and reader.missing == ()
    assert reader.units_per_metre == 256
    assert reader.description == f"stereo folder, all: 6 frames from {rig}"
    assert keys(reader)[:3] == ["0/left/0", "0/left/1", "1/left/0"]
    for index in range(6):
        drawn, sample = DRIVES[index], reader[index]
        np.testing.assert_allclose(sample["image"], drawn["image"], atol=1 / 510)
        np.testing.assert_allclose(sample["right"], drawn["right"], atol=1 / 510)
        np.testing.assert_allclose(sample["depth"], drawn["depth"], atol=1 / 510)
        np.testing.assert_allclose(sample["focal_baseline"], drawn["focal_baseline"], rtol=1e-6)
        assert sample["focal_baseline"].dtype == np.float32


def test_stereo_pairs_without_depth(blind):
    reader = open_folder(blind)
    assert reader.stereo and not reader.measured
    assert reader.description == f"stereo folder without depth, all: 6 frames from {blind}"
    assert reader[0]["depth"].shape == (32, 104) and not reader[0]["depth"].any()


def test_left_pictures_alone(rig):
    """Plain evaluation needs no calibration."""
    (rig / "camera.yaml").unlink()
    assert "stereo pairs need a camera.yaml" in folder_error(rig, **UNITS)
    reader = open_folder(rig, stereo=False, **UNITS)
    assert len(reader) == 6 and not reader.stereo and reader.measured
    assert sorted(reader[0]) == ["depth", "image"]
    shutil.rmtree(rig / "0" / "right")
    assert "RGB-D folder" in open_folder(rig / "0", **UNITS).description
    shutil.rmtree(rig / "0" / "depth")
    assert "no recording found" in folder_error(rig / "0")


def test_a_recording_has_its_own_camera(rig):
    (rig / "1" / "camera.yaml").write_text("focal_length: 50\nbaseline: 2\n")
    scales = [float(sample["focal_baseline"]) for sample in open_folder(rig, **UNITS)]
    assert scales[2:4] == [100, 100] and scales[0] == scales[4] != 100


def test_pairs_are_held_out(rig):
    options = {"hold_out": 0.34, **UNITS}
    train, kept = (open_folder(rig, split, **options) for split in ("train", "validation"))
    folders = [{Path(key).parts[0] for key in keys(reader)} for reader in (train, kept)]
    assert (len(train), len(kept)) == (4, 2) and not folders[0] & folders[1]
    assert "(1 of 3 recordings held out)" in kept.description
    (rig / "camera.yaml").rename(rig / "2" / "camera.yaml")
    train, kept = (open_folder(rig / "2", split, **UNITS) for split in ("train", "validation"))
    assert keys(train) == ["left/0"] and keys(kept) == ["left/1"]


def test_pairs_in_split_folders(tmp_path):
    """Training pairs need no depth, where those that are scored have it."""
    write_rig(DRIVES, tmp_path / "train", depth=False)
    write_rig(DRIVES, tmp_path / "test" / "street")
    train, test = (open_folder(tmp_path, s, hold_out=0, **UNITS) for s in ("train", "test"))
    assert len(train) == len(test) == 6 and train.stereo and test.stereo
    assert (train.measured, test.measured) == (False, True)


def test_recordings_are_of_one_kind(rig):
    shutil.rmtree(rig / "1" / "depth")
    assert folder_error(rig, **UNITS) == (
        f"{rig}/0 is a recording of kind 'stereo folder', and {rig}/1 of kind 'stereo folder"
        " without depth'; give recordings of one kind"
    )
    recording(rig / "1")
    assert f"{rig}/1: holds rgb/ and left/" in folder_error(rig, **UNITS)
    shutil.rmtree(rig / "1" / "left")
    assert f"'stereo folder', and {rig}/1 of kind 'RGB-D folder'" in folder_error(rig, **UNITS)


def test_pairs_without_partner(rig):
    (rig / "0" / "left" / "1.png").unlink()
    (rig / "1" / "right" / "0.png").unlink()
    (rig / "2" / "depth" / "1.png").unlink()
    files = [str(rig / name) for name in ("0/depth/1.png", "1/left/0.png", "2/left/1.png")]
    assert open_folder(rig, max_missing=0.5, **UNITS).missing == tuple(files)
    (rig / "0" / "depth" / "1.png").unlink()
    assert folder_error(rig, **UNITS) == (
        f"{rig}: stereo folder, all: 3 of 6 frames (50.0 %) are without all their files, first"
        f" {rig}/0/right/1.png, {files[1]}, {files[2]}; give the files of a frame the same name, or"
        " go without: --set data.max_missing=0.5"
    )
    for file in rig.glob("*/right/*"):
        file.unlink()
    assert "all: no frame has both pictures and a depth map; 5 files without" in folder_error(rig)


def test_pairs_of_different_sizes(rig):
    write(rig / "1" / "right" / "0.png", np.zeros((16, 52, 3), np.uint8))
    assert folder_error(rig, **UNITS) == (
        f"{rig}/1/left/0.png: the left picture is (32, 104) but the right one (16, 52) (rows,"
        " columns); rectify both to one size, or restore the pair"
    )
    write(rig / "0" / "depth" / "1.png", np.ones((16, 52), np.uint16))
    assert f"{rig}/0/left/1.png: the picture is (32, 104) but its depth (16, 52)" in (
        folder_error(rig, **UNITS)
    )
    write(rig / "0" / "left" / "0.png", np.zeros((64, 208, 3), np.uint8))
    write(rig / "0" / "depth" / "0.png", np.ones((64, 208), np.uint16))
    assert f"{rig}/0/left/0.png: the picture is (64, 208) but {rig}/camera.yaml is for (32, 10" in (
        folder_error(rig, **UNITS)
    )


def test_real_pairs(samples, tmp_path):
    """Disparity of block matching, times the depth of LiDAR, is the rig's constant."""
    (tmp_path / "street").symlink_to(samples / "real" / "kitti_pairs_half")
    (tmp_path / "camera.yaml").write_text(
        "focal_length: 360.769\nprincipal_point: [304.530, 86.658]\n"
        "baseline: 0.53273\nsize: [188, 621]\n"
    )
    reader = open_folder(tmp_path, **UNITS)
    assert len(reader) == 92 and reader.stereo and reader.measured
    assert float(reader[0]["focal_baseline"]) == pytest.approx(192.19, abs=0.01)
    ratios = [match_pair(reader.stored(index)).ratio for index in (0, 40, 91)]
    np.testing.assert_allclose(ratios, 1, atol=0.05)
    train, kept = (open_folder(tmp_path, split, **UNITS) for split in ("train", "validation"))
    assert (len(train), len(kept)) == (83, 9)


# Real frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place, units, count, least, median, most",
    [
        ("tum_rgbd/freiburg_desk_pair", 5000, 2, 0.9694, 1.5332, 10.4984),
        ("nyu/sequence_diningroom", 1000, 2, 0.946, 2.807, 9.823),
        ("redwood_open3d_SYNTHETIC", 1000, 5, 0.955, 1.861, 2.702),
    ],
)
def test_real_frames(samples, place, units, count, least, median, most):
    reader = open_folder(samples / place, units_per_metre=units)
    assert len(reader) == count and reader.missing == ()
    depth = np.stack([reader[i]["depth"] for i in range(count)])
    assert depth.shape == (count, 480, 640)
    found = [f(depth[depth > 0]) for f in (np.min, np.median, np.max)]
    np.testing.assert_allclose(found, (least, median, most), atol=0.0006)
    assert re.search(rf"{count} frames from .*{place}$", reader.description)


def test_open_reader(tmp_path):
    recording(tmp_path)
    assert len(open_reader("folder", tmp_path, None, units_per_metre=1000)) == 2


def test_a_file_that_names_its_unit_is_believed(tmp_path):
    """What predict writes, or evaluate --ground-truth: nobody has to say what they store."""
    recording(tmp_path)
    (units, depth) = 256, np.full((6, 8), 2.5, "float32")
    for file in (tmp_path / "depth").iterdir():
        file.write_bytes(depth_png.encode(depth, units))
    reader = open_folder(tmp_path)
    assert reader.units_per_metre == units
    np.testing.assert_array_equal(reader[0]["depth"], depth)
    np.testing.assert_array_equal(open_folder(tmp_path, units_per_metre=256)[0]["depth"], depth)
    assert (
        "says itself that it stores 256 units for one metre, and data.units_per_metre says 1000"
        in (folder_error(tmp_path, units_per_metre=1000))
    )


def test_each_file_is_read_in_the_unit_that_it_names(tmp_path):
    recording(tmp_path, 3)
    for k, units in ((1, 1000), (2, 256)):
        content = depth_png.encode(np.full(SIZE, k, np.float32), units)
        (tmp_path / f"depth/{k}.png").write_bytes(content)
    reader = open_folder(tmp_path)
    assert [reader[k]["depth"].max() for k in (0, 1)] == [1, 2]
    message = "depth/3.png: does not name its unit, where other depth files here do; if all store"
    with pytest.raises(InputError, match=message):
        reader[2]
    with pytest.raises(InputError, match=r"depth/2.png: says itself that it stores 256 units"):
        open_folder(tmp_path, units_per_metre=1000)[1]
    assert open_folder(tmp_path, units_per_metre=1000)[2]["depth"].max() == 3
    for name in ("rgb", "depth"):  # TUM's usual unit is no excuse
        rows = "".join(f"{k}.0 {name}/{k}.png\n" for k in (1, 2, 3))
        (tmp_path / f"{name}.txt").write_text(rows)
    with pytest.raises(InputError, match=message):
        open_folder(tmp_path)[2]
    recording(tmp_path, 1)  # the first names none
    assert metres(open_folder(tmp_path)) == pytest.approx([0.2, 2, 0.6])


def test_other_names_of_the_splits(tmp_path):
    for name, first in (("training", 1), ("Testing", 9)):
        recording(tmp_path / name / "a", 2, first=first)
        recording(tmp_path / name / "b", 1, first=first + 2)
    options = {"units_per_metre": 1000, "hold_out": 0}
    assert metres(open_folder(tmp_path, "train", **options)) == [1, 2, 3]
    for split in ("test", None):
        assert metres(open_folder(tmp_path, split, **options)) == [9, 10, 11]
    (tmp_path / "train").mkdir()
    assert "holds train/ and training/, either of which may be" in folder_error(tmp_path, **options)


def test_the_focal_length_of_camera_yaml(tmp_path):
    """One file serves the recordings below it; a recording without one has no focal length."""
    recording(tmp_path / "data" / "known" / "a")
    recording(tmp_path / "data" / "other" / "b")
    camera = tmp_path / "data" / "known" / "camera.yaml"
    camera.write_text("focal_length: [7.5, 7]\nsize: [6, 8]\n")
    reader = open_folder(tmp_path / "data", units_per_metre=1000)
    found = [sample.get("focal_length") for sample in reader]
    assert [each is None for each in found] == [False, False, True, True]
    assert found[0].dtype == np.float32 and found[0].tolist() == [7.5, 7]
    camera.write_text("focal_length: 7.5\nsize: [12, 16]\n")
    message = folder_error(tmp_path / "data", units_per_metre=1000)
    assert "the picture is (6, 8) but" in message and "is for (12, 16)" in message


def test_the_focal_length_of_a_picture_that_is_turned(tmp_path):
    recording(tmp_path, count=1, pictures="unused")
    (tmp_path / "camera.yaml").write_text("focal_length: [7.5, 7]\nsize: [6, 8]\n")
    upright = Image.Exif()
    upright[0x0112] = 6
    (tmp_path / "rgb").mkdir()
    picture = Image.fromarray(np.zeros((*SIZE, 3), np.uint8))
    picture.save(tmp_path / "rgb" / "1.png", exif=upright)
    shutil.rmtree(tmp_path / "unused")
    (sample,) = open_folder(tmp_path, units_per_metre=1000)
    assert sample["image"].shape == (8, 6, 3) and sample["focal_length"].tolist() == [7, 7.5]
