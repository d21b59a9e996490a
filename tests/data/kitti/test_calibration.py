import numpy as np
import pytest

from keras_depth.data.kitti.calibration import read_calibration
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics

CAMERAS = """\
calib_time: 09-Jan-2012 13:57:47
S_rect_02: 1.242000e+03 3.750000e+02
R_rect_00: 0 -1 0 1 0 0 0 0 1
P_rect_02: 700 0 600 45 0 710 170 0.2 0 0 1 0.003
P_rect_03: 700 0 610 -340 0 710 175 2.2 0 0 1 0.003
"""
LIDAR = """\
calib_time: 15-Mar-2012 11:37:16
R: 0 -1 0 0 0 -1 1 0 0
T: 0.1 0.2 0.3
delta_f: 0 0
"""
FRAME = """\
P0: 700 0 600 0 0 700 170 0 0 0 1 0
P2: 700 0 600 45 0 710 170 0.2 0 0 1 0.003
P3: 700 0 610 -340 0 710 175 2.2 0 0 1 0.003
R0_rect: 0 -1 0 1 0 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0.1 0 0 -1 0.2 1 0 0 0.3

"""


@pytest.fixture
def files(tmp_path):
    """Paths of calib_cam_to_cam.txt, calib_velo_to_cam.txt and a frame's own file."""
    texts = {"calib_cam_to_cam.txt": CAMERAS, "calib_velo_to_cam.txt": LIDAR, "000001.txt": FRAME}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in texts]


@pytest.mark.parametrize("kind", ["raw", "frame"])
def test_lidar_point_by_hand(files, kind):
    calibration = read_calibration(*(files[:2] if kind == "raw" else files[2:]))
    # LiDAR (10, 2, 1) -> camera 0 (-2 + 0.1, -1 + 0.2, 10 + 0.3) -> rectified (0.8, -1.9, 10.3).
    expected = {
        "l": [700 * 0.8 + 600 * 10.3 + 45, -710 * 1.9 + 170 * 10.3 + 0.2, 10.303],
        "r": [700 * 0.8 + 610 * 10.3 - 340, -710 * 1.9 + 175 * 10.3 + 2.2, 10.303],
    }
    for side, pixel in expected.items():
        np.testing.assert_allclose(calibration.lidar_to_image(side) @ [10, 2, 1, 1], pixel)


@pytest.mark.parametrize("kind", ["raw", "frame"])
def test_cameras(files, kind):
    calibration = read_calibration(*(files[:2] if kind == "raw" else files[2:]))
    assert calibration.intrinsics() == Intrinsics(700, 710, 600, 170)
    assert calibration.intrinsics("r") == Intrinsics(700, 710, 610, 175)
    assert calibration.focal_baseline == 385
    assert calibration.size == ((375, 1242) if kind == "raw" else None)


def test_cameras_alone_do_not_place_the_lidar(files):
    calibration = read_calibration(files[0])
    assert calibration.focal_baseline == 385
    with pytest.raises(InputError, match="calib_cam_to_cam.txt: .*no Tr_velo_to_cam"):
        calibration.lidar_to_image()


@pytest.mark.parametrize("file", [0, 1, 2])
def test_missing_and_damaged_keys_are_named(files, file):
    path, text = files[file], files[file].read_text()
    needed = [
        ("S_rect_02", "P_rect_02", "P_rect_03", "R_rect_00"),
        ("R", "T"),
        ("P2", "P3", "R0_rect", "Tr_velo_to_cam"),
    ][file]
    arguments = files[2:] if file == 2 else files[:2]
    for key in needed:
        for damage in ("", " 1", " a b c", " nan" * 12):
            path.write_text(text.replace(f"\n{key}:", f"\n{key}:{damage}\nold_{key}:"))
            with pytest.raises(InputError, match=rf"{path.name}: {key} is '.*', not \d+ numbers"):
                read_calibration(*arguments)
    for key in set(needed) - {"S_rect_02", "Tr_velo_to_cam"}:
        path.write_text(text.replace(f"\n{key}:", f"\nold_{key}:"))
        with pytest.raises(InputError, match=f"{path.name}: the calibration has no {key};"):
            read_calibration(*arguments)


def test_file_that_is_no_calibration(tmp_path):
    path = tmp_path / "000003.txt"
    path.write_text("Car 0.00 0 1.85\n")
    with pytest.raises(InputError, match="000003.txt: the calibration has no P_rect_02"):
        read_calibration(path)
    with pytest.raises(InputError, match="absent.txt: cannot be read"):
        read_calibration(tmp_path / "absent.txt")


def test_real_calibrations(samples):
    date = samples / "kitti_raw/2011_09_26"
    raw = read_calibration(date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt")
    assert raw.focal_baseline == pytest.approx(384.38, abs=0.005)
    assert raw.intrinsics() == Intrinsics(721.5377, 721.5377, 609.5593, 172.854)
    assert raw.size == (375, 1242)
    # The object frame was recorded on the same day.
    frame = read_calibration(samples / "kitti_object/training/calib/000001.txt")
    for side in "lr":
        np.testing.assert_allclose(
            raw.lidar_to_image(side), frame.lidar_to_image(side), rtol=1e-6, atol=1e-5
        )
