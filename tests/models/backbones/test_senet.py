"""SENet154: its published count, its sizes, and its weights from PyTorch."""

import math

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from keras_depth.errors import InputError
from keras_depth.layers.grouped_conv import GroupedConv2D
from keras_depth.models import create_model
from keras_depth.models.backbones.senet import _published_names, senet
from tests.helpers.architectures import outlines

TINY = {"blocks": (1, 2, 1, 1), "width": 4, "groups": 4}
SHAPE = (45, 70, 3)
STAGES = ("s1", "s2", "s3", "s4", "s5")


def network(shape=SHAPE, **options):
    image = keras.Input(shape)
    return keras.Model(image, senet(image, **options))


def trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


@outlines()
def test_parameters():
    model = network((224, 224, 3))
    assert trainable(model) == 113_039_984
    assert model.count_params() - trainable(model) == 247_552
    parts = dict.fromkeys(("stem", "layer1", "layer2", "layer3", "layer4"), 0)
    for weight in model.trainable_weights:
        part = weight.path.split("_")[0]
        parts["stem" if part.startswith("stem") else part.split("/")[0]] += math.prod(weight.shape)
    assert list(parts.values()) == [112_832, 354_864, 4_695_296, 68_677_888, 39_199_104]
    # The published classifier: 1,000 classes from 2,048 channels.
    assert trainable(model) + 1000 * 2049 == 115_088_984
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-5)}
    assert sum(isinstance(layer, GroupedConv2D) for layer in model.layers) == 3 + 8 + 36 + 3


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((228, 304), ((114, 152), (57, 76), (29, 38), (15, 19), (8, 10))),
        ((385, 513), ((193, 257), (96, 128), (48, 64), (24, 32), (12, 16))),
        ((240, 320), ((120, 160), (60, 80), (30, 40), (15, 20), (8, 10))),
        ((375, 1242), ((188, 621), (94, 310), (47, 155), (24, 78), (12, 39))),
    ],
)
@outlines()
def test_sizes(size, sides):
    """Strides of 2 with padding at both ends, and a pool with its last window open."""
    maps = network((*size, 3)).output
    channels = (128, 256, 512, 1024, 2048)
    for stage, pair, width in zip(STAGES, sides, channels, strict=True):
        assert maps[stage].shape == (None, *pair, width)


def state_dict(model, seed=0):
    """The weights of a network as PyTorch's file has them."""
    rng, state = np.random.default_rng(seed), {}
    pieces = {"gamma": "weight", "beta": "bias", "kernel": "weight", "bias": "bias"}
    pieces |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    for layer, name in _published_names(model).items():
        for weight in model.get_layer(layer).weights:
            spread = (0.5, 1.5) if weight.name in ("gamma", "moving_variance") else (-0.3, 0.3)
            value = rng.uniform(*spread, weight.shape)
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
            state[f"{name}.{pieces[weight.name]}"] = value.astype("float32")
    return state


@outlines()
def test_every_weight_has_its_place_in_the_file():
    """Cadene's keys of SENet154, by the rule of its module tree."""
    names = ["layer0.conv1.weight", "layer0.bn3.running_var", "layer2.0.downsample.0.weight"]
    names += ["layer2.0.downsample.1.bias", "layer3.35.conv2.weight", "layer4.2.bn3.running_mean"]
    names += ["layer1.0.se_module.fc1.bias", "layer4.1.se_module.fc2.weight"]
    state = state_dict(network((64, 64, 3)))
    assert set(names) < set(state)
    # 3 of the stem; in each of 50 blocks 3 and 2 with biases; 4 shortcuts; a batch norm for all
    # but those with biases.
    assert len(state) == 3 * 5 + 50 * (3 * 5 + 2 * 2) + 4 * 5
    assert state["layer3.35.conv2.weight"].shape == (1024, 8, 3, 3)
    assert state["layer1.0.se_module.fc1.weight"].shape == (16, 256, 1, 1)


def options_of(name="msfnet_baseline"):
    return {"name": name, "input_shape": SHAPE, **TINY}


def test_weights_from_a_file(tmp_path, pytorch):
    file = tmp_path / "senet.pth"
    file.touch()
    state = pytorch[file.name] = state_dict(create_model(**options_of()))
    state["last_linear.weight"] = np.zeros((1000, 128), "float32")
    model = create_model(**options_of(), weights=file)
    kernel = model.get_layer("layer2_block1_conv2").kernel
    np.testing.assert_array_equal(kernel, state["layer2.1.conv2.weight"].transpose(2, 3, 1, 0))
    norm = model.get_layer("layer2_block0_shortcut_bn")
    np.testing.assert_array_equal(norm.moving_variance, state["layer2.0.downsample.1.running_var"])
    np.testing.assert_array_equal(norm.beta, state["layer2.0.downsample.1.bias"])


