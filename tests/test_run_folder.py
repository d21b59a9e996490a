"""The run folder; `tests/train/test_loop.py` tests what training writes into it."""

import pytest

from keras_depth import recipes
from keras_depth.run_folder import name_run


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("irv2_unet/rooms", "irv2_unet-rooms"),
        ("mobile_unet/rooms", "mobilenet_v2_unet-rooms"),
        ("irv2_unet/row4_irv2", "row4_irv2"),
    ],
)
def test_a_run_is_named_after_the_recipe_that_was_asked_for(asked, name):
    assert name_run(recipes.load(asked), asked) == name


def test_a_run_is_named_after_architecture_and_data_set():
    assert name_run(recipes.load("irv2_unet/rooms")) == "irv2_unet-rooms"
