"""Metres under cameras of other focal lengths, by the functions of the benchmark.

Both tests see how metres follow the focal length, with fewer cameras and rooms than the benchmark,
and a canonical network of a few steps, whose metres may all be off by one factor. That the error of
a network trained to the end stays within 10 % is for `evaluation/benchmarks/cameras.py` to say;
docs/cameras.md has its table.
"""

import numpy as np
import pytest

from evaluation.benchmarks import cameras
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train.loop import train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def five_cameras(monkeypatch):
    monkeypatch.setattr(cameras, "CAMERAS", 5)


def test_metres_follow_the_camera_only_where_they_are_scaled_to_it():
    preset = DepthEstimator.load("mobile_interl_nyu")
    views = cameras.render(preset.input_size, 6)
    plain, scaled = (cameras.score(preset, views, scaled) for scaled in (False, True))
    assert plain.slope < -0.75 and plain.correlation < -0.98
    assert plain.largest > 0.3
    np.testing.assert_allclose(scaled.scale / scaled.scale.mean(), 1, atol=0.1)
    assert scaled.rel.mean() < 0.7 * plain.rel.mean()


def test_a_canonical_network_follows_the_camera(tmp_path):
    """Trained on frames of cameras of 50 to 90 degrees, it says the same depth under each."""
    settings = ["data.frames=96", "data.validation_frames=2", "steps=30", "size=[64, 96]"]
    recipe = cameras.make_recipe(
        "mobile_interl/rooms", [*settings, "weights=mobile_interl_nyu"], cameras=40
    )
    train(recipe, RunFolder(tmp_path / "run"))
    canonical = DepthEstimator.load(tmp_path / "run")
    views = cameras.render(canonical.input_size, 6)
    ignored, followed = (cameras.score(canonical, views, scaled) for scaled in (False, True))
    assert ignored.slope < -0.6 and ignored.correlation < -0.95
    assert abs(followed.slope) < 0.25
    np.testing.assert_allclose(followed.scale / followed.scale.mean(), 1, atol=0.1)
