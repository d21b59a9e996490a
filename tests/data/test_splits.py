import pytest

from keras_depth.data.splits import check_part, held_out
from keras_depth.errors import InputError

SCENES = [f"scene_{k}" for k in range(40)]


def test_the_choice_depends_on_the_names_alone():
    kept = held_out(SCENES, 0.1, "folder")
    assert len(kept) == 4 and kept < set(SCENES)
    assert held_out([*reversed(SCENES), *SCENES], 0.1, "elsewhere") == kept
    # The same on every machine: a change of this choice would mix old and new validation scenes.
    assert kept == {"scene_0", "scene_18", "scene_22", "scene_37"}


def test_more_is_held_out_by_adding():
    parts = [held_out(SCENES, part, "folder") for part in (0.01, 0.05, 0.5, 0.999)]
    assert [len(part) for part in parts] == [1, 2, 20, 39]
    assert parts[0] < parts[1] < parts[2] < parts[3]


def test_both_sides_have_a_scene():
    assert (
        len(held_out(["a", "b"], 0.01, "folder")) == len(held_out(["a", "b"], 0.9, "folder")) == 1
    )
    with pytest.raises(InputError, match="folder: has one training scene alone .a., .* at 0"):
        held_out(["a", "a"], 0.5, "folder")


@pytest.mark.parametrize("part", [1, -0.1, float("nan"), "0.1", None])
def test_a_part_is_a_number_below_one(part):
    with pytest.raises(InputError, match="data.hold_out is .*; give the part .* such as 0.05"):
        check_part(part)


@pytest.mark.parametrize("part", [0, 0.0, 0.05, 0.999])
def test_a_part(part):
    check_part(part)
