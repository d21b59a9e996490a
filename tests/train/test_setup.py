"""Recipes that cannot work are refused before anything is written; the encoder's own rate."""

import numpy as np
import pytest

from keras_depth import models
from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop, setup
from keras_depth.train.step import make_training_step
from tests.helpers.architectures import make_architecture
from tests.helpers.tiny import TINY, recipe, tiny, write_run

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
        ("batch_norm=frosen", "unknown value of batch_norm 'frosen': did you mean 'frozen'"),
        ("batch_norm=frozen", "which weights none do not have; give a network with --weights RUN"),
        ("downsample=mean", "unknown value of downsample 'mean': did you mean 'min'"),
        ("protocol=nyu_egien", "did you mean 'nyu_eigen'"),
        ("weights=missing.keras", "no such file"),
        ("augmentation.crop=96", "recipe section 'augmentation'"),
        ("augmentation.crop=[64, 16]", "is larger than the frame"),
        ("augmentation.mirror=often", "section 'augmentation': mirror='often': give a number of 0"),
        ("loss.delta=wide", "AdaptiveBerHu: delta='wide': give a number above 0"),
        ("options.width=wide", f"option of {TINY}: width='wide': give a whole number of 1 or"),
        ("optimizer.learning_rate=fast", "section 'optimizer': learning_rate='fast': give a numb"),
        ("optimizer.learning_rate=-1", "learning_rate=-1: give a number of 0 or more"),
        ("optimizer.beta_1=x", "beta_1='x': give a number of 0 or more"),
        ("optimizer.clipnorm=x", "clipnorm='x': give a number of 0 or more"),
        ("optimizer.use_ema=5", "use_ema=5: give true or false"),
        ("schedule={name: inverse_time, decay: x}", "section 'schedule': decay='x': give a num"),
        ("schedule={name: cosine, warmup_steps: 0.5}", "warmup_steps=0.5: give a whole number"),
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


def step_once(folder, *overrides):
    """Returns each variable's path and how far one step has moved it; batch statistics too."""
    adam = ("optimizer={name: adam, epsilon: 1.0e-12}", "schedule={name: constant}")
    wanted = recipe(*adam, *overrides)
    run = setup.build(wanted, RunFolder(folder))
    step = make_training_step(run.model, run.loss, run.optimizer, run.strategy)
    before = [variable.numpy() for variable in run.model.weights]
    (image, y_true), *_ = loop._batches(run, run.steps - 1)
    step(image, y_true)
    return {
        variable.path: variable.numpy() - value
        for variable, value in zip(run.model.weights, before, strict=True)
    }


def test_the_encoder_has_its_own_rate(tmp_path):
    """Adam's first step is the rate, whatever the gradient."""
    whole = step_once(tmp_path)
    tenth = step_once(tmp_path, "encoder_rate=0.1")
    frozen = step_once(tmp_path, "encoder_rate=0")
    for (path, one), slow, none in zip(whole.items(), tenth.values(), frozen.values(), strict=True):
        if path.startswith("head"):
            np.testing.assert_array_equal(slow, one)
            assert np.any(none)
        else:
            assert not np.any(none), f"{path}: the batch statistics stay too"
            if "moving" not in path:
                np.testing.assert_allclose(slow, 0.1 * one, rtol=1e-3, atol=1e-6)
        assert "conv2d" not in path or "bias" in path or 5e-4 < np.abs(one).max() < 2e-3


def test_a_frozen_batch_norm_keeps_its_statistics(tmp_path):
    write_run(tmp_path / "trained", recipe())
    moved = step_once(tmp_path, "batch_norm=frozen", f"weights={tmp_path / 'trained'}")
    frozen = [path for path, step in moved.items() if not np.any(step)]
    assert frozen and all("batch_normalization" in path for path in frozen)
    assert len(moved) - len(frozen) == 4, "kernels and biases of both convolutions"


def test_an_architecture_that_does_not_name_its_decoder(tmp_path, monkeypatch):
    monkeypatch.setitem(models.ARCHITECTURES, TINY, make_architecture(TINY, tiny))
    for rate in (0, 0.1):
        with pytest.raises(InputError, match=f"{TINY}: its entry does not name its decoder's lay"):
            loop.train(recipe(f"encoder_rate={rate}"), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert setup.build(recipe("encoder_rate=1"), RunFolder(tmp_path / "run"))


def test_a_frozen_encoder_with_random_weights(tmp_path):
    with pytest.warns(UserWarning, match="its weights are random; give --weights, or --set enco"):
        setup.build(recipe("encoder_rate=0"), RunFolder(tmp_path / "run"))


def test_factors_are_in_the_order_of_the_trainable_variables():
    wanted = recipe("encoder_rate=0.1")
    model = setup.make_model(wanted, (16, 32), "none")
    factors = setup._learning_rate_factors(wanted, model)
    assert factors == [0.1] * 4 + [1.0] * 2
    assert setup._learning_rate_factors(recipe(), model) is None
    assert [v.path.split("/")[0] for v in model.trainable_variables][-2:] == ["head"] * 2
