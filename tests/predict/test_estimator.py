from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.exported import Exported
from keras_depth.predict.scaling import for_camera
from keras_depth.run_folder import RunFolder

SIZE = (32, 48)


def bright_is_far(name="lite_basic_interl_t", size=SIZE, outputs=1):
    """A network whose depth is known: 10 m times the mean of R, G and B, at half the size."""
    image = keras.Input((*size, 3), name="image")
    x = keras.layers.AveragePooling2D(2)(image)
    layer = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(10 / 3))
    depth = layer(x)
    coarse = keras.layers.AveragePooling2D(2)(depth) * 0.0
    return keras.Model(image, [depth, coarse][:outputs] if outputs > 1 else depth, name=name)


@pytest.fixture(scope="module")
def estimator():
    return DepthEstimator(bright_is_far())


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    bright_is_far().save(folder / "model.keras")
    return folder


def ramp(height, width):
    """A picture that grows brighter to the right, 0 to 255."""
    row = np.linspace(0, 255, width).round().astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


@pytest.mark.parametrize("size", [SIZE, (64, 96), (20, 30), (101, 57), (33, 500)])
def test_depth_comes_at_the_picture_s_size_in_metres(estimator, size):
    picture = ramp(*size)
    depth = estimator(picture)
    assert depth.shape == size and depth.dtype == np.float32
    # Linear in the picture, so equal but for the resizing at the left and right edges.
    inside = slice(size[1] // 8, -(size[1] // 8))
    np.testing.assert_allclose(depth[:, inside], picture[:, inside, 0] / 25.5, atol=0.11)


def test_the_network_s_own_size(estimator):
    assert estimator.input_size == SIZE
    depth = estimator(np.full((100, 100, 3), 51, np.uint8), resize=False)
    assert depth.shape == (16, 24)
    np.testing.assert_allclose(depth, 2.0, rtol=1e-5)


def test_a_fit_keeps_things_in_place():
    """The depth of a wide picture is that of its pixels, whatever the network saw around them."""
    picture = ramp(40, 120)  # of three to one; the network takes three to two
    expected = picture[..., 0] / 25.5
    inside = (slice(None), slice(6, -6))
    for fit in ("stretch", "letterbox"):
        depth = DepthEstimator(bright_is_far(), fit=fit)(picture)
        np.testing.assert_allclose(depth[inside], expected[inside], atol=0.15)
    estimator = DepthEstimator(bright_is_far(), fit="crop")
    depth = estimator(picture)
    assert (depth[:, :30] == 0).all() and (depth[:, 90:] == 0).all()
    np.testing.assert_allclose(depth[:, 31:89], expected[:, 31:89], atol=0.15)
    np.testing.assert_array_equal(estimator(picture[None])[0], depth)
    np.testing.assert_array_equal(
        estimator(picture, fit="stretch"), DepthEstimator(bright_is_far())(picture)
    )
    with pytest.raises(InputError, match="unknown fit 'squeeze'"):
        DepthEstimator(bright_is_far(), fit="squeeze")


def test_the_network_s_resolution_covers_the_picture():
    picture = ramp(40, 120)
    for fit, size in (("stretch", (16, 24)), ("letterbox", (8, 24)), ("crop", (16, 48))):
        assert DepthEstimator(bright_is_far(), fit=fit)(picture, resize=False).shape == size


def test_metres_follow_the_focal_length(tmp_path):
    picture = np.full((64, 96, 3), 51, np.uint8)  # 2 m
    estimator = DepthEstimator(bright_is_far(), focal_length=(40, 40))
    for camera, expected in (
        ((80, 80, 48, 32), 2),
        ((100, 100, 48, 32), 2.5),
        ((60, 60, 48, 32), 1.5),
    ):
        np.testing.assert_allclose(estimator(picture, intrinsics=camera), expected, rtol=1e-5)
    # 90 degrees: half the width; 48 / 2 = 24 pixels of the network's.
    np.testing.assert_allclose(estimator(picture, fov=90), 2 * 24 / 40, rtol=1e-5)
    ratio = estimator.camera_ratio((64, 96), fov=90)
    assert str(ratio) == (
        "metres x 0.6: these pictures' focal length is 24 pixels at 32x48, the network's camera has"
        " 40"
    )
    # A wide picture, letterboxed: its pixels are shrunk by as much on both sides.
    wide = picture[:32]
    for fit, expected in (("letterbox", 2.5), ("crop", 5), ("stretch", 2.5 * 2**0.5)):
        depth = estimator(wide, intrinsics=(100, 100, 48, 16), fit=fit)
        np.testing.assert_allclose(depth[:, 40:56], expected, rtol=1e-5)


def test_pictures_of_one_known_camera(capsys):
    """Said once; the center of the camera, which may be anywhere, says nothing of metres."""
    picture = np.full((64, 96, 3), 51, np.uint8)
    own = DepthEstimator(bright_is_far(), focal_length=(40, 40))
    estimate = for_camera(own, Intrinsics(100, 100, 2, 2), resize=False)
    for _ in range(2):
        np.testing.assert_allclose(estimate(picture), 2.5, rtol=1e-5)
    assert capsys.readouterr().out.count("metres x 1.25: these pictures' focal length is 50") == 1
    unknown = DepthEstimator(bright_is_far())
    for estimator, camera in ((own, None), (unknown, Intrinsics(100, 100, 48, 32))):
        np.testing.assert_allclose(for_camera(estimator, camera)(picture), 2, rtol=1e-5)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"intrinsics": (500, 500, 320, 240)},
            "center at 320,240, but the picture is 96x64 pixels",
        ),
        ({"intrinsics": (0, 500, 48, 32)}, "the first two above 0"),
        ({"intrinsics": 500}, "give .fx, fy, cx, cy."),
        ({"fov": 180}, "above 0 and below 180"),
        ({"fov": 60, "intrinsics": (80, 80, 48, 32)}, "give one of intrinsics and fov"),
        ({"fov": 60, "focal_baseline": 10.0}, "focal_baseline holds a focal length too"),
    ],
)
def test_what_is_no_camera_of_the_picture_is_refused(options, message):
    estimator = DepthEstimator(bright_is_far(), focal_length=(40, 40))
    with pytest.raises(InputError, match=message):
        estimator(np.zeros((64, 96, 3), np.uint8), **options)


