import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from keras_depth.data import open_reader
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.data.rendered.walks import Walks, draw_walk
from keras_depth.errors import InputError
from keras_depth.geometry import back_project
from tests.helpers.write_tum import write_tum

SMALL = (48, 64)


def digest(sample):
    return hashlib.sha256(sample["image"].tobytes() + sample["depth"].tobytes()).hexdigest()


@pytest.mark.parametrize("size", [(24, 32), (240, 320), (31, 57)])
def test_a_sample(size):
    walks = Walks(300, size)
    sample = walks[247]
    assert sample["image"].shape == (*size, 3) and sample["depth"].shape == size
    assert all(array.dtype == np.float32 for array in sample.values())
    assert 0 <= sample["image"].min() and sample["image"].max() <= 1
    about = f"rendered walks, train: 300 frames of {size[0]}x{size[1]}, seed 0"
    assert walks.description == about and walks.rendered and not walks.stereo
    assert walks.key(247) == "train/0/walk_0001/000007"
    assert walks.name(247) == "walks/train/0/walk_0001/000007"
    assert walks.intrinsics == Rooms(1, size).intrinsics


def test_depths_and_brightness_are_those_of_rooms():
    walks = Walks(12, (24, 32), seed=3, frames_per_walk=3)
    for k in range(4):
        frames = [walks[3 * k + i] for i in range(3)]
        depth, image = (np.stack([frame[key] for frame in frames]) for key in ("depth", "image"))
        assert np.isfinite(depth).all() and depth.min() >= 0.3 and depth.max() <= 10
        assert 0.2 < image.mean() < 0.8 and image.std() > 0.05


# Motion ------------------------------------------------------------------------------------------


def test_a_walk_is_a_smooth_loop():
    walk = Walks(240, SMALL, seed=1)
    poses = walk.poses
    assert poses.shape == (240, 4, 4) and poses.dtype == np.float64
    turns, places = poses[:, :3, :3], poses[:, :3, 3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (240, 1, 1)),
                               atol=1e-6)  # fmt: skip
    assert np.linalg.det(turns) == pytest.approx(1)
    np.testing.assert_array_equal(poses[:, 3], np.tile([0, 0, 0, 1], (240, 1)))
    # The step from the last frame to the first is one like the others.
    steps = np.linalg.norm(np.roll(places, -1, 0) - places, axis=1)
    assert 2.9 < steps.sum() < 3.4 and steps.max() < 0.025
    down, ahead = turns[:, 2, 1], turns[:, :2, 2]
    assert (down < -0.9).all()  # the image's y points to the floor; z of the world is up
    yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]), axis=0)
    turned = np.degrees(np.diff(np.append(yaw, yaw[0] + np.sign(yaw[-1] - yaw[0]) * 2 * np.pi)))
    assert abs(turned.sum()) == pytest.approx(360) and np.abs(turned).max() < 3
    # The camera looks about where it goes, and its head bobs.
    motion = np.roll(places, -1, 0) - places
    assert np.median((motion[:, :2] * ahead).sum(1) / np.linalg.norm(motion[:, :2], axis=1)) > 0.9
    assert np.ptp(places[:, 2]) == pytest.approx(0.03, abs=0.001)
    np.testing.assert_allclose(walk.times, np.arange(240) / 30)


def test_poses_and_depth_show_the_same_surfaces():
    """The points of a frame, moved by the poses, are at another frame's depth and of its color."""
    size = (96, 128)
    walk = Walks(6, size, seed=2, frames_per_walk=120)
    first, later, camera = walk[0], walk[5], walk.intrinsics
    points = np.column_stack([back_project(first["depth"], camera), np.ones(size[0] * size[1])])
    moved = points @ (np.linalg.inv(walk.poses[5]) @ walk.poses[0]).T
    x, y, z = moved.T[:3].reshape(3, *size)
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    at = u.astype(np.float32), v.astype(np.float32)
    depth = cv2.remap(later["depth"], *at, cv2.INTER_LINEAR)
    image = cv2.remap(later["image"], *at, cv2.INTER_LINEAR)
    seen = (z > 0) & (u > 0) & (u < size[1] - 1) & (v > 0) & (v < size[0] - 1)
    inside = seen.mean()
    seen &= np.abs(depth - z) < 0.03  # the others are hidden, or at an edge
    assert inside > 0.5 and seen.mean() > 0.9 * inside
    assert np.median(np.abs(depth - z)[seen]) < 1e-3
    # One exposure: the same surface is as bright in both.
    difference = (image - first["image"])[seen]
    assert np.median(np.abs(difference)) < 0.01 and abs(np.median(difference)) < 0.005


