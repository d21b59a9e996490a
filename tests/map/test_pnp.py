"""Poses are right on planes too, in each version of OpenCV; where they are not, there is none."""

import cv2
import numpy as np
import pytest

from keras_depth.geometry import Intrinsics
from keras_depth.map.pnp import find_pose, move, project

CAMERA = Intrinsics(260.0, 260.0, 159.5, 119.5)  # of 240x320


def plane(rng, thickness):
    """Returns points of a plane that the camera sees somewhat from the side, and some beside it."""
    pixels = rng.uniform((5, 5), (315, 235), (rng.integers(60, 300), 2))
    rays = np.column_stack([(pixels - CAMERA[2:]) / CAMERA[:2], np.ones(len(pixels))])
    normal = np.array([*rng.uniform(-0.5, 0.5, 2), 1])
    points = rays * (rng.uniform(1.5, 4) / (rays @ normal))[:, None]
    points = points[(points[:, 2] > 0.3) & (points[:, 2] < 10)]
    return points + rng.normal(0, 1, points.shape) * [0, 0, thickness]


@pytest.mark.parametrize("yaw_alone", [False, True])
@pytest.mark.parametrize("thickness", [0, 0.01])
def test_points_of_a_plane(thickness, yaw_alone):
    rng = np.random.default_rng(0)
    for _ in range(40):
        points = plane(rng, thickness)
        turn = [0, rng.uniform(-0.2, 0.2), 0] if yaw_alone else rng.normal(0, 0.09, 3)
        shift = np.zeros(3) if yaw_alone else rng.normal(0, 0.08, 3)
        true = np.eye(4)
        true[:3, :3], true[:3, 3] = cv2.Rodrigues(np.array(turn))[0], shift
        pixels = project(move(true, points), CAMERA) + rng.normal(0, 0.15, (len(points), 2))
        wrong = rng.random(len(points)) < 0.2
        pixels[wrong] += 30
        pose, agree = find_pose(points, pixels, CAMERA)
        np.testing.assert_allclose(pose, true, atol=0.02)
        assert not wrong[agree].any() and len(agree) > 0.95 * np.count_nonzero(~wrong)


def test_points_that_agree_on_nothing():
    rng = np.random.default_rng(0)
    points = plane(rng, 0.3)
    assert find_pose(points, rng.uniform(0, 240, (len(points), 2)), CAMERA) is None
    assert find_pose(points[:10], project(points[:10], CAMERA), CAMERA) is None
