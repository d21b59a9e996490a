"""The files that prediction writes."""

import cv2
import numpy as np

from keras_depth import depth_png
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
