"""MSFNet: its parts' counts and sizes, what EDA sees, and one step of the whole network."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.benchmark import macs
from keras_depth.errors import InputError
from keras_depth.models import create_model, get
from keras_depth.train.step import make_training_step

SMALL = {"blocks": (1, 1, 1, 1), "width": 8, "groups": 8}
ARMS = ("msfnet_baseline", "msfnet_usf", "msfnet_usf_cbam", "msfnet")


def count(model, *beginnings):
    layers = [layer for layer in model.layers if layer.name.startswith(beginnings)]
    return sum(math.prod(w.shape) for layer in layers for w in layer.trainable_weights)


def picture(shape, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, *shape)).astype("float32")


@pytest.fixture(scope="module")
def whole():
    return create_model("msfnet", (228, 304, 3))


def test_parameters_of_the_parts(whole):
    assert count(whole, "attention_conv") == 99
    ups = [count(whole, f"fusion_s{stage}_up") for stage in range(1, 6)]
    assert ups == [241_824, 446_624, 911_712, 1_952_864, 4_479_072]
    assert count(whole, "rdr") == 63_808
    assert count(whole, "bridge") == 2_098_176
    blocks = [count(whole, f"up{number}") for number in range(1, 6)]
    assert blocks == [11_797_504, 2_949_632, 737_536, 184_448, 110_720]
    assert [count(whole, name) for name in ("depth", "attention_head", "fusion_head")] == [
        *(577, 513, 65)
    ]


@pytest.mark.parametrize(
    ("name", "giga"),
    [
        ("msfnet_baseline", 43.2),
        ("msfnet", 54.5),
        pytest.param("msfnet_usf_cbam", 54.5, marks=pytest.mark.slow),
    ],
)
def test_outputs_and_multiplications(name, giga):
    model = create_model(name, (228, 304, 3))
    heads = 1 if name == "msfnet_baseline" else 3
    assert [output.shape for output in model.outputs] == [(None, 114, 152, 1)] * heads
    assert macs.count(model) / 1e9 == pytest.approx(giga, abs=0.05)


@pytest.mark.parametrize(
    ("size", "enlarged", "skips"),
    [
        (
            (228, 304),
            ((228, 304), (114, 152), (116, 152), (120, 152), (128, 160)),
            ((15, 19), (29, 38), (57, 76), (114, 152)),
        ),
        (
            (385, 513),
            ((386, 514), (192, 256), (192, 256), (192, 256), (192, 256)),
            ((24, 32), (48, 64), (96, 128), (193, 257)),
        ),
    ],
)
def test_sizes_of_the_parts(size, enlarged, skips):
    """What is enlarged is brought to one size; the decoder follows the skips, not twice its own."""
    model = create_model("msfnet", (*size, 3))
    for stage, sides in enumerate(enlarged, start=1):
        assert model.get_layer(f"fusion_s{stage}_pool").input.shape[1:3] == sides
        assert model.get_layer(f"fusion_s{stage}_pool").output.shape[1:] == (*skips[-1], 16)
    for number, sides in enumerate(skips, start=1):
        assert model.get_layer(f"up{number}_concat").output.shape[1:3] == sides
    assert {output.shape for output in model.outputs} == {(None, *skips[-1], 1)}
    assert sum(math.prod(w.shape) for w in model.trainable_weights) == 139_026_838


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 100)])
def test_any_size_from_32(size):
    model = create_model("msfnet", (*size, 3), **SMALL)
    sides = tuple(-(-side // 2) for side in size)
    for output in model(picture((*size, 3))):
        assert output.shape == (1, *sides, 1) and np.isfinite(output).all()


def test_smaller_ones_and_other_options_are_refused():
    for options, message in [
        ({"input_shape": (31, 64, 3)}, "msfnet: the sides of input_shape must be 32 or more"),
        ({"attention": "edan"}, "unknown attention of msfnet 'edan': did you mean"),
        (
            {"blocks": (3, 8, 36)},
            r"blocks=\(3, 8, 36\), width=64, groups=64: give four numbers of blocks",
        ),
        ({"blocks": 3}, "blocks=3, width=64"),
        ({"width": 24, "groups": 32}, "groups that divide twice the width"),
        ({"blocks": (1, 1, 0, 1)}, "all 1 or more"),
    ]:
        with pytest.raises(InputError, match=message):
            create_model("msfnet", **{"input_shape": (64, 64, 3), **options})


def scale(attention, weights=None):
    """The attention's map, of a network with these weights."""
    model = create_model("msfnet", (64, 96, 3), attention=attention, **SMALL)
    if weights is not None:
        model.set_weights(weights)
    name = "attention_conv"
    maps = keras.Model(model.input, model.get_layer(name).output)(picture((64, 96, 3), 2))
    return model.get_weights(), np.array(maps)