def test_a_network_of_an_unknown_camera(estimator):
    with pytest.warns(UserWarning, match="metres are not scaled: .*give DepthEstimator its focal_"):
        depth = estimator(np.full((64, 96, 3), 51, np.uint8), fov=60)
    np.testing.assert_allclose(depth, 2, rtol=1e-5)
    with pytest.raises(InputError, match="focal_length .*: give two numbers above 0"):
        DepthEstimator(bright_is_far(), focal_length=(40, -1))


def test_a_run_folder_says_its_fit_and_its_camera(tmp_path):
    bright_is_far().save(tmp_path / "model.keras")
    estimator = DepthEstimator.load(tmp_path)
    assert (estimator.fit, estimator.focal_length) == ("stretch", None)
    (tmp_path / "recipe.yaml").write_text("architecture: mine\nfit: letterbox\n")
    (tmp_path / "camera.json").write_text('{"focal_length": [40, 41], "size": [32, 48]}')
    estimator = DepthEstimator.load(tmp_path)
    assert (estimator.fit, estimator.focal_length) == ("letterbox", (40, 41))
    assert DepthEstimator.load(tmp_path, fit="crop").fit == "crop"
    for file, content in (("camera.json", '{"focal_length": 3}'), ("recipe.yaml", "a: [")):
        (tmp_path / file).write_text(content)
        with pytest.raises(InputError, match=f"{file}: damaged"):
            DepthEstimator.load(tmp_path)
        (tmp_path / file).unlink()


def test_shrinking_averages_instead_of_skipping_pixels(estimator):
    board = np.indices((4 * SIZE[0], 4 * SIZE[1])).sum(0) % 2 * 255
    board = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    np.testing.assert_allclose(estimator(board), 5.0, atol=0.03)


def test_resizing_keeps_things_in_place(estimator):
    picture = np.zeros((160, 240, 3), np.uint8)
    picture[80:, 120:] = 255
    depth = estimator(picture)
    assert depth[40:60, 60:100].max() < 0.01 and depth[100:, 140:].min() > 9.99
    np.testing.assert_allclose(depth[100:] + depth[100:, ::-1], 10, rtol=1e-5)  # nothing shifts


def test_uint8_and_floating_pictures_agree(estimator):
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(
            estimator((picture / 255).astype(dtype)), estimator(picture), atol=1e-5
        )