def test_weights_that_do_not_fit(tmp_path, pytorch):
    with pytest.raises(InputError, match="has no SENet154: give the path of Cadene's senet154-c7b"):
        create_model("msfnet", (64, 64, 3), weights="imagenet", **TINY)
    file = tmp_path / "a.pth"
    with pytest.raises(InputError, match="a.pth: no such file; give the path of Cadene's"):
        create_model(**options_of(), weights=file)
    file.touch()
    state = state_dict(create_model(**options_of()))
    pytorch[file.name] = {k: v for k, v in state.items() if k != "layer1.0.bn2.running_mean"}
    with pytest.raises(InputError, match="a.pth: layer1.0.bn2.running_mean is missing, but"):
        create_model(**options_of(), weights=file)
    pytorch[file.name] = {**state, "layer0.conv1.weight": np.zeros((64, 3, 7, 7), "float32")}
    with pytest.raises(InputError, match=r"layer0.conv1.weight has the shape \(7, 7, 3, 64\)"):
        create_model(**options_of(), weights=file)


def convolve(x, kernel, stride=1, padding=0, groups=1):
    """PyTorch's convolution, by its definition: (B, C, H, W), kernel (out, in of a group, h, w)."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(x, kernel.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    parts = zip(np.split(windows, groups, 1), np.split(kernel, groups), strict=True)
    return np.concatenate([np.einsum("bcyxij,ocij->boyx", *part) for part in parts], 1)


def pool(x):
    """3x3 maxima with a stride of 2, ceil mode."""
    x = np.pad(x, [(0, 0), (0, 0), *((0, (n - 3) % 2) for n in x.shape[2:])], constant_values=-9e9)
    return sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))


def stages_by_definition(state, image):
    """SENet's stages of pretrained-models.pytorch, from a state dict: (B, C, H, W) each."""

    def convolution(x, name, norm, **options):
        x = convolve(x, state[f"{name}.weight"], **options)
        pieces = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, shift = (state[f"{norm}.{p}"][:, None, None] for p in pieces)
        return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift

    def relu(x):
        return np.maximum(x, 0)

    def block(x, name, stride, projects):
        y = relu(convolution(x, f"{name}.conv1", f"{name}.bn1"))
        y = convolution(y, f"{name}.conv2", f"{name}.bn2", stride=stride, padding=1, groups=4)
        y = convolution(relu(y), f"{name}.conv3", f"{name}.bn3")
        z = y.mean((2, 3), keepdims=True)
        for part, after in (("fc1", relu), ("fc2", lambda x: 1 / (1 + np.exp(-x)))):
            kernel, bias = (state[f"{name}.se_module.{part}.{k}"] for k in ("weight", "bias"))
            z = after(convolve(z, kernel) + bias[:, None, None])
        if projects:
            names = f"{name}.downsample.0", f"{name}.downsample.1"
            x = convolution(x, *names, stride=stride, padding=stride - 1)
        return relu(y * z + x)

    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = ((image - means) / deviations).transpose(0, 3, 1, 2)
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        names = f"layer0.conv{number}", f"layer0.bn{number}"
        x = relu(convolution(x, *names, stride=stride, padding=1))
    maps = [x]
    x = pool(x)
    for layer, count in enumerate(TINY["blocks"], start=1):
        for number in range(count):
            x = block(x, f"layer{layer}.{number}", min(layer, 2) if number == 0 else 1, number == 0)
        maps.append(x)
    return maps


@pytest.mark.parametrize("size", [(45, 70), (48, 68)], ids=["pool closed", "pool open at the end"])
def test_what_pytorch_computes(size, tmp_path, pytorch):
    """By the definition of each of its layers; PyTorch itself agreed when this was written."""
    file = tmp_path / "senet.pth"
    file.touch()
    options = {**options_of(), "input_shape": (*size, 3)}
    pytorch[file.name] = state = state_dict(create_model(**options))
    model = create_model(**options, weights=file)
    ends = ["stem3_relu", "layer1_block0_out", "layer2_block1_out", "layer3_block0_out"]
    outputs = [model.get_layer(end).output for end in [*ends, "layer4_block0_out"]]
    image = np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
    expected = stages_by_definition(state, image)
    for ours, theirs in zip(keras.Model(model.input, outputs)(image), expected, strict=True):
        theirs = theirs.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
