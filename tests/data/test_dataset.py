"""One entry a data set: what a new one takes, and what then knows it."""

import sys

import numpy as np
import pytest

from keras_depth import recipes
from keras_depth.data import DATA_SETS, DataSet, Reader, open_reader
from keras_depth.data import __main__ as command
from keras_depth.data.official import Official
from keras_depth.data.reader import make_sample
from keras_depth.errors import InputError
from keras_depth.protocols import PROTOCOLS
from keras_depth.train import __main__ as train


class Toy(Reader):
    """Walls in colour, each at a distance of its own."""

    def __init__(self, data_dir, split, walls):
        self.description = f"{walls} walls, {split}, from {data_dir}"
        self._split, self._walls = split, walls

    def __len__(self):
        return self._walls

    def stored(self, index):
        rng = np.random.default_rng((index, len(self._split or "")))
        rgb = rng.integers(0, 256, (32, 48, 3), np.uint8)
        return make_sample(rgb, rng.uniform(1, 5, (32, 48)), self.name(index))

    def name(self, index):
        return f"{self._split}/{index}"

    key = name


def open_toy(data_dir, split, *, walls=3):
    return Toy(data_dir, split, walls)


@pytest.fixture
def toy(monkeypatch):
    """The one entry that a new data set takes."""
    entry = DataSet("toy", f"{__name__}:open_toy", protocol="nyu_eigen", splits=("train", "test"))
    monkeypatch.setitem(DATA_SETS, "toy", entry)


def test_open_reader_knows_a_new_data_set(toy):
    reader = open_reader("toy", "folder", "test", walls=5)
    assert len(reader) == 5 and reader.description == "5 walls, test, from folder"
    for options, message in (
        ({"wals": 5}, "unknown option of toy 'wals': did you mean 'walls'"),
        ({"walls": "five"}, "data.walls is 'five'; give a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            open_reader("toy", "folder", **options)
    with pytest.raises(InputError, match="toy: give the folder that holds the data set"):
        open_reader("toy")
    with pytest.raises(InputError, match="unknown data set 'toi': did you mean 'toy'"):
        open_reader("toi", "folder")


def test_recipes_and_the_train_command_know_it(toy):
    arguments = ["--arch", "lite_basic_interl_t", "--data", "toy", "--data-dir", "/walls"]
    recipe = train.prepare(train.parse([*arguments, "--set", "data.walls=4"])).recipe
    assert recipe.data["name"] == "toy" and recipe.data["walls"] == 4
    assert recipe.protocol == "nyu_eigen", "its usual one"
    assert "hold_out" not in recipe.data and not recipe.published
    assert recipes.open_data(recipe, "train").description == "4 walls, train, from /walls"


def test_the_data_command_checks_it(toy, tmp_path, monkeypatch, capsys):
    words = ["data", "--data", "toy", "--data-dir", "/walls", "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    assert command.main() == 0
    printed = capsys.readouterr().out
    assert "# Check of toy" in printed and "Nothing seems wrong." in printed
    assert "3 walls, train" in printed and "3 walls, test" in printed
    assert (tmp_path / "out" / "contact_sheet.png").exists()


@pytest.mark.parametrize("name", DATA_SETS)
def test_what_an_entry_names_is_there(name):
    entry = DATA_SETS[name]
    assert entry.name == name
    assert {entry.protocol, *entry.list_protocols.values()} <= PROTOCOLS.keys()
    assert DATA_SETS[entry.stand_in].rendered
    assert isinstance(entry.find_official(), Official)
    if entry.rendered:
        assert {"count", "size"} <= entry.options.keys()
    if entry.list_protocols:
        assert "list" in entry.options


def test_an_earlier_readme_s_name_of_the_rooms():
    with pytest.warns(UserWarning, match="'synthetic' is now 'rooms'"):
        assert len(open_reader("synthetic", count=2, size=(24, 32))) == 2
