"""Images: how they are read, how they are resized, and that every command resizes them alike."""

import asyncio
import base64
import json

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from keras_depth import images, protocols
from keras_depth.data.augment import Augmentation
from keras_depth.data.pipeline import evaluation_batches, training_batches
from keras_depth.data.reader import Reader, make_sample
from keras_depth.evaluate import evaluator
from keras_depth.export import network, saved_model
from keras_depth.predict.estimator import DepthEstimator

SIZE = (24, 36)  # what the network takes
PICTURES = {  # the sides of an image that SIZE is made of
    "both shrink": (50, 80),
    "both grow": (17, 20),
    "height shrinks, width grows": (61, 29),
    "height grows, width shrinks": (19, 75),
    "neither changes": SIZE,
}


@pytest.mark.parametrize("shape", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_each_side_is_averaged_where_it_shrinks_and_interpolated_where_it_grows(shape, dtype):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(dtype)
    resized = images.resize(image, SIZE)
    assert resized.shape == (*SIZE, 3) and resized.dtype == dtype
    rows, columns = (weights(before, after) for before, after in zip(shape, SIZE, strict=True))
    expected = np.einsum("ij,jkc,lk->ilc", rows, image.astype(float), columns)
    # Bytes are rounded after each of two passes, and OpenCV's weights of bytes are whole numbers.
    np.testing.assert_allclose(resized, expected, atol=1.3 if dtype == "uint8" else 1e-2)


def weights(before, after):
    """Returns how much of each of `before` pixels there is in each of `after`: (after, before)."""
    if after < before:
        edges = np.linspace(0, before, after + 1)[:, None]
        return np.diff(np.clip(edges - np.arange(before), 0, 1), axis=0) * after / before
    places = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(before)))


def test_uint8_and_float32_convert_into_each_other():
    levels = np.arange(256, dtype=np.uint8)
    values = images.to_float32(levels)
    assert values.dtype == np.float32 and (values[0], values[-1]) == (0, 1)
    np.testing.assert_array_equal(images.to_uint8(values), levels)
    assert images.to_uint8(levels) is levels and images.to_float32(values) is values


# What the network sees: the same numbers, whichever command shows it the image.


class OneFrame(Reader):
    """A reader of one image, with a depth of 1 m everywhere."""

    description = "one frame"

    def __init__(self, image):
        self.image = image

    def __len__(self):
        return 1

    def stored(self, index):
        if index:
            raise IndexError(index)
        return make_sample(self.image, np.ones(self.image.shape[:2]), "frame")

    def name(self, index):
        return "frame"

    key = name


def sees():
    """A network whose depth is what it sees: red, green and blue, one beside the other."""
    image = keras.Input((*SIZE, 3), name="image")
    channels = [image[..., channel : channel + 1] for channel in range(3)]
    return keras.Model(image, keras.layers.Concatenate(axis=2)(channels), name="sees")


def seen(depth):
    """Returns the image (h, w, 3) that `sees` has written as depth (h, 3 w)."""
    return np.stack(np.split(depth, 3, axis=1), axis=-1)


class Recorder(DepthEstimator):
    """An estimator that keeps what its network wrote."""

    def __call__(self, *arguments, **options):
        self.depth = super().__call__(*arguments, **options)
        return self.depth


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """The application of the server, with the network as it is exported: uint8 in."""
    pytest.importorskip("kserve", reason="serving needs pip install 'keras_depth[serve]'")
    from kserve.protocol.dataplane import DataPlane

    from keras_depth.serve import http
    from keras_depth.serve.model import DepthModel, Models

    folder = tmp_path_factory.mktemp("sees")
    saved_model.write(network.build(sees(), "metric"), folder)
    image = {"name": "image", "dtype": "uint8", "shape": [None, *SIZE, 3], "layout": "NHWC"}
    depth = {"name": "depth", "shape": [None, SIZE[0], 3 * SIZE[1], 1]}
    details = {"format": "saved_model", "name": "sees", "input": image, "output": depth}
    (folder / "export.json").write_text(json.dumps(details))
    models = Models()
    models.update(DepthModel("sees", folder))
    return http.create(DataPlane(models), max_bytes=1 << 20)


def served(application, image):
    """Sends an image to the server, and returns depth of the network's size."""
    import httpx

    async def post():
        file = base64.b64encode(images.encode_png(image)).decode()
        body = {"instances": [{"b64": file}], "parameters": {"size": "network"}}
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.post("/v1/models/sees:predict", json=body)).json()

    return np.float32(asyncio.run(post())["predictions"][0])[..., 0]


@pytest.mark.parametrize("shape", PICTURES.values(), ids=PICTURES)
def test_every_command_shows_the_network_the_same_image(application, tmp_path, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    reader = OneFrame(image)
    expected = images.resize(image, SIZE)

    still = Augmentation(mirror=0)
    target = {"target": lambda batch: batch["depth"], "batch_size": 1, "size": SIZE}
    training = training_batches(reader, **target, augmentation=still, seed=0, steps=1)
    validation = evaluation_batches(reader, **target)
    recorder = Recorder(sees(), "metric")
    evaluator.evaluate(recorder, reader, protocols.get("full"), tmp_path, model="sees")
    (tmp_path / "frame.png").write_bytes(images.encode_png(image))

    ways = {
        "training": next(iter(training))[0][0].numpy(),
        "validation": next(iter(validation))[0][0].numpy(),
        "evaluation": seen(recorder.depth),
        "prediction": seen(recorder(tmp_path / "frame.png", resize=False)),
        "serving": seen(served(application, image)),
    }
    for way, network_input in ways.items():
        np.testing.assert_array_equal(images.to_uint8(network_input), expected, err_msg=way)
        # An exported graph multiplies by 1 / 255, which may differ in the last of 24 bits.
        np.testing.assert_allclose(
            network_input,
            expected.astype(np.float32) / np.float32(255),
            rtol=2**-23 if way == "serving" else 0,
            err_msg=way,
        )


# Reading.


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_gray_transparent_and_indexed_pictures(work):
    gray = np.arange(0, 200, dtype=np.uint8).reshape(10, 20)
    rgb = np.repeat(gray[..., None], 3, axis=2)
    Image.fromarray(gray).save("gray.png")
    Image.fromarray(np.dstack([rgb, gray])).save("transparent.png")
    Image.fromarray(np.dstack([gray, gray])).save("gray_transparent.png")
    Image.fromarray(rgb).convert("P", palette=Image.Palette.WEB).save("indexed.gif.png")
    for name in ("gray", "transparent", "gray_transparent"):
        np.testing.assert_array_equal(images.read(f"{name}.png"), rgb)
    assert images.read("indexed.gif.png").shape == (10, 20, 3)


def test_16_bit_colors_are_read_as_8_bit(work):
    cv2.imwrite("deep.png", np.full((4, 4, 3), 0x33AB, np.uint16))
    assert (images.read("deep.png") == 0x33).all()


def test_a_turned_photograph_is_turned_upright(work):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    Image.fromarray(pixels).save("phone.png", exif=exif)
    upright = images.read("phone.png")
    assert upright.shape == (16, 8, 3) and (upright[:8] == 200).all() and (upright[8:] == 0).all()
