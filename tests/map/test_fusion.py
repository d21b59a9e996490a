"""Fusion averages what is seen in each voxel, and keeps no more than the space needs."""

import numpy as np
import pytest

from keras_depth.geometry import Intrinsics
from keras_depth.map import fusion
from keras_depth.map.fusion import VoxelMap
from keras_depth.map.map_error import Reference, compare
from keras_depth.map.sequences import Frame

CAMERA = Intrinsics(50.0, 50.0, 31.5, 23.5)  # of 48x64


def wall(metres, level):
    return np.full((48, 64, 3), level, np.uint8), np.full((48, 64), metres, np.float32)


def test_means_of_positions_and_colors():
    cloud = VoxelMap(voxel=0.1)
    cloud.add(*wall(2.01, 100), CAMERA, np.eye(4))
    cloud.add(*wall(2.03, 200), CAMERA, np.eye(4))
    points, colors = cloud.cloud()
    inner = np.abs(points[:, :2]).max(axis=1) < 0.9
    np.testing.assert_allclose(points[inner, 2], 2.02, atol=0.002)
    assert points.dtype == np.float32 and colors.dtype == np.uint8
    np.testing.assert_allclose(colors[inner], 150, atol=10)
    assert len(np.unique(np.floor(points / 0.1), axis=0)) == len(points)  # one a voxel


def test_the_pose_moves_points():
    pose = np.array([[0, 0, 1, 5], [-1, 0, 0, -7], [0, -1, 0, 1], [0, 0, 0, 1]], float)
    cloud = VoxelMap()
    cloud.add(*wall(2.0, 9), CAMERA, pose)
    points, _ = cloud.cloud()
    np.testing.assert_allclose(points[:, 0], 7, atol=1e-4)
    np.testing.assert_allclose(points[:, 1].mean(), -7, atol=0.02)


def test_depth_of_another_size_gives_the_same_places():
    image, _ = wall(2.0, 9)
    extents = []
    for size in ((48, 64), (12, 16)):
        cloud = VoxelMap(voxel=0.01)
        cloud.add(image, np.full(size, 2, np.float32), CAMERA, np.eye(4))
        points, _ = cloud.cloud()
        half = 2 / 50 / 2 * 64 / size[1]  # half a pixel, metres
        extents.append(points[:, 0].max() + half)
    np.testing.assert_allclose(*extents, atol=0.01)


def test_what_is_far_or_at_an_edge_is_left_out():
    image, depth = wall(2.0, 9)
    depth[:, 32:] = 5  # an edge, between which a blurred map would put points
    cloud = VoxelMap(far=6)
    cloud.add(image, depth, CAMERA, np.eye(4))
    points, _ = cloud.cloud()
    assert sorted(np.unique(np.round(points[:, 2], 3))) == [2, 5]
    x = points[:, 0] / points[:, 2] * 50 + 31.5
    assert not ((x > 30.6) & (x < 32.4)).any()
    near = VoxelMap(far=3)
    near.add(image, depth, CAMERA, np.eye(4))
    assert near.cloud()[0][:, 2].max() < 3


def test_nothing_seen_is_an_empty_cloud():
    cloud = VoxelMap()
    cloud.add(*wall(0.0, 9), CAMERA, np.eye(4))
    points, colors = cloud.cloud()
    assert points.shape == colors.shape == (0, 3)


def test_memory_grows_with_space_and_not_with_time(walk, monkeypatch):
    """Three times the frames of one place: not a voxel more, merged in between or at the end."""
    monkeypatch.setattr(fusion, "_MERGED", 10_000)
    sizes = []
    for times in (1, 3):
        cloud = VoxelMap()
        for i in [*range(0, 60, 10)] * times:
            cloud.add(walk.images[i], walk.depths[i], walk.intrinsics, walk.truth.poses[i])
        assert sum(len(keys) for keys, _ in cloud._waiting) <= max(10_000, len(cloud._keys) // 2)
        sizes.append(len(cloud.cloud()[0]))
    assert sizes[0] == sizes[1] > 10_000


def test_map_error_is_known_for_a_shifted_map():
    grid = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0), [0.0]), -1).reshape(-1, 3)
    same = compare(grid, grid)
    assert same.accuracy == same.completeness == 0
    assert same.f_score == {0.05: 1.0, 0.10: 1.0}
    half = grid[grid[:, 0] < 5] + [0, 0, 0.07]  # every point 7 cm off, half of them missing
    error = compare(half, grid)
    assert error.accuracy == pytest.approx(0.07)
    assert error.completeness > 1
    assert error.f_score[0.05] == 0
    assert error.f_score[0.10] == pytest.approx(2 / 3)
    assert compare(grid[:0], grid) is None


def test_reference_takes_true_depth_at_true_poses_of_the_same_time(walk):
    reference = Reference(walk.truth, walk.intrinsics, voxel=0.03, far=6)
    late = walk.truth.times[3] + 0.01
    reference.add(Frame(0, late, walk.images[3], walk.depths[3]), mapped=True)
    unknown = Frame(1, 99.0, walk.images[3], walk.depths[3])
    reference.add(unknown, mapped=True)
    reference.add(unknown, mapped=False)
    reference.add(Frame(2, late), mapped=False)  # it could not be read
    expected = VoxelMap()
    expected.add(walk.images[3], walk.depths[3], walk.intrinsics, walk.truth.poses[3])
    np.testing.assert_array_equal(reference.cloud.cloud()[0], expected.cloud()[0])
    assert (reference.mapped, reference.unknown) == (1, 1)
