"""Encodings: each decodes what it encodes, and unknown names are refused."""

import numpy as np
import pytest
from keras import ops

from keras_depth import encodings
from keras_depth.errors import InputError


@pytest.mark.parametrize("name", encodings.names())
def test_decode_undoes_encode(name):
    encoding = encodings.get(name)
    assert encoding.name == name and encoding.description
    depth = np.linspace(0.1, 80, 24, dtype="float32").reshape(2, 3, 4, 1)
    target = encoding.encode(ops.convert_to_tensor(depth))
    assert tuple(target.shape) == depth.shape
    np.testing.assert_allclose(encoding.decode(target), depth, rtol=1e-6)
    assert np.all(np.isfinite(encoding.encode(ops.zeros((1, 2, 2, 1)))))


def test_metric_is_metres_as_they_are():
    depth = np.array([[[[2.5], [0.0]]]], "float32")
    metric = encodings.get("metric")
    np.testing.assert_array_equal(metric.encode(depth), depth)
    np.testing.assert_array_equal(metric.decode(-depth), -depth)


def test_unknown_name():
    with pytest.raises(InputError, match="unknown encoding 'metrc': did you mean 'metric'"):
        encodings.get("metrc")
