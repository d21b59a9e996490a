"""The unsupervised loss of stereo pairs, against a computation in NumPy and by hand."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.losses.stereo import StereoLoss, dissimilarity


def pair_and_maps(seed=0, batch=2, size=(16, 32), scales=3):
    rng = np.random.default_rng(seed)
    pair = rng.uniform(size=(batch, *size, 6)).astype("float32")
    maps = [
        rng.uniform(0, 0.3, (batch, size[0] >> i, size[1] >> i, 2)).astype("float32")
        for i in range(scales)
    ]
    return pair, maps


def numpy_warp(source, offset):
    """Rows one by one, with a column of zeros on either side."""
    batch, height, width, channels = source.shape
    result = np.zeros_like(source)
    known = np.arange(-1, width + 1)
    for b, y, c in np.ndindex(batch, height, channels):
        line = np.pad(source[b, y, :, c], 1)
        result[b, y, :, c] = np.interp(np.arange(width) + offset[b, y, :, 0] * width, known, line)
    return result


def numpy_ssim(x, y):
    """Window by window."""
    batch, height, width, channels = x.shape
    result = np.zeros((batch, height - 2, width - 2, channels))
    for b, i, j, c in np.ndindex(*result.shape):
        u, v = x[b, i : i + 3, j : j + 3, c].ravel(), y[b, i : i + 3, j : j + 3, c].ravel()
        covariance = np.mean((u - u.mean()) * (v - v.mean()))
        result[b, i, j, c] = (
            (2 * u.mean() * v.mean() + 1e-4)
            * (2 * covariance + 9e-4)
            / ((u.mean() ** 2 + v.mean() ** 2 + 1e-4) * (u.var() + v.var() + 9e-4))
        )
    return result


def numpy_terms(pair, maps, vertical=False):
    pair = pair.astype("float64")
    totals = np.zeros((3, len(pair)))
    for scale, disparity in enumerate(maps):
        height, width = disparity.shape[1:3]
        small = pair.reshape(len(pair), height, 2**scale, width, 2**scale, 6).mean((2, 4))
        left, right = small[..., :3], small[..., 3:]
        dl, dr = np.split(disparity.astype("float64"), 2, -1)
        for picture, other, own, opposite, sign in (
            (left, right, dl, dr, -1),
            (right, left, dr, dl, 1),
        ):
            estimate = numpy_warp(other, sign * own)
            ssim = np.clip((1 - numpy_ssim(estimate, picture)) / 2, 0, 1)
            totals[0] += 0.85 * ssim.mean((1, 2, 3))
            totals[0] += 0.15 * np.abs(estimate - picture).mean((1, 2, 3))
            for axis in (2, 1) if vertical else (2,):
                edge = np.abs(np.diff(picture, axis=axis)).mean(-1, keepdims=True)
                slope = np.abs(np.diff(own, axis=axis)) * np.exp(-edge)
                totals[1] += slope.mean((1, 2, 3)) / 2**scale
            totals[2] += np.abs(numpy_warp(opposite, sign * own) - own).mean((1, 2, 3))
    return dict(zip(("appearance", "smoothness", "consistency"), totals, strict=True))


@pytest.mark.parametrize("vertical", [False, True])
def test_numpy_agrees(vertical):
    pair, maps = pair_and_maps()
    loss = StereoLoss(vertical=vertical, reduction=None)
    expected = numpy_terms(pair, maps, vertical)
    for key, values in loss.terms(pair, maps).items():
        np.testing.assert_allclose(values, expected[key], rtol=2e-5, err_msg=key)
    total = expected["appearance"] + 0.1 * expected["smoothness"] + expected["consistency"]
    np.testing.assert_allclose(loss(pair, maps), total, rtol=2e-5)


def test_ssim_of_equal_of_flat_and_of_opposite_windows():
    ramp = np.tile(np.arange(3, dtype="float32")[None, None, :, None] / 2, (1, 3, 1, 1))
    np.testing.assert_allclose(dissimilarity(ramp, ramp), 0, atol=1e-6)
    # Means 0.5 and variances 1/6 alike, covariance -1/6.
    opposite = (1 - (-2 / 6 + 9e-4) / (2 / 6 + 9e-4)) / 2
    np.testing.assert_allclose(dissimilarity(ramp, 1 - ramp).numpy().item(), opposite, rtol=1e-5)
    # Flat windows of 0 and 1: 1e-4 / (1 + 1e-4) for the means, 1 for the variances.
    flat = dissimilarity(0 * ramp, 0 * ramp + 1).numpy().item()
    np.testing.assert_allclose(flat, (1 - 1e-4 / 1.0001) / 2, rtol=1e-4)


def test_the_true_disparity_explains_the_pair():
    """A picture of random columns, seen 4 of 32 pixels further left by the right camera."""
    rng = np.random.default_rng(2)
    wide = rng.uniform(size=(1, 8, 40, 3)).astype("float32")
    left, right = wide[:, :, :32], wide[:, :, 4:36]
    pair = np.concatenate([left, right], -1)

    def appearance(pixels):
        disparity = np.full((1, 8, 32, 2), pixels / 32, "float32")
        return StereoLoss().terms(pair, disparity)["appearance"].numpy().item()

    # The left 4 columns of the left view are out of the right one's sight, and the other way round.
    assert appearance(4) < 0.3 * min(appearance(pixels) for pixels in (0, 2, 3, 5, 6))


def test_identical_pictures_are_explained_by_disparity_0_alone():
    pair, maps = pair_and_maps()
    pair[..., 3:] = pair[..., :3]
    nothing = [0 * one for one in maps]
    loss = StereoLoss(reduction=None)
    np.testing.assert_allclose(loss(pair, nothing), 0, atol=1e-5)
    for one, zero in zip(maps, nothing, strict=True):
        assert np.all(loss(pair, 0.01 * one) > loss(pair, zero) + 1e-3)


def test_a_list_of_maps_is_the_sum_of_its_maps():
    pair, maps = pair_and_maps()
    loss = StereoLoss()
    np.testing.assert_allclose(loss(pair, maps), sum(loss(pair, one) for one in maps), rtol=1e-6)


def test_weights():
    pair, maps = pair_and_maps(batch=1)
    terms = {key: float(value[0]) for key, value in StereoLoss().terms(pair, maps).items()}
    other = StereoLoss(smoothness=2.0, consistency=0.0)(pair, maps)
    np.testing.assert_allclose(other, terms["appearance"] + 2 * terms["smoothness"], rtol=1e-6)
    only_l1 = StereoLoss(ssim=0.0).terms(pair, maps)["appearance"]
    only_ssim = StereoLoss(ssim=1.0).terms(pair, maps)["appearance"]
    np.testing.assert_allclose(0.85 * only_ssim + 0.15 * only_l1, [terms["appearance"]], rtol=1e-6)
    assert StereoLoss(outside="edge")(pair, maps) != StereoLoss()(pair, maps)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_maps_are_compared_in_float32(dtype):
    pair, maps = pair_and_maps()
    maps = [tf.cast(one, dtype) for one in maps]
    value = StereoLoss()(pair, maps)
    assert value.dtype == "float32"
    np.testing.assert_array_equal(
        value, StereoLoss()(pair, [tf.cast(one, "float32") for one in maps])
    )


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_same_in_tf_function_with_finite_gradients(jit):
    pair, maps = pair_and_maps()
    maps[0][0] = 0  # and where |x| and the clip have their corners

    def slopes(pair, maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            value = StereoLoss()(pair, maps)
        return value, tape.gradient(value, maps)

    inputs = tf.constant(pair), [tf.constant(one) for one in maps]
    value, gradients = slopes(*inputs)
    traced, traced_gradients = tf.function(slopes, jit_compile=jit, autograph=False)(*inputs)
    np.testing.assert_allclose(traced, value, rtol=1e-5)
    for one, other in zip(gradients, traced_gradients, strict=True):
        assert np.isfinite(one).all() and np.any(one)
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-6)


def test_config_round_trip():
    loss = losses.get(
        "stereo", ssim=0.5, smoothness=0.2, consistency=0.3, vertical=True, outside="edge"
    )
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == loss.get_config()
    np.testing.assert_array_equal(again(*pair_and_maps()), loss(*pair_and_maps()))


def test_fit_trains_as_the_sum_over_the_outputs():
    """Keras applies one loss to every output; the loop gives it all outputs at once."""
    pair, _ = pair_and_maps()

    def network():
        keras.utils.set_random_seed(3)
        image = keras.Input((16, 32, 3))
        small = keras.layers.AveragePooling2D(2)(image)
        heads = [keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid") for _ in "12"]
        return keras.Model(image, [0.3 * heads[0](image), 0.3 * heads[1](small)])

    model = network()
    model.compile(keras.optimizers.SGD(0.01), loss=losses.get("stereo"))
    history = model.fit(pair[..., :3], [pair] * 2, epochs=2, batch_size=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    other = network()
    value = losses.get("stereo")(pair, other(pair[..., :3]))
    np.testing.assert_allclose(history["loss"][0], value, rtol=1e-6)
    with tf.GradientTape() as tape:
        value = losses.get("stereo")(pair, other(pair[..., :3]))
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.apply(tape.gradient(value, other.trainable_variables), other.trainable_variables)
    value = losses.get("stereo")(pair, other(pair[..., :3]))
    np.testing.assert_allclose(history["loss"][1], value, rtol=1e-5)


@pytest.mark.parametrize(
    ("pair", "maps"),
    [
        ((1, 16, 32, 3), (1, 16, 32, 2)),
        ((1, 16, 32, 6), (1, 16, 32, 1)),
        ((1, 16, 32, 6), (1, 8, 32, 2)),
        ((1, 12, 24, 6), (1, 4, 8, 2)),
        ((1, 16, 32, 6), (1, 32, 64, 2)),
        ((16, 32, 6), (16, 32, 2)),
    ],
)
def test_shapes_that_do_not_match(pair, maps):
    with pytest.raises(InputError, match="give left and right image, .B, H, W, 6."):
        StereoLoss()(np.zeros(pair, "float32"), np.zeros(maps, "float32"))


def test_maps_without_a_window():
    with pytest.raises(InputError, match="smaller than SSIM's window of 3x3: give larger images"):
        StereoLoss()(np.zeros((1, 64, 64, 6), "float32"), np.zeros((1, 2, 2, 2), "float32"))


def test_bad_arguments():
    with pytest.raises(InputError, match=r"ssim=1.5: give a share, 0 to 1"):
        losses.get("stereo", ssim=1.5)
    with pytest.raises(InputError, match="smoothness=-1: give a number of 0 or more"):
        losses.get("stereo", smoothness=-1)
    with pytest.raises(InputError, match="did you mean 'border'"):
        losses.get("stereo", outside="boarder")
    with pytest.raises(InputError, match="did you mean 'smoothness'"):
        losses.get("stereo", smothness=1)
