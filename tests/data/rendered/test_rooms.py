import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_depth.data.pipeline import mean_depth_map
from keras_depth.data.rendered.rooms import Rooms
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
    assert sample["depth"].shape == size and sample["depth"].dtype == np.float32
    assert 0 <= sample["image"].min() and sample["image"].max() <= 1
    assert rooms.description == f"rendered rooms, train: 2 frames of {size[0]}x{size[1]}, seed 0"
    assert rooms.name(1) == "rooms/train/0/00001"


def test_every_depth_is_in_range_and_rooms_differ():
    rooms = Rooms(80, SMALL, seed=3)
    depths = np.stack([room["depth"] for room in rooms])
    assert np.isfinite(depths).all() and depths.min() >= 0.5 and depths.max() <= 10
    medians = np.median(depths, axis=(1, 2))
    assert medians.min() < 1.6 and medians.max() > 4


def test_images_are_neither_dark_nor_flat():
    for room in Rooms(30, SMALL, seed=4):
        assert 0.2 < room["image"].mean() < 0.8 and room["image"].std() > 0.02


def test_the_mean_depth_map_is_a_poor_guess():
    mean = mean_depth_map(Rooms(150, (24, 32)), (24, 32))
    truth = np.stack([room["depth"] for room in Rooms(80, (24, 32), split="test")])
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


@pytest.mark.parametrize(
    "options, image, depth",
    [
        ({}, [0.5302, 0.5810, 0.4702, 0.5193], [2.6969, 2.5002, 2.7994, 2.6084]),
        ({"split": "test"}, [0.7689, 0.4908, 0.6274, 0.4377], [2.3924, 4.7843, 2.1307, 3.5641]),
        (
            {"noise": True, "holes": True},
            [0.5298, 0.5806, 0.4700, 0.5192],
            [2.6596, 2.2646, 2.7881, 2.3334],
        ),
    ],
)
def test_rooms_stay_the_same(options, image, depth):
    """The means of the four quarters, written down once: reports and tests rest on these rooms."""
    room = Rooms(4, SMALL, seed=5, **options)[3]
    for array, expected in ((room["image"], image), (room["depth"], depth)):
        quarters = array.reshape(2, 24, 2, 32, -1).mean((1, 3, 4))
        assert quarters.ravel() == pytest.approx(expected, rel=1e-3)


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


def test_several_cameras_take_turns():
    rooms = Rooms(5, SMALL, cameras=3, fov=(50, 90))
    found = [sample["focal_length"] for sample in rooms]
    assert [camera[0] for camera in found] == pytest.approx(
        [SMALL[1] / 2 / np.tan(np.radians(view / 2)) for view in (50, 70, 90, 50, 70)]
    )
    assert all(camera[0] == camera[1] for camera in found)
    assert rooms.description.endswith("seed 0, 3 cameras of 50 to 90 degrees")
    np.testing.assert_allclose(Rooms(1, SMALL)[0]["focal_length"], Rooms(1, SMALL).intrinsics[:2])


def test_a_longer_lens_sees_the_middle_of_the_same_room():
    wide, narrow = (
        Rooms(1, (48, 48), cameras=1, fov=(view, view))[0]["depth"]
        for view in (90, 2 * np.degrees(np.arctan(0.5)))
    )
    ratio = narrow[1::4, 1::4] / wide[12:36, 12:36][::2, ::2]
    assert np.abs(np.percentile(ratio, (10, 50, 90)) - 1).max() < 0.03  # not at the edges of things


@pytest.mark.parametrize("options", [{"cameras": -1}, {"fov": (50, 180)}, {"fov": (0, 90)}])
def test_bad_cameras(options):
    with pytest.raises(InputError, match="give 0 or more cameras, and fields of view between 10"):
        Rooms(1, **options)
