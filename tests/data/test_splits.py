import pytest

from keras_depth.data.splits import check_hold_out, choose_held_out, hold_out_scenes
from keras_depth.errors import InputError

SCENES = [f"scene_{k}" for k in range(40)]


def test_the_choice_depends_on_the_names_alone():
    kept = hold_out_scenes(SCENES, 0.1)
    assert len(kept) == 4 and kept < set(SCENES)
    assert hold_out_scenes([*reversed(SCENES), *SCENES], 0.1) == kept
    # The same on every machine: a change of this choice would mix old and new validation scenes.
    assert kept == {"scene_0", "scene_18", "scene_22", "scene_37"}


def test_more_is_held_out_by_adding():
    parts = [hold_out_scenes(SCENES, part) for part in (0.01, 0.05, 0.5, 0.999)]
    assert [len(part) for part in parts] == [1, 2, 20, 39]
    assert parts[0] < parts[1] < parts[2] < parts[3]


def test_both_sides_have_a_scene():
    assert len(hold_out_scenes(["a", "b"], 0.01)) == len(hold_out_scenes(["a", "b"], 0.9)) == 1


def test_whole_scenes_are_held_out_and_the_last_frames_of_a_single_one():
    scenes = ["b", "a", "b", "c"]
    held, how = choose_held_out(scenes, 0.1, "folder", "drives")
    assert how == "1 of 3 drives"
    assert {s for s, out in zip(scenes, held, strict=True) if out} == hold_out_scenes("abc", 0.1)
    assert choose_held_out(["a"] * 3, 0.1, "folder", "drives") == (
        [False, False, True],
        "the last 1 of 3 frames",
    )
    with pytest.raises(InputError, match="folder: has only one frame; leave data.hold_out at 0"):
        choose_held_out(["a"], 0.5, "folder", "drives")


@pytest.mark.parametrize("part", [1, -0.1, float("nan"), "0.1", None])
def test_a_part_is_a_number_below_one(part):
    with pytest.raises(InputError, match="data.hold_out is .*; give the part .* such as 0.05"):
        check_hold_out(part)


@pytest.mark.parametrize("part", [0, 0.0, 0.05, 0.999])
def test_a_part(part):
    check_hold_out(part)
