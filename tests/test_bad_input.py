"""Public functions refuse what they cannot take with an InputError that says what to give."""

import numpy as np
import pytest

import keras_depth
from keras_depth import (
    colormap,
    data,
    depth_png,
    encodings,
    layers,
    losses,
    metrics,
    models,
    protocols,
    recipes,
)
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

NAMES = ([], {}, np.zeros(3), 5)
BY_NAME = {
    "create_model": keras_depth.create_model,
    "open_reader": data.open_reader,
    "losses.get": losses.get,
    "protocols.get": protocols.get,
    "models.get": models.get,
    "list_architectures": models.list_architectures,
    "describe": metrics.describe,
    "DepthMetric": metrics.DepthMetric,
    "a reduction": lambda name: metrics.DepthMetric("rmse", name),
    "an encoding": lambda name: encodings.ENCODINGS[name],
    "a rule": lambda name: layers.MatmulResize((8, 8), name),
}
BAD |= {
    f"{what} by {name!r}": lambda call=call, name=name: call(name)
    for what, call in BY_NAME.items()
    for name in NAMES
}

NUMBERS = {  # of losses
    "mse_rel": ("alpha1", "alpha2"),
    "berhu": ("threshold",),
    "adaptive_berhu": ("k0", "delta", "rate", "decay"),
    "log_l1": ("gradient", "scales"),
    "silog": ("focus", "scale"),
    "stereo": ("ssim", "smoothness", "consistency"),
    "structural": ("depth", "gradient", "ssim", "ssim_range"),
    "msfnet": ("depth", "auxiliary", "ssim_range"),
}
BAD |= {
    f"{key} of {name}: {value!r}": lambda name=name, key=key, value=value: losses.get(
        name, **{key: value}
    )
    for name, keys in NUMBERS.items()
    for key in keys
    for value in ("x", [], True, -1, np.nan, np.inf)
}
BAD |= {
    f"reduction of {name}: {value!r}": lambda name=name, value=value: losses.get(
        name, reduction=value
    )
    for name in losses.LOSSES
    for value in ("x", [])
}
BAD |= {
    f"vertical of stereo: {value!r}": lambda value=value: losses.get("stereo", vertical=value)
    for value in ("x", -1, np.nan)
}
BAD |= {
    f"{layer.__name__} of {size!r}": lambda layer=layer, size=size: layer(size)
    for layer in (
        layers.BilinearResize,
        layers.NearestResize,
        lambda size: layers.MatmulResize(size, "image"),
    )
    for size in (8, None, "ab", (8,), (True, True))
}
BAD |= {
    f"option {key} of a network: {value!r}": lambda key=key, value=value: keras_depth.create_model(
        "lite_basic_interl_t", (32, 32, 3), **{key: value}
    )
    for key in ("lite", "shortcuts", "head_size", "dropout", "batch_norm_momentum", "merge")
    for value in ("x", -1, np.nan, {"a": 1})
}
BAD |= {
    "a weight that is not a number": lambda: losses.get("mse") * np.nan,
    "a sum of no losses": lambda: losses.WeightedSum([1], [1]),
    "a sum of nothing": lambda: losses.WeightedSum(None, None),
    "changes of nothing": lambda: protocols.vary(protocols.get("full"), None),
    "changes of a name": lambda: protocols.vary("full", {"resize": 0.5}),
    "a protocol of one's own": lambda: protocols.Protocol("mine", "", "", crop="middle"),
    "corners that are no flag": lambda: layers.BilinearResize((8, 8), align_corners="no"),
    "filters that are no number": lambda: layers.UpConvolution("x"),
    "a type that is none": lambda: metrics.DepthMetric("rmse", dtype="x"),
    "a type of whole numbers": lambda: metrics.DepthMetric("rmse", dtype="int32"),
    "a paper that is none": lambda: models.list_architectures("resnet"),
    "an entry that is none": lambda: models.register("resnet"),
    "the network of nothing": lambda: models.of(None),
    "a file of no pixel": lambda: depth_png.encode(np.zeros((0, 3))),
    "a file of a picture": lambda: depth_png.encode(np.ones((4, 4, 3))),
    "a file of a row": lambda: depth_png.encode(np.ones(4)),
    "no unit": lambda: depth_png.quantize(np.ones((2, 2)), 0),
    "a unit as text": lambda: depth_png.quantize(np.ones((2, 2)), "mm"),
    "a color map that is none": lambda: colormap.color_scale(0, 1, "jett"),
    "colors between no numbers": lambda: colormap.color_scale("near", "far"),
    "colors of a picture": lambda: colormap.colorize(np.ones((4, 4, 3)), 0, 1),
    "a bar of no height": lambda: colormap.color_bar(0, 0, 1),
    "an end that is none": lambda: colormap.color_bar(48, 0, 1, "low"),
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