def test_each_walk_has_its_own_room_and_starts_its_own_clock():
    walks = Walks(5, SMALL, frames_per_walk=2)
    np.testing.assert_allclose(walks.times, np.array([0, 1, 0, 1, 0]) / 30)
    assert draw_walk(0, 0, 0).room.solids != draw_walk(0, 0, 1).room.solids
    # Half as many frames go round once all the same.
    np.testing.assert_array_equal(
        Walks(120, SMALL, frames_per_walk=120).poses, Walks(240, SMALL).poses[::2]
    )


# A pure function ---------------------------------------------------------------------------------


def test_equal_bits_in_another_process_and_in_threads():
    walks = Walks(4, SMALL, seed=9, frames_per_walk=2, noise=True)
    expected = [digest(walks[i]) for i in (3, 0, 2, 1)]
    draw_walk.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: digest(walks[i]), (3, 0, 2, 1))) == expected
    code = (
        "import hashlib; from keras_depth.data.rendered.walks import Walks\n"
        f"for s in Walks(4, {SMALL}, seed=9, frames_per_walk=2, noise=True):\n"
        "    print(hashlib.sha256(s['image'].tobytes() + s['depth'].tobytes()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [expected[i] for i in (1, 3, 2, 0)]


@pytest.mark.parametrize(
    "options, image, depth, position",
    [
        ({}, [0.5180, 0.5986, 0.3744, 0.3960], [2.9429, 3.4882, 2.9831, 4.0753],
         [3.2382, 1.6392, 1.4092]),
        ({"split": "test", "noise": True}, [0.5048, 0.4753, 0.3503, 0.4333],
         [3.1762, 0.9266, 2.8719, 0.9825], [1.5811, 4.2376, 1.6868]),
    ],
)  # fmt: skip
def test_walks_stay_the_same(options, image, depth, position):
    """The means of the four quarters, written down once: reports and tests rest on these walks."""
    walks = Walks(4, SMALL, seed=5, frames_per_walk=2, **options)
    for key, expected in (("image", image), ("depth", depth)):
        quarters = walks[3][key].reshape(2, 24, 2, 32, -1).mean((1, 3, 4))
        assert quarters.ravel() == pytest.approx(expected, rel=1e-3)
    assert walks.poses[3, :3, 3] == pytest.approx(position, abs=1e-4)


def test_seed_split_walk_and_frame_each_change_the_sample():
    kinds = [
        Walks(3, SMALL, seed=seed, split=split, frames_per_walk=2)
        for seed, split in ((0, "train"), (1, "train"), (0, "test"))
    ]
    assert len({digest(walks[i]) for walks in kinds for i in range(3)}) == 9


def test_a_frame_does_not_depend_on_the_count_or_the_size():
    assert digest(Walks(2, SMALL)[1]) == digest(Walks(500, SMALL)[1])
    large, small = (Walks(1, size, seed=4)[0] for size in ((240, 320), (120, 160)))
    np.testing.assert_allclose(np.median(large["depth"]), np.median(small["depth"]), rtol=0.02)
    np.testing.assert_allclose(large["image"].mean(), small["image"].mean(), rtol=0.02)


def test_noise_leaves_the_rest_as_it_is():
    plain, noisy = Walks(2, SMALL), Walks(2, SMALL, noise=True)
    np.testing.assert_array_equal(plain[1]["depth"], noisy[1]["depth"])
    first, second = (noisy[i]["image"] - plain[i]["image"] for i in (0, 1))
    assert 0.002 < np.abs(first).mean() < 0.05
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1  # new in each frame


# Files -------------------------------------------------------------------------------------------


def test_a_walk_in_tums_layout_is_read_as_a_folder(tmp_path):
    walk = Walks(3, SMALL)
    reader = open_reader("folder", write_tum(tmp_path, walk, walk.times, walk.poses), None)
    assert len(reader) == 3 and not reader.missing
    for written, sample in zip(walk, reader, strict=True):
        np.testing.assert_allclose(sample["image"], written["image"], atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(sample["depth"], written["depth"], atol=0.5 / 5000 + 1e-6)


# Arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"size": (4, 64)}, {"seed": -1}, {"size": (64,)}, {"frames_per_walk": 0}],
)
def test_bad_arguments(options):
    with pytest.raises(InputError, match="ask for at least one frame, at least 8x8 pixels"):
        Walks(**{"count": 1} | options)


def test_unknown_split_and_index():
    with pytest.raises(InputError, match="unknown split 'tset': did you mean 'test'"):
        Walks(1, split="tset")
    for index in (-1, 1):
        with pytest.raises(IndexError):
            Walks(1, SMALL)[index]
