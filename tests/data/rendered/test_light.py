import numpy as np
import pytest

from keras_depth.data.rendered.drives import KITTI
from keras_depth.data.rendered.light import daylight
from keras_depth.data.rendered.rays import View
from keras_depth.data.rendered.scene import BALL, BOX, CELLS, Place, Scene
from keras_depth.data.rendered.surfaces import Surface


def ground(sun):
    """Returns a scene of bare ground under the sun, seen from 10 m above, straight down."""
    scene = Scene(np.random.default_rng(0))
    gray = scene.paint(CELLS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), grain=0.0)
    scene.add(BOX, Place(0, 0), 0.0, (1000.0, 1000.0, 500.0), gray)
    scene.sun = np.array(sun, float)
    scene.camera, scene.pitch = np.array([0.0, 0.0, 10.0]), -np.pi / 2
    scene.footprints.append((90.0, 91.0, 90.0, 91.0))
    return scene, gray


def test_a_shadow_falls_away_from_the_sun():
    scene, gray = ground((0.0, 1.0, 1.0))
    scene.add(BOX, Place(0.0, 0.0), 0.0, (4.0, 4.0, 3.0), gray)
    camera = KITTI._replace(fx=40, fy=40, cx=80, cy=60)
    view = View(scene, camera, (121, 161))
    light = daylight(scene, view, Surface(scene, view))
    # The camera looks down with x of the world upwards: y of the world is to its left, and a
    # metre of the ground is 4 pixels. The box's shadow is 3 m long, towards -y.
    shaded, lit, beside = light[60, 80 + 14], light[60, 80 + 30], light[60, 80 - 14]
    assert shaded < 0.5 * lit and lit == pytest.approx(beside, rel=0.01)


def test_the_ground_is_dark_where_something_stands():
    scene, gray = ground((0.0, 0.0, 0.5))
    scene.add(BALL, Place(30.0, 0.0), 0.0, (1.0, 1.0, 1.0), gray)
    scene.footprints.append((-0.5, 0.5, -0.5, 0.5))
    view = View(scene, KITTI._replace(fx=40, fy=40, cx=80, cy=60), (121, 161))
    light = daylight(scene, view, Surface(scene, view))
    assert light[60, 80] < 0.5 * light[60, 100] and light[60, 84] < light[60, 100]
