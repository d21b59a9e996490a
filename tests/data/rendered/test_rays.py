"""Rays against solids: by geometry written anew, and as when every ray is tried on every solid."""

import numpy as np
import pytest

from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rays import View, intersect
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.data.rendered.scene import BALL, BOX, CELLS, CYLINDER, GABLE, Place, Scene
from keras_depth.data.rendered.street import draw_street


@pytest.mark.parametrize("roll, pitch", [(0.0, 0.0), (0.1, -0.3)])
def test_an_empty_room_has_the_depth_of_planes(roll, pitch):
    """An oracle of its own: intersects each pixel's ray with the six planes in float64."""
    scene = Scene(np.random.default_rng(0))
    paint = scene.paint(CELLS, (1, 1, 1), (1, 1, 1))
    scene.add(BOX, Place(2.0, 3.0), 0.0, (4.0, 6.0, 2.5), paint)
    scene.camera, scene.yaw, scene.roll, scene.pitch = np.array([1.0, 2.0, 1.4]), 0.7, roll, pitch
    size = (30, 40)
    camera = Rooms(1, size).intrinsics
    depth = View(scene, camera, size).depth
    v, u = np.meshgrid(np.arange(30), np.arange(40), indexing="ij")
    ray = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], -1)
    # Roll about the optical axis, then look down by -pitch, then turn: x right, y down, z forward.
    c, s = np.cos(roll), np.sin(roll)
    x, y, z = c * ray[..., 0] - s * ray[..., 1], s * ray[..., 0] + c * ray[..., 1], ray[..., 2]
    ahead, up = z * np.cos(pitch) + y * np.sin(pitch), z * np.sin(pitch) - y * np.cos(pitch)
    c, s = np.cos(scene.yaw), np.sin(scene.yaw)
    world = np.stack([ahead * c + x * s, ahead * s - x * c, up], -1)
    walls = np.where(world > 0, np.array([4.0, 6.0, 2.5]) - scene.camera, -scene.camera)
    np.testing.assert_allclose(depth, (walls / world).min(-1), rtol=2e-5)


@pytest.mark.parametrize(
    "shape, size, yaw, near, far",
    [
        (BOX, (2.0, 1.0, 1.0), 0.0, 4.0, 6.0),
        (BOX, (2.0, 1.0, 1.0), np.pi / 2, 4.5, 5.5),
        (BOX, (2.0, 2.0, 1.0), np.pi / 4, 5 - np.sqrt(2), 5 + np.sqrt(2)),
        (CYLINDER, (2.0, 1.0, 1.0), 0.0, 4.0, 6.0),
        (BALL, (2.0, 2.0, 2.0), 0.3, 4.0, 6.0),
    ],
)
def test_where_a_ray_meets_a_solid(shape, size, yaw, near, far):
    scene = Scene(np.random.default_rng(0))
    scene.add(shape, Place(5.0, 0.0, yaw), -size[2] / 2, size, 0)
    rays = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0]], np.float32).T
    enter, leave = intersect(scene.solids[0], (0.0, 0.0, 0.0), rays)
    np.testing.assert_allclose((enter[0], leave[0]), (near, far), rtol=1e-5)
    assert not enter[1] < leave[1]  # beside it
    assert enter[2] < leave[2] < 0  # behind


def test_a_cylinder_has_a_top():
    scene = Scene(np.random.default_rng(0))
    scene.add(CYLINDER, Place(0.0, 0.0), 0.0, (1.0, 1.0, 1.0), 0)
    enter, leave = intersect(
        scene.solids[0], (0.2, 0.0, 3.0), np.array([[0], [0], [-1.0]], np.float32)
    )
    np.testing.assert_allclose((enter[0], leave[0]), (2.0, 3.0), rtol=1e-5)


def test_a_street_as_when_every_ray_is_tried_on_every_solid():
    size, camera = (24, 80), Drives(1, (24, 80), stereo=True).intrinsics
    for seed in range(3):
        scene = draw_street(np.random.default_rng(seed), 10)
        scene.camera = scene.camera + (4.0, 0.0, 0.0)  # some solids reach behind it
        view = View(scene, camera, size)
        depth = intersect(scene.solids[0], view.origin, view.rays)[1]
        number = np.zeros(size, int)
        for k, solid in enumerate(scene.solids[1:], 1):
            near, far = intersect(solid, view.origin, view.rays)
            hit = (near < far) & (near > 0) & (near < depth)
            depth, number = np.where(hit, near, depth), np.where(hit, k, number)
        same = np.isclose(view.depth, depth, rtol=1e-4)
        assert same.mean() > 0.999 and (view.solid == number).mean() > 0.995
        assert len(np.unique(view.solid)) > 20


def test_where_a_ray_meets_a_roof():
    scene = Scene(np.random.default_rng(0))
    scene.add(GABLE, Place(0.0, 0.0), 0.0, (4.0, 2.0, 1.0), 0)
    rays = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], np.float32).T
    # At half its height the roof is half as wide, and its ends are upright.
    near, far = intersect(scene.solids[0], (0.0, 0.0, 0.5), rays)
    np.testing.assert_allclose(far, (0.5, 2.0, 0.5), rtol=1e-5)
    assert (near < 0).all()
    # Over the eaves it is 0.2 m high, and level rays pass by.
    near, far = intersect(scene.solids[0], (0.0, 0.8, 0.5), rays)
    np.testing.assert_allclose((near[2], far[2]), (0.3, 0.5), rtol=1e-5)
    assert not ((near < far) & (far > 0))[:2].any()
