"""Which frames are opened to score a model: by default those that suit it."""

import keras
import numpy as np
import pytest

from keras_depth import depth_png, recipes
from keras_depth.data.reader import NoSplit
from keras_depth.errors import InputError
from keras_depth.evaluate.frames import Frames
from keras_depth.images import encode_png
from keras_depth.predict.estimator import DepthEstimator
from tests.helpers.files import write_file


def estimator(channels, encoding):
    image = keras.Input((32, 104, 3))
    return DepthEstimator(keras.Model(image, image[..., :channels]), encoding=encoding)


def test_a_run_is_scored_on_test_frames_or_else_on_validation_frames(tmp_path, monkeypatch):
    asked = []

    def opened(name, data_dir, split, **options):
        asked.append((data_dir, split, options))
        if split == "test" and "without" in str(data_dir):
            raise NoSplit("no test frames")
        return None

    monkeypatch.setattr(recipes, "open_reader", opened)
    options = {"stereo": False, "hold_out": 0.3}  # the network needs no pairs
    for folder, splits in (("with", ["test"]), ("without", ["test", "validation"])):
        recipe = recipes.load(
            "jetson_fcnn/rooms", [f"data={{name: folder, dir: {folder}, hold_out: 0.3}}"]
        )
        Frames().open_own(recipe)
        assert asked == [(folder, split, options) for split in splits]
        asked.clear()
    Frames(split="train").open_own(recipe)
    assert asked == [("without", "train", options)]


def test_test_frames_that_cannot_be_read_are_an_error(tmp_path):
    """Others are not scored in their place."""
    for name, depth in (("train/a", "{}.png"), ("train/b", "{}.png"), ("test/c", "other_{}.png")):
        for index in range(2):
            write_file(tmp_path / name / f"rgb/{index}.png", encode_png(np.zeros((8, 8, 3), "u1")))
            file = tmp_path / name / "depth" / depth.format(index)
            write_file(file, depth_png.encode(np.ones((8, 8), "float32")))
    recipe = recipes.load("jetson_fcnn/rooms", [f"data={{name: folder, dir: {tmp_path}}}"])
    with pytest.raises(InputError, match="test: no frame has both a picture and a depth map"):
        Frames().open_own(recipe)
    assert "validation" in Frames(split="validation").open_own(recipe).description


def test_a_model_of_disparity_is_scored_on_stereo_pairs():
    """Their camera converts disparity to metres."""
    disparity, metric = estimator(2, "disparity"), estimator(1, "metric")
    assert Frames("drives").open(disparity).stereo
    assert not Frames("drives", options={"stereo": False}).open(disparity).stereo
    assert not Frames("rooms").open(disparity).stereo
    assert not Frames("drives").open(metric).stereo


def test_rendered_frames_are_of_the_models_size():
    reader = Frames("drives", options={"count": 1}).open(estimator(1, "metric"))
    assert len(reader) == 1 and reader.stored(0)["image"].shape == (32, 104, 3)


def test_frames_need_a_data_set():
    with pytest.raises(InputError, match="no data set is named; give --data"):
        Frames().open()
