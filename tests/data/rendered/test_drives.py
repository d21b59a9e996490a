import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from keras_depth.data.kitti.calibration import read_calibration
from keras_depth.data.rendered.drives import (
    AZIMUTHS,
    BEAMS,
    KITTI,
    LEFT_FROM_GREY,
    Drives,
    velo_to_camera,
)
from keras_depth.data.rendered.rays import Surface, View, crossing, daylight
from keras_depth.data.rendered.scene import BALL, BOX, CELLS, GABLE, Place, Scene
from keras_depth.data.rendered.street import draw_street
from keras_depth.errors import InputError

SMALL = (48, 156)


def digest(sample):
    return hashlib.sha256(b"".join(sample[key].tobytes() for key in sorted(sample))).hexdigest()


@pytest.mark.parametrize("size", [(24, 80), (128, 416), (31, 57)])
def test_a_sample(size):
    drives = Drives(40, size)
    sample = drives[37]
    assert sample["image"].shape == sample["right"].shape == (*size, 3)
    assert sample["depth"].shape == (*size, 1)
    assert all(array.dtype == np.float32 for array in sample.values())
    for key in ("image", "right"):
        assert 0 <= sample[key].min() and sample[key].max() <= 1
    assert sample["focal_baseline"] == pytest.approx(384.3815 * size[1] / 1242)
    about = f"rendered drives, train: 40 stereo pairs of {size[0]}x{size[1]}, seed 0"
    assert drives.description == about and drives.synthetic and drives.stereo
    assert drives.key(37) == "train/0/drive_0003/0000000007"
    assert drives.name(37) == "drives/train/0/drive_0003/0000000007"


def test_one_picture_instead_of_two():
    pair, single = Drives(1, SMALL)[0], Drives(1, SMALL, stereo=False)
    assert set(single[0]) == {"image", "depth"} and not single.stereo
    for key in ("image", "depth"):
        np.testing.assert_array_equal(pair[key], single[0][key])
    assert "1 frames" in single.description


