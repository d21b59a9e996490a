"""'+ T' and batch-norm folding leave the network's function as it is."""

import keras
import numpy as np
import pytest

from keras_depth.layers import InterleavedConvolution, UpConvolution
from keras_depth.models import create_model, list_architectures, reparameterize

SIZE = (96, 112, 3)


def randomise(model, seed=0):
    """Gives every weight of the model a value that a trained network could have.

    Keeps activations near 1, where float32 differences mean something.
    """
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            shape = weight.shape
            if weight.name in ("gamma", "moving_variance"):
                weight.assign(generator.uniform(0.7, 1.3, shape))
            elif weight.name in ("beta", "moving_mean") or weight.name.startswith("bias"):
                weight.assign(weight + generator.normal(0, 0.1, shape))
    return model


def relative_difference(model, other):
    image = np.random.default_rng(1).uniform(size=(2, *SIZE)).astype("float32")
    expected, actual = (np.asarray(m(image, training=False)) for m in (model, other))
    assert expected.std() > 0.01, "the comparison needs an output that varies"
    return np.abs(expected - actual).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", ["basic_sc_interl_t", "lite_basic_interl_t"])
@pytest.mark.parametrize("decoder", ["upconv", "upconv_unpool"])
def test_to_interleaved_is_the_same_network(name, decoder):
    model = randomise(create_model(name, SIZE, decoder=decoder))
    interleaved = reparameterize.to_interleaved(model)
    assert not any(isinstance(layer, UpConvolution) for layer in interleaved.layers)
    assert relative_difference(model, interleaved) <= 1e-5


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("name", ["lite_basic_sc_nonbt", "vgg19_unet"])
def test_simplify_resizing_is_the_same_network(name, matmul):
    model = randomise(create_model(name, SIZE))
    simple = reparameterize.simplify_resizing(model, matmul)
    kinds = {type(layer).__name__ for layer in simple.layers}
    bilinear = "MatmulResize" if matmul else "UpSampling2D"
    assert kinds & {"NearestResize", bilinear}, "not the repeating of Keras"
    assert relative_difference(model, simple) <= 1e-5


def test_to_interleaved_adds_three_biases_a_block():
    """51,345,313 against 51,342,337 parameters with the 3x3 head of the published count."""
    model = create_model("basic_sc_interl_t", SIZE, head_size=3)
    assert model.count_params() == 51_342_337
    assert reparameterize.to_interleaved(model).count_params() == 51_345_313


@pytest.mark.parametrize("name", ["lite_basic_interl_t", "lite_basic_sc_nonbt", "basic_deconv"])
def test_fold_batch_norm_is_the_same_network(name):
    model = randomise(create_model(name, SIZE))
    folded = reparameterize.fold_batch_norm(model)
    assert not any(isinstance(x, keras.layers.BatchNormalization) for x in folded.layers)
    assert relative_difference(model, folded) <= 2e-5


def test_transfer_then_fold(tmp_path):
    """What deployment does, through a file as well."""
    model = randomise(create_model("lite_basic_interl_t", SIZE))
    deployed = reparameterize.fold_batch_norm(reparameterize.to_interleaved(model))
    assert relative_difference(model, deployed) <= 2e-5
    assert any(isinstance(layer, InterleavedConvolution) for layer in deployed.layers)
    deployed.save(tmp_path / "deployed.keras")
    assert relative_difference(deployed, keras.saving.load_model(tmp_path / "deployed.keras")) == 0


def test_batch_norm_before_a_convolution_stays():
    """Folding it would be wrong at the borders, where the padding's zeros are not normalised.

    (Block 0's follows the 1x1 start convolution, and folds into that.)
    """
    model = randomise(create_model("lite_basic_sc_nonbt", SIZE, leading_batch_norm=True))
    folded = reparameterize.fold_batch_norm(model)
    left = [x.name for x in folded.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert left == [f"block{number}_leading_bn" for number in (1, 2, 3)]
    assert relative_difference(model, folded) <= 2e-5


@pytest.mark.parametrize("name", list_architectures("msfnet"))
def test_networks_with_operations_between_their_layers(name):
    """A convolution that such an operation reads; grouped ones; and every output, not one."""
    model = randomise(create_model(name, SIZE, blocks=(1, 1, 1, 1), width=8, groups=8))
    folded = reparameterize.fold_batch_norm(model)
    assert len(folded.layers) < len(model.layers) - 10
    image = np.random.default_rng(1).uniform(size=(2, *SIZE)).astype("float32")
    pairs = zip(*(keras.tree.flatten(m(image)) for m in (model, folded)), strict=True)
    for expected, actual in pairs:
        largest = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-5 * largest)


def test_batch_norm_of_a_shared_convolution_stays():
    image = keras.Input((8, 8, 3))
    convolution = keras.layers.Conv2D(4, 3, name="shared")(image)
    norm = keras.layers.BatchNormalization()(convolution)
    model = randomise(keras.Model(image, [norm, convolution]))
    folded = reparameterize.fold_batch_norm(model)
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    for expected, actual in zip(model(image), folded(image), strict=True):
        np.testing.assert_allclose(expected, actual, rtol=1e-6)
