"""Metres under cameras of other focal lengths, by the functions of the benchmark."""

import numpy as np
import pytest

from evaluation.benchmarks import cameras
from keras_depth.predict.estimator import DepthEstimator


@pytest.mark.slow
def test_metres_follow_the_camera_only_where_they_are_scaled_to_it(monkeypatch):
    """Five of the benchmark's 40 cameras, and the preset: in docs/cameras.md, networks of rooms."""
    monkeypatch.setattr(cameras, "CAMERAS", 5)
    preset = DepthEstimator.load("mobile_interl_nyu")
    views = cameras.render(preset.input_size, 6)
    plain, scaled = (cameras.score(preset, views, scaled) for scaled in (False, True))
    assert plain.slope < -0.75 and plain.correlation < -0.98
    assert plain.largest > 0.3
    np.testing.assert_allclose(scaled.scale / scaled.scale.mean(), 1, atol=0.1)
    assert scaled.rel.mean() < 0.7 * plain.rel.mean()
