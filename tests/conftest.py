"""What every test shares: a quiet TensorFlow, and the real sample frames where there are any."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402


@pytest.fixture
def samples() -> Path:
    """Folder of real frames, in their data sets' own layouts; not shipped (non-commercial)."""
    folder = os.environ.get("KERAS_DEPTH_SAMPLES")
    if not folder:
        pytest.skip("KERAS_DEPTH_SAMPLES is not set to a folder of real NYU and KITTI frames")
    return Path(folder)
