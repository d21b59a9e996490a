"""A run whose depth is known, pictures of it, and what a tape measure says of them."""

import numpy as np
import pytest

from keras_depth import images
from keras_depth.export import parity
from tests.helpers.exporting import bright_is_far, run_in_this_process

GRAYS = {"near": 30, "middle": 80, "far": 200}  # the network sees 10 m times gray / 255


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    bright_is_far().save(folder / "model.keras")
    return folder


@pytest.fixture
def pictures(tmp_path):
    """near.png, middle.png and far.png, of 64x96 pixels, in which a square has that depth."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, gray in GRAYS.items():
        pixels = np.full((64, 96, 3), 120, np.uint8)
        pixels[20:44, 30:70] = gray
        (folder / f"{name}.png").write_bytes(images.encode_png(pixels))
    return folder


@pytest.fixture
def measure(pictures):
    """Function: the arguments of measures, of what the network sees times scale plus shift."""

    def arguments(scale, shift=0.0, **wrong):
        found = []
        for name, gray in GRAYS.items():
            metres = wrong.get(name, scale * 10 * gray / 255 + shift)
            found += ["--measure", f"{pictures / name}.png:36,24,64,40={metres:.4f}"]
        return found

    return arguments


@pytest.fixture
def here(monkeypatch):
    """Runs what was written in this process: a fresh one takes ten seconds."""
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)
