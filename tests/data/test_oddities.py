"""Every reader handles the oddities of files, folders and lists by the same rules."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image

from keras_depth import depth_png
from keras_depth.data import open_reader
from keras_depth.data.prepared import builder
from keras_depth.data.reader import Reader
from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.images import to_uint8, turn
from tests.helpers.files import write_file
from tests.helpers.write_kitti import write_kitti
from tests.helpers.write_nyu import write_layout
from tests.helpers.write_rig import write_rig

SIZE = (24, 32)
PICTURES = (".png", ".jpg", ".ppm")


def write_folder(folder: Path) -> None:
    for index, sample in enumerate(Rooms(3, SIZE)):
        cv2.imwrite(str(folder / f"rgb/{index}.png"), to_uint8(sample["image"])[..., ::-1])
        write_file(folder / f"depth/{index}.png", depth_png.encode(sample["depth"]))


def write_tum(folder: Path) -> None:
    write_folder(folder)
    for name in ("rgb", "depth"):
        rows = "".join(f"{index}.0 {name}/{index}.png\n" for index in range(3))
        write_file(folder / f"{name}.txt", f"# {name} images\n{rows}")


def write_raw(folder: Path) -> None:
    picture = cv2.imencode(".ppm", np.full((480, 640, 3), 90, np.uint8))[1].tobytes()
    disparity = np.full((480, 640), 917, "<u2").tobytes()
    for scene in (folder / "bedroom_0004", folder / "living_room_0004a"):
        write_file(scene / "r-10.000000-77.ppm", picture)
        write_file(scene / "d-10.000000-99.pgm", b"P5 640 480 65535\n" + disparity)


def write_mine(folder: Path) -> None:
    write_kitti(Drives(3, (64, 208), frames_per_drive=3, stereo=True), folder)
    write_file(folder / "mine.csv", "date,drive,side,frames\n2011_01_01,0001,l,0-2\n")


def nyu(layout: str, size: tuple[int, int] = SIZE) -> Callable[[Path], object]:
    return lambda folder: write_layout(Rooms(3, size), folder, layout, scenes=2)


class Case(NamedTuple):
    """A data set: how it is written and opened, and which of its files are pictures and lists."""

    write: Callable[[Path], object]
    open: Callable[[Path], Reader]
    pictures: str = ""
    depth: str = ""
    lists: tuple[str, ...] = ()
    listed: bool = False  # frames are named by a list: a heading is possible


def units(folder: Path, **options) -> Reader:
    return open_reader("folder", folder, None, units_per_metre=1000, **options)


CASES = {
    "folder": Case(
        lambda path: ((path / "rgb").mkdir(parents=True), write_folder(path)),
        units, "rgb/*.*", "depth/*.*",
    ),
    "TUM": Case(
        lambda path: ((path / "rgb").mkdir(parents=True), write_tum(path)),
        units, "rgb/*.*", "depth/*.*", ("rgb.txt", "depth.txt"), listed=True,
    ),
    "stereo": Case(
        lambda path: write_rig(Drives(2, SIZE, frames_per_drive=2, stereo=True), path),
        lambda path: open_reader("folder", path, None, units_per_metre=256),
        "0/left/*.*", "", ("camera.yaml",),
    ),
    "BTS": Case(
        nyu("bts"), lambda path: open_reader("nyu", path), "sync/*/rgb_*", "sync/*/sync_depth_*"
    ),
    "DenseDepth": Case(
        nyu("densedepth"), lambda path: open_reader("nyu", path),
        "data/nyu2_train/*/*.jpg", "data/nyu2_train/*/*.png", ("data/nyu2_train.csv",), listed=True,
    ),
    "FastDepth": Case(nyu("fastdepth"), lambda path: open_reader("nyu", path)),
    "labelled": Case(nyu("labelled"), lambda path: open_reader("nyu", path)),
    "tfds": Case(nyu("tfds", (480, 640)), lambda path: open_reader("nyu", path)),
    "raw": Case(write_raw, lambda path: open_reader("nyu", path), "*/r-*"),
    "KITTI": Case(
        write_mine,
        lambda path: open_reader("kitti", path, None, list=str(path / "mine.csv")),
        "*/*/image_02/data/*.*", "",
        ("mine.csv", "2011_01_01/calib_cam_to_cam.txt", "2011_01_01/calib_velo_to_cam.txt"),
    ),
    "KITTI, all": Case(
        write_mine,
        lambda path: open_reader("kitti", path, None, list="all"),
        "*/*/image_02/data/*.*",
    ),
    "prepared": Case(
        lambda path: builder.prepare("rooms", None, path, SIZE, {"count": 3}),
        lambda path: open_reader("prepared", path),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Data sets that were written, by name, and their frames."""
    written: dict[str, tuple[Path, list]] = {}

    def original(name):
        if name not in written:
            folder = tmp_path_factory.mktemp("original") / "data"
            CASES[name].write(folder)
            written[name] = folder, frames(CASES[name].open(folder))
        return written[name]

    return original


