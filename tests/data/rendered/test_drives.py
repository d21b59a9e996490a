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
    LEFT_FROM_GRAY,
    Drives,
    velo_to_camera,
)
from keras_depth.errors import InputError

SMALL = (48, 156)


def digest(sample):
    return hashlib.sha256(b"".join(sample[key].tobytes() for key in sorted(sample))).hexdigest()


@pytest.mark.parametrize("size", [(24, 80), (128, 416), (31, 57)])
def test_a_sample(size):
    drives = Drives(40, size, stereo=True)
    sample = drives[37]
    assert sample["image"].shape == sample["right"].shape == (*size, 3)
    assert sample["depth"].shape == size
    assert all(array.dtype == np.float32 for array in sample.values())
    for key in ("image", "right"):
        assert 0 <= sample[key].min() and sample[key].max() <= 1
    assert sample["focal_baseline"] == pytest.approx(384.3815 * size[1] / 1242)
    about = f"rendered drives, train: 40 stereo pairs of {size[0]}x{size[1]}, seed 0"
    assert drives.description == about and drives.rendered and drives.stereo
    assert drives.key(37) == "train/0/drive_0003/0000000007"
    assert drives.name(37) == "drives/train/0/drive_0003/0000000007"


def test_one_picture_instead_of_two():
    pair, single = Drives(1, SMALL, stereo=True)[0], Drives(1, SMALL, stereo=False)
    assert set(single[0]) == {"image", "depth", "focal_length"} and not single.stereo
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
    for sample in Drives(20, SMALL, seed=4, frames_per_drive=1, stereo=True):
        sky = sample["depth"] == 0
        picture = sample["image"]
        assert 0.2 < picture.mean() < 0.8 and picture.std() > 0.08
        assert picture[sky].mean() > picture[~sky].mean()


def test_equal_bits_in_another_process_and_in_threads():
    options = f"4, {SMALL}, seed=9, frames_per_drive=2, noise=True, stereo=True"
    drives = Drives(4, SMALL, seed=9, frames_per_drive=2, noise=True, stereo=True)
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


TRAIN = {
    "image": [0.4592, 0.4503, 0.3692, 0.5095],
    "depth": [23.2417, 22.5974, 11.9255, 13.2760],
    "right": [0.4655, 0.4352, 0.3717, 0.4952],
}
TEST = {
    "image": [0.5697, 0.3964, 0.6808, 0.3471],
    "depth": [20.0785, 12.2798, 13.1613, 8.6098],
    "right": [0.5728, 0.4112, 0.6820, 0.3238],
}


@pytest.mark.parametrize(
    "options, means",
    [
        ({}, {key: TRAIN[key] for key in ("image", "depth")}),
        ({"stereo": True}, TRAIN),
        ({"stereo": True, "split": "test", "noise": True}, TEST),
    ],
)
def test_drives_stay_the_same(options, means):
    """The means of the four quarters, written down once: reports and tests rest on these drives."""
    sample = Drives(4, SMALL, seed=5, **options)[3]
    assert set(means) == set(sample) - {"focal_baseline", "focal_length"}
    for key, expected in means.items():
        quarters = sample[key].reshape(2, 24, 2, 78, -1).mean((1, 3, 4))
        assert quarters.ravel() == pytest.approx(expected, rel=1e-3)


def test_seed_split_drive_and_frame_each_change_the_sample():
    kinds = [
        Drives(11, SMALL, stereo=True),
        Drives(11, SMALL, seed=1, stereo=True),
        Drives(11, SMALL, split="test", stereo=True),
    ]
    assert len({digest(drives[i]) for drives in kinds for i in (0, 1, 10)}) == 9


def test_a_frame_does_not_depend_on_the_count_or_the_size():
    assert digest(Drives(3, SMALL, stereo=True)[2]) == digest(Drives(90, SMALL, stereo=True)[2])
    large, small = (Drives(3, size, stereo=True)[2]["depth"] for size in ((375, 1242), (125, 414)))
    # The middle of each three pixels sees what the small picture's does.
    np.testing.assert_allclose(
        np.mean(np.isclose(large[1::3, 1::3], small, rtol=1e-4)), 1, atol=0.01
    )


