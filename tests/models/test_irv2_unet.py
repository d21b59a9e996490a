"""Encoder-decoders on ImageNet backbones: their skips, their sizes, their scaling."""

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.models import create_model

# The map that comes up in each block, and its skip: name -> (bottleneck, skips), in channels.
CHANNELS = {
    "irv2_unet": (288, (256, 80, 32, 3)),
    "densenet201_unet": (1792, (512, 256, 64, 3)),
    "densenet169_unet": (1280, (512, 256, 64, 3)),
    "resnet152_unet": (1024, (512, 256, 64, 3)),
    "resnet50_unet": (1024, (512, 256, 64, 3)),
    "vgg19_unet": (512, (512, 256, 128, 64)),
}


@pytest.fixture(scope="module")
def irv2():
    return create_model("irv2_unet", (96, 128, 3))


@pytest.mark.parametrize("name", CHANNELS)
def test_the_skips_of_each_encoder(name):
    model = create_model(name, (96, 128, 3))
    bottleneck, skips = CHANNELS[name]
    assert model.get_layer("bottleneck_relu").output.shape == (None, 6, 8, bottleneck)
    for block, (skip, width) in enumerate(zip(skips, (256, 128, 64, 32), strict=True), start=1):
        up, encoder_map = model.get_layer(f"up{block}_concat").input
        scale = 2**block
        assert up.shape == (None, 6 * scale, 8 * scale, width)
        assert encoder_map.shape == (None, 6 * scale, 8 * scale, skip)


def test_the_maps_of_inception_resnet_v2(irv2):
    """Before the strided convolutions of both reductions; unused layers are gone."""
    encoder = [layer for layer in irv2.layers if not layer.name.startswith(("up", "depth"))]
    assert sum(layer.count_params() for layer in encoder) == 27_835_072
    assert not [layer for layer in irv2.layers if layer.name.startswith(("block8", "conv_7b"))]
    paddings = {"half": (47, 63, 32), "quarter": (22, 30, 80), "eighth": (9, 13, 256)}
    for scale, shape in {**paddings, "end": (4, 6, 288)}.items():
        assert irv2.get_layer(f"{scale}_padding").input.shape[1:] == shape


def test_a_second_model_in_the_process(irv2, tmp_path):
    """Keras numbers its layers on and on: their names differ, the network does not."""
    other = create_model("irv2_unet", (96, 128, 3))
    assert {layer.name for layer in other.layers} != {layer.name for layer in irv2.layers}
    irv2.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    image = np.random.default_rng(0).uniform(size=(1, 96, 128, 3)).astype("float32")
    np.testing.assert_array_equal(other(image), irv2(image))


@pytest.mark.parametrize("size", [(80, 80), (112, 96)])
def test_sides_are_multiples_of_16(size):
    assert create_model("irv2_unet", (*size, 3)).output_shape == (None, *size, 1)


def test_sizes_it_cannot_take():
    with pytest.raises(InputError, match="multiples of 16, got \\(228, 304, 3\\)"):
        create_model("irv2_unet", (228, 304, 3))
    with pytest.raises(InputError, match="must be 80 or more, got \\(64, 128, 3\\)"):
        create_model("irv2_unet", (64, 128, 3))


def test_scaling_by_the_picture_s_own_range():
    """Brightness and contrast of the picture do not reach the network."""
    model = create_model("resnet50_unet", (32, 48, 3), scaling="minmax")
    image = np.random.default_rng(0).uniform(size=(2, 32, 48, 3)).astype("float32")
    dimmed = 0.2 + 0.5 * image
    np.testing.assert_allclose(model(dimmed), model(image), atol=1e-4)
    scaled = model.get_layer("minmax")(dimmed)
    assert np.ptp(scaled[0]) == pytest.approx(1) and np.min(scaled[1]) == 0
    own = create_model("resnet50_unet", (32, 48, 3))
    assert own.get_layer("preprocessing").mode == "caffe"
    with pytest.raises(InputError, match="scaling of resnet50_unet 'minmx': did you mean 'minmax"):
        create_model("resnet50_unet", (32, 48, 3), scaling="minmx")


def test_the_decoder_s_order():
    """No batch norm after the first convolution of a block; after the others it follows ReLU."""
    model = create_model("vgg19_unet", (32, 32, 3))
    names = [layer.name for layer in model.layers if layer.name.startswith("up2_")]
    assert names == [
        *("up2_upsample", "up2_conv_a", "up2_relu_a", "up2_concat", "up2_conv_b", "up2_relu_b"),
        *("up2_bn_b", "up2_conv_c", "up2_relu_c", "up2_bn_c"),
    ]
    assert model.get_layer("up2_relu_a").negative_slope == 0.2