def test_a_batch_is_its_pictures(estimator):
    batch = np.random.default_rng(0).integers(0, 256, (3, 50, 60, 3), dtype=np.uint8)
    depth = estimator(batch)
    assert depth.shape == (3, 50, 60)
    for one, picture in zip(depth, batch, strict=True):
        np.testing.assert_allclose(one, estimator(picture), atol=1e-5)


def test_a_path_is_read_as_rgb(estimator, tmp_path):
    picture = ramp(40, 60)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    np.testing.assert_array_equal(estimator(tmp_path / "a.png"), estimator(picture))
    np.testing.assert_array_equal(estimator(str(tmp_path / "a.png")), estimator(picture))


def test_the_graph_is_traced_once():
    calls = []

    class Counter(keras.layers.Layer):
        def call(self, x):
            calls.append(x)
            return x

    image = keras.Input((*SIZE, 3))
    estimator = DepthEstimator(keras.Model(image, Counter()(image)), encoding="metric")
    calls.clear()  # building the model called it too
    for shape in ((*SIZE, 3), (20, 20, 3), (2, 90, 70, 3), (20, 20, 3)):
        estimator(np.zeros(shape, np.uint8))
    assert len(calls) == 1


def test_of_several_outputs_the_first_counts():
    estimator = DepthEstimator(bright_is_far(outputs=2))
    np.testing.assert_allclose(estimator(np.full((10, 10, 3), 255, np.uint8)), 10, rtol=1e-5)


def test_float16_networks_return_float32():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = bright_is_far()
    finally:
        keras.config.set_dtype_policy("float32")
    depth = DepthEstimator(model)(np.full((10, 10, 3), 255, np.uint8))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, 10, rtol=1e-3)


def test_a_run_folder_and_its_file_load_alike(run_folder):
    picture = ramp(40, 60)
    expected = DepthEstimator(bright_is_far())(picture)
    for path in (run_folder, str(run_folder), run_folder / "model.keras"):
        np.testing.assert_array_equal(DepthEstimator.load(path)(picture), expected)


def test_a_model_s_name_says_how_it_writes_depth(tmp_path):
    """Its architecture's way; or the other one that it was trained to, wherever it is copied."""
    white = np.full((10, 10, 3), 255, np.uint8)
    for name, metres in (("basic_deconv", 10), ("basic_deconv-centimetres", 0.1)):
        bright_is_far(name=name).save(tmp_path / "model.keras")
        estimator = DepthEstimator.load(tmp_path / "model.keras")
        np.testing.assert_allclose(estimator(white), metres, rtol=1e-5)
        estimator = DepthEstimator.load(tmp_path / "model.keras", "unit")
        np.testing.assert_allclose(estimator(white), 100, rtol=1e-5)
    with pytest.raises(InputError, match="unknown encoding 'metrik'"):
        DepthEstimator(bright_is_far(name="basic_deconv-metrik"))


def test_metres_that_are_right_by_chance_alone_are_said():
    with pytest.warns(
        UserWarning, match="basic_deconv-minmax tells near from far within a picture"
    ):
        DepthEstimator(bright_is_far(name="basic_deconv-minmax"))


def test_nothing_is_behind_the_camera():
    image = keras.Input((*SIZE, 3))
    model = keras.Model(image, image[..., :1] - 0.5)
    depth = DepthEstimator(model, "metric")(ramp(40, 60))
    assert depth.min() == 0 and depth.max() == pytest.approx(0.5, abs=0.01)


def test_a_network_of_another_name_needs_its_encoding():
    model = bright_is_far(name="mine")
    with pytest.raises(InputError, match="'mine' is none of the registered.*encoding=\"metric\""):
        DepthEstimator(model)
    depth = DepthEstimator(model, encoding="metric")(np.full((10, 10, 3), 255, np.uint8))
    np.testing.assert_allclose(depth, 10, rtol=1e-5)
    with pytest.raises(InputError, match="did you mean 'metric'"):
        DepthEstimator(model, encoding="metrik")


BLACK = np.zeros((10, 12, 3), np.uint8)


