"""One frame under each protocol: which pixels are scored, and what was predicted there."""

import dataclasses

import numpy as np
import pytest

from keras_depth import metrics, protocols
from keras_depth.errors import InputError
from keras_depth.evaluate import scorer

NYU, KITTI = (480, 640), (375, 1242)
# Size of the frame, the slice that is scored, and the bounds of the prediction there. Garg's rows:
# 375 * 0.40810811 = 153.04 and 375 * 0.99189189 = 371.96, his columns 44.6 and 1197.4; Eigen's rows
# 124.7 and 342.6.
SCORED = {
    "full": (NYU, (0, 480, 0, 640), None),
    "nyu_eigen": (NYU, (45, 471, 41, 601), (1e-3, 10)),
    "nyu_densedepth": (NYU, (20, 460, 24, 616), (0.1, 10)),
    "ecmr2019": (NYU, (48, 432, 64, 576), None),
    "das2024": (NYU, (20, 461, 24, 617), None),
    "kitti_eigen_garg": (KITTI, (153, 371, 44, 1197), (1e-3, 80)),
    "kitti_eigen_garg_50m": (KITTI, (153, 371, 44, 1197), (1e-3, 50)),
    "kitti_eigen_eigen": (KITTI, (124, 342, 44, 1197), (1e-3, 80)),
    "kitti_eigen_benchmark": (KITTI, (0, 375, 0, 1242), (1e-3, 80)),
    "kitti_stereo2015": (KITTI, (0, 375, 0, 1242), (1e-3, 80)),
    "msfnet_kitti": (KITTI, (0, 375, 0, 1242), None),
}
# What is scored where the truth is this, in metres: the bounds are strict.
DEPTHS = np.float32([0, 1e-3, 2e-3, 9.999, 10, 49.9, 50, 79.9, 80, 100, np.nan, np.inf, -1])
VALID = {
    **dict.fromkeys(SCORED, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
    "nyu_eigen": [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "kitti_eigen_garg": [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    "kitti_eigen_garg_50m": [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    "kitti_eigen_eigen": [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    "msfnet_kitti": [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
}
SCALE = {"das2024": 0.75}


def where(height, width):
    """A depth map of 1..9 m that differs at every pixel."""
    return np.linspace(1, 9, height * width, dtype="float32").reshape(height, width)


def apply(name, truth, prediction, mirrored=None, **changes):
    protocol = protocols.get(name, changes)
    if protocol.flip != "none" and mirrored is None:
        mirrored = np.asarray(prediction)[:, ::-1]  # as if the network saw no difference
    return scorer.apply(protocol, truth, prediction, mirrored)


def row(values):
    return np.array([values], "float32")


def test_every_protocol_is_here():
    assert {*SCORED, "nyu_fastdepth", "msfnet_nyu", "wang_relative"} == set(protocols.PROTOCOLS)


@pytest.mark.parametrize("name", SCORED)
def test_crop(name):
    size, (top, bottom, left, right), _ = SCORED[name]
    truth = where(*size)
    y_true, y_pred, ratio, _ = apply(name, truth, truth[..., None] + 0.5)
    assert y_true.shape == (bottom - top, right - left, 2) and y_true.dtype == np.float32
    assert y_pred.shape == (bottom - top, right - left, 1) and y_pred.dtype == np.float32
    np.testing.assert_array_equal(y_true[..., 0], truth[top:bottom, left:right])
    np.testing.assert_array_equal(y_true[..., 1], 1)
    expected = (truth[top:bottom, left:right] + 0.5) * np.float32(SCALE.get(name, 1))
    np.testing.assert_array_equal(y_pred[..., 0], expected)
    assert ratio == 1


@pytest.mark.parametrize("name", SCORED)
def test_bounds_are_strict_and_invalid_truth_is_0(name):
    size, (top, _, left, _), _ = SCORED[name]
    truth = np.full(size, 5, "float32")
    truth[200, 100 : 100 + len(DEPTHS)] = DEPTHS
    y_true, *_ = apply(name, truth, np.ones(size))
    scored = y_true[200 - top, 100 - left : 100 - left + len(DEPTHS)]
    np.testing.assert_array_equal(scored[:, 1], VALID[name])
    np.testing.assert_array_equal(scored[:, 0], np.where(VALID[name], DEPTHS, 0))


@pytest.mark.parametrize("name", SCORED)
def test_predictions_are_clipped_where_the_source_does(name):
    size, _, clip = SCORED[name]
    prediction = np.full(size, -2.0)
    prediction[:, size[1] // 2 :] = 400
    _, y_pred, *_ = apply(name, np.full(size, 5.0), prediction)
    factor = SCALE.get(name, 1)
    low, high = clip or (-2 * factor, 400 * factor)
    assert y_pred.min() == np.float32(low) and y_pred.max() == np.float32(high)


def test_fastdepth_scores_the_centre_of_the_reduced_frame():
    truth = where(*NYU)
    y_true, y_pred, *_ = apply("nyu_fastdepth", truth, truth)
    assert y_true.shape == (228, 304, 2) and y_pred.shape == (228, 304, 1)
    assert np.isin(y_true[..., 0], truth).all()  # nearest: measured values, no mixtures
    # Row 11 of 250 has its centre at 11.5 * 1.92 = 22.08 of 480; column 14 of 333 at 27.87.
    assert y_true[0, 0, 0] == truth[22, 27]
    # Bilinear and nearest see the same place, to within a pixel of the frame.
    assert np.abs(y_true[..., 0] - y_pred[..., 0]).max() < truth[1, 1] - truth[0, 0]


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("msfnet_nyu", slice(6, 234), slice(8, 312)),
        ("wang_relative", slice(0, 240), slice(0, 320)),
    ],
)
def test_half_size(name, rows, columns):
    truth = where(*NYU)
    truth[101, 201] = 0  # row 50, column 100 of the half: a hole stays one, and nothing mixes in
    prediction = truth + 2
    y_true, y_pred, *_ = apply(name, truth, prediction)
    np.testing.assert_array_equal(y_true[..., 0], truth[1::2, 1::2][rows, columns])
    holes = y_true[..., 1] == 0
    assert holes.sum() == 1 and holes[50 - rows.start, 100 - columns.start]
    means = prediction.reshape(240, 2, 320, 2).mean((1, 3))
    np.testing.assert_allclose(y_pred[..., 0], means[rows, columns], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "crop"),
    [
        ("nyu_eigen", (240, 320), (22, 235, 20, 300)),
        ("nyu_eigen", (96, 128), (9, 94, 8, 120)),
        # KITTI's other days: 366.999... and 366.99... are cut, not rounded.
        ("kitti_eigen_garg", (370, 1226), (151, 366, 44, 1181)),
        ("kitti_eigen_garg", (376, 1241), (153, 372, 44, 1196)),
        ("kitti_eigen_eigen", (370, 1226), (122, 337, 44, 1181)),
    ],
)
def test_crop_keeps_its_fractions_at_another_size(name, size, crop):
    truth = where(*size)
    y_true, *_ = apply(name, truth, truth)
    top, bottom, left, right = crop
    np.testing.assert_array_equal(y_true[..., 0], truth[top:bottom, left:right])


def test_small_prediction_is_resized_bilinearly():
    truth = np.ones((4, 8), "float32")
    _, y_pred, *_ = apply("full", truth, np.array([[1, 3], [1, 3]]))
    across = [1, 1, 1.25, 1.75, 2.25, 2.75, 3, 3]  # pixel centres at quarters of the coarse grid
    np.testing.assert_allclose(y_pred[..., 0], np.tile(across, (4, 1)), rtol=1e-6)


def test_resizing_depth_or_disparity_is_not_the_same():
    truth, prediction = np.ones((1, 4), "float32"), row([1, 4])
    _, depth, *_ = apply("full", truth, prediction)
    np.testing.assert_allclose(depth[0, :, 0], [1, 1.75, 3.25, 4], rtol=1e-6)
    _, disparity, *_ = apply("full", truth, prediction, resize_as="disparity")
    # Disparities 1 and 1/4: between them 0.75 + 0.25 / 4 and 0.25 + 0.75 / 4.
    expected = [1, 1 / 0.8125, 1 / 0.4375, 4]
    np.testing.assert_allclose(disparity[0, :, 0], expected, rtol=1e-6)


def test_flip_mean_is_of_depth_and_mirrors_back():
    truth = np.ones((1, 3))
    _, y_pred, *_ = apply("full", truth, row([1, 2, 4]), row([8, 6, 1]), flip="mean")
    np.testing.assert_allclose(y_pred[0, :, 0], [(1 + 1) / 2, (2 + 6) / 2, (4 + 8) / 2])


def test_flip_ramp_blends_disparity_at_the_borders():
    """41 columns, so that x goes in steps of 1/40: 0.05, 0.075 and 0.1 are columns 2, 3 and 4."""
    first, second = np.full((2, 41), 1.0), np.full((2, 41), 4.0)  # disparities 1 and 0.25
    _, y_pred, *_ = apply("full", np.ones((2, 41)), first, second, flip="ramp")
    middle = (1 + 0.25) / 2
    disparity = np.full(41, middle)
    disparity[:3] = 0.25  # the second alone up to x = 0.05
    disparity[3] = 0.5 * 0.25 + 0.5 * middle  # half of each at x = 0.075
    disparity[-3:] = 1  # the first alone
    disparity[-4] = 0.5 * 1 + 0.5 * middle
    np.testing.assert_allclose(y_pred[..., 0], np.tile(1 / disparity, (2, 1)), rtol=1e-5)


def test_flip_ramp_takes_the_second_as_mirrored():
    first = row(np.linspace(1, 5, 41))
    _, y_pred, *_ = apply("full", np.ones((1, 41)), first, first[:, ::-1], flip="ramp")
    np.testing.assert_allclose(y_pred[..., 0], first, rtol=1e-6)


def test_predictions_are_blended_at_their_own_size():
    """As monodepth does: over 4 columns the borders alone, over 80 four of them would be."""
    first, second = row([1, 1, 1, 1]), row([2, 2, 2, 2])
    _, y_pred, *_ = apply("full", np.ones((1, 80)), first, second, flip="ramp")
    # Centre of column 5: 5.5 / 20 - 0.5 = -0.225 of the 4 columns, the border's value.
    np.testing.assert_allclose(y_pred[0, 5, 0], 2, rtol=1e-6)


def test_median_alignment_comes_before_the_clip():
    truth, prediction = row([20, 40, 60]), row([50, 100, 200])
    changes = {"crop": None, "alignment": "median"}
    y_true, y_pred, ratio, _ = apply("kitti_eigen_garg", truth, prediction, **changes)
    assert ratio == pytest.approx(40 / 100)
    np.testing.assert_allclose(y_pred[0, :, 0], [20, 40, 80], rtol=1e-6)
    # Clipped first, to 50, 80, 80, it would be 25, 40, 40.
    assert y_true[0, :, 1].all()


def test_median_alignment_looks_at_scored_pixels_alone():
    truth = row([0, 4, 8, 90, 0])
    prediction = row([100, 1, 1, 1000, 50])
    y_true, y_pred, ratio, _ = apply("msfnet_kitti", truth, prediction, alignment="median")
    assert ratio == pytest.approx(6.0)
    np.testing.assert_allclose(y_pred[y_true[..., 1] > 0], [[6], [6]])
    garg = np.full(KITTI, 7.0)
    prediction = np.full(KITTI, 1000.0)
    prediction[153:371, 44:1197] = 2
    assert apply("kitti_eigen_garg", garg, prediction, alignment="median").ratio == 3.5


def test_alignment_of_a_frame_without_truth():
    y_true, _, ratio, _ = apply("full", np.zeros((2, 2)), np.ones((2, 2)), alignment="median")
    assert np.isnan(ratio) and not y_true.any()


def test_scale_comes_before_alignment_and_clip():
    truth, prediction = row([2, 3, 4]), row([1, 2, 3])
    _, y_pred, ratio, _ = apply("full", truth, prediction, scale=5.4, clip_prediction=[0, 15])
    np.testing.assert_allclose(y_pred[0, :, 0], [5.4, 10.8, 15], rtol=1e-6)
    assert apply("full", truth, prediction, scale=5.4, alignment="median").ratio == pytest.approx(
        3 / 10.8
    )


def test_infinitely_far_is_clipped_after_resizing_disparity():
    prediction = row([np.inf, np.inf])
    _, y_pred, *_ = apply("kitti_eigen_benchmark", np.ones((1, 4)), prediction)
    np.testing.assert_array_equal(y_pred, 80)


def abs_rel(name, truth, prediction):
    y_true, y_pred, *_ = apply(name, truth, prediction)
    reduction = protocols.get(name).reduction
    return float(metrics.DepthMetric("abs_rel", reduction)(y_true[None], y_pred[None]))


@pytest.mark.parametrize("size", [NYU, KITTI])
def test_different_protocols_give_different_numbers(size):
    rng = np.random.default_rng(0)
    truth = (where(*size) * rng.uniform(0.5, 15, size)).astype("float32")  # 0.5 to 135 m
    prediction = truth * rng.uniform(0.5, 2, size) * where(*size)
    small = prediction[::4, ::4]
    values = {name: abs_rel(name, truth, small) for name in protocols.PROTOCOLS}
    # On one truth these two are the same; their truth is another.
    assert values["kitti_stereo2015"] == values.pop("kitti_eigen_benchmark")
    assert len({round(value, 9) for value in values.values()}) == len(values)


def test_crops_differ_on_one_prediction():
    """A wall at 2 m, wrong by 1 m near the border alone: the crop decides the number."""
    truth, prediction = np.full(NYU, 2.0), np.full(NYU, 3.0)
    prediction[45:471, 41:601] = 2
    values = {name: 2 * abs_rel(name, truth, prediction) for name in ("full", *SCORED)}
    assert values["nyu_eigen"] == 0
    # DenseDepth's crop reaches 25 rows above, and 17 and 15 columns beside, BTS's.
    outside = 440 * 592 - (460 - 45) * 560
    np.testing.assert_allclose(values["nyu_densedepth"], outside / (440 * 592), rtol=1e-12)
    np.testing.assert_allclose(values["full"], 1 - 426 * 560 / (480 * 640), rtol=1e-12)


def test_arrays_stay_as_they_were():
    truth, prediction = np.full(NYU, 20.0, "float32"), np.full(NYU, 20.0, "float32")
    apply("nyu_eigen", truth, prediction, alignment="median", scale=2, flip="ramp")
    assert np.all(truth == 20) and np.all(prediction == 20)


def test_bad_input():
    full, good = protocols.get("full"), np.ones((4, 4))
    with pytest.raises(InputError, match=r"ground truth of shape \(2, 4, 4\) .* not a depth map"):
        scorer.apply(full, np.ones((2, 4, 4)), good)
    with pytest.raises(InputError, match=r"prediction of shape \(4, 4, 3\)"):
        scorer.apply(full, good, np.ones((4, 4, 3)))
    with pytest.raises(InputError, match="prediction of shape .* type bool"):
        scorer.apply(full, good, good > 0)
    with pytest.raises(InputError, match="'nyu_eigen' leaves no pixel of a depth map of 1x1"):
        apply("nyu_eigen", np.ones((1, 1)), good)
    mirrors = protocols.get("full", {"flip": "mean"})
    with pytest.raises(InputError, match="full: flip 'mean' needs .* or set flip=none"):
        scorer.apply(mirrors, good, good)
    with pytest.raises(InputError, match=r"of shape \(4, 2\) beside one of \(4, 4\)"):
        scorer.apply(mirrors, good, good, good[:, :2])
    with pytest.raises(InputError, match="mirrored prediction of shape .* is not a depth map"):
        scorer.apply(mirrors, good, good, good[0])
    for broken in (-1.0, 0.0, np.nan):
        with pytest.raises(InputError, match="median prediction is .* no factor aligns it"):
            apply("full", good, good * broken, alignment="median")


def test_frames_per_call_change_no_score():
    """Of Wang's batches too, which are of eight frames however many a call takes."""
    rng = np.random.default_rng(0)
    targets = rng.uniform(0, 10, (11, 12, 16, 1)).astype("float32")
    targets[targets < 3] = 0
    targets[4] = 0
    predictions = rng.uniform(0, 10, (11, 6, 8)).astype("float32")
    for protocol in (protocols.get("wang_relative"), protocols.get("msfnet_kitti")):
        scores = []
        for frames_per_call in (scorer.FRAMES_PER_CALL, 3, 20):
            one = scorer.Scorer(protocol, frames_per_call)
            for depth, prediction in zip(targets, predictions, strict=True):
                one.add({"depth": depth, "focal_baseline": np.float32(20)}, prediction)
            scores.append(one.scores())
        for other in scores[1:]:
            assert list(other) == [protocol.reduction, "image", "pixel"]
            for reduction, values in other.items():
                assert values == pytest.approx(scores[0][reduction], rel=1e-12), reduction


def test_the_protocol_says_how_large_a_batch_is():
    protocol = protocols.get("wang_relative")
    scores = []
    for batch in (8, 2):
        one = scorer.Scorer(dataclasses.replace(protocol, batch=batch))
        for metres in (1.0, 2.0, 4.0):
            one.add({"depth": np.full((4, 4), metres)}, np.ones((4, 4)))
        scores.append(one.scores()["batch"]["rmse"])
    assert scores == pytest.approx([np.sqrt(10 / 3), (np.sqrt(1 / 2) + 3) / 2])
    assert dataclasses.replace(protocol, batch=2).line().count("mean of batches of 2 images") == 1


def test_the_unclipped_prediction_is_kept():
    scored = apply("nyu_eigen", np.full(NYU, 5.0), np.full(NYU, 30.0), alignment="none")
    assert (scored.y_pred == 10).all() and (scored.unclipped == 30).all()


def test_errors_by_distance():
    """By hand: bands of true depth, over the pixels of both frames; the last has no end."""
    scores = scorer.Scorer(protocols.get("full"))
    scores.add({"depth": row([1.0, 1.5, 0.0])}, row([1.1, 3.0, 5.0]))  # errors 0.1 and 1
    scores.add({"depth": row([4.0, 100.0, 1.5])}, row([4.0, 50.0, 1.5]))  # 0, 0.5 and 0
    near, middle, far = scores.by_distance()
    assert near == pytest.approx(
        {"from": 1, "to": 2, "share": 0.6, "abs_rel": 1.1 / 3, "delta1": 2 / 3}, rel=1e-6
    )
    assert middle == {"from": 4, "to": 6, "share": 0.2, "abs_rel": 0, "delta1": 1}
    assert far == {"from": 80, "share": 0.2, "abs_rel": 0.5, "delta1": 0}
    whole = scores.scores()["pixel"]
    for key in ("abs_rel", "delta1"):
        mean = sum(band["share"] * band[key] for band in (near, middle, far))
        assert mean == pytest.approx(whole[key], rel=1e-6)
