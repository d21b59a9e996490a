"""Checkpoints that cannot be read. `test_loop.py` tests resuming."""

import pytest

from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop
from tests.helpers.tiny import recipe

pytestmark = pytest.mark.usefixtures("tiny_networks")


def test_a_damaged_checkpoint_is_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    loop.train(recipe(), folder)
    for file in folder.checkpoints.glob("*.data-*"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="the checkpoint is damaged"):
        loop.train(recipe(), folder)
