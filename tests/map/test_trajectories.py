import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from keras_depth.errors import InputError
from keras_depth.map.trajectories import (
    Similarity,
    Trajectory,
    absolute_error,
    align,
    associate,
    read,
    relative_error,
    write,
)


def make_poses(rotvecs, positions):
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(rotvecs).as_matrix()
    poses[:, :3, 3] = positions
    return poses


def true_trajectory(seed, count=40):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.05, (2, count, 3)).cumsum(1)
    return Trajectory(np.arange(count) / 30, make_poses(*steps))


def estimate(truth, seed):
    """What a bad odometry says: in its own world and scale, noisy, with some frames lost."""
    rng = np.random.default_rng((seed, 1))
    world = Similarity(Rotation.from_rotvec(rng.normal(0, 1, 3)).as_matrix(), rng.normal(0, 1, 3),
                       rng.uniform(0.7, 1.3))  # fmt: skip
    poses = world.apply(truth).poses @ make_poses(*rng.normal(0, 0.02, (2, len(truth), 3)))
    times = truth.times + rng.uniform(-0.01, 0.01, len(truth))
    return Trajectory(times, poses).take(np.flatnonzero(rng.random(len(truth)) < 0.8))


# APE: rmse, median and max in metres; RPE over 1 and over 5 poses: rmse in metres and in degrees.
# Computed by evo 1.38.1 on these trajectories (RPE with all_pairs).
EVO = [
    (0, False, 34, 1.0, 0.045528871, 0.042393697, 0.076974772,
     0.050809837, 3.301164778, 0.062543526, 3.291535905),
    (0, True, 34, 0.832918273, 0.027588756, 0.026768798, 0.047627746,
     0.039719916, 3.301164778, 0.0410658, 3.291535905),
    (1, False, 37, 1.0, 0.062071845, 0.054097568, 0.11942366,
     0.053443765, 2.51384919, 0.069924146, 2.463085198),
    (1, True, 37, 1.257110658, 0.049294039, 0.045365091, 0.091023406,
     0.062692144, 2.51384919, 0.064526279, 2.463085198),
    (2, False, 32, 1.0, 0.045898387, 0.03800046, 0.109621462,
     0.050318867, 2.748704476, 0.057308726, 2.477387908),
    (2, True, 32, 1.239566024, 0.036930344, 0.028054596, 0.082154928,
     0.052120521, 2.748704476, 0.054113538, 2.477387908),
]  # fmt: skip


@pytest.mark.parametrize("row", EVO)
def test_errors_are_those_that_evo_computes(row):
    seed, scale, count, factor, *expected = row
    truth = true_trajectory(seed)
    estimated, truth = associate(estimate(truth, seed), truth)
    similarity = align(estimated, truth, scale)
    assert len(estimated) == len(truth) == count
    assert similarity.scale == pytest.approx(factor, abs=1e-6)
    aligned = similarity.apply(estimated)
    steps = [step.rmse for delta in (1, 5) for step in relative_error(aligned, truth, delta)]
    assert [*absolute_error(aligned, truth), *steps] == pytest.approx(expected, abs=1e-6)


def test_a_similarity_is_found_again():
    truth = true_trajectory(3)
    turn = Rotation.from_rotvec([0.3, -2.0, 1.0]).as_matrix()
    known = Similarity(turn, np.array([4.0, -5.0, 6.0]), 1.15)
    found = align(truth, known.apply(truth), scale=True)
    for value, expected in zip(found, known, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-12)
    aligned = found.apply(truth)
    np.testing.assert_allclose(aligned.poses, known.apply(truth).poses, atol=1e-12)
    assert np.linalg.det(aligned.poses[:, :3, :3]) == pytest.approx(1)
    translation, rotation = relative_error(aligned, known.apply(truth))
    assert translation.max < 1e-12 and rotation.max < 1e-5


def test_a_mirror_image_is_no_rotation():
    truth = true_trajectory(4)
    mirrored = Trajectory(truth.times, truth.poses * np.array([1, 1, 1, -1])[:, None].T)
    rotation = align(mirrored, truth, scale=True).rotation
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_a_camera_that_stands_still_keeps_its_scale(offset):
    truth = true_trajectory(5)
    still = Trajectory(truth.times, make_poses(np.zeros((40, 3)), np.full((40, 3), offset + 0.1)))
    similarity = align(still, truth, scale=True)
    assert similarity.scale == 1
    center = truth.positions - truth.positions.mean(0)
    expected = np.sqrt((center**2).sum(1).mean())
    assert absolute_error(similarity.apply(still), truth).rmse == pytest.approx(expected)
    assert absolute_error(align(still, still, scale=True).apply(still), still).max < 1e-9
    assert align(truth, still, scale=True).scale == 1


