"""What the tests of training share."""

import keras
import pytest

from keras_depth import models
from keras_depth.data.rendered.drives import Drives
from tests.helpers import tiny
from tests.helpers.write_kitti import write_kitti


@pytest.fixture
def tiny_networks(monkeypatch):
    """Registers the networks of `tests.helpers.tiny`."""
    for name, entry in tiny.ENTRIES.items():
        monkeypatch.setitem(models.ARCHITECTURES, name, entry)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def kitti(tmp_path_factory):
    drives = Drives(8, (32, 104), frames_per_drive=2, stereo=True)
    return write_kitti(drives, tmp_path_factory.mktemp("kitti"))
