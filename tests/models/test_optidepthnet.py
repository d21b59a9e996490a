"""The disparity networks: their counts and shapes, and what they compute, against NumPy."""

from collections import Counter

import keras
import numpy as np
import pytest
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.models import create_model
from tests.helpers.architectures import outlines

VARIANTS = [
    ("optidepthnet_vgg", {"separable": "T"}, 9_162_766),
    ("optidepthnet_vgg", {"separable": "B"}, 3_589_870),
    ("optidepthnet_vgg", {"heads": 6}, 3_604_502),
    ("optidepthnet_resnet50", {"separable": "T"}, 40_101_134),
    ("optidepthnet_resnet50", {"separable": "B"}, 30_360_046),
    ("optidepthnet_resnet50", {"heads": 6}, 30_357_782),
    ("optidepthnet_resnet152", {"separable": "T"}, 91_047_182),
    ("optidepthnet_resnet152", {"separable": "B"}, 81_347_054),
]


@pytest.fixture(scope="module")
def resnet50():
    return create_model("optidepthnet_resnet50", (64, 128, 3))


def pictures(model, batch=1, seed=0):
    shape = (batch, *model.input_shape[1:])
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def value(model, layer, image):
    """Returns what one layer gives."""
    part = keras.Model(model.input, model.get_layer(layer).output)
    return keras.ops.convert_to_numpy(part(image, training=False))


def separable(model):
    return {layer.name for layer in model.layers if isinstance(layer, layers.SeparableConv2D)}


@pytest.mark.parametrize(("name", "options", "count"), VARIANTS)
@outlines()
def test_parameters_of_the_alternatives(name, options, count):
    shape = (128, 128, 3) if name == "optidepthnet_vgg" else (64, 64, 3)
    assert create_model(name, shape, **options).count_params() == count


@outlines()
def test_where_the_parameters_of_the_base_are():
    model = create_model("monodepth_resnet50", (64, 64, 3))
    counts = Counter()
    for layer in model.layers:
        part = layer.name.split("_")[-1] if layer.name.startswith("stage") else layer.name
        counts[part.rstrip("0123456") if part.startswith(("up", "ic")) else part] += (
            layer.count_params()
        )
    assert counts["stem"] == 9_472
    assert counts["conv1"] + counts["conv3"] == 9_378_240
    assert counts["conv2"] == 11_321_024
    assert counts["projection"] == 17_332_992
    assert counts["upconv"] == 11_009_520
    assert counts["iconv"] == 9_396_432
    assert sum(counts[f"disparity{number}_conv"] for number in range(4)) == 4_328
    assert sum(counts.values()) == 58_452_008


@outlines()
def test_shapes_of_the_stages():
    model = create_model("optidepthnet_resnet50")
    expected = {
        "stem": (128, 256, 64),
        "pool": (64, 128, 64),
        "stage1_block2_out": (64, 128, 256),
        "stage1_block3_out": (32, 64, 256),
        "stage2_block4_out": (16, 32, 512),
        "stage3_block6_out": (8, 16, 1024),
        "stage4_block3_out": (4, 8, 2048),
        "iconv6": (8, 16, 512),
        "iconv1": (256, 512, 16),
    }
    for layer, shape in expected.items():
        assert model.get_layer(layer).output.shape == (None, *shape)


@pytest.mark.parametrize("heads", [4, 6])
@pytest.mark.parametrize("name", ["optidepthnet_vgg", "optidepthnet_resnet50"])
@outlines()
def test_maps_are_given_finest_first(name, heads):
    model = create_model(name, heads=heads)
    shapes = [(None, 256 >> number, 512 >> number, 2) for number in range(heads)]
    assert model.output_shape == shapes
    assert model.output_names == [f"disparity{number}" for number in range(heads)]


