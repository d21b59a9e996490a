"""Splits of NYU Depth v2 that papers made of their own: how many frames, which, and of what."""

import pytest

from keras_depth.data.nyu import open_nyu
from keras_depth.data.nyu.layouts import DenseDepth
from keras_depth.data.nyu.lists import choose
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from tests.data.nyu.test_nyu import labelled, write_layout


def densedepth(count, path="there", missing=()):
    """A layout of `count` training frames, some of which lack their depth."""
    layout = DenseDepth.__new__(DenseDepth)
    layout.path = path
    rows = [(f"data/{i}.jpg", f"data/{i}.png") for i in range(count)]
    layout.frames = {"train": [row for i, row in enumerate(rows) if i not in missing], "test": [0]}
    layout.missing = {"train": [f"{path}/{rows[i][1]}" for i in missing], "test": ["gone"]}
    return layout


@pytest.mark.parametrize(
    ("name", "frames", "counts"),
    [
        ("wang", 50_688, (40_144, 10_036, 508)),
        ("wang_small", 50_688, (1_606, 401, 21)),
        ("das2024", 32_054, (22_437, 9_617)),
    ],
)
def test_the_papers_counts(name, frames, counts):
    chosen, missing = choose(densedepth(frames), name)
    assert tuple(map(len, chosen.values())) == counts
    assert list(chosen) == ["train", "validation", "test"][: len(counts)]
    assert not any(missing.values())
    drawn = [frame for part in chosen.values() for frame in part]
    assert len(set(drawn)) == len(drawn), "no frame twice"
    assert chosen == choose(densedepth(frames), name)[0], "the same in every run"
    assert chosen["train"][:5] != sorted(chosen["train"][:5])


@pytest.mark.parametrize("name", ["wang", "wang_small", "das2024"])
def test_an_incomplete_copy_draws_the_same(name):
    """No frame changes sides; what a list lacks is counted where it belongs."""
    whole, _ = choose(densedepth(5_000), name)
    part, missing = choose(densedepth(5_000, "elsewhere", missing=range(0, 5_000, 50)), name)
    for split, frames in whole.items():
        lost = {f"elsewhere/{depth}" for _, depth in frames} & set(missing[split])
        assert len(lost) == len(missing[split]) == len(frames) - len(part[split])
        assert set(part[split]) < set(frames) or not lost
    assert sum(map(len, missing.values())) > 0


def test_the_first_654_labelled_images(tmp_path):
    labelled(tmp_path, count=660)
    reader = open_nyu(tmp_path, list="das2024")
    assert [reader.key(index) for index in (0, 1, 653)] == ["00000", "00001", "00653"]
    assert len(reader) == 654
    assert reader.description.endswith("images, of which 386 are official training images")
    with pytest.raises(InputError, match="no train frames in the labelled layout"):
        open_nyu(tmp_path, "train", list="das2024")


def test_frames_of_a_list_are_read(tmp_path):
    write_layout(Rooms(30, (48, 64), split="train"), tmp_path, "densedepth", Rooms(2, (48, 64)))
    parts = [open_nyu(tmp_path, split, list="wang") for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [23, 5, 2]
    assert len({part.key(index) for part in parts for index in range(len(part))}) == 30
    assert parts[1][0]["depth"].shape == (48, 64)


def test_a_list_without_test_frames_there(tmp_path):
    """Frames to score are not quietly those to train on."""
    write_layout(Rooms(30, (48, 64), split="train"), tmp_path, "densedepth", Rooms(2, (48, 64)))
    assert len(open_nyu(tmp_path, "validation", list="das2024")) == 9
    with pytest.raises(
        InputError, match="no test frames in the DenseDepth layout .21 train, 9 val"
    ):
        open_nyu(tmp_path, list="das2024")


def test_errors(tmp_path):
    labelled(tmp_path)
    with pytest.raises(InputError, match="unknown list 'wnag': did you mean 'wang'"):
        open_nyu(tmp_path, list="wnag")
    with pytest.raises(
        InputError, match="list wang is of the DenseDepth layout, this is the label"
    ):
        open_nyu(tmp_path, list="wang")
    with pytest.raises(InputError, match="list das2024 has its own validation frames; leave out"):
        open_nyu(tmp_path, list="das2024", hold_out=0.1)
