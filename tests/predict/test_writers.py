"""The files that prediction writes."""

import cv2
import numpy as np
import pytest

from keras_depth import colormap, depth_png
from keras_depth.errors import InputError
from keras_depth.predict import writers
from keras_depth.predict.writers import Writer

IMAGE = np.zeros((1, 4, 3), np.uint8)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pixels_too_far_for_16_bits_are_counted(tmp_path):
    writer = Writer(tmp_path, ("png",))
    depth = np.array([[65.535, 65.536, 80, np.inf]], np.float32)
    with writer.still("a") as write:
        write(IMAGE, depth)
    assert names(tmp_path) == ["a_depth.png"] and writer.clipped == 2
    stored = cv2.imread(str(tmp_path / "a_depth.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, depth_png.quantize(depth))


def test_frames_are_numbered_and_their_colors_are_one_video(tmp_path):
    writer = Writer(tmp_path, ("npy", "color"))
    with writer.video("walk", rate=10) as write:
        for metres in (1, 2):
            write(np.zeros((32, 48, 3), np.uint8), np.full((32, 48), metres, np.float32))
    expected = ["walk_000000_depth.npy", "walk_000001_depth.npy", "walk_color.mp4"]
    assert names(tmp_path) == expected
    assert (np.load(tmp_path / "walk_000001_depth.npy") == 2).all()


def test_a_video_of_which_nothing_was_written_leaves_no_file(tmp_path):
    try:
        with Writer(tmp_path, ("color",)).video("walk", rate=10) as write:
            write(np.zeros((32, 48, 3), np.uint8), np.ones((32, 48), np.float32))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert names(tmp_path) == []


def painted(path):
    """Returns the color in the middle of each frame of a video."""
    capture = cv2.VideoCapture(str(path))
    colors = []
    while (frame := capture.read())[0]:
        colors.append(frame[1][16, 24, ::-1].astype(int))
    return colors


def walk(folder, metres, rate=10, **options):
    """Writes a video: walls at these metres, each with a part at half of them."""
    depth = np.ones((32, 48), np.float32)
    depth[:8] = 0.5
    with Writer(folder, ("color",), **options).video("walk", rate=rate) as write:
        for each in metres:
            write(np.zeros((32, 48, 3), np.uint8), each * depth)
    return painted(folder / "walk_color.mp4")


def color(metres, near, far):
    return colormap.colorize(np.full((1, 1), metres, np.float32), near, far)[0, 0].astype(int)


def test_a_video_s_range_is_that_of_its_first_seconds(tmp_path):
    """2 to 4 m for two seconds, then 3 and 8 m: these do not change the colors of the others."""
    colors = walk(tmp_path, [4.0] * 20 + [3.0] * 20 + [8.0] * 20)
    assert len(colors) == 60
    for frame, metres in ((10, 4), (19, 4), (30, 3), (55, 8)):  # 8 m are as dark as 4
        np.testing.assert_allclose(colors[frame], color(metres, 2, 4), atol=12)


def test_a_given_range_is_a_video_s_range(tmp_path):
    colors = walk(tmp_path, [4.0] * 25, color_range=(0, 10))
    np.testing.assert_allclose(colors[12], color(4, 0, 10), atol=12)


def test_few_frames_wait_for_the_range(tmp_path, monkeypatch):
    """No more than memory allows, and the first at least."""
    monkeypatch.setattr(writers, "_FIRST_BYTES", 3 * 4 * 32 * 48)
    colors = walk(tmp_path, [4.0] * 3 + [1.0] * 7)
    np.testing.assert_allclose(colors[8], color(1, 2, 4), atol=12)
    monkeypatch.setattr(writers, "_FIRST_BYTES", 1)
    colors = walk(tmp_path, [4.0] + [1.0] * 9)
    np.testing.assert_allclose(colors[8], color(1, 2, 4), atol=12)


@pytest.mark.parametrize(
    "formats, message",
    [
        (("png", "pgn"), "unknown format 'pgn': did you mean 'png'"),
        (("ply",), "needs the intrinsics of the camera"),
    ],
)
def test_what_it_cannot_write_is_refused(tmp_path, formats, message):
    with pytest.raises(InputError, match=message):
        Writer(tmp_path, formats)
