"""Every row's recipe works as it is written, on small rendered frames and around a stand-in.

Its network is built and trained in tests/models, and one of its paper in test_learns.py.
"""

import numpy as np
import pytest

from keras_depth import recipes
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop, setup
from tests.helpers.architectures import smallest_side
from tests.helpers.tiny import stand_in

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks_are_freed")]

SUPERVISED = [
    name
    for name in recipes.list_recipes()
    if name.split("/")[0] in ("irv2_unet", "mobile_unet", "msfnet")
    and not name.endswith(("rooms", "drives"))
]
# Of rows that differ in an encoder or in an option alone one is trained; these are built. The
# ablation of msfnet is trained in test_msfnet_arms.py, and its row on KITTI.
BUILT_ONLY = (
    *(f"irv2_unet/{row}" for row in ("row1_densenet201", "row2_resnet152", "row4_irv2")),
    *("irv2_unet/densenet169", "irv2_unet/resnet50"),
    *(f"mobile_unet/{row}" for row in ("row3_normalization", "row4_grayscale", "row5_none")),
    *(f"msfnet/{row}" for row in ("row2_kitti", "row3_baseline", "row4_usf", "row5_usf_cbam")),
    *("msfnet/row6_usf_eda", "msfnet/row7_batch_loss"),
)
# What else must shrink with the frames.
SMALL = {"msfnet": ["augmentation.crop=[48, 64]"]}


def small(name):
    """Returns a recipe for three steps on small rendered frames."""
    size = smallest_side(recipes.load(name).architecture)
    changes = [
        "data={name: rooms, frames: 6, validation_frames: 2}",
        *(f"size=[{size}, {size + 16}]", "protocol=full"),
        *("weights=none", "batch_size=2", "epochs=1", "steps=3"),
        *SMALL.get(name.split("/")[0], []),
    ]
    return recipes.load(name, changes)


@pytest.mark.parametrize("name", BUILT_ONLY)
def test_builds(name, tmp_path, monkeypatch):
    recipe = small(name)
    stand_in(monkeypatch, recipe.architecture)
    run = setup.build(recipe, RunFolder(tmp_path / "run"))
    assert run.steps == 3 and run.model.name.split("-")[0] == recipe.architecture
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [name for name in SUPERVISED if name not in BUILT_ONLY])
def test_three_steps(name, tmp_path, monkeypatch):
    recipe, folder = small(name), RunFolder(tmp_path / "run")
    stand_in(monkeypatch, recipe.architecture)
    assert loop.train(recipe, folder)
    rows = folder.log_rows()
    assert rows[-1]["step"] == 3
    for key in ("loss", "val_loss", "val_abs_rel"):
        assert np.isfinite(rows[-1][key]) and rows[-1][key] > 0
    depth = DepthEstimator.load(folder.path)(np.zeros((50, 70, 3), "uint8"))
    assert depth.shape == (50, 70) and np.isfinite(depth).all()
