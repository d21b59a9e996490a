import numpy as np
import pytest

from keras_depth.data.kitti.lidar import depth_map, read_points
from keras_depth.errors import InputError

# The camera stands half a metre before the scanner and looks forward: fx = fy = 10, cx = 6, cy = 4.
PLACE = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.5]])
PROJECTION = np.array([[10, 0, 6], [0, 10, 4], [0, 0, 1]]) @ PLACE
SIZE = (8, 12)


def scan(*points):
    """A scan of points x, y, z; the reflectance must not matter."""
    return np.array([(*point, 0.7) for point in points], np.float32)


def measured(depth):
    """Returns row, column -> metres."""
    return {(int(row), int(column)): depth[row, column] for row, column in np.argwhere(depth)}


def test_point_falls_on_pixel_computed_by_hand():
    # 2 m to the left and 1 m up at 10 m: u = 6 - 20 / 10 = 4, v = 4 - 10 / 10 = 3, and one less.
    depth = depth_map(scan((10.5, 2, 1)), PROJECTION, SIZE)
    assert depth.dtype == np.float32 and depth.shape == SIZE
    assert measured(depth) == {(2, 3): 10.0}


def test_coordinates_are_rounded_not_cut():
    # u = 6.4 and 6.6, v = 4.4 and 4.6.
    points = scan((10.5, -0.4, -0.4), (10.5, -0.6, -0.6))
    assert set(measured(depth_map(points, PROJECTION, SIZE))) == {(3, 5), (4, 6)}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_nearest_of_points_on_a_pixel_stays(order):
    points = scan((20.5, 0, 0), (5.5, 0, 0), (10.5, 0, 0))[list(order)]
    assert measured(depth_map(points, PROJECTION, SIZE)) == {(3, 5): 5.0}


def test_points_behind_scanner_or_camera_are_dropped():
    # The second is before the scanner, the third in the camera's plane.
    points = scan((-10, 0, 0), (0.2, 0, 0), (0.5, 0, 0))
    assert not depth_map(points, PROJECTION, SIZE).any()


def test_points_at_the_border():
    # Rounded u = 0, 1, 12, 13: columns -1, 0, 11, 12 of 12.
    points = scan(*((10.5, 6 - u, 0) for u in (0.4, 0.6, 12.4, 12.6)))
    assert set(measured(depth_map(points, PROJECTION, SIZE))) == {(3, 0), (3, 11)}
    # Rounded v = 0, 1, 8, 9: rows -1, 0, 7, 8 of 8.
    points = scan(*((10.5, 0, 4 - v) for v in (0.4, 0.6, 8.4, 8.6)))
    assert set(measured(depth_map(points, PROJECTION, SIZE))) == {(0, 5), (7, 5)}


def test_end_of_a_row_and_beginning_of_the_next_are_two_pixels():
    # u = 12, v = 4 and u = 1, v = 5.
    points = scan((10.5, -6, 0), (5.5, 2.5, -0.5))
    assert measured(depth_map(points, PROJECTION, SIZE)) == {(3, 11): 10.0, (4, 0): 5.0}


def test_x_is_the_scanners_own_distance():
    points = scan((10.5, 2, 1), (20.5, 4, 2))
    assert measured(depth_map(points, PROJECTION, SIZE, "x")) == {(2, 3): 10.5}


def test_unknown_value():
    with pytest.raises(InputError, match="unknown value of a depth map 'y'.*known are x, z"):
        depth_map(scan((1, 0, 0)), PROJECTION, SIZE, "y")


def test_points_are_read_as_stored(tmp_path):
    points = scan((1, 2, 3), (-4, 5, 6))
    path = tmp_path / "0.bin"
    points.tofile(path)
    np.testing.assert_array_equal(read_points(path), points)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "0 bytes are no whole number of points"),
        (bytes(24), "24 bytes are no whole number of points"),
        (np.array([1, 2, np.nan, 0], "<f4").tobytes(), "holds NaN or infinity"),
        (np.array([1, np.inf, 3, 0], "<f4").tobytes(), "holds NaN or infinity"),
    ],
)
def test_damaged_scan_is_named(tmp_path, content, message):
    path = tmp_path / "0000000007.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"0000000007.bin: .*{message}"):
        read_points(path)


def test_absent_scan_is_named(tmp_path):
    with pytest.raises(InputError, match="absent.bin: cannot be read"):
        read_points(tmp_path / "absent.bin")
