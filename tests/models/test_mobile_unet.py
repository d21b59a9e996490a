"""The two networks with a frozen encoder."""

import keras
import numpy as np
import pytest

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.models import create_model
from tests.helpers.architectures import outlines

SMALL = (64, 96, 3)


def picture(shape=SMALL, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, *shape)).astype("float32")


@pytest.mark.parametrize(
    ("name", "bridge", "joined", "size"),
    [
        ("mobilenet_v2_unet", 1280, (1376, 672, 344, 176), (240, 320)),
        ("squeezenet_unet", 512, (768, 384, 192), (239, 319)),
    ],
)
@outlines()
def test_widths(name, bridge, joined, size):
    model = create_model(name, (480, 640, 3))
    assert model.get_layer("bridge").output.shape[-1] == bridge
    widths = [
        layer.output.shape[-1]
        for layer in model.layers
        if layer.name.startswith("up") and layer.name.endswith("concat")
    ]
    assert tuple(widths) == joined
    assert model.get_layer("head").output.shape[1:3] == size
    assert model.output_shape == (None, 240, 320, 1)


@pytest.mark.parametrize("name", ["mobilenet_v2_unet", "squeezenet_unet"])
def test_sizes_that_do_not_double(name):
    """240 / 32 is not whole: maps are brought to the size of the encoder's."""
    model = create_model(name, (240, 320, 3))
    assert model.output_shape == (None, 120, 160, 1)
    assert model(picture((240, 320, 3))).shape == (1, 120, 160, 1)
    with pytest.raises(InputError, match="multiples of 16, got \\(228, 304, 3\\)"):
        create_model(name, (228, 304, 3))


@outlines()
def test_the_skips_of_mobilenet_v2():
    model = create_model("mobilenet_v2_unet", (480, 640, 3))
    skips = [model.get_layer(f"up{block}_concat").input[1].shape[1:] for block in (1, 2, 3, 4)]
    assert skips == [(30, 40, 96), (60, 80, 32), (120, 160, 24), (240, 320, 16)]


@pytest.mark.parametrize("name", ["mobilenet_v2_unet", "squeezenet_unet"])
def test_a_frozen_encoder_stays_as_it_is(name, tmp_path):
    """Its batch statistics too, after training and after loading."""
    model = create_model(name, SMALL)
    model.save(tmp_path / "model.keras")
    for network in (model, keras.saving.load_model(tmp_path / "model.keras")):
        frozen = [v for layer in network.layers if not layer.trainable for v in layer.variables]
        frozen = [variable for variable in frozen if variable.dtype == "float32"]
        before = [variable.numpy() for variable in frozen]
        head = network.get_layer("head").kernel.numpy()
        network.compile("sgd", losses.get("mse"), run_eagerly=True)
        y_true = np.ones((2, 32, 48, 2), "float32")
        network.fit(picture(batch=2), y_true, verbose=0)
        for variable, value in zip(frozen, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)
        assert not np.array_equal(network.get_layer("head").kernel, head)
        assert len(frozen) >= 50


def test_an_encoder_that_is_trained():
    """Its batch statistics follow within a hundred steps, not keras.applications' thousands."""
    model = create_model("mobilenet_v2_unet", SMALL, frozen=False)
    assert all(layer.trainable for layer in model.layers)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 52 and {layer.momentum for layer in norms} == {0.98}


def test_scaling():
    """MobileNetV2 takes -1..1, SqueezeNet ImageNet's mean and deviation; "none", what is given."""
    image = picture()
    means, deviations = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {"tf": 2 * image - 1, "torch": (image - means) / deviations}
    for name, mode in (("mobilenet_v2_unet", "tf"), ("squeezenet_unet", "torch")):
        layer = create_model(name, SMALL).get_layer("preprocessing")
        np.testing.assert_allclose(layer(image), expected[mode], rtol=1e-5, atol=1e-6)
        raw = create_model(name, SMALL, scaling="none")
        assert "preprocessing" not in [layer.name for layer in raw.layers]
        assert create_model(name, SMALL, scaling="torch").get_layer("preprocessing").mode == "torch"
    with pytest.raises(InputError, match="unknown scaling of squeezenet_unet 'imagnet'"):
        create_model("squeezenet_unet", SMALL, scaling="imagnet")
    with pytest.raises(InputError, match="unknown scaling of mobilenet_v2_unet 'caffe'"):
        create_model("mobilenet_v2_unet", SMALL, scaling="caffe")
    with pytest.raises(InputError, match="unknown option of mobilenet_v2_unet 'padding'"):
        create_model("mobilenet_v2_unet", SMALL, padding="same")
    with pytest.raises(InputError, match="unknown padding of squeezenet_unet 'vali'"):
        create_model("squeezenet_unet", SMALL, padding="vali")
