import cv2
import numpy as np
import pytest

from keras_depth import colormap
from keras_depth.data.checks.contact_sheet import contact_sheet
from keras_depth.errors import InputError

GREY = [153, 153, 153]


def room(height, width):
    """A picture and its depth: a box at 2 m before a wall at 4 m."""
    image, depth = np.full((height, width, 3), 200, np.uint8), np.full((height, width), 4.0)
    box = np.s_[height // 4 : height // 2, width // 4 : width // 2]
    image[box], depth[box] = 50, 2
    return image, depth


def test_contact_sheet(tmp_path):
    path = tmp_path / "sheet.png"
    images, depths = zip(*[room(48, 64)] * 3, strict=True)
    depths = [depths[0], depths[1], depths[2] * 0]
    contact_sheet(images, depths, ["a", "b" * 500, "c"], path)
    sheet = cv2.imread(str(path))[..., ::-1]
    assert sheet.shape == (2 * (195 + 26) + 54, 1600, 3)  # two frames a row; the bar
    height, width = 195, 260
    first = sheet[18 : 18 + height]
    picture, colours, upon, second = (first[:, k * 268 : k * 268 + width] for k in range(4))
    assert picture[70, 90].tolist() == [50] * 3 and picture[10, 10].tolist() == [200] * 3
    expected = colormap.colorize(depths[0], 2, 4)
    assert colours[70, 90].tolist() == expected[20, 20].tolist()
    assert colours[10, 10].tolist() == expected[0, 0].tolist()
    green = (upon == [0, 255, 0]).all(-1)
    # The box's outline, and it alone.
    assert green[48].any() and green[:, 65].any() and not green[60:85, 80:115].any()
    assert not green[:40].any()
    np.testing.assert_array_equal(second, picture)
    third = sheet[18 + 221 : 18 + 221 + height, 268 : 268 + width]
    assert (third == GREY).all(), "no depth"
    assert (sheet[18 + 221 :][:height, 3 * 268 :] == 255).all(), "no fourth frame"


def test_a_contact_sheet_of_wide_frames_shows_their_points(tmp_path):
    path = tmp_path / "sheet.png"
    image = np.zeros((100, 1066, 3), np.float32)
    depth = np.zeros((100, 1066))
    depth[50, 500], depth[50, 900] = 5, 20
    contact_sheet([image, image], [depth, depth], ["a", "b"], path)
    sheet = cv2.imread(str(path))[..., ::-1]
    height, width = 50, 528
    assert sheet.shape == (2 * (height + 26) + 54, 1600, 3)  # one frame a row
    colours, upon = (sheet[18:][:height, k * 536 : k * 536 + width] for k in (1, 2))
    points = (colours != GREY).any(-1)
    assert points[:, 230:270].sum() >= 2 and points[:, 430:460].sum() >= 2, "enlarged"
    # Half of a black picture shows through.
    np.testing.assert_allclose(upon[points], colours[points] / 2, atol=1)
    assert (upon[~points] == 0).all()


def test_near_points_are_drawn_over_far_ones(tmp_path):
    depth = np.zeros((60, 80))
    depth[30, 40], depth[30, 41] = 20, 5
    path = tmp_path / "sheet.png"
    contact_sheet([np.zeros((60, 80, 3))], [depth], ["a"], path)
    sheet = cv2.imread(str(path))[..., ::-1]
    low, high = colormap.depth_range(depth)
    near, far = colormap.colorize(np.array([[5.0, 20.0]]), low, high)[0]
    panel = sheet[18:213, 268:528]
    assert (panel == near).all(-1).sum() > (panel == far).all(-1).sum() > 0


def test_a_contact_sheet_needs_one_of_each(tmp_path):
    image, depth = room(48, 64)
    for images, depths, titles in (([image], [], ["a"]), ([], [], []), ([image], [depth], [])):
        with pytest.raises(InputError, match="give one of each for every frame"):
            contact_sheet(images, depths, titles, tmp_path / "sheet.png")
