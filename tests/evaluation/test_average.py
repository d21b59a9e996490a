"""Networks are averaged weight by weight, into a run that the commands take."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from evaluation.trained import average
from keras_depth import models
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.run_folder import RunFolder
from tests.helpers.tiny import ENTRIES, TINY, recipe, write_run


def run(monkeypatch, *names):
    monkeypatch.setattr(sys, "argv", ["average.py", *names, "--output", "runs/mean"])
    average.main()


def load_weights(name):
    return keras.saving.load_model(f"runs/{name}/model.keras").get_weights()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A working folder with three runs: two of one network, and one that is wider."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(models.ARCHITECTURES, TINY, ENTRIES[TINY])
    write_run(Path("runs/a"), recipe())
    write_run(Path("runs/b"), recipe())
    write_run(Path("runs/wide"), recipe("options.width=6"))
    np.save("runs/a/mean_depth.npy", np.full((16, 32), 3, np.float32))
    RunFolder("runs/a").write_camera(20.0)


def test_the_mean_of_two_runs(runs, monkeypatch):
    run(monkeypatch, "runs/a", "runs/b")
    first, second, mean = map(load_weights, ("a", "b", "mean"))
    assert any(np.any(a != b) for a, b in zip(first, second, strict=True))
    for a, b, m in zip(first, second, mean, strict=True):
        np.testing.assert_allclose(m, (a + b) / 2, atol=1e-7)
    report, _ = evaluator.evaluate_run(Path("runs/mean"))
    assert set(report.scores) == {"model", "mean training depth"}
    assert RunFolder("runs/mean").focal_baseline() == 20
    with pytest.raises(InputError, match="runs/mean: holds a run already; give --output a new"):
        run(monkeypatch, "runs/b", "runs/a")
    for kept, now in zip(mean, load_weights("mean"), strict=True):
        np.testing.assert_array_equal(kept, now)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["runs/a"], "runs/a: one run has no average; give two or more"),
        (["runs/a", "runs/wide"], "runs/wide: its weights have other shapes than those of runs/a;"),
        (["runs/a", "runs/gone"], "runs/gone: no such file or folder"),
    ],
)
def test_runs_without_an_average(runs, monkeypatch, names, message):
    with pytest.raises(InputError, match=message):
        run(monkeypatch, *names)
    assert not Path("runs/mean").exists()
