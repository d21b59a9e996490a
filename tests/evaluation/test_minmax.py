"""The experiment of evaluation/minmax.py: its table holds both networks and both perfect fits."""

import sys

import pytest

from evaluation import minmax
from keras_depth import recipes
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.tiny import stand_in

pytestmark = pytest.mark.slow


def test_its_table(tmp_path, monkeypatch, capsys):
    name = "lite_basic_interl_t"
    stand_in(monkeypatch, name)
    for encoding in ("unit", "minmax"):
        changes = [
            *("size=[32, 48]", f"encoding={encoding}", "batch_size=2", "epochs=1"),
            "data={name: rooms, frames: 2, validation_frames: 2}",
            "loss={name: structural}",
        ]
        recipe = recipes.load("jetson_fcnn/rooms", changes, architecture=name)
        loop.train(recipe, RunFolder(tmp_path / encoding))
    runs = [str(tmp_path / name) for name in ("unit", "minmax")]
    monkeypatch.setattr(sys, "argv", ["minmax.py", *runs])
    capsys.readouterr()
    minmax.main()
    printed = capsys.readouterr().out.splitlines()
    table = [line.strip("| ").split(" | ") for line in printed if " / " in line]
    rows = {
        name: [tuple(map(float, cell.split(" / "))) for cell in cells] for name, *cells in table
    }
    assert set(rows) == {
        *("network, unit", "network, minmax", "perfect fit, unit", "perfect fit, minmax"),
        "mean depth of the training rooms",
    }
    das2024, nyu_eigen, aligned = rows["perfect fit, unit"]
    assert das2024 == pytest.approx((0.25, das2024[1], 0), abs=1e-3), "7.5 m where there are 10"
    assert nyu_eigen == aligned == pytest.approx((0, 0, 1), abs=1e-3)
    assert all(rel > 0.1 for rel, _, _ in rows["perfect fit, minmax"])
