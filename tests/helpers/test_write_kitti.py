from datetime import datetime

import numpy as np
import pytest

from keras_depth.data.kitti import open_kitti
from keras_depth.data.kitti.calibration import read_calibration
from keras_depth.data.rendered.drives import Drives
from keras_depth.errors import InputError
from tests.helpers.write_kitti import DATE, write_kitti

SIZE = (96, 320)
DRIVE = f"{DATE}/{DATE}_drive_0002_sync"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    drives = Drives(5, SIZE, seed=2, frames_per_drive=3, stereo=True)
    return drives, write_kitti(drives, tmp_path_factory.mktemp("kitti") / "raw")


def test_the_layout(written):
    _, folder = written
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    expected = {f"{DATE}/calib_cam_to_cam.txt", f"{DATE}/calib_velo_to_cam.txt"}
    for drive, frames in ((1, 3), (2, 2)):
        root = f"{DATE}/{DATE}_drive_{drive:04d}_sync"
        for sensor in ("image_02", "image_03", "velodyne_points"):
            ending = ".bin" if sensor == "velodyne_points" else ".png"
            expected |= {f"{root}/{sensor}/data/{k:010d}{ending}" for k in range(frames)}
            expected.add(f"{root}/{sensor}/timestamps.txt")
    assert files == expected
    stamps = (folder / DRIVE / "image_02" / "timestamps.txt").read_text().splitlines()
    # KITTI has nanoseconds, Python's datetime microseconds.
    first, second = (datetime.fromisoformat(stamp[:-3]) for stamp in stamps)
    assert (second - first).total_seconds() == pytest.approx(0.1)


def test_the_reader_gives_the_frames_back(written):
    drives, folder = written
    reader = open_kitti(folder, list="all", stereo=True)
    assert len(reader) == 5
    assert reader.key(4) == f"{DRIVE}/image_02/0000000001"
    for index in (0, 4):
        there, back = drives[index], reader[index]
        assert back["focal_baseline"] == pytest.approx(drives.focal_baseline, rel=1e-6)
        for key in ("image", "right"):
            np.testing.assert_allclose(back[key], there[key], atol=0.51 / 255)


def test_lidar_depth_is_that_of_the_pictures(written):
    drives, folder = written
    reader = open_kitti(folder, list="all")
    for index in range(5):
        # The published rounding puts a point one pixel up and to the left of where it is seen.
        lidar = reader[index]["depth"][:-1, :-1]
        truth = drives[index]["depth"][1:, 1:]
        both = (lidar > 0) & (truth > 0)
        error = np.abs(lidar - truth)[both] / truth[both]
        assert np.median(error) < 0.01 and np.mean(error < 0.05) > 0.9
        assert 0.25 < np.mean(lidar > 0) < 0.5
        assert both.sum() > 0.98 * (lidar > 0).sum()


def test_the_calibration_is_that_of_the_rendered_size(written):
    drives, folder = written
    calibration = read_calibration(folder / DATE / "calib_cam_to_cam.txt")
    assert calibration.size == SIZE
    for side in "lr":
        assert calibration.intrinsics(side) == pytest.approx(drives.intrinsics)
    assert calibration.focal_baseline == pytest.approx(drives.focal_baseline)


def test_the_calibration_has_the_keys_of_the_real_one(written, samples):
    _, folder = written
    for name in ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt"):
        ours, real = (
            dict(line.split(":", 1) for line in (date / name).read_text().splitlines())
            for date in (folder / DATE, samples / "kitti_raw" / "2011_09_26")
        )
        assert set(ours) == {key for key in real if not key.endswith("_01")}  # the other grey one
        for key, value in ours.items():
            if key != "calib_time":
                assert len(value.split()) == len(real[key].split())


def test_jpeg_pictures(tmp_path):
    drives = Drives(1, SIZE, stereo=True)
    write_kitti(drives, tmp_path, suffix=".jpg")
    assert len(list(tmp_path.rglob("*.jpg"))) == 2 and not list(tmp_path.rglob("*.png"))
    back = open_kitti(tmp_path, list="all", stereo=True)[0]
    for key in ("image", "right"):
        assert np.abs(back[key] - drives[0][key]).mean() < 0.02


def test_errors(tmp_path):
    with pytest.raises(InputError, match="unknown image suffix '.jpeg': did you mean '.jpg'"):
        write_kitti(Drives(1, SIZE, stereo=True), tmp_path, suffix=".jpeg")
    with pytest.raises(InputError, match="recordings are stereo; give Drives"):
        write_kitti(Drives(1, SIZE, stereo=False), tmp_path)
    assert not list(tmp_path.iterdir())
