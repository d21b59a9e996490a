"""The scaling of images: each mode gives what its backbones were trained on."""

import keras
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.layers import Preprocessing


def test_caffe_preprocessing():
    """BGR, 0..255, minus ImageNet's means: the values keras.applications computes."""
    image = np.random.default_rng(0).uniform(size=(2, 4, 5, 3)).astype("float32")
    expected = keras.applications.resnet50.preprocess_input(image * 255.0)
    np.testing.assert_allclose(Preprocessing("caffe")(image), expected, rtol=1e-5, atol=1e-4)


def test_minmax_of_each_picture():
    x = np.stack([0.2 + 0.3 * np.linspace(0, 1, 12).reshape(2, 2, 3), np.full((2, 2, 3), 0.7)])
    result = np.array(Preprocessing("minmax")(x.astype("float32")))
    np.testing.assert_allclose(result[0].ravel(), np.linspace(0, 1, 12), atol=1e-5)
    np.testing.assert_array_equal(result[1], 0)


def test_an_unknown_mode():
    with pytest.raises(InputError, match="mode of Preprocessing 'cafe': did you mean 'caffe'"):
        Preprocessing("cafe")
