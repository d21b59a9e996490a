"""Every row's recipe runs as it is written, on small rendered frames, for three steps."""

import numpy as np
import pytest

from keras_depth import recipes
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.architectures import smallest_side

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks_are_freed")]

SUPERVISED = [
    name
    for name in recipes.list_recipes()
    if name.split("/")[0] in ("irv2_unet", "mobile_unet", "msfnet")
    and not name.endswith(("rooms", "drives"))
]
# What else must shrink with the frames.
SMALL = {
    "msfnet": [
        "options={blocks: [1, 1, 1, 1], width: 8, groups: 8}",
        "augmentation.crop=[48, 64]",
    ]
}


@pytest.mark.parametrize("name", SUPERVISED)
def test_three_steps(name, tmp_path):
    size = smallest_side(recipes.load(name).architecture)
    changes = [
        "data={name: rooms, frames: 6, validation_frames: 2}",
        *(f"size=[{size}, {size + 16}]", "protocol=full"),
        *("weights=none", "batch_size=2", "epochs=1", "steps=3"),
        *SMALL.get(name.split("/")[0], []),
    ]
    recipe = recipes.load(name, changes)
    folder = RunFolder(tmp_path / "run")
    assert loop.train(recipe, folder)
    rows = folder.log_rows()
    assert rows[-1]["step"] == 3
    for key in ("loss", "val_loss", "val_abs_rel"):
        assert np.isfinite(rows[-1][key]) and rows[-1][key] > 0
    depth = DepthEstimator.load(folder.path)(np.zeros((50, 70, 3), "uint8"))
    assert depth.shape == (50, 70) and np.isfinite(depth).all()
