"""The validation after each epoch: loss, scores under the protocol, examples."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_depth import losses, protocols
from keras_depth.data import Reader
from keras_depth.data.reader import make_sample
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError
from keras_depth.train import validation
from keras_depth.train.validation import METRICS, Validator

SIZE, SHIFT, FOCAL_BASELINE = (32, 48), 3, 12.0


class Walls(Reader):
    """Stereo pairs of flat walls: the right image is the left one, shifted by `SHIFT` pixels."""

    description, stereo = "walls", True

    def __init__(self, measured=True, count=3):
        self.measured, self._count = measured, count

    def __len__(self):
        return self._count

    def stored(self, index):
        wide = np.random.default_rng(index).integers(0, 256, (SIZE[0], SIZE[1] + SHIFT, 3), "uint8")
        depth = np.full(SIZE, FOCAL_BASELINE / SHIFT if self.measured else 0.0)
        left, right = wide[:, :-SHIFT], wide[:, SHIFT:]
        return make_sample(left, depth, self.name(index), right, FOCAL_BASELINE)

    def name(self, index):
        return f"wall {index}"

    key = name


def constant(values, channels=2, scales=3):
    """Returns a model that predicts the same maps for every image, with `values` as columns."""
    image = keras.Input((*SIZE, 3))
    columns = np.broadcast_to(np.asarray(values, "float32"), (SIZE[1],))

    def head(step):
        zero = keras.layers.Conv2D(channels, 1, kernel_initializer="zeros")
        return zero(image[:, ::step, ::step]) + columns[::step, None]

    return keras.Model(image, [head(2**scale) for scale in range(scales)])


def of_metres(metres):
    return constant(metres, channels=1, scales=1)


def test_metres_below_0_count_as_0():
    """As in every report; otherwise the best epoch would be chosen by different numbers."""
    result, _ = validate(of_metres(-3), "mse", "metric")
    assert result["val_abs_rel"] == pytest.approx(1)


def validate(network, loss, encoding, protocol="full", reader=None, batch_size=2):
    validator = Validator(network, losses.get(loss), ENCODINGS[encoding], protocols.get(protocol))
    return validator.validate(reader or Walls(), batch_size)


def test_the_right_disparity_shows_the_left_picture():
    result, examples = validate(constant(SHIFT / SIZE[1]), "stereo", "disparity")
    assert set(examples) == {"image", "ground_truth", "depth", "disparity", "warped"}
    for image, disparity, depth, warped in zip(
        *(examples[key] for key in ("image", "disparity", "depth", "warped")), strict=True
    ):
        np.testing.assert_allclose(disparity, SHIFT, rtol=1e-5)
        np.testing.assert_allclose(depth, FOCAL_BASELINE / SHIFT, rtol=1e-5)
        # The right camera has not seen the left border.
        np.testing.assert_allclose(warped[:, SHIFT:], image[:, SHIFT:], atol=1e-4)
        assert np.abs(warped[:, :SHIFT] - image[:, :SHIFT]).mean() > 0.05
    assert result["val_abs_rel"] < 1e-5 and result["val_delta1"] == 1


def test_the_loss_is_the_mean_of_the_frames():
    """Also where the last batch is smaller."""
    walls, network = Walls(), constant(0.1)
    pairs = np.stack([np.concatenate([walls[i]["image"], walls[i]["right"]], -1) for i in range(3)])
    expected = float(losses.get("stereo")(pairs, network(pairs[..., :3])))
    for batch_size in (1, 2, 3):
        result, _ = validate(network, "stereo", "disparity", batch_size=batch_size)
        assert result["val_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_errors_are_those_of_the_protocol():
    """One pixel at disparity 0, which is a kilometre away, must not decide the best epoch."""
    columns = np.full(SIZE[1], SHIFT / SIZE[1])
    columns[24] = 1e-9
    network = constant(columns)
    free, _ = validate(network, "stereo", "disparity")
    clipped, _ = validate(network, "stereo", "disparity", "kitti_eigen_garg")
    scored = np.arange(SIZE[1])[int(0.03594771 * SIZE[1]) : int(0.96405229 * SIZE[1])]
    assert free["val_abs_rel"] > 1e3
    assert clipped["val_abs_rel"] == pytest.approx((80 / 4 - 1) / len(scored), rel=1e-3)


def test_a_protocol_of_mirrored_pictures_and_half_sizes():
    for protocol in ("nyu_densedepth", "wang_relative"):
        result, _ = validate(of_metres(4.4), "mse", "metric", protocol)
        assert result["val_abs_rel"] == pytest.approx(0.1, rel=1e-4)


def test_a_protocol_that_leaves_no_pixel_is_refused_at_once():
    with pytest.raises(InputError, match="'nyu_fastdepth' leaves no pixel of a depth map of 8x8"):
        image = keras.Input((8, 8, 3))
        network = keras.Model(image, keras.layers.Conv2D(1, 1)(image))
        protocol = protocols.vary(protocols.get("nyu_fastdepth"), {"crop": [11, 12, 14, 15]})
        Validator(network, losses.get("mse"), ENCODINGS["metric"], protocol)


def test_without_depth_there_is_the_loss_alone():
    result, examples = validate(constant(0.1), "stereo", "disparity", reader=Walls(False))
    assert set(result) == {"val_loss"} and np.isfinite(result["val_loss"])
    assert set(validate(of_metres(4.4), "mse", "metric")[0]) == {
        "val_loss",
        *(f"val_{name}" for name in METRICS),
    }


@pytest.mark.parametrize("batch_size", [1, 4, 10])
def test_examples_are_spread_over_the_frames(batch_size):
    walls = Walls(count=10)
    _, examples = validate(of_metres(4.4), "mse", "metric", reader=walls, batch_size=batch_size)
    for image, index in zip(examples["image"], (0, 3, 6, 9), strict=True):
        np.testing.assert_allclose(image, walls[index]["image"], atol=1e-6)


def test_nothing_keeps_the_network():
    """TensorFlow keeps generators until the process ends; they must not reference the model."""
    network = of_metres(2)
    validate(network, "mse", "metric")
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_the_line_that_says_how_a_run_did():
    rows = [
        {"loss": 1.0},
        {"epoch": 1.0, "val_abs_rel": 0.2},
        {"epoch": 2.0, "val_abs_rel": 0.1234},
        {"epoch": 2.5, "val_abs_rel": 0.15},
    ]
    assert validation.describe(rows) == (
        "validation: abs_rel 0.1500 after the last epoch (model.keras), 0.1234 at its best after"
        " epoch 2 (best.keras)"
    )


def test_metres_of_a_canonical_camera_are_scored_as_the_frames_own():
    """Walls at 4 m, by a camera of 20 pixels: to one of 10 they are at 2 m."""

    class Seen(Walls):
        stereo = False

        def stored(self, index):
            sample = super().stored(index)
            camera = {"focal_length": np.array([20, 20], np.float32)}
            return {key: sample[key] for key in ("image", "depth")} | camera

    arguments = losses.get("mse"), ENCODINGS["metric"], protocols.get("full")
    result, examples = Validator(of_metres(2), *arguments, canonical=10.0).validate(Seen(), 2)
    assert result["val_loss"] == pytest.approx(0) and result["val_abs_rel"] == pytest.approx(0)
    np.testing.assert_allclose(examples["depth"], 4)
    with pytest.raises(InputError, match="wall 0: its focal length is not known"):
        Validator(of_metres(2), *arguments, canonical=10.0).validate(Walls(), 2)
