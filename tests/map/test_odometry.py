"""Odometry finds the path of a camera, says where it is lost, and finds itself again."""

import cv2
import numpy as np
import pytest

from keras_depth.data.rendered.walks import Walks
from keras_depth.images import to_uint8
from keras_depth.map import keyframes, trajectories
from keras_depth.map.odometry import Odometry
from keras_depth.map.trajectories import Trajectory


def locate(images, depths, intrinsics, **options):
    """Returns where each frame was taken; None: lost."""
    odometry = Odometry(intrinsics, **options)
    return [
        odometry(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), lambda depth=depth: depth)
        for image, depth in zip(images, depths, strict=True)
    ]


def errors(found, truth):
    """Returns the APE in metres, without and with scale, and the scale."""
    there = [i for i, one in enumerate(found) if one]
    path = Trajectory(truth.times[there], np.stack([found[i].pose for i in there]))
    true = truth.take(there)
    aligned = [trajectories.align(path, true, scale=scale) for scale in (False, True)]
    ape = [trajectories.absolute_error(each.apply(path), true).rmse for each in aligned]
    return *ape, aligned[1].scale


def test_true_depth_gives_the_true_path(walk):
    found = locate(walk.images, walk.depths, walk.intrinsics)
    assert all(found)
    assert errors(found, walk.truth)[0] < 0.03
    np.testing.assert_array_equal(found[0].pose, np.eye(4))
    count = sum(one.keyframe for one in found)
    assert found[0].keyframe and 1 < count < 20
    assert not any(one.relocalized for one in found)


@pytest.mark.parametrize("keyframe_scale", [False, True])
def test_depth_that_is_too_large_scales_the_path(walk, keyframe_scale):
    depths = walk.depths * np.float32(1.15)
    found = locate(walk.images, depths, walk.intrinsics, keyframe_scale=keyframe_scale)
    assert all(found)
    _, ape, scale = errors(found, walk.truth)
    assert abs(scale - 0.87) < 0.03
    assert ape < 0.03


@pytest.mark.parametrize("keyframe_scale", [False, True])
def test_depth_whose_scale_changes_from_frame_to_frame(walk, keyframe_scale):
    noise = np.random.default_rng(0).normal(1, 0.05, (len(walk.depths), 1, 1))
    depths = (walk.depths * noise).astype(np.float32)
    found = locate(walk.images, depths, walk.intrinsics, keyframe_scale=keyframe_scale)
    assert all(found)
    assert errors(found, walk.truth)[0] < 0.05


def test_keyframe_scale_corrects_depth_whose_scale_changes_much(walk):
    noise = np.exp(np.random.default_rng(0).normal(0, 0.4, (len(walk.depths), 1, 1)))
    depths = (walk.depths * noise).astype(np.float32)
    without, corrected = (
        errors(locate(walk.images, depths, walk.intrinsics, keyframe_scale=on), walk.truth)[1]
        for on in (False, True)
    )
    assert corrected < 0.7 * without


def test_depth_of_another_size_is_the_same_view(walk):
    half = np.stack([cv2.resize(depth, (80, 60), interpolation=0) for depth in walk.depths])
    found = locate(walk.images, half, walk.intrinsics)
    assert all(found)
    assert errors(found, walk.truth)[0] < 0.03


@pytest.mark.parametrize("noise", [0, 1, 3, 8])
def test_a_blank_wall_is_lost(walk, noise):
    """The noise of a sensor is no texture. The first frame may begin the map."""
    rng = np.random.default_rng(0)
    wall = np.clip(rng.normal(150, noise, (20, 120, 160, 1)), 0, 255).astype(np.uint8)
    images = np.repeat(wall, 3, axis=3)
    found = locate(images, np.full((20, 120, 160), 2, np.float32), walk.intrinsics)
    assert not any(found[1:])


def test_lost_until_a_keyframe_is_seen_again(walk):
    images = walk.images[:40].copy()
    images[20:25] = 128
    found = locate(images, walk.depths[:40], walk.intrinsics)
    assert [i for i, one in enumerate(found) if not one] == [20, 21, 22, 23, 24]
    assert found[25].relocalized and not found[26].relocalized
    assert errors(found, walk.truth)[0] < 0.03


