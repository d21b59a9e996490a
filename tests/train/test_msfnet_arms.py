"""The arms of MSFNet's ablation learn, on a small SENet; and KITTI's row on sparse depth."""

import numpy as np
import pytest

from keras_depth import recipes
from keras_depth.data.rendered.drives import Drives
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.write_kitti import write_kitti

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks_are_freed")]

# Each arm adds to the one before it. USF is in row 5 whole; EDA, and the loss of row 7, are what
# test_learns.py trains. On drives depth is metric and far.
ARMS = [("row3_baseline", "drives"), ("row5_usf_cbam", "rooms")]
SMALL = "options={blocks: [1, 1, 1, 1], width: 8, groups: 8}"
SIZES = {"rooms": ["size=[64, 96]"], "drives": ["size=[65, 160]", "augmentation.crop=[65, 97]"]}


@pytest.mark.parametrize(("arm", "frames"), ARMS)
def test_an_arm_learns(arm, frames, tmp_path):
    row = recipes.load(f"msfnet/{arm}")
    changes = [
        *(SMALL, *SIZES[frames], f"loss.weights={row.loss['weights']}"),
        *("data.frames=120", "data.validation_frames=4", "epochs=1"),
    ]
    recipe = recipes.load(f"msfnet/{frames}", changes, architecture=row.architecture)
    folder = RunFolder(tmp_path / "run")
    assert loop.train(recipe, folder)
    rows = folder.log_rows()
    losses = [row["loss"] for row in rows]
    assert rows[-1]["step"] == 30 and np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]
    assert np.isfinite([rows[-1]["val_loss"], rows[-1]["val_abs_rel"]]).all()
    depth = DepthEstimator.load(folder.path)(np.zeros((50, 70, 3), "uint8"))
    assert depth.shape == (50, 70) and np.isfinite(depth).all()
    # Rooms are trained as inverse depth, 10 m at most, and drives as metres.
    assert depth.max() <= (10 if frames == "rooms" else 200)


def test_kitti_s_row_on_sparse_depth(tmp_path):
    """The recipe with a smaller network and smaller images, on LiDAR of rendered drives."""
    data = write_kitti(Drives(8, (97, 320), frames_per_drive=2, stereo=True), tmp_path / "kitti")
    changes = [
        *(SMALL, "size=[97, 320]", "augmentation.crop=[97, 129]", "weights=none", "batch_size=2"),
        f"data={{name: kitti, dir: {data}, list: all, hold_out: 0.5}}",
        # Another list would bring its own usual protocol.
        *("epochs=1", "steps=3", "protocol=msfnet_kitti"),
    ]
    folder = RunFolder(tmp_path / "run")
    recipe = recipes.load("msfnet/row2_kitti", changes)
    loop.train(recipe, folder)
    rows = folder.log_rows()
    assert rows[-1]["step"] == 3
    assert np.isfinite([rows[-1][key] for key in ("loss", "val_loss", "val_abs_rel")]).all()
    report, _ = evaluator.evaluate_run(folder.path, Frames(split="validation"), output=folder.path)
    assert report.protocol.name == "msfnet_kitti" and 0 < report.valid_pixels < report.all_pixels
