"""The drawing of smaller KITTI lists, and that it draws those that the package holds."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from evaluation import draw_kitti_lists
from evaluation.draw_kitti_lists import draw
from keras_depth.data.kitti import lists
from keras_depth.data.kitti.lists import Frame
from keras_depth.errors import InputError

FOLDER = Path(lists.__file__).parent


def small(*sizes):
    """A list of drives 1, 2, ... with so many frames."""
    return [Frame("2011_09_26", k, "l", n) for k, size in enumerate(sizes, 1) for n in range(size)]


def test_shares_are_in_proportion_with_the_largest_remainders():
    # 10 of 60, 30, 11 frames: 5.94, 2.97, 1.09 rounds to 6, 3, 1.
    drawn = draw({"train": small(60, 30, 11)}, 3, {"train": 10}, 0)["train"]
    assert Counter(frame.drive for frame in drawn) == {1: 6, 2: 3, 3: 1}
    assert drawn == sorted(set(drawn))


def test_validation_frames_come_from_the_training_drives():
    lists = {"train": small(9, 9, 9, 9), "validation": small(5, 5, 5, 5, 5)}
    drawn = draw(lists, 2, {"train": 6, "validation": 10}, 7)
    kept = {frame[:2] for frame in drawn["train"]}
    assert len(kept) == 2
    assert drawn["validation"] == [f for f in lists["validation"] if f[:2] in kept]


def test_the_seed_and_nothing_else_decides():
    frames = small(50, 50, 50, 50)
    first = draw({"train": frames}, 2, {"train": 20}, 1)
    assert draw({"train": frames[::-1]}, 2, {"train": 20}, 1) == first
    assert draw({"train": frames}, 2, {"train": 20}, 2) != first


def test_draws_that_cannot_be_are_refused():
    lists = {"train": small(40, 2), "validation": small(3, 0)}
    with pytest.raises(InputError, match="3 drives cannot be drawn: ask for 1 to 2"):
        draw(lists, 3, {"train": 5}, 0)
    with pytest.raises(InputError, match="4 validation frames .* have 3; ask for 1 to 3, or try"):
        draw(lists, 2, {"train": 42, "validation": 4}, 0)
    with pytest.raises(InputError, match="0 train frames cannot be drawn"):
        draw(lists, 2, {"train": 0}, 0)
    with pytest.raises(InputError, match="5 train frames are too few for 2 drives"):
        draw(lists, 2, {"train": 5}, 0)


@pytest.mark.parametrize("source", ["kitti", "eigen"])
def test_the_command_draws_the_shipped_lists(source, tmp_path, monkeypatch, capsys):
    arguments = f"--from {source} --drives 30 --train 3756 --validation 500 --seed 0 --output"
    monkeypatch.setattr(
        sys, "argv", ["draw_kitti_lists", *arguments.split(), str(tmp_path / "new")]
    )
    assert draw_kitti_lists.main() == 0
    for split in ("train", "validation"):
        shipped = FOLDER / f"optidepthnet_{source}_{split}.csv"
        assert (tmp_path / "new" / f"{split}.csv").read_bytes() == shipped.read_bytes()
    assert "train.csv: 3756 frames of 30 drives" in capsys.readouterr().out
