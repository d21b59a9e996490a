"""Videos are read whole and written whole, or the one who asked for them is told."""

import os
import resource
import struct
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.predict import videos

COUNT = 30
CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".3gp": "mp4v", ".avi": "MJPG", ".mkv": "mp4v",
          ".webm": "VP80", ".wmv": "WMV2"}  # fmt: skip


def frame(index, size=(48, 64)):
    noise = np.random.default_rng(index).integers(0, 255, (*size, 3), np.uint8)
    noise[: size[0] // 2] = 8 * index % 256
    return noise


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of videos of 30 frames, one of each kind."""
    folder = tmp_path_factory.mktemp("videos")
    for suffix, codec in CODECS.items():
        path = str(folder / f"a{suffix}")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
        assert writer.isOpened()
        for index in range(COUNT):
            writer.write(frame(index))
        writer.release()
    return folder


def read(path):
    """Returns how many frames come, and what is said at the end."""
    count = 0
    try:
        with videos.read(path, "film") as (frames, _):
            for _ in frames:
                count += 1
    except InputError as error:
        return count, str(error)
    return count, ""


@pytest.mark.parametrize("suffix", CODECS)
def test_whole_videos(whole, suffix):
    assert read(whole / f"a{suffix}") == (COUNT, "")


def half(content):
    return content[: len(content) // 2]


def damaged(content):
    middle, length = len(content) // 2, len(content) // 5
    return content[: middle - length] + bytes(length) + content[middle:]


def boxes(content):
    """Yields type and bytes of the boxes of an MP4 file."""
    place = 0
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        yield kind, content[place : place + length]
        place += length


def for_the_web(content):
    """Puts the index of an MP4 file before its frames, as downloads have it."""
    parts = dict(boxes(content))
    index = bytearray(parts.pop(b"moov"))
    place = index.find(b"stco") + 8
    for entry in range(struct.unpack_from(">I", index, place)[0]):
        (offset,) = struct.unpack_from(">I", index, place + 4 * (entry + 1))
        struct.pack_into(">I", index, place + 4 * (entry + 1), offset + len(index))
    return parts.pop(b"ftyp") + index + b"".join(parts.values())


def trimmed(content):
    """Hides the first half of an MP4 file's frames by an edit list, as phones trim videos."""
    content = bytearray(content)
    ticks = struct.unpack_from(">I", content, content.find(b"mdhd") + 16)[0]
    edit = content.find(b"elst") + 12
    (duration,) = struct.unpack_from(">I", content, edit)
    struct.pack_into(">Ii", content, edit, duration // 2, COUNT // 2 * ticks // 10)
    return bytes(content)


@pytest.mark.parametrize(
    "suffix, harm",
    [
        *((suffix, half) for suffix in (".avi", ".mkv", ".webm")),
        *((suffix, damaged) for suffix in CODECS),
        (".mp4", lambda content: half(for_the_web(content))),
        (".mp4", lambda content: damaged(for_the_web(content))),
    ],
)
def test_videos_with_missing_frames(whole, tmp_path, suffix, harm):
    path = tmp_path / f"b{suffix}"
    path.write_bytes(harm((whole / f"a{suffix}").read_bytes()))
    count, said = read(path)
    assert 4 <= count <= COUNT - 3
    assert said == (
        f"film: cut short or damaged: {count} of its 30 frames can be read, and are kept; copy it"
        " again"
    )


def without_its_last(promille):
    return lambda content: content[: len(content) * (1000 - promille) // 1000]


def without_its_tail(content):
    """As a download leaves it that takes the room for the whole file first."""
    length = int(0.7 * len(content))
    return content[:length] + bytes(len(content) - length)


@pytest.mark.parametrize("suffix", [*CODECS, "for the web"])
@pytest.mark.parametrize("harm", [without_its_last(7), without_its_last(15), without_its_tail])
def test_videos_without_their_end(whole, tmp_path, suffix, harm):
    """They may lack fewer frames than headers count too many, or only an index behind them."""
    web = suffix == "for the web"
    suffix = ".mp4" if web else suffix
    content = (whole / f"a{suffix}").read_bytes()
    path = tmp_path / f"b{suffix}"
    path.write_bytes(harm(for_the_web(content) if web else content))
    count, said = read(path)
    if suffix in (".mp4", ".mov", ".3gp") and not web:  # their index is lost
        assert count == 0 and said.startswith("film: cannot be opened; it is damaged")
    else:
        assert 15 <= count <= COUNT
        of_all = f" of its {COUNT}" if count < COUNT else ""
        assert said == (
            f"film: cut short or damaged: {count}{of_all} frames can be read, and are kept; copy it"
            " again"
        )


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("harm", [lambda all: all[4096:], lambda all: bytes(999) + all[999:]])
def test_videos_without_their_start(whole, tmp_path, suffix, harm):
    """OpenCV may find frames in them, but not their rate."""
    path = tmp_path / f"b{suffix}"
    path.write_bytes(harm((whole / f"a{suffix}").read_bytes()))
    count, said = read(path)
    assert count == 0 and said.startswith("film: ")
    if suffix == ".avi":
        assert said == (
            "film: does not begin as a video does: its start is missing or damaged; copy it again"
        )


@pytest.mark.parametrize("suffix", CODECS)
def test_a_wrong_ending_does_no_harm(whole, tmp_path, suffix):
    path = tmp_path / ("b.mp4" if suffix == ".avi" else "b.avi")
    path.write_bytes((whole / f"a{suffix}").read_bytes())
    assert read(path) == (COUNT, "")


def test_what_a_camera_appends_does_no_harm(whole, tmp_path):
    (tmp_path / "b.mp4").write_bytes((whole / "a.mp4").read_bytes() + b"\x7f\xff\xff\xffGPS 1234")
    assert read(tmp_path / "b.mp4") == (COUNT, "")


@pytest.mark.parametrize("suffix, place, length", [
    (".avi", 4, 4), (".mkv", b"\x18S\x80g", 8), (".webm", b"\x18S\x80g", 8),
])  # fmt: skip
def test_recordings_that_do_not_say_how_long_they_are(whole, tmp_path, suffix, place, length):
    """What is written to a pipe cannot say it."""
    content = bytearray((whole / f"a{suffix}").read_bytes())
    if isinstance(place, bytes):
        place = content.find(place) + 4
        assert content[place] == 1  # of eight bytes
        content[place : place + 8] = b"\x01" + 7 * b"\xff"
    else:
        content[place : place + length] = length * b"\xff"
    (tmp_path / f"b{suffix}").write_bytes(content)
    assert read(tmp_path / f"b{suffix}") == (COUNT, "")


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_half_a_video_without_its_index(whole, tmp_path, suffix):
    path = tmp_path / f"b{suffix}"
    path.write_bytes(half((whole / f"a{suffix}").read_bytes()))
    assert read(path) == (0, "film: cannot be opened; it is damaged or no video that OpenCV knows;"
                          " convert it to mp4 (H.264)")  # fmt: skip


@pytest.mark.parametrize("change, count", [(for_the_web, COUNT), (trimmed, COUNT // 2)])
def test_whole_videos_of_another_form(whole, tmp_path, change, count):
    (tmp_path / "b.mp4").write_bytes(change((whole / "a.mp4").read_bytes()))
    assert read(tmp_path / "b.mp4") == (count, "")


def test_frames_that_were_not_asked_for_are_not_missed(whole, tmp_path):
    (tmp_path / "b.avi").write_bytes(half((whole / "a.avi").read_bytes()))
    with videos.read(tmp_path / "b.avi", "film") as (frames, _):
        next(iter(frames))


MATROSKA = b"\x1aE\xdf\xa3\x80"  # how such a file begins


class Screencast:
    """Stands in for cv2.VideoCapture: frames come when something moves, and no header has a count.

    OpenCV then multiplies the duration by the rate, or by what it takes for it.
    """

    times = (0, 17, 34, 2000, 2100, 4000, 4017, 5500, 9000, 10_000)  # milliseconds
    values = {cv2.CAP_PROP_FPS: 60, cv2.CAP_PROP_FRAME_COUNT: 600}

    def __init__(self, _):
        self.count = 0

    def isOpened(self):
        return True

    def get(self, name):
        return self.times[self.count - 1] if name == cv2.CAP_PROP_POS_MSEC else self.values[name]

    def read(self):
        self.count += 1
        return self.count <= len(self.times), frame(0)

    def release(self):
        pass


@pytest.mark.filterwarnings("ignore:film. gives no plausible number")
@pytest.mark.parametrize("rate, expected", [(60, 600), (1000, 10_000), (60, -(2**63)), (0, 0)])
def test_an_estimated_count_is_not_believed(monkeypatch, tmp_path, rate, expected):
    values = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: expected}
    monkeypatch.setattr(Screencast, "values", values)
    monkeypatch.setattr(cv2, "VideoCapture", Screencast)
    (tmp_path / "film.webm").write_bytes(MATROSKA)
    assert read(tmp_path / "film.webm") == (10, "")


@pytest.mark.parametrize("expected, said", [(300, ""), (312, ""), (330, "cut short or damaged")])
def test_sound_may_be_longer_than_the_pictures(monkeypatch, tmp_path, expected, said):
    """Then the count that OpenCV makes of the duration is too large."""
    monkeypatch.setattr(Screencast, "times", [round(1000 / 30 * i) for i in range(300)])
    values = {cv2.CAP_PROP_FPS: 30, cv2.CAP_PROP_FRAME_COUNT: expected}
    monkeypatch.setattr(Screencast, "values", values)
    monkeypatch.setattr(cv2, "VideoCapture", Screencast)
    (tmp_path / "film.mkv").write_bytes(MATROSKA)
    count, error = read(tmp_path / "film.mkv")
    assert count == 300 and (said in error if said else not error)


# Rates


@pytest.mark.parametrize("rate", [0.1, 0.5, 12.5, 30, 300, 999])
def test_slow_and_fast_videos_keep_their_rate(tmp_path, rate):
    write(tmp_path / "film.mp4", 5, rate)
    with videos.read(tmp_path / "film.mp4", "film") as (_, found):
        assert found == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("rate", [0, 0.01, 1000, 90_000, float("nan")])
def test_a_rate_that_cannot_be_is_said(monkeypatch, tmp_path, rate):
    values = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: 0}
    monkeypatch.setattr(Screencast, "values", values)
    monkeypatch.setattr(cv2, "VideoCapture", Screencast)
    (tmp_path / "film.webm").write_bytes(MATROSKA)
    said = rf"^film: gives no plausible number of frames a second \({rate:g}\); 30 is taken$"
    with (
        pytest.warns(UserWarning, match=said),
        videos.read(tmp_path / "film.webm", "film") as (_, found),
    ):
        assert found == 30


# Writing


@contextmanager
def room_for(size):
    """Lets no file grow beyond so many bytes: to a program, the same as a disk without more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def write(path, count=COUNT, rate=10.0):
    with videos.write(path, rate) as add:
        for index in range(count):
            add(frame(index))


@pytest.mark.parametrize("part", [0, 0.001, 0.5, 0.999])
def test_a_full_disk_is_said_and_the_old_video_stays(tmp_path, part):
    path = tmp_path / "film.mp4"
    write(path)
    size = int(part * path.stat().st_size)
    path.write_bytes(b"old")
    with room_for(size), pytest.raises(InputError) as error:
        write(path)
    assert str(error.value) == (
        f"{path}: cannot be written (File too large); choose another folder, or make room on the"
        " disk"
    )
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["film.mp4"]


@pytest.mark.parametrize("count, rate", [(1, 10), (2, 30), (13, 29.97), (30, 1), (100, 240)])
def test_written_videos_are_whole(tmp_path, count, rate):
    write(tmp_path / "film.mp4", count, rate)
    assert read(tmp_path / "film.mp4") == (count, "")


def test_a_video_that_lacks_frames_is_not_kept(tmp_path):
    with (
        pytest.raises(InputError, match="did not write all of its frames; run it again"),
        videos.write(tmp_path / "film.mp4", 10) as add,
    ):
        add(frame(0))
        add(frame(1, size=(32, 32)))  # OpenCV leaves out frames of another size
    assert os.listdir(tmp_path) == []


def test_names_that_are_not_utf_8_are_said(tmp_path):
    """OpenCV would end the process."""
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(b"")
    assert "whose path is not UTF-8; rename it" in read(path)[1]
    with pytest.raises(InputError, match="/caf.*whose path is not UTF-8; rename it"):
        write(path)
