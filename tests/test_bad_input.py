"""Public functions refuse what they cannot take with an InputError that says what to give."""

import numpy as np
import pytest

import keras_depth
from keras_depth import data, encodings, layers, losses, metrics, models, protocols, recipes
from keras_depth.data.augment import Augmentation
from keras_depth.errors import InputError

IMAGE = np.zeros((32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    return keras_depth.create_model("lite_basic_interl_t", input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def estimator(network):
    return keras_depth.DepthEstimator(network)


BAD = {
    "a name of no network": lambda: keras_depth.create_model("resnet"),
    "no name at all": lambda: keras_depth.create_model(None),
    "two sides": lambda: keras_depth.create_model("lite_basic_interl_t", (240, 320)),
    "floating sides": lambda: keras_depth.create_model("lite_basic_interl_t", (240.0, 320.0, 3)),
    "a size as text": lambda: keras_depth.create_model("lite_basic_interl_t", "240x320"),
    "one side": lambda: keras_depth.create_model("lite_basic_interl_t", 240),
    "an open size": lambda: keras_depth.create_model("lite_basic_interl_t", (None, None, 3)),
    "channels first": lambda: keras_depth.create_model("lite_basic_interl_t", (3, 240, 320)),
    "weights that are not there": lambda: keras_depth.create_model(
        "lite_basic_interl_t", (32, 32, 3), "weights.keras"
    ),
    "an unknown option": lambda: keras_depth.create_model("lite_basic_interl_t", depth=3),
    "an unknown architecture": lambda: models.get("basic"),
    "a run that is not there": lambda: keras_depth.load_model("runs/none"),
    "a path that is none": lambda: keras_depth.load_model(None),
    "an estimator of nothing": lambda: keras_depth.DepthEstimator(None),
    "an estimator of a path": lambda: keras_depth.DepthEstimator("runs/rooms"),
    "a run of no path": lambda: keras_depth.DepthEstimator.load(5),
    "a preset that is none": lambda: keras_depth.DepthEstimator.from_preset("mobile_interl_mars"),
    "a data set that is none": lambda: data.open_reader("nyuu"),
    "a data set without folder": lambda: data.open_reader("nyu"),
    "a folder that is none": lambda: data.open_reader("folder", 5),
    "a split that is none": lambda: data.open_reader("rooms", None, "tests"),
    "an unknown option of a data set": lambda: data.open_reader("rooms", cuont=2),
    "an option of another type": lambda: data.open_reader("rooms", count="two"),
    "a loss that is none": lambda: losses.get("berhuu"),
    "an unknown argument of a loss": lambda: losses.get("adaptive_berhu", presett="run"),
    "a metric that is none": lambda: metrics.DepthMetric("delta"),
    "a reduction that is none": lambda: metrics.DepthMetric("rmse", "frame"),
    "an encoding that is none": lambda: encodings.ENCODINGS["metres"],
    "a protocol that is none": lambda: protocols.get("eigen"),
    "an unknown setting": lambda: protocols.get("full", {"alignmet": "median"}),
    "a setting of another type": lambda: protocols.get("full", {"max_depth": "far"}),
    "a recipe that is none": lambda: recipes.load("row99"),
    "an unknown key": lambda: recipes.load("jetson_fcnn/rooms", ["lose.k=1"]),
    "a value of another type": lambda: recipes.load("jetson_fcnn/rooms", ["epochs=many"]),
    "an augmentation of two crops": lambda: Augmentation(crop=(1, 2, 3)),
    "maps of two shapes": lambda: layers.interleave.interleave(
        *(np.zeros((1, n, 2, 1)) for n in (1, 1, 1, 2))
    ),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_it_is_refused_in_a_sentence(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        call()
    sentence = str(error.value)
    assert sentence and "\n" not in sentence and "Traceback" not in sentence


PICTURES = {
    "two sizes": [IMAGE, IMAGE[:16]],
    "two paths": ["a.png", "b.png"],
    "a path of no file": "none.png",
    "nothing": None,
    "channels first": np.zeros((3, 32, 32), np.uint8),
    "gray": np.zeros((32, 32), np.uint8),
    "transparency": np.zeros((32, 32, 4), np.uint8),
    "no pixel": np.zeros((0, 32, 3), np.uint8),
    "16 bits": np.zeros((32, 32, 3), np.uint16),
    "0 to 255, floating": np.full((32, 32, 3), 255.0),
    "not a number": np.full((32, 32, 3), np.nan),
    "objects": np.full((32, 32, 3), None),
    "text": np.full((32, 32, 3), "a"),
    "bytes": b"\x89PNG",
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_that_is_none(estimator, picture):
    with pytest.raises(InputError):
        estimator(picture)


@pytest.mark.parametrize("channels", ["gbr", None, 3])
def test_channels_that_are_none(estimator, channels):
    with pytest.raises(InputError, match="channels"):
        estimator(IMAGE, channels=channels)