def test_literal_eda_is_cbam():
    """After a ReLU the least channel is 0: subtracting it changes nothing; before it, it does."""
    weights, cbam = scale("cbam")
    _, literal = scale("eda_after_relu", weights)
    _, eda = scale("eda", weights)
    np.testing.assert_allclose(literal, cbam, atol=1e-6)
    assert np.abs(eda - cbam).max() > 0.05


def test_after_the_relu_some_channel_is_0_everywhere(whole):
    """With random weights: in all places of all five stages."""
    ends = ["stem3_relu", "layer1_block2_out", "layer2_block7_out", "layer3_block35_out"]
    outputs = [whole.get_layer(end).output for end in [*ends, "layer4_block2_out"]]
    maps = keras.Model(whole.input, outputs)(picture((228, 304, 3)))
    assert all(np.all(np.min(one, axis=-1) == 0) for one in maps)


def test_what_attention_scales():
    """The stage after its ReLU, whatever it looks at; beside the decoder, or in it."""
    for fusion in (True, False):
        model = create_model("msfnet", (64, 96, 3), fusion=fusion, **SMALL)
        stage, _ = model.get_layer("attention").input
        assert stage is model.get_layer("layer2_block0_out").output
        assert model.get_layer("attention_statistics").input is (
            model.get_layer("layer2_block0_sum").output
        )
        skip = model.get_layer("up2_concat").input[1]
        assert skip is (stage if fusion else model.get_layer("attention").output)
        assert len(model.outputs) == 2 + fusion


def test_half_of_rdr_is_normalised_by_picture():
    """One picture of a batch does not change the other's half, but the batch's half."""
    model = create_model("msfnet", (64, 96, 3), **SMALL)
    halves = [model.get_layer(f"rdr_{part}_norm").output for part in ("in", "bn")]
    fused = model.get_layer("rdr_squeeze").output
    refine = keras.Model(fused, halves)
    x = np.random.default_rng(0).normal(size=(2, 32, 48, 64)).astype("float32")
    other = np.stack([x[0], 3 * x[1] + 1])
    (by_picture, by_batch), (by_picture2, by_batch2) = (
        refine(y, training=True) for y in (x, other)
    )
    np.testing.assert_allclose(by_picture[0], by_picture2[0], atol=1e-5)
    assert np.abs(by_batch[0] - by_batch2[0]).max() > 0.1


@pytest.mark.slow
def test_one_step_of_the_whole_network():
    """At the paper's size: a finite gradient, and so a step, for every weight."""
    model = create_model("msfnet", (228, 304, 3))
    assert (model.count_params(), count(model, "")) == get("msfnet").parameters
    rng = np.random.default_rng(0)
    image = picture((228, 304, 3))
    target = np.ones((1, 114, 152, 2), "float32")
    target[..., 0] = rng.uniform(1, 100, target.shape[:3])
    loss = losses.get("msfnet")
    before = [weight.numpy() for weight in model.trainable_weights]
    # Steps of one size, however small the gradient, and none where it is 0.
    optimizer = keras.optimizers.RMSprop(3e-5, epsilon=1e-12)
    optimizer.build(model.trainable_variables)
    step = make_training_step(model, loss, optimizer, tf.distribute.get_strategy())
    value = step(tf.constant(image), tf.constant(target))
    assert np.isfinite(value)
    for weight, earlier in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(weight).all() and not np.array_equal(weight, earlier), weight.path
    assert float(step(image, target)) < float(value)
