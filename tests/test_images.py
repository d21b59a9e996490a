"""Images: how they are read, how they are resized, and that every command resizes them alike."""

import asyncio
import base64
import io
import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from keras_depth import images, protocols
from keras_depth.data.augment import Augmentation
from keras_depth.data.pipeline import evaluation_batches, training_batches
from keras_depth.data.reader import Reader, make_sample
from keras_depth.errors import InputError
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


TURNS = {  # EXIF's value -> where the top left pixel of the stored ones is shown: row, column
    1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0),
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("ending", ["png", "tiff", "webp"])
def test_depth_is_turned_as_pictures_are(work, orientation, ending):
    pixels = np.random.default_rng(orientation).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(f"phone.{ending}", exif=exif, **options)
    with open(f"phone.{ending}", "rb") as file:
        picture = images.decode_picture(file.read(), "phone")
    assert picture.orientation == orientation
    np.testing.assert_array_equal(picture.rgb, images.turn(pixels, orientation))
    np.testing.assert_array_equal(picture.rgb, images.read(f"phone.{ending}"))
    assert (picture.rgb[TURNS[orientation]] == 255).all()
    assert picture.rgb.shape[:2] == ((16, 8) if orientation >= 5 else (8, 16))


@pytest.mark.parametrize("value", [0, 9])
def test_an_orientation_that_is_none_turns_nothing(work, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.new("RGB", (16, 8)).save("odd.png", exif=exif)
    with open("odd.png", "rb") as file:
        assert images.decode_picture(file.read(), "odd.png").orientation == 1


FILES = {
    "tiff": lambda pixels: cv2.imencode(".tiff", pixels[..., ::-1])[1],
    "bmp": lambda pixels: cv2.imencode(".bmp", pixels[..., ::-1])[1],
    "16-bit tiff": lambda pixels: cv2.imencode(".tiff", pixels[..., ::-1].astype("u2") * 257)[1],
    "16-bit png": lambda pixels: cv2.imencode(".png", pixels[..., ::-1].astype("u2") * 257)[1],
}


@pytest.mark.parametrize("encode", FILES.values(), ids=FILES)
def test_formats_that_keep_every_pixel(work, encode):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    with open("file", "wb") as file:
        file.write(encode(pixels).tobytes())
    np.testing.assert_array_equal(images.read("file"), pixels)


def test_colors_for_printing_and_phones_jpeg_of_two_views(work):
    gray = Image.new("RGB", (16, 8), (200, 100, 50))
    gray.convert("CMYK").save("cmyk.jpg", quality=100)
    gray.save("two.jpg", format="MPO", save_all=True, append_images=[gray], quality=100)
    for name in ("cmyk.jpg", "two.jpg"):
        np.testing.assert_allclose(images.read(name)[4, 8], (200, 100, 50), atol=3)


def gray_of_16_bits():
    return cv2.imencode(".png", np.ones((4, 4), np.uint16))[1].tobytes()


def animation(kind):
    Image.new("RGB", (4, 4)).save(
        f"a.{kind}", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")]
    )
    with open(f"a.{kind}", "rb") as file:
        return file.read()


NOT_READ = {
    "gray of 16 bits": (
        gray_of_16_bits,
        "a picture of one channel with more than 8 bits; depth is stored so: give the color picture"
        " or, if this is a gray picture, an 8-bit copy of it (values / 256)",
    ),
    "floats": (
        lambda: cv2.imencode(".tiff", np.ones((4, 4), np.float32))[1].tobytes(),
        "a picture of one channel with more than 8 bits; depth is stored so: give the color picture"
        " or, if this is a gray picture, an 8-bit copy of it (values / 256)",
    ),
    "webp": (
        lambda: animation("webp"),
        "2 pictures in one file, an animation or pages; save each as a file of its own",
    ),
    "pages": (
        lambda: animation("tiff"),
        "2 pictures in one file, an animation or pages; save each as a file of its own",
    ),
    "gif": (
        lambda: animation("gif"),
        "a GIF picture, which is not read; convert it to JPEG or PNG",
    ),
    "iPhone": (
        lambda: b"\0\0\0\x18ftypheic" + bytes(200),
        "a HEIC picture, which is not read; convert it to JPEG or PNG",
    ),
    "exr": (
        lambda: b"v/1\x01" + bytes(200),
        "an OpenEXR file, which is not read; convert it to JPEG or PNG",
    ),
    "text": (
        lambda: b"no picture at all",
        "not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF",
    ),
    "nothing": (
        lambda: b"",
        "not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF",
    ),
}


@pytest.mark.parametrize(("write", "message"), NOT_READ.values(), ids=NOT_READ)
def test_what_is_not_read_is_named_in_one_sentence(work, write, message):
    """The same one, for a data set and for `predict`."""
    content = write()
    with open("file", "wb") as file:
        file.write(content)
    for read in (lambda: images.read("file"), lambda: images.decode_picture(content, "file")):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value) == f"file: {message}"


def test_files_that_cannot_be_read(work):
    with pytest.raises(InputError, match="gone.png: no such file; check its name"):
        images.read("gone.png")
    with pytest.raises(InputError, match=r"^\.: cannot be read .Is a directory.; copy it again$"):
        images.read(".")
    content = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (40, 40, 3)))[1]
    for length in range(4, len(content), 7):
        with open("cut.jpg", "wb") as file:
            file.write(content.tobytes()[:length])
        with pytest.raises(InputError, match="^cut.jpg: cannot be read .the file is cut short"):
            images.read("cut.jpg")
        with pytest.raises(InputError, match="^cut.jpg: the file is cut short"):
            images.decode_picture(content.tobytes()[:length], "cut.jpg")


PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
DEPTH = np.random.default_rng(0).integers(0, 9000, (60, 80), np.uint16)
TIFFS = {
    "directory first": lambda array: by_pillow(array, "TIFF"),
    "directory last": lambda array: cv2.imencode(".tiff", array)[1].tobytes(),
    "big-endian": lambda array: by_pillow(array, "TIFF", big_endian=True),
    "PNG": lambda array: cv2.imencode(".png", array)[1].tobytes(),
}


def by_pillow(array, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("write", TIFFS.values(), ids=TIFFS)
def test_a_file_that_is_cut_short_is_said_alone(work, write, capfd):
    """The same by `predict` and by readers, and no library says anything of it."""
    content, depth = write(PICTURE), write(DEPTH)
    np.testing.assert_array_equal(images.decode_picture(content, "x").rgb.shape, PICTURE.shape)
    np.testing.assert_array_equal(images.decode_pixels(depth, "x"), DEPTH)
    for length in (len(content) - 12, len(content) // 2, 90):
        Path("cut").write_bytes(content[:length])
        with pytest.raises(InputError, match="^cut: cannot be read .the file is cut short, .*copy"):
            images.read("cut")
        with pytest.raises(InputError, match="^cut: the file is cut short .*; copy it again"):
            images.decode_picture(content[:length], "cut")
    for length in (len(depth) - 12, len(depth) // 2, 90):
        with pytest.raises(InputError, match="^cut: the file is cut short .*; copy it again"):
            images.decode_pixels(depth[:length], "cut")
    with pytest.raises(InputError, match="^cut: not a picture that can be decoded"):
        images.decode_pixels(cv2.imencode(".pgm", DEPTH)[1].tobytes()[:-9], "cut")
    assert capfd.readouterr() == ("", "")