def test_a_straight_line_is_aligned():
    along = np.linspace(0, 2, 40)[:, None] * [0.6, 0.8, 0.0]
    line = Trajectory(np.arange(40) / 30, make_poses(np.zeros((40, 3)), along))
    moved = Similarity(Rotation.from_rotvec([0, 0, 2.0]).as_matrix(), np.ones(3), 2.0).apply(line)
    similarity = align(line, moved, scale=True)
    assert similarity.scale == pytest.approx(2)
    assert absolute_error(similarity.apply(line), moved).max < 1e-12


def test_two_poses_are_too_few():
    pair = true_trajectory(0).take(np.arange(2))
    with pytest.raises(InputError, match="^2 estimated poses have a true one; .* takes 3 or more$"):
        align(pair, pair, scale=False)


def test_a_motion_longer_than_the_trajectory():
    three = true_trajectory(0).take(np.arange(3))
    assert len(relative_error(three, three, 2)) == 2
    for delta in (0, 3):
        with pytest.raises(InputError, match=f"delta={delta}: give 1 or more, and fewer than the"):
            relative_error(three, three, delta)


# Times -------------------------------------------------------------------------------------------


def at(*times):
    return Trajectory(
        np.array(times), make_poses(np.zeros((len(times), 3)), np.zeros((len(times), 3)))
    )


def test_poses_are_paired_with_the_nearest_and_used_once():
    estimated, truth = associate(at(0.0, 0.1, 0.109, 0.2, 5.0), at(0.001, 0.11, 0.219, 0.5))
    assert estimated.times.tolist() == [0.0, 0.109, 0.2]
    assert truth.times.tolist() == [0.001, 0.11, 0.219]
    estimated, truth = associate(at(0.0, 0.005), at(0.004))
    assert estimated.times.tolist() == [0.005] and len(truth) == 1


@pytest.mark.parametrize("estimated, said", [(at(0.0, 1.0), "0.00 to 1.00 s"), (at(), "none")])
def test_two_clocks(estimated, said):
    match = rf"no estimated pose \({said}\) is within 0.02 s of a true one \(100.00 to 100.00 s\)"
    with pytest.raises(InputError, match=match):
        associate(estimated, at(100.0))


# Files -------------------------------------------------------------------------------------------


def test_what_was_written_is_read(tmp_path):
    truth = true_trajectory(6)
    file = tmp_path / "trajectory.txt"
    write(file, truth)
    again = read(str(file))
    np.testing.assert_allclose(again.poses, truth.poses, atol=1e-8)
    np.testing.assert_allclose(again.times, truth.times, atol=1e-6)
    assert file.read_text().startswith("# time tx ty tz qx qy qz qw, camera to world\n0.000000 ")


def test_a_quaternion_is_qx_qy_qz_qw_camera_to_world(tmp_path):
    """A camera at (1, 2, 3) turned by 90 degrees about z looks along the world's z, x to its y."""
    half = np.sqrt(0.5)
    (tmp_path / "one.txt").write_text(f"7.5 1 2 3 0 0 {half} {half}\n")
    trajectory = read(tmp_path / "one.txt")
    assert trajectory.times.tolist() == [7.5]
    np.testing.assert_allclose(trajectory.poses[0] @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-9)


POSE = "0 0 0 0 0 0 1"


@pytest.mark.parametrize(
    "text",
    [
        f"# time tx ty tz\n\n1 {POSE}\n2 {POSE}\n",
        f"time tx ty tz qx qy qz qw\n1 {POSE}\n2 {POSE}\n",
        f"\ufeff2 {POSE}\r\n1\t{POSE}",  # Windows; not sorted
        f"1 {POSE}\n# lost\n2 0 0 0 0 0 0 0.995\n",  # rounded
    ],
)
def test_oddities_of_files(tmp_path, text):
    (tmp_path / "odd.txt").write_bytes(text.encode())
    trajectory = read(tmp_path / "odd.txt")
    assert trajectory.times.tolist() == [1, 2]
    np.testing.assert_allclose(trajectory.poses, np.tile(np.eye(4), (2, 1, 1)), atol=1e-12)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "bad.txt: holds no pose; give lines of 'time tx ty tz qx qy qz qw'"),
        ("# time\n", "bad.txt: holds no pose"),
        (f"1 {POSE}\n2 0 0 0\n", "line 2: '2 0 0 0' is not 'time tx ty tz qx qy qz qw', eight"),
        (f"1,{POSE.replace(' ', ',')}\n", "bad.txt: holds no pose"),
        (f"1 {POSE} 0\n", "line 1: .* eight numbers; correct it"),
        (f"1 {POSE}\ntime {POSE}\n", "line 2: .* eight numbers"),
        (f"{'nan ' * 8}\n", "line 1: .* eight numbers"),
        ("1 0 0 0 0 0 0 0\n", "line 1: the quaternion qx qy qz qw has length 0, not 1"),
        ("1 0 0 0 1 0 0 1\n", "line 1: the quaternion qx qy qz qw has length 1.414, not 1"),
    ],
)
def test_files_that_are_no_trajectory(tmp_path, text, said):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        read(tmp_path / "bad.txt")


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no.txt: cannot be read"):
        read(tmp_path / "no.txt")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "no" / "trajectory.txt", true_trajectory(0))