@pytest.mark.parametrize("gain, offset", [(0.5, 0), (0.7, 0), (1.5, 0), (1, 25), (1, -40)])
def test_a_step_of_exposure_loses_nothing(walk, gain, offset):
    images = walk.images[:30].astype(np.float32)
    images[15:] = images[15:] * gain + offset
    images = np.clip(images, 0, 255).astype(np.uint8)
    found = locate(images, walk.depths[:30], walk.intrinsics)
    assert all(found)
    assert errors(found, walk.truth)[0] < 0.02


def test_a_small_picture_is_recognized():
    """In 120x160, much is near the border."""
    reader = Walks(240, size=(120, 160), seed=1, split="test")
    samples = [reader.stored(i) for i in range(15)]
    images = [to_uint8(sample["image"]) for sample in samples]
    depths = [sample["depth"] for sample in samples]
    way = [*range(15), *range(8, 15)]
    images = [images[i] for i in way]
    images[15:15] = [np.zeros_like(images[0])] * 3
    found = locate(images, [depths[i] for i in (*way[:15], 0, 0, 0, *way[15:])], reader.intrinsics)
    assert all(found[:15]) and all(found[-4:])


def test_lost_for_good_where_nothing_is_seen_again(walk):
    """The motion in between is not known: a guess would put the rest in a wrong place."""
    other = Walks(10, size=(120, 160), seed=3, split="test")
    samples = [other.stored(i) for i in range(10)]
    images = [*walk.images[:10], *(to_uint8(sample["image"]) for sample in samples)]
    depths = [*walk.depths[:10], *(sample["depth"] for sample in samples)]
    found = locate(images, depths, walk.intrinsics)
    assert all(found[:10]) and not any(found[10:])


def test_a_camera_that_comes_back_adds_no_keyframes_and_no_drift(walk):
    """There and back three times: the way back is not mapped again."""
    there = [*range(30)]
    way = (there + there[::-1]) * 3
    truth = Trajectory(np.arange(len(way)) / 30, walk.truth.poses[way])
    found = locate(walk.images[way], walk.depths[way], walk.intrinsics)
    assert all(found)
    count = [sum(one.keyframe for one in part) for part in (found[:30], found[30:])]
    assert count[1] <= 1 < count[0]
    assert errors(found, truth)[0] < 0.02


def test_no_depth_begins_no_map(walk):
    """The first frame with depth is the first camera."""
    depths = walk.depths[:10].copy()
    depths[:4] = 0
    found = locate(walk.images[:10], depths, walk.intrinsics)
    assert [bool(one) for one in found] == [False] * 4 + [True] * 6
    np.testing.assert_array_equal(found[4].pose, np.eye(4))


def test_memory_is_bounded(walk, monkeypatch):
    monkeypatch.setattr(keyframes, "_KEPT", 8)
    kept = keyframes.Keyframes(walk.intrinsics)
    grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in walk.images]
    for gray, depth, pose in zip(grays, walk.depths, walk.truth.poses, strict=True):
        kept.add(keyframes.Keyframe(gray, pose, np.empty((0, 2)), np.empty((0, 3))), depth)
    assert len(kept._kept) <= 8
    found, to_camera = kept.find(grays[1])
    np.testing.assert_array_equal(found.pose, walk.truth.poses[0])  # spread over the whole way
    pose = found.pose @ np.linalg.inv(to_camera)
    np.testing.assert_allclose(pose, walk.truth.poses[1], atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_whole_walks(seed):
    """Rooms with bare walls, at the size that most cameras have: 4 s each."""
    reader = Walks(240, seed=seed, split="test")
    samples = [reader.stored(i) for i in range(len(reader))]
    images = [to_uint8(sample["image"]) for sample in samples]
    found = locate(images, [sample["depth"] for sample in samples], reader.intrinsics)
    assert all(found)
    assert errors(found, Trajectory(reader.times, reader.poses))[0] < 0.03
