"""Layers of small networks, counted by hand."""

import keras
import pytest
from keras import layers

from keras_depth.benchmark import macs
from keras_depth.errors import InputError
from keras_depth.fit.layers import KINDS, analyze, list_layers
from keras_depth.layers import UpConvolution


def of(output):
    """Returns the layers of a model from an image of 8x12 with 3 channels, as it stands."""
    model = keras.Model(IMAGE, output)
    names = {layer.name for layer in model.layers}
    return list_layers(macs.operations(model), names)


IMAGE = keras.Input((8, 12, 3), name="image")
PIXELS = 8 * 12


def described(layer):
    sizes = [[one.values for one in maps] for maps in (layer.reads, layer.writes)]
    return layer.name, layer.kind, layer.macs, layer.weights, *sizes


def test_bias_and_activation_are_fused_and_each_kind_is_told():
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="wide")(IMAGE)
    x = layers.Conv2D(32, 1, use_bias=False, name="one")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="deep")(x)
    x = layers.Conv2D(32, 3, padding="same", groups=2, use_bias=False, name="groups")(x)
    x = layers.Conv2DTranspose(16, 2, strides=2, use_bias=False, name="up")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    assert [described(layer) for layer in of(x)] == [
        ("wide", "narrow", PIXELS * 27 * 16, 27 * 16 + 16, [PIXELS * 3], [PIXELS * 16]),
        ("one", "conv", PIXELS * 16 * 32, 16 * 32, [PIXELS * 16], [PIXELS * 32]),
        ("deep", "depthwise", PIXELS * 9 * 32, 9 * 32 + 32, [PIXELS * 32], [PIXELS * 32]),
        ("groups", "grouped", PIXELS * 9 * 16 * 32, 9 * 16 * 32, [PIXELS * 32], [PIXELS * 32]),
        ("up", "transposed", PIXELS * 4 * 32 * 16, 4 * 32 * 16, [PIXELS * 32], [PIXELS * 64]),
        ("pool", "pool", 0, 0, [PIXELS * 64], [PIXELS * 16]),
    ]


def test_the_addition_of_a_map_is_fused_where_nothing_else_reads_the_sum():
    first = layers.Conv2D(16, 1, use_bias=False, name="first")(IMAGE)
    second = layers.Conv2D(16, 1, use_bias=False, name="second")(first)
    both = layers.Add(name="sum")([first, second])
    conv, adding = of(layers.ReLU(name="relu")(both))
    assert conv.name == "first" and adding.name == "second"
    assert [one.values for one in adding.reads] == [PIXELS * 16] * 1, "one map, read once"
    apart = of(layers.Concatenate(name="joined")([second, both]))
    assert [(layer.name, layer.kind) for layer in apart] == [
        ("first", "narrow"),
        ("second", "conv"),
        ("sum", "pointwise"),
        ("joined", "copy"),
    ]
    assert apart[2].moved == 3 * PIXELS * 16


def test_functions_are_fused_and_remembered():
    (layer,) = of(layers.Conv2D(16, 1, activation="elu", name="elu")(IMAGE))
    assert layer.kind == "narrow" and layer.functions == PIXELS * 16


def test_the_most_that_is_held_at_once():
    x = layers.Conv2D(16, 1, name="a")(IMAGE)
    y = layers.Conv2D(32, 1, name="b")(x)
    z = layers.Conv2D(16, 1, name="c")(y)
    model = keras.Model(IMAGE, layers.Add()([x, z]), name="lite_basic_interl_t")
    network = analyze(model, batch=2)
    assert network.size == (8, 12) and network.batch == 2
    assert network.live == 2 * PIXELS * (16 + 32 + 16), "x waits while c reads y and writes z"
    assert network.macs == 2 * PIXELS * (3 * 16 + 16 * 32 + 32 * 16)
    assert {layer.kind for layer in network.layers} <= KINDS.keys()


def test_the_exported_form_is_counted():
    """Batch norm is folded, and an up-convolution becomes four kernels and the copying of maps."""
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv")(IMAGE)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = UpConvolution(16, form="unpool", name="up")(x)
    network = analyze(keras.Model(IMAGE, x, name="lite_basic_interl_t"))
    kinds = [(layer.name, layer.kind) for layer in network.layers if layer.name in ("conv", "up")]
    assert kinds == [("conv", "narrow"), *[("up", "conv")] * 4, ("up", "copy"), ("up", "shuffle")]
    assert network.macs == PIXELS * (27 * 16 + 25 * 16 * 16)
    counted = sum(layer.weights for layer in network.layers if layer.name in ("conv", "up"))
    assert counted == 27 * 16 + 16 + 25 * 16 * 16 + 4 * 16


@keras.saving.register_keras_serializable("tests")
class Cut(layers.Layer):
    def call(self, x):
        import tensorflow as tf

        return x[:, : tf.random.uniform((), 1, 8, tf.int32)]


def test_sizes_that_only_the_run_knows():
    with pytest.raises(InputError, match="its traffic cannot be counted; give its layer inputs"):
        of(Cut()(IMAGE))