@pytest.mark.parametrize(
    "picture, message",
    [
        (BLACK[..., 0], r"shape \(10, 12\).*give RGB.*gray, or a palette: .*convert\('RGB'\)"),
        (np.zeros((10, 10, 4), np.uint8), r"shape \(10, 10, 4\).*give RGB.*this is RGBA"),
        (np.zeros((0, 10, 3), np.uint8), r"shape \(0, 10, 3\).*give RGB"),
        (BLACK.transpose(2, 0, 1), r"shape \(3, 10, 12\).*this has channels first: np.moveaxis"),
        (BLACK.transpose(2, 0, 1)[None], "this has channels first"),
        (np.zeros((10, 10, 3), np.uint16), "type uint16: give uint8"),
        (BLACK.tolist(), "type int64: give uint8"),
        (BLACK > 0, "type bool: give uint8"),
        (np.full((10, 10, 3), 200.0), "values from 200 to 200.*divide by 255"),
        (np.full((10, 10, 3), np.nan, np.float32), "values from nan to nan"),
        ([BLACK, BLACK[:5]], "pictures of different sizes: call once for each"),
        ([[1, 2], [3]], "pictures of different sizes: call once for each"),
        (["a.png", "b.png"], "a list of paths: give one path"),
        ((Path("a.png"),), "a list of paths: give one path"),
        ([], r"shape \(0,\)"),
        (5, r"shape \(\)"),
        (None, "NoneType is no picture: give a path, or an array"),
        (b"a.png", "bytes is no picture: give a path, or an array"),
        ({"image": BLACK}, "dict is no picture: give a path, or an array"),
        (np.array([BLACK, None], dtype=object), "ndarray is no picture"),
        (Image.fromarray(BLACK).convert("L"), r"convert\('RGB'\)"),
        (Image.fromarray(BLACK).convert("RGBA"), "this is RGBA"),
        (Path("gone.png"), "gone.png: no such file"),
    ],
)
def test_what_is_no_picture_is_refused(estimator, picture, message):
    with pytest.raises(InputError, match=message):
        estimator(picture)


class OnTheGpu:
    """As PyTorch's tensors, which NumPy cannot read there."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.\nUse Tensor.cpu()")


def test_what_numpy_cannot_read_is_refused(estimator):
    with pytest.raises(InputError, match=r"OnTheGpu that is no array \(can't convert.*numpy.\): "):
        estimator(OnTheGpu())


class AsFile:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def test_pictures_of_other_libraries(estimator, tmp_path):
    picture = ramp(40, 60)
    expected = estimator(picture)
    Image.fromarray(picture).save(tmp_path / "a.png")
    for same in (
        Image.fromarray(picture),
        tf.constant(picture),
        np.asfortranarray(picture),
        AsFile(tmp_path / "a.png"),
    ):
        np.testing.assert_array_equal(estimator(same), expected)
    np.testing.assert_array_equal(estimator([picture, picture]), [expected, expected])
    exact = (picture / 255).astype(np.float16)
    np.testing.assert_array_equal(estimator(exact), estimator(exact.astype(np.float32)))
    np.testing.assert_array_equal(estimator(exact.astype(">f4")), estimator(exact))


def test_pictures_of_opencv_are_bgr(tmp_path):
    image = keras.Input((*SIZE, 3))
    estimator = DepthEstimator(keras.Model(image, image[..., :1]), "metric")  # red is far
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[..., 0] = 255
    Image.fromarray(rgb).save(tmp_path / "a.png")
    bgr = cv2.imread(str(tmp_path / "a.png"))
    assert estimator(bgr).max() == 0
    for picture in (bgr, np.stack([bgr, bgr]), (bgr / 255).astype(np.float32)):
        assert estimator(picture, channels="bgr").min() == 1
    assert estimator(tmp_path / "a.png", channels="bgr").min() == 1  # files are read correctly
    with pytest.raises(InputError, match="unknown channels 'BGR'.*known are bgr, rgb"):
        estimator(bgr, channels="BGR")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "384", [384]])
def test_what_is_no_focal_length_is_refused(estimator, value):
    for call in (
        lambda: estimator(BLACK, focal_baseline=value),
        lambda: DepthEstimator(bright_is_far(), focal_baseline=value),
    ):
        with pytest.raises(InputError, match="focal_baseline .*: give a number above 0"):
            call()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DepthEstimator(None), "a model of type NoneType: give a Keras model"),
        (lambda: DepthEstimator("runs/rooms"), "type str: .*DepthEstimator.load takes paths"),
        (lambda: DepthEstimator(bright_is_far(), ["metric"]), "unknown encoding .*'metric'"),
        (lambda: DepthEstimator.load(None), "NoneType is no path: give one"),
        (lambda: DepthEstimator.load("gone"), "gone: no such file"),
        (lambda: DepthEstimator.from_preset(3), "int is no path: give one"),
    ],
)
def test_what_is_no_network_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_exported_network_writes_metres():
    exported = Exported.__new__(Exported)
    exported.folder = Path("exported/lite/1")
    with pytest.raises(InputError, match="lite/1: an exported network writes metres; leave out"):
        DepthEstimator(exported, encoding="inverse")


def classifier():
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image), name="classifier")


def two_pictures():
    images = [keras.Input((*SIZE, 3), name=name) for name in ("left", "right")]
    return keras.Model(images, images[0] + images[1], name="two")


@pytest.mark.parametrize(
    "model, message",
    [
        (classifier, r"'classifier' returns \(None, 3\); a depth network returns a map"),
        (two_pictures, r"'two' takes .*one picture"),
        (lambda: bright_is_far(size=(None, None)), r"\(None, None, None, 3\).* of a fixed size"),
        (lambda: keras.Sequential([keras.layers.Dense(1)]), "takes no fixed input"),
    ],
)
def test_other_networks_are_refused(model, message):
    with pytest.raises(InputError, match=message):
        DepthEstimator(model(), encoding="metric")


def test_a_file_s_name_stands_before_what_is_wrong_with_its_model(tmp_path):
    classifier().save(tmp_path / "mine.keras")
    with pytest.raises(InputError, match=r"mine\.keras: model 'classifier' returns"):
        DepthEstimator.load(tmp_path / "mine.keras")


def widths_away(name="optidepthnet_vgg", size=SIZE):
    """A network whose left disparity is a tenth of the picture's red, in widths."""
    image = keras.Input((*size, 3), name="image")
    both = keras.ops.concatenate([0.1 * image[..., :1], 0 * image[..., :1]], -1)
    return keras.Model(image, [both, keras.layers.AveragePooling2D(2)(both)], name=name)


