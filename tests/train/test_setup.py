"""Recipes that cannot work are refused before anything is written."""

import pytest

from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.tiny import TINY, recipe

pytestmark = pytest.mark.usefixtures("tiny_networks")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch_size=64", "13 frames do not fill a batch of 64"),
        ("optimizer.name=adamm", "unknown optimizer 'adamm': did you mean 'adam'"),
        ("optimizer.learning_rat=1", "unknown argument of optimizer adam 'learning_rat'"),
        ("schedule.name=cosin", "unknown schedule 'cosin': did you mean 'cosine'"),
        ("schedule.warmup=1", "did you mean 'warmup_steps'"),
        ("loss.name=mse_rell", "did you mean 'mse_rel'"),
        ("augmentation.rotated=5", "did you mean 'rotate'"),
        ("options.depth=5", f"unknown option of {TINY} 'depth'"),
        ("data.name=roms", "did you mean 'rooms'"),
        ("data.noisy=true", "did you mean 'noise'"),
        ("precision=float17", "precision"),
        ("downsample=mean", "unknown value of downsample 'mean': did you mean 'min'"),
        ("protocol=nyu_egien", "did you mean 'nyu_eigen'"),
        ("weights=missing.keras", "no such file"),
        ("augmentation.crop=96", "recipe section 'augmentation'"),
        ("augmentation.crop=[64, 16]", "is larger than the frame"),
        ("augmentation.mirror=often", "recipe section 'augmentation'"),
        ("loss.delta=wide", "recipe section 'loss'"),
        ("options.width=wide", "recipe section 'options'"),
        ("optimizer.learning_rate=fast", "recipe section 'optimizer'"),
        ("data.frames=many", "whole number of frames above 0, or null, not 'many'"),
        ("data.validation_frames=0", "whole number of frames above 0"),
    ],
)
def test_recipes_that_cannot_work(tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        loop.train(recipe(override), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists(), "nothing is left behind"


def test_a_rotated_pair_is_refused_before_anything_is_written(tmp_path, kitti):
    section = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}"
    with pytest.raises(
        InputError, match="misalign the rows of a stereo pair; set augmentation.rotate=0"
    ):
        loop.train(recipe(f"data={section}", "augmentation.rotate=5"), RunFolder(tmp_path / "r"))
    assert not (tmp_path / "r").exists()