@pytest.fixture
def copied(originals, tmp_path):
    """Returns a data set's folder, which a test may change, and its frames before."""

    def copy(name):
        folder, expected = originals(name)
        return shutil.copytree(folder, tmp_path / "data", symlinks=True), expected

    return copy


def frames(reader):
    return [(reader.key(index), reader[index]) for index in range(len(reader))]


def assert_same(reader, expected):
    found = frames(reader)
    assert [key for key, _ in found] == [key for key, _ in expected] and found
    for (_, sample), (_, other) in zip(found, expected, strict=True):
        for key, array in other.items():
            np.testing.assert_array_equal(sample[key], array)


def with_(**fields):
    """The names of the cases that have these fields."""
    return [n for n, case in CASES.items() if all(getattr(case, f) for f in fields)]


every = pytest.mark.parametrize("name", CASES)
of_pictures = pytest.mark.parametrize("name", with_(pictures=True))
of_depth = pytest.mark.parametrize("name", with_(depth=True))
of_lists = pytest.mark.parametrize("name", with_(lists=True))


@every
def test_what_systems_leave_in_folders_is_not_read(copied, name):
    folder, expected = copied(name)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7 a Mac's note")
        file.with_name(".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    for system in ("lost+found", "__MACOSX", ".Trash"):
        (folder / system).mkdir()
    assert_same(CASES[name].open(folder), expected)


@every
def test_links_in_circles_are_walked_once(copied, name):
    folder, expected = copied(name)
    for place in [path for path in folder.rglob("*") if path.is_dir()]:
        (place / "up").symlink_to(folder)
        (place / "itself").symlink_to("itself")
    (folder / "zzz").symlink_to(".")
    assert_same(CASES[name].open(folder), expected)


@of_pictures
@pytest.mark.parametrize("change", [str.upper, str.title], ids=["PNG", "Png"])
def test_endings_in_capitals(copied, name, change):
    folder, expected = copied(name)
    for file in [path for path in folder.rglob("*") if path.suffix in (*PICTURES, ".pgm", ".bin")]:
        file.rename(file.with_suffix(change(file.suffix)))
    assert_same(CASES[name].open(folder), expected)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("folder", "rgb", "RGB"),
        ("folder", "depth", "Depth"),
        ("TUM", "rgb.txt", "RGB.TXT"),
        ("stereo", "camera.yaml", "Camera.yaml"),
        ("DenseDepth", "data/nyu2_train.csv", "data/NYU2_train.CSV"),
    ],
)
def test_names_in_capitals(copied, name, old, new):
    folder, expected = copied(name)
    (folder / old).rename(folder / new)
    found = frames(CASES[name].open(folder))
    assert [key.lower() for key, _ in found] == [key.lower() for key, _ in expected]


def test_files_of_one_frame_in_capitals(originals, copied):
    for name, pattern, capitals in (("FastDepth", "*.h5", ".H5"), ("labelled", "*.mat", ".MAT")):
        folder, expected = originals(name)[0], originals(name)[1]
        for file in [path for path in folder.rglob(pattern) if path.name != "splits.mat"]:
            file.rename(file.with_suffix(capitals))
        assert_same(CASES[name].open(folder), expected)
        for file in folder.rglob(f"*{capitals}"):
            file.rename(file.with_suffix(pattern[1:]))


