"""The input of a network: what is no shape, or none that it takes, gets a sentence."""

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.models import create_model, jetson_fcnn

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
    assert create_model("basic_deconv", list(np.array((48, 64, 3)))).input_shape == (
        None,
        48,
        64,
        3,
    )