def test_disparity_becomes_metres():
    """0.05 widths, with a focal length of 2 widths and a baseline of 0.5 m, are 20 m."""
    estimator = DepthEstimator(widths_away(), focal_baseline=2 * SIZE[1] * 0.5)
    assert estimator.stereo
    for height, width in (SIZE, (100, 60)):
        picture = np.full((height, width, 3), 0.5, np.float32)
        np.testing.assert_allclose(estimator(picture), 20, rtol=1e-5)
        np.testing.assert_allclose(estimator(picture, resize=False), 20, rtol=1e-5)
        # Taken with twice the focal length, things are twice as far.
        for resize in (True, False):
            other = estimator(picture, resize=resize, focal_baseline=4 * width * 0.5)
            np.testing.assert_allclose(other, 40, rtol=1e-5)
    assert estimator(np.full((2, *SIZE, 3), 0.5, np.float32)).shape == (2, *SIZE)


def test_disparity_is_resized_before_it_becomes_metres():
    estimator = DepthEstimator(widths_away(), focal_baseline=SIZE[1])
    picture = np.zeros((*SIZE, 3), np.float32)
    picture[:, ::2] = 1  # 10 m, and disparity 0, which is 1000 km
    middle = estimator(np.repeat(np.repeat(picture, 2, 0), 2, 1))[:, 4:-4]
    # Three and one quarter of the way to the column of 0.1 widths.
    np.testing.assert_allclose(np.unique(middle.round(3)), [13.333, 40])


def test_disparity_of_an_unknown_camera(tmp_path):
    estimator = DepthEstimator(widths_away())
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    with pytest.raises(InputError, match="the network writes disparity, and nothing says"):
        estimator(picture)
    np.testing.assert_allclose(estimator(picture, focal_baseline=SIZE[1]), 20, rtol=1e-5)


def test_a_run_folder_knows_its_camera(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_camera(2.0 * SIZE[1])
    widths_away().save(tmp_path / "model.keras")
    widths_away().save(tmp_path / "best.keras")
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    for path in (tmp_path, tmp_path / "model.keras", tmp_path / "best.keras"):
        np.testing.assert_allclose(DepthEstimator.load(path)(picture), 40, rtol=1e-5)
    folder.camera_file.write_text("{}")
    with pytest.raises(InputError, match="camera.json: damaged"):
        DepthEstimator.load(tmp_path)
