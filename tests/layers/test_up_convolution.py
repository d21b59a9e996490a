"""The up-convolution: both of its forms are one function, borders and gradients included."""

import numpy as np
import pytest
from keras import ops

from keras_depth.errors import InputError
from keras_depth.layers import Interleave, InterleavedConvolution, UpConvolution
from keras_depth.layers.up_convolution import split_kernel, unpool
from tests.helpers.arrays import random


def unpool_oracle(x):
    batch, height, width, channels = x.shape
    out = np.zeros((batch, 2 * height, 2 * width, channels), x.dtype)
    out[:, ::2, ::2] = x
    return out


def test_unpool_writes_top_left():
    x = random(2, 3, 5, 4)
    np.testing.assert_array_equal(unpool(x), unpool_oracle(x))


def test_split_kernel_uses_each_of_the_25_taps_once():
    kernel = np.arange(25).reshape(5, 5, 1, 1)
    parts = split_kernel(kernel)
    assert [part.shape[:2] for part in parts] == [(3, 3), (3, 2), (2, 3), (2, 2)]
    assert sorted(np.concatenate([part.ravel() for part in parts])) == list(range(25))
    np.testing.assert_array_equal(parts[1][..., 0, 0], [[1, 3], [11, 13], [21, 23]])


def both_forms(size, channels, filters):
    shape = (2, *size, channels)
    layers = [UpConvolution(filters, form=form) for form in ("unpool", "interleaved")]
    for layer in layers:
        layer.build(shape)
        layer.set_weights([random(5, 5, channels, filters), random(filters, seed=1)])
    return random(*shape, seed=2), layers


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 7), (8, 8)])
def test_both_forms_are_the_same_function(size):
    """Borders included: with odd, even and tiny maps."""
    x, (unpooled, interleaved) = both_forms(size, 3, 4)
    expected = unpooled(x)
    assert expected.shape == (2, 2 * size[0], 2 * size[1], 4)
    np.testing.assert_allclose(interleaved(x), expected, rtol=1e-5, atol=1e-5)


def test_unpool_form_is_a_5x5_convolution_of_the_unpooled_map():
    x, (unpooled, _) = both_forms((4, 5), 2, 3)
    kernel, bias = unpooled.get_weights()
    padded = np.pad(unpool_oracle(x), ((0, 0), (2, 2), (2, 2), (0, 0)))
    expected = np.zeros((2, 8, 10, 3))
    for row in range(8):
        for column in range(10):
            window = padded[:, row : row + 5, column : column + 5]
            expected[:, row, column] = np.einsum("brci,rcio->bo", window, kernel) + bias
    np.testing.assert_allclose(unpooled(x), expected, rtol=1e-4, atol=1e-4)


def test_both_forms_have_the_same_gradients():
    import tensorflow as tf

    x, layers = both_forms((5, 6), 3, 4)
    weight = random(2, 10, 12, 4, seed=3)
    gradients = []
    for layer in layers:
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer(x) * weight)
        gradients.append(tape.gradient(value, layer.trainable_weights))
    for unpooled, interleaved in zip(*gradients, strict=True):
        np.testing.assert_allclose(interleaved, unpooled, rtol=1e-4, atol=1e-4)


def test_laina_s_padding_is_another_function():
    """Padding the even kernels at the top and left, as Laina's code does, is not '+ T'."""
    x, (unpooled, _) = both_forms((6, 6), 2, 2)
    kernel, bias = unpooled.get_weights()
    maps = [
        ops.conv(
            np.pad(x, ((0, 0), (1, rows // 3), (1, columns // 3), (0, 0))), part, padding="valid"
        )
        + bias
        for part, (rows, columns) in zip(
            split_kernel(kernel), [(3, 3), (3, 2), (2, 3), (2, 2)], strict=True
        )
    ]
    expected = np.asarray(unpooled(x))
    actual = np.asarray(Interleave()(maps))
    np.testing.assert_allclose(actual[:, ::2, ::2], expected[:, ::2, ::2], rtol=1e-4, atol=1e-4)
    assert np.abs(actual[:, 1::2, 1::2] - expected[:, 1::2, 1::2]).mean() > 0.5


def test_bad_arguments():
    with pytest.raises(
        InputError, match="unknown form of UpConvolution 'interleave': did you mean 'interleaved'"
    ):
        UpConvolution(4, form="interleave")
    with pytest.raises(InputError, match="filters=0: give a whole number of 1 or more"):
        InterleavedConvolution(0)
