import struct

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.geometry import (
    NYU,
    Intrinsics,
    back_project,
    measured,
    scale_intrinsics,
    write_ply,
)


def test_a_wall_at_two_metres_is_a_plane_at_two_metres():
    points = back_project(np.full((480, 640), 2.0, np.float32), NYU)
    assert points.shape == (480 * 640, 3) and points.dtype == np.float32
    assert (points[:, 2] == 2).all()
    # The corners, by the pinhole equation.
    np.testing.assert_allclose(points[0], [-325.582 / 518.858 * 2, -253.736 / 519.47 * 2, 2], 1e-6)
    np.testing.assert_allclose(points[-1], [313.418 / 518.858 * 2, 225.264 / 519.47 * 2, 2], 1e-6)


def test_a_floor_becomes_flat():
    # A floor 1.5 m under the camera: z = fy * 1.5 / (v - cy) below the horizon.
    camera = Intrinsics(100, 120, 31.5, 20.0)
    v = np.arange(48.0)[:, None].repeat(64, axis=1)
    depth = np.where(v > 20, 120 * 1.5 / np.maximum(v - 20, 1), 0)
    points = back_project(depth, camera)
    assert len(points) == 27 * 64
    np.testing.assert_allclose(points[:, 1], 1.5, rtol=1e-6)  # y points down


def test_points_projected_again_meet_their_pixels():
    depth = np.random.default_rng(0).uniform(0.5, 9, (20, 30))
    x, y, z = back_project(depth, Intrinsics(25, 26, 14.2, 9.7)).T
    v, u = np.mgrid[:20, :30]
    np.testing.assert_allclose(x / z * 25 + 14.2, u.ravel(), atol=1e-4)
    np.testing.assert_allclose(y / z * 26 + 9.7, v.ravel(), atol=1e-4)


def test_pixels_without_depth_have_no_point():
    depth = np.array([[0, np.nan], [np.inf, -1], [3, 4]], np.float32)
    assert measured(depth).tolist() == [[False, False], [False, False], [True, True]]
    assert back_project(depth, Intrinsics(1, 1, 0, 0))[:, 2].tolist() == [3, 4]
    assert back_project(np.zeros((2, 2)), NYU).shape == (0, 3)


@pytest.mark.parametrize(
    "depth, message",
    [
        (np.zeros((4, 4), np.uint8), "a picture of depth, not depth"),
        (np.zeros((4, 4, 3), np.uint8), "a picture of depth, not depth"),
        (np.ones((4, 4, 1), np.float32), r"shape \(4, 4, 1\).* give metres as .* \(H, W\)"),
        (np.zeros((4, 4, 3), np.float32), "a picture of depth, not depth"),
        (np.zeros((4,), np.float32), "a picture of depth, not depth"),
        (np.zeros((4, 4), np.uint16), "1000 for millimetres"),
    ],
)
def test_what_is_not_depth_is_refused(depth, message):
    with pytest.raises(InputError, match=message) as error:
        back_project(depth, NYU)
    assert str(depth.shape) in str(error.value) and str(depth.dtype) in str(error.value)


def test_scaled_intrinsics_make_the_same_points():
    # Each pixel of the small map covers 2x2 of the large one: its ray passes between theirs.
    small = scale_intrinsics(NYU, (480, 640), (240, 320))
    assert small == pytest.approx((259.429, 259.735, 162.541, 126.618))
    large_points = back_project(np.full((480, 640), 3.0), NYU).reshape(240, 2, 320, 2, 3)
    small_points = back_project(np.full((240, 320), 3.0), small).reshape(240, 320, 3)
    np.testing.assert_allclose(small_points, large_points.mean((1, 3)), atol=1e-5)


@pytest.mark.parametrize("size", [(240, 320), (224, 224), (481, 639), (1080, 1920)])
def test_scaling_there_and_back(size):
    there = scale_intrinsics(NYU, (480, 640), size)
    assert scale_intrinsics(there, size, (480, 640)) == pytest.approx(NYU, rel=1e-12)


def test_ply_byte_by_byte(tmp_path):
    points = np.array([[0, 0.5, 2], [-1, 0, 3.25]], np.float32)
    colors = np.array([[255, 0, 1], [2, 3, 4]], np.uint8)
    write_ply(tmp_path / "cloud.ply", points, colors)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment metres; x right, y down, z forward\n"
        "element vertex 2\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    )
    expected = header.encode() + struct.pack(
        "<fffBBBfffBBB", 0, 0.5, 2, 255, 0, 1, -1, 0, 3.25, 2, 3, 4
    )
    assert (tmp_path / "cloud.ply").read_bytes() == expected


def test_an_empty_cloud_is_a_file_too(tmp_path):
    write_ply(tmp_path / "a.ply", np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    content = (tmp_path / "a.ply").read_bytes()
    assert b"element vertex 0\n" in content and content.endswith(b"end_header\n")


@pytest.mark.parametrize(
    "points, colors, message",
    [
        (np.zeros((2, 3)), np.zeros((3, 3), np.uint8), r"\(2, 3\) with colors of shape \(3, 3\)"),
        (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), r"give \(N, 3\)"),
        (np.zeros((2, 3)), np.zeros((2, 3), np.float32), "float32: give uint8"),
    ],
)
def test_points_and_colors_must_belong_together(tmp_path, points, colors, message):
    with pytest.raises(InputError, match=message):
        write_ply(tmp_path / "a.ply", points, colors)
    assert not (tmp_path / "a.ply").exists()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: measured(None), "NoneType is no array of numbers; give one"),
        (lambda: measured([[1.0], [1.0, 2.0]]), "list is no array of numbers; give one"),
        (lambda: back_project("depth.npy", NYU), "str is no array of numbers; give one"),
        (lambda: back_project(np.ones((2, 2)), None), "NoneType is no array of numbers"),
        (
            lambda: back_project(np.ones((2, 2)), (1, 2, 3)),
            r"\(1, 2, 3\): give \(fx, fy, cx",
        ),
        (lambda: back_project(np.ones((2, 2)), (0, 1, 2, 3)), "the first two above 0"),
        (lambda: scale_intrinsics((1, 2, np.nan, 4), (4, 4), (2, 2)), r"give \(fx, fy, cx, cy\)"),
        (lambda: scale_intrinsics(NYU, (4, 0), (2, 2)), r"size \(4, 0\): give \(height, width\)"),
        (lambda: scale_intrinsics(NYU, (4, 4), (2, 2, 3)), r"size \(2, 2, 3\): give \(height"),
        (lambda: write_ply("a.ply", None, None), "NoneType is no array of numbers; give one"),
    ],
)
def test_what_is_no_array_and_no_camera_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_lists_are_arrays_too():
    depth = [[0.0, 2.0], [3.0, 4.0]]
    assert measured(depth).tolist() == [[False, True], [True, True]]
    assert back_project(depth, (1, 1, 0, 0))[:, 2].tolist() == [2, 3, 4]
