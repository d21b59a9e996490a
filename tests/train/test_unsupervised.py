"""Depth is learned from stereo pairs alone: rendered drives, one real pair, identical images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from evaluation import ramp
from keras_depth import losses, protocols, recipes
from keras_depth.data import open_reader
from keras_depth.data.pipeline import resize
from keras_depth.data.targets import pair_target
from keras_depth.encodings import ENCODINGS
from keras_depth.evaluate import figures, scorer
from keras_depth.models import create_model
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop

pytestmark = pytest.mark.slow


def rel_of(predict, reader, protocol):
    """Returns the mean over frames of the mean |p - t| / t of scored pixels."""
    errors = []
    for sample in reader:
        scored = scorer.apply(protocol, sample["depth"], predict(sample))
        truth, valid = scored.y_true[..., 0], scored.y_true[..., 1] > 0
        errors.append(np.mean(np.abs(scored.y_pred[..., 0] - truth)[valid] / truth[valid]))
    return np.mean(errors)


def test_learns_depth_from_rendered_drives(tmp_path, monkeypatch):
    """The recipe's network beats the best ramp, without having seen any depth.

    After 600 steps, when its error is near 0.75 of the ramp's; the recipe takes 4000, to 0.6.
    """
    changes = ["data.frames=600", "data.validation_frames=16", "epochs=1"]
    recipe = recipes.load("optidepthnet/drives", changes)
    folder = RunFolder(tmp_path / "run")
    # Written for evaluation alone, and not used here: it renders all frames once more.
    monkeypatch.setattr(loop, "mean_depth_map", lambda *_, **__: np.ones((128, 128)))
    loop.train(recipe, folder)
    held_out = recipes.open_data(recipe, "test")
    protocol = protocols.get("kitti_eigen_garg", {"alignment": "median"})
    estimator = DepthEstimator.load(folder.path)

    def network(sample):
        return estimator(sample["image"], focal_baseline=float(sample["focal_baseline"]))

    ramps = ramp.row_means(recipes.open_data(recipe, "train"))
    best = min(ramp.score(each, held_out, protocol)["abs_rel"] for each in ramps.values())
    assert rel_of(network, held_out, protocol) < 0.88 * best


def descend(model, pair, steps, peak=1e-3):
    """Trains a network on one batch of pairs; returns the loss of each step."""
    loss = losses.get("stereo")
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - 20, warmup_target=peak, warmup_steps=20
    )
    optimizer = keras.optimizers.Adam(rate, epsilon=1e-8)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            value = loss(pair, model(pair[..., :3], training=True))
        slopes = tape.gradient(value, model.trainable_variables)
        optimizer.apply(slopes, model.trainable_variables)
        return value

    return [float(step()) for _ in range(steps)]


def test_one_real_pair_explains_itself(tmp_path, samples):
    """Gradient descent on one pair of KITTI finds its depth, as the LiDAR measured it."""
    reader = open_reader("kitti", samples / "kitti_raw", None, stereo=True, max_missing=1)
    sample = reader[0]
    small = resize(sample, (128, 384))
    pair = tf.constant(pair_target({key: value[None] for key, value in small.items()}))
    keras.utils.set_random_seed(0)
    model = create_model("optidepthnet_vgg", (128, 384, 3))

    def photometric():
        return float(losses.get("stereo").terms(pair, model(pair[..., :3]))["appearance"][0])

    before = photometric()
    descend(model, pair, 300)
    assert photometric() < 0.2 * before
    estimator = DepthEstimator(model)
    depth = estimator(sample["image"], focal_baseline=float(sample["focal_baseline"]))
    _draw(model, small, tmp_path / "one_pair.png")
    protocol = protocols.get("kitti_eigen_garg")
    assert rel_of(lambda _: depth, [sample], protocol) < 0.3


def _draw(model, small, path):
    left = model(small["image"][None])[0][..., :1]
    depth = ENCODINGS["disparity"].decode(left, small["focal_baseline"])
    seen = losses.warp(small["right"][None], -left)
    maps = (one.numpy() for one in (left * 384, depth, seen))
    figures.stereo_figure([small["image"]], *maps, path)
    print(path)  # pytest keeps it for a while
    assert path.stat().st_size > 100_000


def test_without_stereo_there_is_no_disparity():
    """Two identical images explain each other at disparity 0 and at no other."""
    sample = open_reader("drives", None, "train", count=1, size=(128, 128))[0]
    pair = tf.constant(np.concatenate([sample["image"]] * 2, -1)[None])
    keras.utils.set_random_seed(0)
    model = create_model("optidepthnet_vgg", (128, 128, 3))
    values = descend(model, pair, 200)
    maps = model(pair[..., :3])
    at_0 = float(losses.get("stereo")(pair, [0 * one for one in maps]))
    assert at_0 < 1e-5 < min(values)
    assert values[-1] < 0.05 * values[0] and np.median(maps[0]) * 128 < 0.5
    # A model that predicts 0 keeps predicting it: no other disparity lowers the loss.
    for layer in model.layers:
        if layer.name.startswith("disparity") and layer.name.endswith("_conv"):
            layer.bias.assign([-15.0, -15.0])
            layer.kernel.assign(0 * layer.kernel)
    stays = descend(model, pair, 30)
    assert max(stays) < 1e-3 and np.max(model(pair[..., :3])[0]) * 128 < 0.01
