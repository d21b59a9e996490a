"""The supervised encoder-decoders learn depth on rendered rooms, by their own recipes."""

import pytest

from keras_depth import recipes
from keras_depth.evaluate import evaluator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks_are_freed")]


# What makes each paper's recipe short enough to wait for, as in its notebook: smaller frames, fewer
# of them, a lighter encoder.
SHORT = {
    "irv2_unet/rooms": [
        *("data.frames=150", "size=[48, 64]", "epochs=2", "batch_size=1"),
        *("architecture=vgg19_unet", "loss.gradient=0.1", "loss.ssim=0.1"),
    ],
    "mobile_unet/rooms": [
        *("data.frames=120", "size=[48, 64]", "epochs=2", "batch_size=2"),
        *("architecture=squeezenet_unet", "optimizer.learning_rate=0.001"),
        "options.align_corners=true",  # as in the paper's rows
    ],
    "msfnet/rooms": ["data.frames=160", "epochs=2"],
}


@pytest.mark.parametrize("name", SHORT)
def test_rooms(name, tmp_path):
    """After 80 to 300 steps the model beats the mean depth map."""
    folder = RunFolder(tmp_path / "run")
    loop.train(recipes.load(name, ["data.validation_frames=16", *SHORT[name]]), folder)
    rows = folder.log_rows()
    losses = [row["loss"] for row in rows]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    for key in ("val_loss", "val_abs_rel"):
        values = [row[key] for row in rows if key in row]
        assert values[-1] < values[0]
    report, _ = evaluator.evaluate_run(folder.path, output=folder.path)
    network, baseline = (
        report.scores[name]["image"]["abs_rel"] for name in ("model", "mean training depth")
    )
    assert network < baseline
