"""The supervised encoder-decoders learn depth on rendered rooms, by their own recipes."""

import pytest

from keras_depth import recipes
from keras_depth.evaluate import evaluator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks_are_freed")]


@pytest.mark.parametrize("paper", ["irv2_unet", "mobile_unet", "msfnet"])
def test_rooms(paper, tmp_path):
    """After half of the recipe's epochs the model beats the mean depth map."""
    folder = RunFolder(tmp_path / "run")
    loop.train(recipes.load(f"{paper}/rooms", ["epochs=2"]), folder)
    rows = folder.log_rows()
    losses = [row["loss"] for row in rows]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    for key in ("val_loss", "val_abs_rel"):
        first, last = (row[key] for row in rows if key in row)
        assert last < first
    report, _ = evaluator.evaluate_run(folder.path, output=folder.path)
    network, baseline = (
        report.scores[name]["image"]["abs_rel"] for name in ("model", "mean training depth")
    )
    assert network < baseline
