"""Grouped convolution: Keras' own is the oracle of values, convolutions by group of gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_depth.errors import InputError
from keras_depth.layers import grouped_conv
from keras_depth.layers.grouped_conv import GroupedConv2D, has_native_gradient, undivided_groups

SHAPES = [  # size, channels in and out, groups, strides, padding
    ((5, 7), 6, 12, 3, 1, "same"),
    ((6, 9), 6, 6, 6, 1, "valid"),
    ((7, 6), 4, 8, 2, 2, "valid"),
    ((3, 3), 8, 16, 4, 2, "same"),
    ((1, 1), 4, 4, 2, 1, "same"),
]


def both(filters, groups, strides, padding, channels, **options):
    arguments = {"groups": groups, "strides": strides, "padding": padding, **options}
    pair = GroupedConv2D(filters, 3, **arguments), layers.Conv2D(filters, 3, **arguments)
    for layer in pair:
        layer.build((None, None, None, channels))
    pair[1].set_weights(pair[0].get_weights())
    return pair


def image(size, channels, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, channels)).astype("float32")


@pytest.fixture(params=[True, False], ids=["native", "by group"])
def native(request, monkeypatch):
    """TensorFlow's own operator, and what is done where that has no gradient."""
    if request.param and not has_native_gradient("float32"):
        pytest.skip("no gradient of grouped convolutions in this TensorFlow, on this processor")
    monkeypatch.setattr(grouped_conv, "has_native_gradient", lambda dtype: request.param)


@pytest.mark.parametrize(("size", "channels", "filters", "groups", "strides", "padding"), SHAPES)
def test_is_keras_own(native, size, channels, filters, groups, strides, padding):
    layer, oracle = both(filters, groups, strides, padding, channels, activation="relu")
    x = image(size, channels)
    np.testing.assert_allclose(layer(x), oracle(x), rtol=1e-5, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == oracle(x).shape


@pytest.mark.parametrize(("size", "channels", "filters", "groups", "strides", "padding"), SHAPES)
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_gradients(native, graph, size, channels, filters, groups, strides, padding):
    layer, _ = both(filters, groups, strides, padding, channels)
    x = tf.constant(image(size, channels))
    kernel, bias = (variable.value for variable in layer.trainable_variables)

    def by_group(x):
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return bias + tf.concat([tf.nn.conv2d(*p, strides, padding.upper()) for p in parts], -1)

    def gradients(x, function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.sin(function(x)))
        return tape.gradient(value, [x, kernel, bias])

    taken = tf.function(gradients) if graph else gradients
    for gradient, expected in zip(taken(x, layer), gradients(x, by_group), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains(policy):
    layer = GroupedConv2D(8, 3, groups=4, dtype=policy)
    x = tf.cast(image((6, 6), 8), layer.compute_dtype)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(x) ** 2)
    gradient = tape.gradient(value, layer.trainable_variables[0].value)
    assert gradient.dtype == "float32" and np.isfinite(gradient).all() and np.any(gradient)


def test_fit():
    picture = keras.Input((8, 8, 4))
    model = keras.Model(picture, GroupedConv2D(4, 3, groups=2)(picture))
    model.compile("sgd", "mse")
    before = model.layers[1].kernel.numpy()
    model.fit(image((8, 8), 4), np.zeros((2, 6, 6, 4)), verbose=0)
    assert not np.array_equal(model.layers[1].kernel, before)


def test_a_type_without_the_gradient():
    assert not has_native_gradient("float64") or tf.config.list_physical_devices("GPU")
    layer = GroupedConv2D(4, 3, groups=2, dtype="float64")
    x = tf.constant(image((5, 5), 4), "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x))
    assert np.any(tape.gradient(value, x))


@pytest.mark.parametrize(("size", "channels", "filters", "groups", "strides", "padding"), SHAPES)
def test_undivided_groups_are_one_operator(size, channels, filters, groups, strides, padding):
    layer, oracle = both(filters, groups, strides, padding, channels, activation="relu")
    x = tf.constant(image(size, channels))
    with undivided_groups():
        found, count = layer(x), convolutions(layer, x)
    assert count == 1
    np.testing.assert_allclose(found, oracle(x), rtol=1e-5, atol=1e-5)


def convolutions(layer, x):
    graph = tf.function(lambda x: layer(x)).get_concrete_function(x).graph
    return [operation.type for operation in graph.get_operations()].count("Conv2D")


def test_undivided_groups_nest_and_end_after_an_error(monkeypatch):
    monkeypatch.setattr(grouped_conv, "has_native_gradient", lambda dtype: False)
    layer, _ = both(4, 2, 1, "same", 4)
    x = tf.constant(image((5, 5), 4))
    with pytest.raises(RuntimeError), undivided_groups():
        with undivided_groups():
            assert convolutions(layer, x) == 1
        assert convolutions(layer, x) == 1
        raise RuntimeError
    assert convolutions(layer, x) == 2


def test_channels_first_are_refused():
    with pytest.raises(InputError, match="data_format='channels_first': give 'channels_last'"):
        GroupedConv2D(4, 3, groups=2, data_format="channels_first")
