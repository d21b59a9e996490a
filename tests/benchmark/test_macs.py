"""Multiplications: layers counted by hand, the papers' counts, and what cannot be counted."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from keras_depth.benchmark import macs
from keras_depth.errors import InputError
from keras_depth.layers.up_convolution import UpConvolution
from keras_depth.models import create_model
from tests.helpers.architectures import outlines

LAYERS = {
    "same": (layers.Conv2D(4, 3, padding="same"), 8 * 12 * 4 * 9 * 6),
    "valid": (layers.Conv2D(4, (3, 5)), 6 * 8 * 4 * 15 * 6),
    "strides": (layers.Conv2D(4, 3, strides=2, padding="same"), 4 * 6 * 4 * 9 * 6),
    "dilation": (layers.Conv2D(4, 3, dilation_rate=2), 4 * 8 * 4 * 9 * 6),
    # Keras calls a grouped convolution as a function of its own.
    "groups": (layers.Conv2D(4, 3, groups=2, padding="same"), 8 * 12 * 4 * 9 * 3),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 10 * 12 * 9),
    "separable": (layers.SeparableConv2D(4, 3), 6 * 10 * 6 * 9 + 6 * 10 * 6 * 4),
    "transposed": (layers.Conv2DTranspose(4, 5, strides=2, padding="same"), 8 * 12 * 6 * 25 * 4),
    "dense": (layers.Dense(5), 8 * 12 * 6 * 5),
    "up-convolution, unpooling": (UpConvolution(4, form="unpool"), 16 * 24 * 4 * 25 * 6),
    "up-convolution, interleaved": (UpConvolution(4), 8 * 12 * 4 * 25 * 6),
    "nothing multiplied": (layers.BatchNormalization(), 0),
}


@pytest.mark.parametrize(("layer", "expected"), LAYERS.values(), ids=LAYERS)
def test_layers(layer, expected):
    image = keras.Input((8, 12, 6))
    assert macs.count(keras.Model(image, layer(image))) == expected


@pytest.mark.parametrize(("axes", "expected"), [((2, 2), 8 * 6 * 8), ((1, 1), 6 * 8 * 6)])
def test_products_of_maps(axes, expected):
    rows = keras.Input((8, 6))
    assert macs.count(keras.Model(rows, layers.Dot(axes)([rows, rows]))) == expected


@pytest.mark.parametrize(
    ("name", "options", "giga"),
    [
        ("monodepth_vgg", {}, 14.974),
        ("optidepthnet_vgg", {}, 2.183),
        ("monodepth_resnet50", {}, 22.490),
        ("optidepthnet_resnet50", {}, 11.331),
        ("optidepthnet_resnet50", {"separable": "T"}, 15.013),
        ("optidepthnet_resnet50", {"separable": "B"}, 11.346),
    ],
)
@outlines()
def test_networks_of_optidepthnet(name, options, giga):
    """Against counts from the paper's widths and sizes."""
    model = create_model(name, (256, 512, 3), **options)
    assert macs.count(model) / 1e9 == pytest.approx(giga, abs=5e-4)


@pytest.mark.parametrize(("decoder", "giga"), [("upconv_unpool", 20.69), ("upconv", 8.89)])
@outlines()
def test_interleaving_multiplies_no_zeros(decoder, giga):
    """Against counts from the widths, at 25 times this size, with the notebooks' smaller head."""
    model = create_model("lite_basic_interl_t", (48, 64, 3), decoder=decoder, head_size=3)
    assert 25 * macs.count(model) / 1e9 == pytest.approx(giga, abs=5e-3)


@keras.saving.register_keras_serializable("tests")
class RandomSize(layers.Layer):
    def call(self, x):
        return tf.image.resize(x, tf.random.uniform((2,), 4, 8, tf.int32))


def test_sizes_that_only_the_run_knows():
    image = keras.Input((8, 12, 6))
    model = keras.Model(image, layers.Conv2D(4, 3, name="late")(RandomSize()(image)))
    with pytest.raises(InputError, match="/convolution: its shape is known only when"):
        macs.count(model)


@outlines()
def test_resizing_by_matmul_is_not_counted():
    counts = [
        macs.count(create_model("squeezenet_unet", (64, 64, 3), align_corners=aligned))
        for aligned in (False, True)
    ]
    assert counts[0] == counts[1]
