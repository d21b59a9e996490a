"""Every registered network: its counts, its shapes, and that it trains, saves and loads."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.models import (
    Architecture,
    create_model,
    get,
    jetson_fcnn,
    list_architectures,
    register,
)
from tests.helpers.architectures import smallest_side

pytestmark = pytest.mark.usefixtures("networks_are_freed")

SMALL = (48, 64, 3)

# What a network that writes depth in this way is trained with here, and its channels.
LOSSES = {
    "metric": "mse_rel",
    "disparity": "stereo",
    "unit": "structural",
    "centimetres": "structural",
    "inverse": "msfnet",
}
CHANNELS = {"metric": 1, "disparity": 2, "unit": 1, "centimetres": 1, "inverse": 1}
# How many times smaller than the picture the output is, its sides rounded up.
SHRINKS = {"mobile_unet": 2, "msfnet": 2}
# A SENet154 takes seconds to build and half a gigabyte on disk: tests/models/test_msfnet.py.
SHRUNK = {"msfnet": {"blocks": (1, 1, 1, 1), "width": 8, "groups": 8}}
# They take minutes beside other work; the other networks of their decoder are tried at once.
SLOW_TO_TRAIN = ("irv2_unet", "densenet201_unet", "densenet169_unet")

# With the 3x3 head of the published counts; the paper's 5x5 head adds its 16 more taps a channel.
COUNTS_3X3_HEAD = {
    "basic_deconv": 43_150_337,
    "basic_sc_deconv": 66_961_025,
    "basic_sc_nonbt": 31_970_209,
    "lite_basic_sc_nonbt": 10_675_617,
    "basic_sc_interl": 51_345_313,
    "basic_sc_interl_t": 51_342_337,
    "lite_basic_interl_t": 13_468_673,
}
VARIANTS = [
    ("basic_sc_deconv", {"ladder": "halving"}, 51_803_137),
    ("basic_sc_deconv", {"ladder": "halving", "merge": "add"}, 43_843_521),
    ("basic_sc_nonbt", {"ladder": "notebook"}, 36_143_041),
    ("basic_sc_nonbt", {"merge": "add"}, 31_625_057),
    ("basic_sc_nonbt", {"shortcuts": ()}, 30_931_873),
    ("lite_basic_sc_nonbt", {"merge": "add"}, 10_592_097),
    ("basic_sc_interl", {"shortcuts": (16, 8, 4, 2)}, 51_806_113),
    ("basic_sc_interl", {"merge": "add"}, 43_809_441),
    ("basic_sc_interl", {"ladder": "notebook"}, 66_043_841),
    ("lite_basic_interl_t", {"decoder": "interleave"}, 13_470_113),
]


def small(name):
    """The smallest size that says something; the smallest there is where the multiple is large."""
    return (*(smallest_side(name, side) for side in SMALL[:2]), 3)


def build(name, shape):
    """The network, or where it is large one of its kind."""
    return create_model(name, shape, **SHRUNK.get(get(name).paper, {}))


def output_size(name, shape):
    return tuple(-(-side // SHRINKS.get(get(name).paper, 1)) for side in shape[:2])


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", list_architectures())
def test_parameters_of_the_defaults(name):
    model = create_model(name)
    assert model.name == name
    assert (model.count_params(), trainable(model)) == get(name).parameters
    size = output_size(name, get(name).size)
    assert model.outputs[0].shape == (None, *size, CHANNELS[get(name).encoding])


@pytest.mark.parametrize(("name", "count"), COUNTS_3X3_HEAD.items())
def test_parameters_with_the_small_head(name, count):
    model = create_model(name, (480, 640, 3), head_size=3)
    assert model.count_params() == count
    assert model.output_shape == (None, 480, 640, 1)
    width = model.get_layer("head").kernel.shape[2]
    assert get(name).parameters[0] - count == 16 * width


@pytest.mark.parametrize(("name", "options", "count"), VARIANTS)
def test_parameters_of_the_alternatives(name, options, count):
    assert create_model(name, SMALL, head_size=3, **options).count_params() == count


def test_skips_start_before_the_activation():
    model = create_model("basic_sc_nonbt", SMALL)
    skips = ["conv4_block6_add", "conv3_block4_add", "conv2_block3_add", "conv1_bn"]
    for block, name in enumerate(skips, start=1):
        skip, _ = model.get_layer(f"block{block}_concat").input
        assert skip is model.get_layer(name).output


def test_sides_that_do_not_divide_by_32_are_cropped_once():
    """At 240x320 the first block's 16 rows meet the 15 of the encoder's 1/16 map."""
    model = create_model("basic_sc_interl_t", (240, 320, 3))
    assert model.get_layer("block0_crop").output.shape[1:3] == (15, 20)
    assert "block0_crop" not in [
        layer.name for layer in create_model("basic_deconv", (64, 64, 3)).layers
    ]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW_TO_TRAIN else name
        for name in list_architectures()
    ],
)
def test_trains(name):
    """Every weight gets a finite gradient; where nothing is valid it is zero."""
    shape = small(name)
    model = build(name, shape)
    loss = losses.get(LOSSES[get(name).encoding])
    generator = np.random.default_rng(0)
    image = generator.uniform(size=(2, *shape)).astype("float32")
    if loss.target_kind == "pair":
        target = np.concatenate([image, np.roll(image, 3, axis=2)], -1)
    else:
        depth = generator.uniform(1, 9, (2, *output_size(name, shape), 1)).astype("float32")
        valid = (generator.uniform(size=depth.shape) > 0.5).astype("float32")
        target = np.concatenate([depth * valid, valid], -1)
    # Steps of one size, however small the gradient, and none where it is 0.
    optimizer = keras.optimizers.RMSprop(0.001, epsilon=1e-12)
    # Tracing the pair's loss for four maps takes longer than the step.
    eager = loss.target_kind == "pair"
    model.compile(optimizer=optimizer, loss=loss, run_eagerly=eager)
    before = [weight.numpy() for weight in model.trainable_weights]
    assert np.isfinite(model.train_on_batch(image, [target] * len(model.outputs))).all()
    after = [weight.numpy() for weight in model.trainable_weights]
    assert all(np.isfinite(weight).all() for weight in after)
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    # A bias before a batch norm has no effect, and so no gradient beyond rounding.
    assert all(
        m for m, w in zip(moved, model.trainable_weights, strict=True) if "bias" not in w.name
    )
    if loss.target_kind == "depth":
        nothing = [np.zeros_like(target)] * len(model.outputs)
        assert not np.any(model.train_on_batch(image, nothing))
        for weight, earlier in zip(model.trainable_weights, after, strict=True):
            np.testing.assert_array_equal(weight.numpy(), earlier)


@pytest.mark.parametrize("name", list_architectures())
def test_saves_and_loads(name, tmp_path):
    shape = small(name)
    model = build(name, shape)
    file = tmp_path / "model.keras"
    model.save(file)
    loaded = keras.saving.load_model(file)
    file.unlink()  # pytest keeps its folders, and some networks are half a gigabyte
    assert loaded.to_json() == model.to_json()
    for batch in (1, 3):
        image = np.random.default_rng(batch).uniform(size=(batch, *shape)).astype("float32")
        expected = keras.tree.flatten(model(image, training=False))
        size = output_size(name, shape)
        assert expected[0].shape == (batch, *size, CHANNELS[get(name).encoding])
        for a, b in zip(keras.tree.flatten(loaded(image, training=False)), expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        (name, policy)
        for name in list_architectures()
        for policy in ("mixed_float16", "mixed_bfloat16")
        # A ResNet152 takes seconds to build, and its layers are the ResNet50's.
        if policy == "mixed_float16" or "resnet152" not in name
    ],
)
def test_mixed_precision(name, policy):
    """Computes in 16 bits, the head alone in 32; keeps weights and outputs in 32."""
    shape = small(name)
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name, shape)
    finally:
        keras.config.set_dtype_policy("float32")
    for output in keras.tree.flatten(model(np.full((1, *shape), 0.5, "float32"), training=False)):
        assert output.dtype == "float32"
        assert np.isfinite(output).all()
    assert {weight.dtype for weight in model.weights} == {"float32"}
    wide = [layer for layer in model.layers if layer.compute_dtype == "float32"]
    assert {layer.compute_dtype for layer in set(model.layers) - set(wide)} == {
        policy.removeprefix("mixed_")
    }
    assert sum(layer.count_params() for layer in wide) < 0.001 * model.count_params()


@pytest.mark.parametrize("name", list_architectures())
def test_sizes_it_cannot_take_are_refused(name):
    height, width, _ = small(name)
    multiple = get(name).sides().multiple
    sides = [(None, width)]
    if multiple > 1:
        sides += [(height + 2, width), (height, width - 4)]
    message = rf"multiples of {multiple}, got" if multiple > 1 else r"\(height, width, 3\), got"
    for shape in [(height, width, 1), *((*pair, 3) for pair in sides)]:
        with pytest.raises(InputError, match=message):
            create_model(name, shape)


def test_unknown_names_and_options():
    with pytest.raises(InputError, match="did you mean 'lite_basic_interl_t'"):
        create_model("lite_basic_interl")
    with pytest.raises(InputError, match="did you mean 'head_size'"):
        create_model("basic_deconv", headsize=3)
    with pytest.raises(InputError, match="unknown merge of basic_sc_nonbt 'sum': known are add"):
        create_model("basic_sc_nonbt", SMALL, merge="sum")
    with pytest.raises(InputError, match="encoder of monodepth_vgg 'vgg19': did you mean 'vgg'"):
        create_model("monodepth_vgg", encoder="vgg19")
    with pytest.raises(InputError, match="encoder of irv2_unet 'vgg': did you mean 'vgg19'"):
        create_model("irv2_unet", encoder="vgg")


WRONG_SHAPES = {
    "no channels": ((240, 320), r"got \(240, 320\); add the 3 color channels"),
    "channels first": ((3, 240, 320), r"got \(3, 240, 320\); put the channels last"),
    "one side": ((240, 3), r"got \(240, 3\); add the 3 color channels"),
    "a batch": ((1, 240, 320, 3), r"got \(1, 240, 320, 3\); give whole numbers"),
    "nothing": ((), r"got \(\); give whole numbers, such as \(240, 320, 3\)"),
    "a number": (240, r"got 240; give for example \(240, 320, 3\)"),
    "text": ("240x320", r"got '240x320'; give for example"),
    "floats": ((240.0, 320.0, 3), r"got \(240.0, 320.0, 3\); give whole numbers"),
    "texts": (("240", "320", "3"), r"got \('240', '320', '3'\); give whole numbers"),
    "negative": ((-240, 320, 3), r"got \(-240, 320, 3\); give whole numbers"),
    "zero": ((0, 320, 3), r"got \(0, 320, 3\); give whole numbers"),
    "four channels": ((240, 320, 4), r"got \(240, 320, 4\); give whole numbers"),
    "no multiple": ((250, 320, 3), r"got \(250, 320, 3\); the nearest is \(256, 320, 3\)"),
}


@pytest.mark.parametrize("case", WRONG_SHAPES)
def test_wrong_shapes_get_a_sentence(case):
    shape, message = WRONG_SHAPES[case]
    start = r"input_shape must be \(height, width, 3\) with sides that are multiples of 16, "
    with pytest.raises(InputError, match=f"^basic_deconv: {start}{message}"):
        create_model("basic_deconv", input_shape=shape)
    with pytest.raises(InputError, match=message):
        jetson_fcnn.fcnn(shape, None, name="mine", decoder="deconv")


def test_shapes_may_be_lists_of_numpy_numbers():
    assert create_model("basic_deconv", list(np.array(SMALL))).input_shape == (None, *SMALL)


def test_a_name_is_registered_once():
    entry = get("basic_deconv")
    with pytest.raises(InputError, match="registered already"):
        register(Architecture(**entry.__dict__))


def test_weights_from_a_file_of_another_size(tmp_path):
    trained = create_model("lite_basic_interl_t", SMALL)
    trained.save(tmp_path / "trained.keras")
    trained.save_weights(tmp_path / "trained.weights.h5")
    for file in ("trained.keras", "trained.weights.h5"):
        model = create_model("lite_basic_interl_t", (64, 96, 3), weights=tmp_path / file)
        for weight, original in zip(model.get_weights(), trained.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, original)


def test_weights_that_do_not_fit(tmp_path):
    create_model("lite_basic_interl_t", SMALL).save(tmp_path / "lite.keras")
    message = "lite.keras: the weights of lite_basic_interl_t in this file do not fit basic_deconv"
    with pytest.raises(InputError, match=message):
        create_model("basic_deconv", SMALL, weights=tmp_path / "lite.keras")
    with pytest.raises(InputError, match="no such file"):
        create_model("basic_deconv", SMALL, weights=tmp_path / "missing.keras")


@pytest.mark.parametrize(
    "name, encoder, file",
    [
        ("basic_deconv", "ResNet50", "resnet50_weights"),
        ("mobilenet_v2_unet", "MobileNetV2", "mobilenet_v2_weights"),
    ],
)
def test_imagenet_weights_that_cannot_be_downloaded(tmp_path, name, encoder, file):
    dead = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "keras_depth.train", "--arch", name]
        + ["--weights", "imagenet", "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_HOME": str(tmp_path), "https_proxy": dead, "HTTPS_PROXY": dead},
    )
    assert done.returncode == 2
    assert f"error: ImageNet weights of {encoder} could not be downloaded" in done.stderr
    assert f"copy {file}" in done.stderr
    assert "--weights none" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
