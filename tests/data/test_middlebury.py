import cv2
import numpy as np
import pytest

from keras_depth.data import open_reader
from keras_depth.data.middlebury import open_middlebury
from keras_depth.errors import InputError

SIZE = (6, 8)


def scene(folder, disparity=None, suffix="png"):
    folder.mkdir(parents=True)
    for name, grey in (("im2", 20), ("im6", 60)):
        cv2.imwrite(str(folder / f"{name}.{suffix}"), np.full((*SIZE, 3), (0, 0, grey), np.uint8))
    disparity = np.full(SIZE, 40, np.uint8) if disparity is None else disparity
    cv2.imwrite(str(folder / "disp2.png"), disparity)
    return folder


def scene_error(folder, *arguments, **options):
    with pytest.raises(InputError) as error:
        reader = open_middlebury(folder, *arguments, **options)
        reader[0]
    return str(error.value)


def test_disparity_is_stored_four_times(tmp_path):
    disparity = np.zeros(SIZE, np.uint8)
    disparity[2, 3], disparity[5, 7] = 40, 255
    scene(tmp_path / "cones", disparity)
    reader = open_middlebury(tmp_path)
    sample = reader[0]
    assert sample["focal_baseline"] == 1 and sample["focal_baseline"].dtype == np.float32
    np.testing.assert_allclose(1 / sample["depth"][2, 3, 0], 10)  # pixels
    np.testing.assert_allclose(1 / sample["depth"][5, 7, 0], 63.75)
    assert (sample["depth"] > 0).sum() == 2  # 0 is unknown, not infinitely far
    assert sample["image"][0, 0, 0] == np.float32(20 / 255)
    assert sample["right"][0, 0, 0] == np.float32(60 / 255)
    assert reader.stored(0)["right"].dtype == np.uint8
    assert reader.description == (
        f"Middlebury 2003: 1 stereo pairs from {tmp_path}, "
        "no metres: depth is 1 / disparity in pixels"
    )


def test_calibrated_depth_is_metres(tmp_path):
    scene(tmp_path / "cones")
    sample = (reader := open_middlebury(tmp_path, focal_baseline=30))[0]
    np.testing.assert_allclose(sample["depth"], 3)  # 30 px m / 10 px
    assert sample["focal_baseline"] == 30 and "baseline 30 px m" in reader.description


@pytest.mark.parametrize("scale, pixels", [(4, 10), (2, 20), (1, 40)])
def test_the_larger_sets_have_other_factors(tmp_path, scale, pixels):
    scene(tmp_path / "cones", suffix="ppm")
    np.testing.assert_allclose(1 / open_middlebury(tmp_path, scale=scale)[0]["depth"], pixels)


def test_a_folder_of_scenes_or_one(tmp_path):
    scene(tmp_path / "teddy")
    scene(tmp_path / "cones")
    (tmp_path / "notes").mkdir()
    reader = open_middlebury(tmp_path, "test")
    assert [reader.key(i) for i in range(len(reader))] == ["cones/im2", "teddy/im2"]
    assert reader.name(1) == str(tmp_path / "teddy" / "im2.png")
    one = open_middlebury(tmp_path / "teddy")
    assert len(one) == 1 and one.key(0) == "im2"
    (tmp_path / "teddy" / "im6.png").unlink()
    reader = open_middlebury(tmp_path)
    assert len(reader) == 1 and reader.missing == (str(tmp_path / "teddy" / "im2.png"),)
    assert f"; scenes not whole: {tmp_path}/teddy/im2.png" in reader.description


def test_errors(tmp_path):
    assert "no such folder" in scene_error(tmp_path / "nowhere")
    assert "no scene with im2, im6 and disp2" in scene_error(tmp_path)
    cones = scene(tmp_path / "cones")
    assert "unknown split 'train'" in scene_error(tmp_path, "train")
    for options in ({"focal_baseline": 0}, {"scale": -4}, {"scale": "4"}):
        (name,) = options
        assert f"data.{name} is" in scene_error(tmp_path, **options)
    cv2.imwrite(str(cones / "disp2.png"), np.ones(SIZE, np.uint16))
    assert "the disparity is stored as uint16" in scene_error(tmp_path)
    cv2.imwrite(str(cones / "disp2.png"), np.ones((3, 4), np.uint8))
    assert "the picture is (6, 8) but its depth (3, 4)" in scene_error(tmp_path)


def test_a_real_pair(samples):
    sample = open_reader("middlebury", samples / "middlebury_2003", None)[0]
    depth = sample["depth"][..., 0]
    assert depth.shape == (375, 450)
    disparity = np.where(depth > 0, 1 / np.where(depth > 0, depth, 1), 0)
    assert (disparity[depth > 0].min(), disparity.max()) == (5.5, 55)
    # The left picture's pixel x is the right one's x - disparity.
    rows, columns = np.indices(depth.shape)
    apart = [
        np.abs(
            sample["image"] - sample["right"][rows, np.clip(columns - shift, 0, 449).astype(int)]
        )[:, 60:-60][depth[:, 60:-60] > 0].mean()
        for shift in (disparity, -disparity, 0 * disparity)
    ]
    assert apart[0] < 0.05 < apart[1] and apart[0] < 0.5 * apart[2]
