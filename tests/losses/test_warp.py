"""The horizontal sampler: a worked example, its borders, its gradients."""

import numpy as np
import pytest
import tensorflow as tf

from keras_depth.errors import InputError
from keras_depth.losses import warp


def rows(*rows):
    """(1, rows, W, 1)."""
    return np.array(rows, "float32")[None, :, :, None]


def shift(source, offset, outside="border"):
    offsets = np.full((*source.shape[:3], 1), offset, "float32")
    return np.array(warp(source, offsets, outside))


@pytest.mark.parametrize(
    ("offset", "outside", "expected"),
    [
        (-1 / 8, "border", [0, 1, 2, 3, 4, 5, 6, 7]),
        (-1 / 8, "edge", [1, 1, 2, 3, 4, 5, 6, 7]),
        (0.3, "border", [3.4, 4.4, 5.4, 6.4, 7.4, 4.8, 0, 0]),
        (0.3, "edge", [3.4, 4.4, 5.4, 6.4, 7.4, 8, 8, 8]),
        (0.0, "border", [1, 2, 3, 4, 5, 6, 7, 8]),
        (2.0, "border", [0] * 8),
        (-2.0, "edge", [1] * 8),
    ],
)
def test_worked_example(offset, outside, expected):
    result = shift(rows(range(1, 9)), offset, outside)
    np.testing.assert_allclose(result.ravel(), expected, atol=1e-5)


def test_rows_and_samples_stay_apart():
    rng = np.random.default_rng(0)
    source = rng.uniform(size=(3, 4, 6, 2)).astype("float32")
    offset = rng.uniform(-0.5, 0.5, (3, 4, 6, 1)).astype("float32")
    whole = np.array(warp(source, offset))
    for sample in range(3):
        for row in range(4):
            window = slice(sample, sample + 1), slice(row, row + 1)
            np.testing.assert_array_equal(
                whole[window], np.array(warp(source[window], offset[window]))
            )


def test_numpys_interpolation_agrees():
    rng = np.random.default_rng(1)
    source = rng.uniform(size=(2, 3, 16, 1)).astype("float32")
    offset = rng.uniform(-0.4, 0.4, (2, 3, 16, 1)).astype("float32")
    columns = np.arange(16) + offset[..., 0] * 16
    for outside, pads in (("border", ((0, 0), (0, 0), (1, 1))), ("edge", ((0, 0),) * 3)):
        padded = np.pad(source[..., 0], pads)
        known = np.arange(padded.shape[2]) - pads[2][0]
        expected = [
            [np.interp(x, known, line) for x, line in zip(xs, lines, strict=True)]
            for xs, lines in zip(columns, padded, strict=True)
        ]
        np.testing.assert_allclose(warp(source, offset, outside)[..., 0], expected, atol=1e-5)


def test_gradients():
    """By the slope between the two columns to the offset; by the two shares to the source."""
    source, offset = tf.constant(rows([1, 2, 4, 8])), tf.fill((1, 1, 4, 1), 0.125)
    with tf.GradientTape() as tape:
        tape.watch([source, offset])
        result = warp(source, offset)
    np.testing.assert_allclose(result.numpy().ravel(), [1.5, 3, 6, 4])
    of_source, of_offset = tape.gradient(result, [source, offset])
    np.testing.assert_allclose(of_offset.numpy().ravel(), [4 * 1, 4 * 2, 4 * 4, 4 * -8])
    np.testing.assert_allclose(of_source.numpy().ravel(), [0.5, 1, 1, 1])


def test_no_gradient_from_beyond_the_border():
    offset = tf.fill((1, 1, 4, 1), 2.0)
    with tf.GradientTape() as tape:
        tape.watch(offset)
        result = warp(rows([1, 2, 4, 8]), offset)
    assert not tape.gradient(result, offset).numpy().any()


def test_unknown_outside():
    with pytest.raises(InputError, match="unknown outside of warp 'edges': did you mean 'edge'"):
        shift(rows(range(4)), 0.0, "edges")