def test_a_drive_is_a_sequence():
    drives = Drives(30, SMALL, seed=1, stereo=True)
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
    for sample in Drives(5, size, seed=2, frames_per_drive=1, stereo=True):
        depth = sample["depth"]
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
    plain, noisy = (Drives(1, SMALL, noise=noise, stereo=True)[0] for noise in (False, True))
    np.testing.assert_array_equal(plain["depth"], noisy["depth"])
    left, right = (noisy[key] - plain[key] for key in ("image", "right"))
    assert 0.002 < np.abs(left).mean() < 0.05 and 0.002 < np.abs(right).mean() < 0.05
    assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.05  # each eye has its own


def test_intrinsics():
    full = Drives(1, (375, 1242), stereo=True)
    assert full.intrinsics == (721.5377, 721.5377, 609.5593, 172.854)
    assert full.focal_baseline == pytest.approx(384.3815)
    third = Drives(1, (125, 414), stereo=True)
    # Pixel (0, 0) of a third covers pixels 0 to 2: its centre is at 1.
    assert third.intrinsics == pytest.approx((240.51257, 240.51257, 202.85310, 57.28467))
    assert third.focal_baseline == pytest.approx(384.3815 / 3)


# LiDAR -------------------------------------------------------------------------------------------


def test_a_scan_is_one_of_the_sensor():
    scan = Drives(3, SMALL, stereo=True).lidar_scan(2)
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
        truth = drives[index]["depth"][v, u]
        error = np.abs(z - truth) / np.maximum(truth, 1e-3)
        assert np.median(error) < 0.005 and np.mean(error < 0.05) > 0.93
        assert len(set(zip(u, v, strict=True))) / np.prod(size) == pytest.approx(coverage, rel=0.15)


def test_noise_of_a_scan():
    plain, noisy = (
        Drives(1, SMALL, noise=noise, stereo=True).lidar_scan(0) for noise in (False, True)
    )
    difference = np.linalg.norm(noisy[:, :3], axis=1) - np.linalg.norm(plain[:, :3], axis=1)
    assert difference.std() == pytest.approx(0.02, rel=0.05) and abs(difference.mean()) < 0.001
    np.testing.assert_array_equal(noisy, Drives(1, SMALL, noise=True, stereo=True).lidar_scan(0))


def test_the_rig_is_that_of_the_real_calibration(samples):
    date = samples / "kitti_raw" / "2011_09_26"
    files = (date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt")
    calibration = read_calibration(*files)
    assert calibration.intrinsics() == KITTI
    assert calibration.focal_baseline == pytest.approx(
        Drives(1, (375, 1242), stereo=True).focal_baseline
    )
    matrix = np.array([[KITTI.fx, 0, KITTI.cx], [0, KITTI.fy, KITTI.cy], [0, 0, 1]])
    shift = np.linalg.inv(matrix) @ calibration.left[:, 3]
    np.testing.assert_allclose(shift, LEFT_FROM_GRAY, atol=1e-7)
    expected = calibration.lidar + np.column_stack([np.zeros((4, 3)), [*shift, 0]])
    np.testing.assert_allclose(velo_to_camera(), expected, atol=1e-7)


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"size": (4, 64)}, {"seed": -1}, {"size": (64,)}, {"frames_per_drive": 0}],
)
def test_bad_arguments(options):
    with pytest.raises(InputError, match="ask for at least one frame, at least 8x8 pixels"):
        Drives(**{"count": 1} | options)


def test_unknown_split_and_index():
    with pytest.raises(InputError, match="unknown split 'tset': did you mean 'test'"):
        Drives(1, split="tset", stereo=True)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            Drives(1, SMALL, stereo=True)[index]
        with pytest.raises(IndexError):
            Drives(1, SMALL, stereo=True).lidar_scan(index)