@of_pictures
def test_digits_of_other_scripts(copied, name):
    """Python's own `isdigit` takes them for numbers, of which `int` reads some."""
    folder, expected = copied(name)
    first = min(folder.glob(CASES[name].pictures))
    for digit in ("²", "٣"):
        stem = first.stem[:-1] + digit if first.stem[-1].isdigit() else first.stem + digit
        first.with_name(f"{stem}{first.suffix}").write_bytes(first.read_bytes())
    if name == "folder":  # where any name is a frame's
        with pytest.raises(InputError, match="2 of 5 frames .* are without all their files"):
            CASES[name].open(folder)
    elif name == "stereo":
        with pytest.raises(InputError, match="2 of 4 frames .* are without all their files"):
            CASES[name].open(folder)
    else:
        assert_same(CASES[name].open(folder), expected)


@of_pictures
def test_names_that_are_not_utf_8(copied, name):
    folder, expected = copied(name)
    first = min(folder.glob(CASES[name].pictures))
    strange = first.with_name(os.fsdecode(b"caf\xe9") + first.suffix)
    strange.write_bytes(first.read_bytes())
    try:
        assert_same(CASES[name].open(folder), expected)  # a list names the frames
    except InputError as error:  # it has no depth
        assert str(strange.parent) in str(error)


@of_pictures
def test_a_folder_that_may_not_be_read(copied, name, monkeypatch):
    folder, _ = copied(name)
    secret = min(folder.glob(CASES[name].pictures)).parent
    scandir = os.scandir

    def refuse(path):
        if Path(path) == secret:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=f"{secret}: cannot be read .Permission denied"):
        CASES[name].open(folder)


@of_pictures
def test_a_picture_that_is_a_link_to_itself(copied, name):
    folder, _ = copied(name)
    first = min(folder.glob(CASES[name].pictures))
    first.unlink()
    first.symlink_to(first.name)
    with pytest.raises(InputError) as error:
        frames(CASES[name].open(folder))
    assert first.name in str(error.value) or "missing a partner" in str(error.value)


# What is lost with its disk would be frames less, or frames of another split.
LOST = {
    "folder: test": ("folder", "test"),
    "folder: Val": ("folder", "Val"),
    "folder: depth": ("folder", "depth"),
    "TUM: rgb.txt": ("TUM", "rgb.txt"),
    "stereo: recording": ("stereo", "b"),
    "stereo: right": ("stereo", "0/right"),
    "stereo: camera.yaml": ("stereo", "0/camera.yaml"),
    "BTS: scene": ("BTS", "sync/bathroom_0001"),
    "FastDepth: val": ("FastDepth", "nyudepthv2/val"),
    "FastDepth: scene": ("FastDepth", "nyudepthv2/train/bathroom_0001"),
    "KITTI, all: date": ("KITTI, all", "2011_01_02"),
    "KITTI, all: drive": ("KITTI, all", "2011_01_01/2011_01_01_drive_0099_sync"),
}


@pytest.mark.parametrize(("name", "place"), LOST.values(), ids=LOST)
def test_links_to_a_lost_disk(copied, name, place):
    folder, _ = copied(name)
    link = folder / place
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/mnt/gone/it")
    with pytest.raises(InputError, match=f"{link}: (this link leads to /mnt/gone|cannot be read)"):
        CASES[name].open(folder)


# Lists and calibrations ----------------------------------------------------------------------


TEXTS = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "Windows' line ends": lambda text: text.replace(b"\n", b"\r\n"),
    "old Macs' line ends": lambda text: text.replace(b"\n", b"\r"),
    "blank lines": lambda text: text.replace(b"\n", b"\n \n"),
    "no last line end": lambda text: text.rstrip(b"\n"),
    "all of it": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n\r\n"),
}


@of_lists
@pytest.mark.parametrize("change", TEXTS.values(), ids=TEXTS)
def test_texts_as_other_programs_save_them(copied, name, change):
    folder, expected = copied(name)
    for file in CASES[name].lists:
        (folder / file).write_bytes(change((folder / file).read_bytes()))
    assert_same(CASES[name].open(folder), expected)