@outlines()
def test_what_is_separable():
    decoder = {f"{kind}{level}" for kind in ("upconv", "iconv") for level in range(1, 8)}
    pairs = {f"pair{pair}_conv{number}" for pair in range(1, 8) for number in (1, 2)}
    vgg = create_model("optidepthnet_vgg", (128, 128, 3))
    assert separable(vgg) == decoder | pairs - {"pair1_conv1"}
    found = separable(create_model("optidepthnet_vgg", (128, 128, 3), separable="T"))
    assert found == {f"iconv{level}" for level in range(1, 8)} | pairs - {"pair1_conv1"}

    blocks = {
        f"stage{stage}_block{block}"
        for stage, count in ((1, 3), (2, 4), (3, 6), (4, 3))
        for block in range(1, count + 1)
    }
    decoder -= {"upconv7", "iconv7"}
    for option, numbers in (("A", "2"), ("B", "123")):
        model = create_model("optidepthnet_resnet50", (64, 64, 3), separable=option)
        main = {f"{block}_conv{number}" for block in blocks for number in numbers}
        assert separable(model) == decoder | main
    assert separable(create_model("monodepth_vgg", (128, 128, 3))) == set()


def test_depthwise_kernels_have_no_bias(resnet50):
    for name in separable(resnet50):
        layer = resnet50.get_layer(name)
        shapes = {weight.name: tuple(weight.shape) for weight in layer.weights}
        channels = layer.input.shape[-1]
        assert shapes == {
            "depthwise_kernel": (3, 3, channels, 1),
            "pointwise_kernel": (1, 1, channels, layer.filters),
            "bias": (layer.filters,),
        }


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def windows(x, kernel, stride=1, pad=None):
    """Returns (B, h, w, C, k, k): the surroundings of each pixel, padded with zeros."""
    pad = pad or ((kernel - 1) // 2,) * 2
    x = np.pad(x, ((0, 0), pad, pad, (0, 0)))
    return sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def double(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


class Oracle:
    """The network in NumPy and float64, with the weights of `model`, as the papers describe it."""

    def __init__(self, model):
        self.model = model

    def convolution(self, x, name, stride=1, pad=None):
        layer = self.model.get_layer(name)
        kernels = [np.asarray(weight, "float64") for weight in layer.get_weights()]
        x = windows(x, kernels[0].shape[0], stride, pad)
        if isinstance(layer, layers.SeparableConv2D):
            depthwise, pointwise, bias = kernels
            return np.einsum("bhwcij,ijc->bhwc", x, depthwise[..., 0]) @ pointwise[0, 0] + bias
        return np.tensordot(x, kernels[0], ((4, 5, 3), (0, 1, 2))) + kernels[1]

    def block(self, x, name, stride):
        shortcut = self.convolution(x, f"{name}_projection", stride)
        x = elu(self.convolution(x, f"{name}_conv1"))
        x = elu(self.convolution(x, f"{name}_conv2", stride))
        return elu(self.convolution(x, f"{name}_conv3") + shortcut)

    def resnet50(self, image):
        maps = [elu(self.convolution(image, "stem", 2))]
        maps.append(windows(maps[-1], 3, 2).max((4, 5)))
        x = maps[-1]
        for stage, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
            for block in range(1, blocks + 1):
                x = self.block(x, f"stage{stage}_block{block}", 2 if block == blocks else 1)
            maps.append(x)
        return maps

    def vgg(self, x):
        maps = []
        for pair in range(1, 8):
            x = elu(self.convolution(x, f"pair{pair}_conv1"))
            x = elu(self.convolution(x, f"pair{pair}_conv2", 2))
            maps.append(x)
        return maps

    def disparities(self, maps):
        x, found = maps.pop(), []
        while x.shape[1] < self.model.input_shape[1]:
            level = len(maps) + 1
            parts = [elu(self.convolution(double(x), f"upconv{level}"))]
            parts += [maps.pop()] if maps else []
            parts += [double(found[0])] if found else []
            x = elu(self.convolution(np.concatenate(parts, -1), f"iconv{level}"))
            if level <= 4:
                head = self.convolution(x, f"disparity{level - 1}_conv")
                found.insert(0, 0.3 / (1 + np.exp(-head)))
        return found


@pytest.mark.parametrize("name", ["optidepthnet_resnet50", "monodepth_vgg"])
def test_computes_what_numpy_computes(name):
    encoder = name.split("_")[1]
    model = create_model(name, (64, 128, 3) if encoder == "resnet50" else (128, 128, 3))
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if hasattr(layer, "bias"):
            layer.bias.assign(generator.normal(0, 0.1, layer.bias.shape))
    image = pictures(model)
    oracle = Oracle(model)
    expected = oracle.disparities(getattr(oracle, encoder)(image.astype("float64")))
    for found, right in zip(model(image, training=False), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["stem", "stage1_block3_conv2"])
def test_pads_alike_on_all_sides_where_the_stride_is_2(name, resnet50):
    image = pictures(resnet50)
    layer = resnet50.get_layer(name)
    source = image if name == "stem" else value(resnet50, "stage1_block3_conv1", image)
    found = value(resnet50, name, image)
    kernel, convolution = layer.kernel_size[0], Oracle(resnet50).convolution
    np.testing.assert_allclose(found, elu(convolution(source, name, 2)), atol=1e-5)
    # What padding="same" would do.
    before = (kernel - 2) // 2
    same = elu(convolution(source, name, 2, pad=(before, kernel - 2 - before)))
    assert same.shape == found.shape
    assert np.abs(same - found).max() > 0.01


def test_pools_zeros_beside_the_picture():
    """ELU(-1) is below zero: at the upper and left border the zero of the padding is larger."""
    model = create_model("optidepthnet_resnet50", (64, 64, 3))
    stem = model.get_layer("stem")
    stem.set_weights([np.zeros(stem.kernel.shape), np.full(64, -1.0)])
    pooled = value(model, "pool", pictures(model))
    assert (pooled[:, 0] == 0).all() and (pooled[:, :, 0] == 0).all()
    np.testing.assert_allclose(pooled[:, 1:, 1:], np.expm1(-1), rtol=1e-6)


def test_disparity_lies_between_0_and_the_largest():
    model = create_model("optidepthnet_vgg", (128, 128, 3))
    image = pictures(model)
    for bias, expected in ((-40, 0), (0, 0.15), (40, 0.3)):
        for number in range(4):
            head = model.get_layer(f"disparity{number}_conv")
            head.set_weights([np.zeros(head.kernel.shape), np.full(2, bias)])
        for found in model(image, training=False):
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_signal_reaches_the_end_of_the_separable_encoder():
    """With Keras' default for depthwise kernels the last map would hold 1e-14 of the base's."""
    keras.utils.set_random_seed(0)
    sizes = []
    for name in ("monodepth_vgg", "optidepthnet_vgg"):
        model = create_model(name, (128, 128, 3))
        sizes.append(value(model, "pair7_conv2", pictures(model)).std())
    assert 0.3 < sizes[1] / sizes[0] < 3


def test_fit_lowers_the_loss_of_a_pair():
    keras.utils.set_random_seed(0)
    model = create_model("optidepthnet_vgg", (128, 128, 3))
    left = pictures(model)
    pair = np.concatenate([left, np.roll(left, -8, axis=2)], -1)
    # Tracing the loss for four maps takes longer than these steps.
    model.compile(keras.optimizers.Adam(1e-3), losses.get("stereo"), run_eagerly=True)
    history = model.fit(left, [pair] * len(model.outputs), epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet101"}, "unknown encoder of NAME 'resnet101': did you mean 'resnet"),
        ({"separable": "C"}, "unknown separable of NAME 'C': known are A, B, T, none"),
        ({"heads": 5}, "NAME: heads=5: give 4 or 6"),
        ({"input_shape": (64, 128, 3)}, r"NAME: .* multiples of 128, got \(64, 128, 3\)"),
        ({"encoder": "resnet50", "input_shape": (64, 96, 3)}, "NAME: .* multiples of 64, got"),
        ({"weights": "imagenet"}, "NAME: .*no 'imagenet' weights, .* give weights 'none'"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(InputError, match="^" + message.replace("NAME", "optidepthnet_vgg")):
        create_model("optidepthnet_vgg", **options)
