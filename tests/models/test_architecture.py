"""Every registered network: its counts, its shapes, and that it learns, saves and loads."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.models import (
    Architecture,
    create_model,
    get,
    list_architectures,
    register,
)
from tests.helpers.architectures import outlines, smallest_side

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
SHRINKS = {"mobile_interl": 2, "mobile_unet": 2, "msfnet": 2}
# A SENet154 takes seconds to build and half a gigabyte on disk: tests/models/test_msfnet.py.
SHRUNK = {"msfnet": {"blocks": (1, 1, 1, 1), "width": 8, "groups": 8}}
# The networks of a paper have the same layers: one of each is tried in bfloat16.
FIRST_OF_ITS_PAPER = {get(name).paper: name for name in reversed(list_architectures())}


def small(name):
    """The smallest size that says something; the smallest there is where the multiple is large."""
    return (*(smallest_side(name, side) for side in SMALL[:2]), 3)


def build(name, shape):
    """The network, or where it is large one of its kind."""
    return create_model(name, shape, **SHRUNK.get(get(name).paper, {}))


@pytest.fixture(scope="module", params=list_architectures())
def network(request):
    """Name and model of each architecture; the tests of one share a model, built once."""
    return request.param, build(request.param, small(request.param))


def output_size(name, shape):
    return tuple(-(-side // SHRINKS.get(get(name).paper, 1)) for side in shape[:2])


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", list_architectures())
@outlines()
def test_parameters_of_the_defaults(name):
    model = create_model(name)
    assert model.name == name
    assert (model.count_params(), trainable(model)) == get(name).parameters
    size = output_size(name, get(name).size)
    assert model.outputs[0].shape == (None, *size, CHANNELS[get(name).encoding])


def outputs_of(model):
    image = np.random.default_rng(0).uniform(size=(1, *model.input_shape[1:]))
    return keras.tree.flatten(model(image.astype("float32"), training=False))


def test_saves_and_loads(network, tmp_path):
    name, model = network
    file = tmp_path / "model.keras"
    model.save(file)
    loaded = keras.saving.load_model(file)
    file.unlink()  # pytest keeps its folders, and some networks are half a gigabyte
    assert loaded.to_json() == model.to_json()
    expected = outputs_of(model)
    size = output_size(name, model.input_shape[1:])
    assert expected[0].shape == (1, *size, CHANNELS[get(name).encoding])
    for a, b in zip(outputs_of(loaded), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def gradients(model, image, target):
    """The loss of a training step, and what it says to each weight."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(image, target, model(image, training=True))
    return loss, tape.gradient(loss, model.trainable_weights)


def test_learns_from_what_is_valid(network):
    """Every weight gets a finite gradient; where nothing is valid it is zero."""
    name, model = network
    shape = model.input_shape[1:]
    loss = losses.get(LOSSES[get(name).encoding])
    generator = np.random.default_rng(0)
    image = generator.uniform(size=(2, *shape)).astype("float32")
    if loss.target_kind == "pair":
        target = np.concatenate([image, np.roll(image, 3, axis=2)], -1)
    else:
        depth = generator.uniform(1, 9, (2, *output_size(name, shape), 1)).astype("float32")
        valid = (generator.uniform(size=depth.shape) > 0.5).astype("float32")
        target = np.concatenate([depth * valid, valid], -1)
    model.compile(loss=loss)
    value, found = gradients(model, image, [target] * len(model.outputs))
    assert np.isfinite(value) and value > 0
    for weight, gradient in zip(model.trainable_weights, found, strict=True):
        assert np.isfinite(gradient).all(), weight.path
        # A bias before a batch norm has no effect, and so no gradient beyond rounding.
        assert np.any(gradient) or "bias" in weight.name, weight.path
    if loss.target_kind == "depth":
        value, found = gradients(model, image, [np.zeros_like(target)] * len(model.outputs))
        assert value == 0
        assert not any(np.any(gradient) for gradient in found)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        (name, policy)
        for name in list_architectures()
        for policy in ("mixed_float16", "mixed_bfloat16")
        if policy == "mixed_float16" or name in FIRST_OF_ITS_PAPER.values()
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
@outlines()
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


# Parameters of the encoder, batch statistics included, as published or as counted in the file.
ENCODERS = {
    "mobile_interl": 2_257_984,
    "mobilenet_v2_unet": 2_257_984,
    "squeezenet_unet": 722_496,
    "basic_deconv": 23_587_712,
    "basic_sc_interl_t": 23_587_712,
    "lite_basic_interl_t": 8_589_184,
    "lite_basic_sc_nonbt": 8_589_184,
    "vgg19_unet": 17_664_576,
    "resnet50_unet": 8_589_184,
}


def test_encoder_and_decoder(network):
    """Nothing of the decoder goes into the encoder, and the counts are the backbones'."""
    name, model = network
    encoder = get(name).encoder_layers(model)
    names = {layer.name for layer in encoder}
    assert 0 < len(names) < len(model.layers)
    makers = {id(t): x.name for x in model.operations for t in keras.tree.flatten(x.output)}
    for layer in encoder:
        if not isinstance(layer, keras.layers.InputLayer):
            assert {makers[id(each)] for each in keras.tree.flatten(layer.input)} <= names
    counted = sum(layer.count_params() for layer in encoder)
    assert 0 < counted < model.count_params()
    if name in ENCODERS:
        assert counted == ENCODERS[name]
    heads = [keras.tree.flatten(model.output)]
    assert not {makers[id(output)] for outputs in heads for output in outputs} & names


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
