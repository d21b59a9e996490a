import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_depth.data.pipeline import mean_depth_map
from keras_depth.data.rendered.rays import View, crossing
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.data.rendered.scene import BALL, BOX, CELLS, CYLINDER, Place, Scene
from keras_depth.errors import InputError

SMALL = (48, 64)


def digest(sample):
    content = sample["image"].tobytes() + sample["depth"].tobytes()
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [(24, 32), (128, 160), (480, 640), (31, 57)])
def test_a_sample(size):
    rooms = Rooms(2, size)
    sample = rooms[1]
    assert sample["image"].shape == (*size, 3) and sample["image"].dtype == np.float32
    assert sample["depth"].shape == (*size, 1) and sample["depth"].dtype == np.float32
    assert 0 <= sample["image"].min() and sample["image"].max() <= 1
    assert rooms.description == f"rendered rooms, train: 2 frames of {size[0]}x{size[1]}, seed 0"
    assert rooms.name(1) == "rooms/train/0/00001"


def test_every_depth_is_in_range_and_rooms_differ():
    rooms = Rooms(80, SMALL, seed=3)
    depths = np.stack([room["depth"] for room in rooms])
    assert np.isfinite(depths).all() and depths.min() >= 0.5 and depths.max() <= 10
    medians = np.median(depths, axis=(1, 2, 3))
    assert medians.min() < 1.6 and medians.max() > 4


def test_images_are_neither_dark_nor_flat():
    for room in Rooms(30, SMALL, seed=4):
        assert 0.2 < room["image"].mean() < 0.8 and room["image"].std() > 0.02


def test_the_mean_depth_map_is_a_poor_guess():
    mean = mean_depth_map(Rooms(150, (24, 32)), (24, 32))
    truth = np.stack([room["depth"][..., 0] for room in Rooms(80, (24, 32), split="test")])
    assert np.mean(np.abs(mean - truth) / truth) > 0.3


def test_equal_bits_in_another_process_and_in_threads():
    rooms = Rooms(4, SMALL, seed=9, noise=True, holes=True)
    expected = [digest(rooms[i]) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: digest(rooms[i]), range(4))) == expected
    code = (
        "import hashlib; from keras_depth.data.rendered.rooms import Rooms\n"
        f"for s in Rooms(4, {SMALL}, seed=9, noise=True, holes=True):\n"
        "    print(hashlib.sha256(s['image'].tobytes() + s['depth'].tobytes()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == expected


def test_seed_split_and_index_each_change_the_room():
    kinds = [Rooms(2, SMALL), Rooms(2, SMALL, seed=1), Rooms(2, SMALL, split="test")]
    assert len({digest(rooms[i]) for rooms in kinds for i in (0, 1)}) == 6


def test_a_room_does_not_depend_on_the_count_or_the_size():
    assert digest(Rooms(1, SMALL)[0]) == digest(Rooms(9, SMALL)[0])
    large, small = Rooms(1, (480, 640))[0]["depth"], Rooms(1, (160, 213 + 1))[0]["depth"]
    # The 160 rows see what every third row does; columns nearly so.
    np.testing.assert_allclose(np.median(large), np.median(small), rtol=0.01)


def test_noise_and_holes_leave_the_rest_as_it_is():
    plain = Rooms(1, SMALL)[0]
    noisy = Rooms(1, SMALL, noise=True)[0]
    np.testing.assert_array_equal(plain["depth"], noisy["depth"])
    assert 0.002 < np.abs(plain["image"] - noisy["image"]).mean() < 0.05
    shares = []
    for full, part in zip(Rooms(20, SMALL), Rooms(20, SMALL, holes=True), strict=True):
        at = part["depth"] > 0
        np.testing.assert_array_equal(full["depth"][at], part["depth"][at])
        np.testing.assert_array_equal(full["image"], part["image"])
        shares.append(1 - at.mean())
    assert 0.03 < np.mean(shares) < 0.4 and max(shares) < 0.9


def test_intrinsics():
    assert Rooms(1, (480, 640)).intrinsics == (518.858, 519.470, 325.582, 253.736)
    half = Rooms(1, (240, 320)).intrinsics
    # Pixel (0, 0) of the half image covers pixels 0 and 1: its centre is at 0.5.
    assert half == pytest.approx((259.429, 259.735, 162.541, 126.618))


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
    enter, leave = crossing(scene.solids[0], (0.0, 0.0, 0.0), rays)
    np.testing.assert_allclose((enter[0], leave[0]), (near, far), rtol=1e-5)
    assert not enter[1] < leave[1]  # beside it
    assert enter[2] < leave[2] < 0  # behind


def test_a_cylinder_has_a_top():
    scene = Scene(np.random.default_rng(0))
    scene.add(CYLINDER, Place(0.0, 0.0), 0.0, (1.0, 1.0, 1.0), 0)
    enter, leave = crossing(
        scene.solids[0], (0.2, 0.0, 3.0), np.array([[0], [0], [-1.0]], np.float32)
    )
    np.testing.assert_allclose((enter[0], leave[0]), (2.0, 3.0), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"size": (4, 64)}, {"seed": -1}, {"size": (64,)}]
)
def test_bad_arguments(options):
    with pytest.raises(InputError, match="ask for at least one room, at least 8x8 pixels"):
        Rooms(**{"count": 1} | options)


def test_unknown_split_and_index():
    with pytest.raises(InputError, match="unknown split 'tset': did you mean 'test'"):
        Rooms(1, split="tset")
    with pytest.raises(IndexError):
        Rooms(1, SMALL)[1]
