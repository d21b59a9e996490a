"""The networks for Jetson boards: the counts of their variants, their skips, their cropping."""

import pytest

from keras_depth.models import create_model, get
from tests.helpers.architectures import outlines

pytestmark = pytest.mark.usefixtures("networks_are_freed")

SMALL = (48, 64, 3)


# With the 3x3 head of the published counts; the paper's 5x5 head adds its 16 more taps a channel.
COUNTS_3X3_HEAD = {
    "basic_deconv": 43_150_337,
    "basic_sc_deconv": 66_961_025,
    "basic_sc_nonbt": 31_970_209,
    "lite_basic_sc_nonbt": 10_675_617,
    "basic_sc_interl": 51_345_313,
    "basic_sc_interl_t": 51_342_337,
    "lite_basic_interl_t": 13_468_673,
}


VARIANTS = [
    ("basic_sc_deconv", {"ladder": "halving"}, 51_803_137),
    ("basic_sc_deconv", {"ladder": "halving", "merge": "add"}, 43_843_521),
    ("basic_sc_nonbt", {"ladder": "notebook"}, 36_143_041),
    ("basic_sc_nonbt", {"merge": "add"}, 31_625_057),
    ("basic_sc_nonbt", {"shortcuts": ()}, 30_931_873),
    ("lite_basic_sc_nonbt", {"merge": "add"}, 10_592_097),
    ("basic_sc_interl", {"shortcuts": (16, 8, 4, 2)}, 51_806_113),
    ("basic_sc_interl", {"merge": "add"}, 43_809_441),
    ("basic_sc_interl", {"ladder": "notebook"}, 66_043_841),
    ("lite_basic_interl_t", {"decoder": "interleave"}, 13_470_113),
]


@pytest.mark.parametrize(("name", "count"), COUNTS_3X3_HEAD.items())
@outlines()
def test_parameters_with_the_small_head(name, count):
    model = create_model(name, (480, 640, 3), head_size=3)
    assert model.count_params() == count
    assert model.output_shape == (None, 480, 640, 1)
    width = model.get_layer("head").kernel.shape[2]
    assert get(name).parameters[0] - count == 16 * width


@pytest.mark.parametrize(("name", "options", "count"), VARIANTS)
@outlines()
def test_parameters_of_the_alternatives(name, options, count):
    assert create_model(name, SMALL, head_size=3, **options).count_params() == count


@outlines()
def test_skips_start_before_the_activation():
    model = create_model("basic_sc_nonbt", SMALL)
    skips = ["conv4_block6_add", "conv3_block4_add", "conv2_block3_add", "conv1_bn"]
    for block, name in enumerate(skips, start=1):
        skip, _ = model.get_layer(f"block{block}_concat").input
        assert skip is model.get_layer(name).output


@outlines()
def test_sides_that_do_not_divide_by_32_are_cropped_once():
    """At 240x320 the first block's 16 rows meet the 15 of the encoder's 1/16 map."""
    model = create_model("basic_sc_interl_t", (240, 320, 3))
    assert model.get_layer("block0_crop").output.shape[1:3] == (15, 20)
    assert "block0_crop" not in [
        layer.name for layer in create_model("basic_deconv", (64, 64, 3)).layers
    ]
