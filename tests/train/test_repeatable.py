"""A training step from the same state ends in the same state, however busy the machine is.

TensorFlow adds three or more tensors in an order that threads decide, so no sum of a step may have
more than two terms (`train/step.py`).
"""

import contextlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import models, recipes
from keras_depth.layers import UpConvolution
from keras_depth.train import setup
from keras_depth.train.optimizers import make_optimizer
from keras_depth.train.step import make_training_step
from tests.helpers.architectures import make_architecture

DEPTH, PAIR = "fan_for_tests", "stereo_fan_for_tests"  # by the target of their loss


def fan(input_shape, weights, *, name=DEPTH, filters=4):
    """A network of sums: eight branches of one map, a batch norm, an up-convolution."""
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(filters, 1)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Add()([keras.layers.Conv2D(filters, 1)(x) for _ in range(8)])
    x = UpConvolution(1)(keras.layers.AveragePooling2D(2)(x))
    return keras.Model(image, x + 1, name=DEPTH)


def stereo_fan(input_shape, weights, *, name=PAIR, filters=4):
    """The same, with disparity at two scales."""
    image = keras.Input(input_shape, name="image")
    x = fan(input_shape, weights, filters=filters)(image)
    maps = [x, keras.layers.AveragePooling2D(2)(x)]
    heads = [keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid")(one) for one in maps]
    return keras.Model(image, [0.3 * head for head in heads], name=PAIR)


@pytest.fixture(params=[DEPTH, PAIR])
def network(request, monkeypatch):
    entries = {
        DEPTH: make_architecture(DEPTH, fan),
        PAIR: make_architecture(
            PAIR, stereo_fan, paper="optidepthnet", recipe="drives", encoding="disparity"
        ),
    }
    monkeypatch.setitem(models.ARCHITECTURES, request.param, entries[request.param])
    return request.param


def one_step(network, size, batch, filters):
    """Returns a function that takes one step from a fixed state and returns the new state."""
    loss = "stereo" if network == PAIR else "mse_rel"
    recipe = recipes.load(
        "jetson_fcnn/rooms",
        [f"options={{filters: {filters}}}", f"loss={{name: {loss}}}"],
        architecture=network,
    )
    keras.utils.set_random_seed(recipe.seed)
    model = setup.make_model(recipe, size, recipe.weights)
    optimizer = make_optimizer(recipe, 100)
    optimizer.build(model.trainable_variables)
    strategy = tf.distribute.get_strategy()
    step = make_training_step(model, setup.make_loss(recipe), optimizer, strategy)
    variables = [variable.value for variable in (*model.variables, *optimizer.variables)]
    before = [variable.numpy() for variable in variables]
    generator = np.random.default_rng(0)
    image = tf.constant(generator.random((batch, *size, 3), np.float32))
    if network == PAIR:
        y_true = tf.concat([image, tf.roll(image, 3, axis=2)], -1)
    else:
        depth = 1 + 8 * generator.random((batch, *size, 1), np.float32)
        y_true = tf.concat([depth, tf.ones_like(depth)], -1)

    def run():
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        step(image, y_true)
        return [variable.numpy() for variable in variables]

    return run


def graphs_run(folder, run):
    """Returns the graphs that `run` ran, after TensorFlow has optimised them."""
    tf.summary.trace_on(graph=True)
    run()
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        tf.summary.trace_export("run", step=0)
    writer.close()
    metadata = tf.compat.v1.RunMetadata()
    for record in tf.data.TFRecordDataset([str(file) for file in folder.iterdir()]):
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
            metadata.MergeFromString(value.tensor.string_val[0])
    return metadata.partition_graphs


def test_no_sum_of_a_step_has_more_than_two_terms(tmp_path, network):
    nodes = [
        node
        for graph in graphs_run(tmp_path, one_step(network, (32, 48), 2, 4))
        for node in graph.node
    ]
    # On some CPUs TensorFlow uses oneDNN, whose names contain this one.
    assert len([node for node in nodes if "Conv2DBackprop" in node.op]) > 20
    sums = [node for node in nodes if node.op in ("AddN", "AccumulateNV2")]
    assert [node.name for node in sums if node.attr["N"].i > 2] == []
    assert len(sums) > 5
    assert "TemporaryVariable" not in {node.op for node in nodes}, "sums in order of arrival"


# They end by themselves too: this test may be killed.
BUSY = """
import time
end = time.monotonic() + 170
while time.monotonic() < end:
    pass
"""


@contextlib.contextmanager
def busy_machine():
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(3)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("network", [PAIR], indirect=True)  # which holds the other one
def test_a_step_on_a_busy_machine_is_the_same_to_the_bit(network):
    """Large enough for TensorFlow to sum in the order of arrival, if it had three terms to sum."""
    run = one_step(network, (128, 128), 12, 32)
    expected = run()
    with busy_machine():
        for _ in range(4):
            for actual, value in zip(run(), expected, strict=True):
                np.testing.assert_array_equal(actual, value)