def test_depths_are_those_of_a_street():
    drives = Drives(40, SMALL, seed=3, frames_per_drive=1, stereo=False)
    depths = np.stack([sample["depth"] for sample in drives])
    measured = depths[depths > 0]
    assert np.isfinite(depths).all() and 1.5 < measured.min() < 4 and 70 < measured.max() <= 80
    assert 0.02 < np.mean(depths == 0) < 0.3  # the sky
    # The road before the car: the lowest row looks down by atan(h / f), h = 202 of 375 rows.
    road = np.median(depths[:, -1, SMALL[1] // 2])
    assert road == pytest.approx(1.65 / (202 / 721.5), rel=0.1)


def test_pictures_are_neither_dark_nor_flat():
    for sample in Drives(20, SMALL, seed=4, frames_per_drive=1):
        sky = sample["depth"][..., 0] == 0
        picture = sample["image"]
        assert 0.2 < picture.mean() < 0.8 and picture.std() > 0.08
        assert picture[sky].mean() > picture[~sky].mean()


def test_equal_bits_in_another_process_and_in_threads():
    options = f"4, {SMALL}, seed=9, frames_per_drive=2, noise=True"
    drives = Drives(4, SMALL, seed=9, frames_per_drive=2, noise=True)
    expected = [digest(drives[i]) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: digest(drives[i]), range(4))) == expected
    code = (
        "import hashlib; from keras_depth.data.rendered.drives import Drives\n"
        f"for s in Drives({options}):\n"
        "    print(hashlib.sha256(b''.join(s[k].tobytes() for k in sorted(s))).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == expected


def test_seed_split_drive_and_frame_each_change_the_sample():
    kinds = [Drives(11, SMALL), Drives(11, SMALL, seed=1), Drives(11, SMALL, split="test")]
    assert len({digest(drives[i]) for drives in kinds for i in (0, 1, 10)}) == 9


def test_a_frame_does_not_depend_on_the_count_or_the_size():
    assert digest(Drives(3, SMALL)[2]) == digest(Drives(90, SMALL)[2])
    large, small = (Drives(3, size)[2]["depth"] for size in ((375, 1242), (125, 414)))
    # The middle of each three pixels sees what the small picture's does.
    np.testing.assert_allclose(
        np.mean(np.isclose(large[1::3, 1::3], small, rtol=1e-4)), 1, atol=0.01
    )


def test_a_drive_is_a_sequence():
    drives = Drives(30, SMALL, seed=1)
    shifts = np.arange(0, 4, 0.1)
    for first in (0, 11):
        # What stands above the road in one scan is where it was in another, but for the way.
        scans = [drives.lidar_scan(first + i)[:, :3] for i in (0, 1, 3, 10)]
        before, *after = (scan[scan[:, 2] > -1.2] for scan in scans)
        tree = cKDTree(before)
        apart = [[np.median(tree.query(s + (t, 0, 0))[0]) for t in shifts] for s in after]
        one, three, another = (shifts[np.argmin(distances)] for distances in apart)
        assert 0.7 < one < 1.3 and three == pytest.approx(3 * one, abs=0.31)
        assert np.min(apart[0]) < 0.1 and np.min(apart[2]) > 0.2  # another street


def visible(disparity):
    """Returns the pixels of the left picture that nothing nearer hides in the right one."""
    height, width = disparity.shape
    row, column = np.mgrid[:height, :width]
    at = np.rint(column - disparity).astype(int)
    inside = at >= 0
    nearest = np.zeros(disparity.shape)
    np.maximum.at(nearest, (row[inside], at[inside]), disparity[inside])
    return inside & (disparity > nearest[row, at.clip(0)] - 1)


@pytest.mark.parametrize("size", [(128, 416), (256, 832)])
def test_the_right_picture_moved_by_the_disparity_is_the_left_one(size):
    for sample in Drives(5, size, seed=2, frames_per_drive=1):
        depth = sample["depth"][..., 0]
        disparity = np.divide(sample["focal_baseline"], depth, np.zeros(size), where=depth > 0)
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
        seen = visible(disparity) & (depth > 0)
        errors = []
        # A tenth of the disparity more or less is already worse.
        for factor in (1, 0.9, 1.1, 0):
            there = (x - factor * disparity).astype(np.float32)
            moved = cv2.remap(sample["right"], there, y, cv2.INTER_LINEAR)
            errors.append(np.median(np.abs(moved - sample["image"]).mean(-1)[seen]))
        assert seen.mean() > 0.6 and errors[0] < 0.005
        assert errors[0] < errors[1] / 2 and errors[0] < errors[2] / 2
        assert errors[0] < errors[3] / 5


def test_noise_leaves_the_rest_as_it_is():
    plain, noisy = (Drives(1, SMALL, noise=noise)[0] for noise in (False, True))
    np.testing.assert_array_equal(plain["depth"], noisy["depth"])
    left, right = (noisy[key] - plain[key] for key in ("image", "right"))
    assert 0.002 < np.abs(left).mean() < 0.05 and 0.002 < np.abs(right).mean() < 0.05
    assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.05  # each eye has its own


def test_intrinsics():
    full = Drives(1, (375, 1242))
    assert full.intrinsics == (721.5377, 721.5377, 609.5593, 172.854)
    assert full.focal_baseline == pytest.approx(384.3815)
    third = Drives(1, (125, 414))
    # Pixel (0, 0) of a third covers pixels 0 to 2: its centre is at 1.
    assert third.intrinsics == pytest.approx((240.51257, 240.51257, 202.85310, 57.28467))
    assert third.focal_baseline == pytest.approx(384.3815 / 3)


# LiDAR -------------------------------------------------------------------------------------------


def test_a_scan_is_one_of_the_sensor():
    scan = Drives(3, SMALL).lidar_scan(2)
    assert scan.dtype == np.float32 and scan.shape[1] == 4
    assert len(scan) > 0.6 * len(BEAMS) * len(AZIMUTHS)
    x, y, z, shine = scan.T.astype(np.float64)
    distance = np.sqrt(x * x + y * y + z * z)
    assert 1.5 < distance.min() and 60 < distance.max() < 100 and x.min() > 0
    assert 0 <= shine.min() < shine.max() <= 1
    angles = np.degrees(np.arcsin(z / distance))
    assert angles.max() <= 2.001 and angles.min() == pytest.approx(-24.8, abs=0.01)
    assert np.abs(np.degrees(np.arctan2(y, x))).max() <= 50.001
    # The sensor stands 1.73 m above the road.
    road = z[(np.abs(y) < 1) & (x < 10)]
    assert np.median(road) == pytest.approx(-1.73, abs=0.1)


@pytest.mark.parametrize("size, coverage", [((128, 416), 0.28), ((375, 1242), 0.036)])
def test_a_scan_agrees_with_the_depth(size, coverage):
    drives = Drives(22, size, seed=6, stereo=False)
    camera, pose = drives.intrinsics, velo_to_camera()
    for index in (0, 21):
        points = drives.lidar_scan(index)[:, :3].astype(np.float64)
        x, y, z = pose[:3, :3] @ points.T + pose[:3, 3:]
        u = np.rint(camera.fx * x / z + camera.cx).astype(int)
        v = np.rint(camera.fy * y / z + camera.cy).astype(int)
        inside = (z > 0) & (u >= 0) & (u < size[1]) & (v >= 0) & (v < size[0]) & (z < 79)
        u, v, z = u[inside], v[inside], z[inside]
        truth = drives[index]["depth"][v, u, 0]
        error = np.abs(z - truth) / np.maximum(truth, 1e-3)
        assert np.median(error) < 0.005 and np.mean(error < 0.05) > 0.93
        assert len(set(zip(u, v, strict=True))) / np.prod(size) == pytest.approx(coverage, rel=0.15)


def test_noise_of_a_scan():
    plain, noisy = (Drives(1, SMALL, noise=noise).lidar_scan(0) for noise in (False, True))
    difference = np.linalg.norm(noisy[:, :3], axis=1) - np.linalg.norm(plain[:, :3], axis=1)
    assert difference.std() == pytest.approx(0.02, rel=0.05) and abs(difference.mean()) < 0.001
    np.testing.assert_array_equal(noisy, Drives(1, SMALL, noise=True).lidar_scan(0))


def test_the_rig_is_that_of_the_real_calibration(samples):
    date = samples / "kitti_raw" / "2011_09_26"
    files = (date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt")
    calibration = read_calibration(*files)
    assert calibration.intrinsics() == KITTI
    assert calibration.focal_baseline == pytest.approx(Drives(1, (375, 1242)).focal_baseline)
    matrix = np.array([[KITTI.fx, 0, KITTI.cx], [0, KITTI.fy, KITTI.cy], [0, 0, 1]])
    shift = np.linalg.inv(matrix) @ calibration.left[:, 3]
    np.testing.assert_allclose(shift, LEFT_FROM_GREY, atol=1e-7)
    expected = calibration.lidar + np.column_stack([np.zeros((4, 3)), [*shift, 0]])
    np.testing.assert_allclose(velo_to_camera(), expected, atol=1e-7)


# The renderer out of doors -----------------------------------------------------------------------


def test_a_street_as_when_every_ray_is_tried_on_every_solid():
    size, camera = (24, 80), Drives(1, (24, 80)).intrinsics
    for seed in range(3):
        scene = draw_street(np.random.default_rng(seed), 10)
        scene.camera = scene.camera + (4.0, 0.0, 0.0)  # some solids reach behind it
        view = View(scene, camera, size)
        depth = crossing(scene.solids[0], view.origin, view.rays)[1]
        number = np.zeros(size, int)
        for k, solid in enumerate(scene.solids[1:], 1):
            near, far = crossing(solid, view.origin, view.rays)
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
    near, far = crossing(scene.solids[0], (0.0, 0.0, 0.5), rays)
    np.testing.assert_allclose(far, (0.5, 2.0, 0.5), rtol=1e-5)
    assert (near < 0).all()
    # Over the eaves it is 0.2 m high, and level rays pass by.
    near, far = crossing(scene.solids[0], (0.0, 0.8, 0.5), rays)
    np.testing.assert_allclose((near[2], far[2]), (0.3, 0.5), rtol=1e-5)
    assert not ((near < far) & (far > 0))[:2].any()


def ground(sun):
    """Returns a scene of bare ground under the sun, seen from 10 m above, straight down."""
    scene = Scene(np.random.default_rng(0))
    grey = scene.paint(CELLS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), grain=0.0)
    scene.add(BOX, Place(0, 0), 0.0, (1000.0, 1000.0, 500.0), grey)
    scene.sun = np.array(sun, float)
    scene.camera, scene.pitch = np.array([0.0, 0.0, 10.0]), -np.pi / 2
    scene.footprints.append((90.0, 91.0, 90.0, 91.0))
    return scene, grey


def test_a_shadow_falls_away_from_the_sun():
    scene, grey = ground((0.0, 1.0, 1.0))
    scene.add(BOX, Place(0.0, 0.0), 0.0, (4.0, 4.0, 3.0), grey)
    camera = KITTI._replace(fx=40, fy=40, cx=80, cy=60)
    view = View(scene, camera, (121, 161))
    light = daylight(scene, view, Surface(scene, view))
    # The camera looks down with x of the world upwards: y of the world is to its left, and a
    # metre of the ground is 4 pixels. The box's shadow is 3 m long, towards -y.
    shaded, lit, beside = light[60, 80 + 14], light[60, 80 + 30], light[60, 80 - 14]
    assert shaded < 0.5 * lit and lit == pytest.approx(beside, rel=0.01)


def test_the_ground_is_dark_where_something_stands():
    scene, grey = ground((0.0, 0.0, 0.5))
    scene.add(BALL, Place(30.0, 0.0), 0.0, (1.0, 1.0, 1.0), grey)
    scene.footprints.append((-0.5, 0.5, -0.5, 0.5))
    view = View(scene, KITTI._replace(fx=40, fy=40, cx=80, cy=60), (121, 161))
    light = daylight(scene, view, Surface(scene, view))
    assert light[60, 80] < 0.5 * light[60, 100] and light[60, 84] < light[60, 100]


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"size": (4, 64)}, {"seed": -1}, {"size": (64,)}, {"frames_per_drive": 0}],
)
def test_bad_arguments(options):
    with pytest.raises(InputError, match="ask for at least one frame, at least 8x8 pixels"):
        Drives(**{"count": 1} | options)


def test_unknown_split_and_index():
    with pytest.raises(InputError, match="unknown split 'tset': did you mean 'test'"):
        Drives(1, split="tset")
    for index in (-1, 1):
        with pytest.raises(IndexError):
            Drives(1, SMALL)[index]
        with pytest.raises(IndexError):
            Drives(1, SMALL).lidar_scan(index)