@of_lists
@pytest.mark.parametrize(
    ("encoding", "message"),
    [("utf-16", "UTF-16, or no text at all; save it"), ("latin-1", "not a text in UTF-8 .byte ")],
)
def test_texts_of_other_encodings(copied, name, encoding, message):
    folder, _ = copied(name)
    for file in CASES[name].lists:
        text = (folder / file).read_bytes()
        (folder / file).write_bytes(f"{text.decode()}# café\n".encode(encoding))
        with pytest.raises(InputError, match=f"{file}: {message}"):
            frames(CASES[name].open(folder))
        (folder / file).write_bytes(text)


HEADINGS = [("image,depth", "timestamp filename"), ("0,1", "0 1")]  # the second is pandas' own


@pytest.mark.parametrize("name", with_(listed=True))
@pytest.mark.parametrize(("columns", "words"), [*HEADINGS, ("image.png,depth.png", "")])
def test_headings(copied, name, columns, words):
    folder, expected = copied(name)
    for file in CASES[name].lists:
        heading = f"{columns if file.endswith('.csv') else words}\n".encode()
        (folder / file).write_bytes(b"\xef\xbb\xbf" + heading + (folder / file).read_bytes())
    assert_same(CASES[name].open(folder), expected)


def test_an_archive_is_read_as_its_folder_is(originals, tmp_path):
    folder, expected = originals("DenseDepth")
    with zipfile.ZipFile(tmp_path / "copy.ZIP", "w") as archive:
        for file in folder.rglob("*.*"):
            place = file.relative_to(folder / "data").as_posix()
            if file.suffix == ".csv":
                archive.writestr(place, b"\xef\xbb\xbfimage,depth\r\n" + file.read_bytes())
            else:
                archive.write(file, place.removesuffix(file.suffix) + file.suffix.upper())
            archive.writestr(f"__MACOSX/{Path(place).parent}/._{file.name}", b"a Mac's note")
    assert_same(CASES["DenseDepth"].open(tmp_path), expected)


# Turned pictures -----------------------------------------------------------------------------


def tag(file: Path, orientation: int, save_as: str = "") -> None:
    """Writes the pixels anew, with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(file) as image:
        pixels = image.copy()
    file.unlink()
    pixels.save(file.with_suffix(save_as or file.suffix), exif=exif, quality=97)


@of_depth
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_turned_picture_turns_its_depth(copied, name, orientation):
    folder, expected = copied(name)
    for file in folder.glob(CASES[name].pictures):
        tag(file, orientation)
    for (_, sample), (_, plain) in zip(frames(CASES[name].open(folder)), expected, strict=True):
        np.testing.assert_array_equal(sample["depth"], turn(plain["depth"], orientation))
        difference = sample["image"] - turn(plain["image"], orientation)
        assert np.abs(difference).mean() < 0.02  # a JPEG is written anew


@of_depth
def test_depth_that_is_upright_already(copied, name):
    folder, expected = copied(name)
    for file in folder.glob(CASES[name].pictures):
        tag(file, 6)
    for file in folder.glob(CASES[name].depth):
        stored = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        content = cv2.imencode(".png", turn(stored, 6))[1].tobytes()
        file.write_bytes(content)
    for (_, sample), (_, plain) in zip(frames(CASES[name].open(folder)), expected, strict=True):
        np.testing.assert_allclose(sample["depth"], turn(plain["depth"], 6))


@of_depth
@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_turn_that_the_sides_do_not_tell_is_not_guessed(copied, name, orientation):
    folder, _ = copied(name)
    for file in folder.glob(CASES[name].pictures):
        tag(file, orientation)
    message = rf"orientation {orientation}.*, and the sides of its depth, .24, 32., do not tell"
    with pytest.raises(InputError, match=message):
        CASES[name].open(folder)[0]


def test_turned_pictures_of_pairs_and_of_the_scanner(copied, tmp_path):
    folder, _ = copied("stereo")
    tag(folder / "0/right/0.png", 6)
    with pytest.raises(InputError, match="left/0.png: its EXIF .* stereo pair is rectified"):
        CASES["stereo"].open(folder)[0]
    shutil.rmtree(folder)
    folder, _ = copied("KITTI")
    for file in folder.glob(CASES["KITTI"].pictures):
        tag(file, 3)
    with pytest.raises(InputError, match="do not tell whether that is turned already"):
        CASES["KITTI"].open(folder)[0]
