"""Protocols: which pixels each scores, on maps whose pixels say where they were."""

import dataclasses

import numpy as np
import pytest

from keras_depth import metrics, protocols
from keras_depth.errors import InputError

SLICES = {  # of a frame of 480x640
    "full": (0, 480, 0, 640),
    "nyu_eigen": (45, 471, 41, 601),
    "nyu_densedepth": (20, 460, 24, 616),
    "ecmr2019": (48, 432, 64, 576),
}


def where(height, width):
    """A depth map of 1..9 m that differs at every pixel."""
    return np.linspace(1, 9, height * width, dtype="float32").reshape(height, width)


def test_names():
    assert set(protocols.names()) == {*SLICES, "nyu_fastdepth"}
    for name in protocols.names():
        protocol = protocols.get(name)
        assert protocol.name == name and protocol.description and protocol.source
        assert protocol.reduction in metrics.REDUCTIONS
    with pytest.raises(InputError, match="unknown protocol 'nyu_eigne': did you mean 'nyu_eigen'"):
        protocols.get("nyu_eigne")


@pytest.mark.parametrize("name", SLICES)
def test_crop_of_the_full_frame(name):
    top, bottom, left, right = SLICES[name]
    truth = where(480, 640)
    y_true, y_pred = protocols.apply(protocols.get(name), truth, truth[..., None] + 0.5)
    assert y_true.shape == (bottom - top, right - left, 2) and y_true.dtype == np.float32
    assert y_pred.shape == (bottom - top, right - left, 1) and y_pred.dtype == np.float32
    np.testing.assert_array_equal(y_true[..., 0], truth[top:bottom, left:right])
    np.testing.assert_array_equal(y_true[..., 1], 1)
    np.testing.assert_array_equal(y_pred[..., 0], truth[top:bottom, left:right] + 0.5)


def test_fastdepth_scores_the_centre_of_the_reduced_frame():
    truth = where(480, 640)
    y_true, y_pred = protocols.apply(protocols.get("nyu_fastdepth"), truth, truth)
    assert y_true.shape == (228, 304, 2) and y_pred.shape == (228, 304, 1)
    assert np.isin(y_true[..., 0], truth).all()  # nearest: measured values, no mixtures
    # Row 11 of 250 has its centre at 11.5 * 1.92 = 22.08 of 480; column 14 of 333 at 27.87.
    assert y_true[0, 0, 0] == truth[22, 27]
    # Bilinear and nearest see the same place, to within a pixel of the frame.
    assert np.abs(y_true[..., 0] - y_pred[..., 0]).max() < truth[1, 1] - truth[0, 0]


@pytest.mark.parametrize(
    ("size", "crop"), [((240, 320), (22, 235, 20, 300)), ((96, 128), (9, 94, 8, 120))]
)
def test_crop_keeps_its_fractions_at_another_size(size, crop):
    truth = where(*size)
    y_true, _ = protocols.apply(protocols.get("nyu_eigen"), truth, truth)
    top, bottom, left, right = crop
    np.testing.assert_array_equal(y_true[..., 0], truth[top:bottom, left:right])


def test_crop_given_as_fractions():
    """As KITTI's crops are published, for frames of several sizes."""
    garg = dataclasses.replace(
        protocols.get("full"),
        frame=(1.0, 1.0),
        crop=(0.40810811, 0.99189189, 0.03594771, 0.96405229),
    )
    truth = where(375, 1242)
    y_true, _ = protocols.apply(garg, truth, truth)
    np.testing.assert_array_equal(y_true[..., 0], truth[153:371, 44:1197])


def test_bounds_are_strict_and_invalid_truth_is_0():
    truth = np.full((480, 640), 5, "float32")
    values = [0, 1e-3, 2e-3, 9.999, 10, 11, np.nan, np.inf, -1]
    truth[100, 100:109] = values
    valid = {
        "nyu_eigen": [0, 0, 1, 1, 0, 0, 0, 0, 0],
        "nyu_densedepth": [0, 1, 1, 1, 1, 1, 0, 0, 0],
        "full": [0, 1, 1, 1, 1, 1, 0, 0, 0],
        "ecmr2019": [0, 1, 1, 1, 1, 1, 0, 0, 0],
    }
    for name, expected in valid.items():
        y_true, _ = protocols.apply(protocols.get(name), truth, truth)
        top, _, left, _ = SLICES[name]
        row = y_true[100 - top, 100 - left : 109 - left]
        np.testing.assert_array_equal(row[:, 1], expected, err_msg=name)
        scored = np.where(expected, values, 0).astype("float32")
        np.testing.assert_array_equal(row[:, 0], scored, err_msg=name)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("nyu_eigen", 1e-3, 10),
        ("nyu_densedepth", 0.1, 10),
        ("nyu_fastdepth", -2, 40),
        ("ecmr2019", -2, 40),
        ("full", -2, 40),
    ],
)
def test_predictions_are_clipped_where_the_source_does(name, low, high):
    truth, prediction = np.full((480, 640), 5.0), np.full((480, 640), -2.0)
    prediction[:, 320:] = 40
    _, y_pred = protocols.apply(protocols.get(name), truth, prediction)
    assert y_pred.min() == np.float32(low) and y_pred.max() == np.float32(high)


def test_small_prediction_is_resized_bilinearly():
    truth = np.ones((4, 8), "float32")
    _, y_pred = protocols.apply(protocols.get("full"), truth, np.array([[1, 3], [1, 3]]))
    row = [1, 1, 1.25, 1.75, 2.25, 2.75, 3, 3]  # pixel centres at quarters of the coarse grid
    np.testing.assert_allclose(y_pred[..., 0], np.tile(row, (4, 1)), rtol=1e-6)


def test_protocols_differ_on_one_prediction():
    """A wall at 2 m, wrong by 1 m near the border alone: the crop decides the number."""
    truth, prediction = np.full((480, 640), 2.0), np.full((480, 640), 3.0)
    prediction[45:471, 41:601] = 2
    rmse = {}
    for name in ("full", "nyu_eigen", "nyu_densedepth"):
        y_true, y_pred = protocols.apply(protocols.get(name), truth, prediction)
        rmse[name] = float(metrics.DepthMetric("mse", "pixel")(y_true[None], y_pred[None]))
    assert rmse["nyu_eigen"] == 0
    # DenseDepth's crop reaches 25 rows above, and 17 and 15 columns beside, BTS's.
    outside = 440 * 592 - (460 - 45) * 560
    np.testing.assert_allclose(rmse["nyu_densedepth"], outside / (440 * 592), rtol=1e-12)
    np.testing.assert_allclose(rmse["full"], 1 - 426 * 560 / (480 * 640), rtol=1e-12)


def test_lines():
    lines = {name: protocols.get(name).line() for name in protocols.names()}
    assert lines["nyu_eigen"] == (
        "nyu_eigen: crop 45:471, 41:601 of 480x640; 0.001 < depth < 10 m;"
        " prediction clipped to 0.001..10 m; alignment none; mean of images"
    )
    assert lines["ecmr2019"] == (
        "ecmr2019: crop 48:432, 64:576 of 480x640; depth > 0 m; alignment none; pooled pixels"
    )
    assert lines["full"] == "full: no crop; depth > 0 m; alignment none; mean of images"
    assert lines["nyu_fastdepth"].startswith(
        "nyu_fastdepth: truth resized by 0.5208; crop 11:239, 14:318 of 250x333; depth > 0 m;"
    )
    assert len(set(lines.values())) == len(lines)


def test_arrays_stay_as_they_were():
    truth, prediction = np.full((480, 640), 20.0, "float32"), np.full((480, 640), 20.0, "float32")
    protocols.apply(protocols.get("nyu_eigen"), truth, prediction)
    assert np.all(truth == 20) and np.all(prediction == 20)


def test_bad_input():
    full, eigen = protocols.get("full"), protocols.get("nyu_eigen")
    good = np.ones((4, 4))
    with pytest.raises(InputError, match=r"truth of shape \(2, 4, 4\) .* is not a depth map"):
        protocols.apply(full, np.ones((2, 4, 4)), good)
    with pytest.raises(InputError, match=r"prediction of shape \(4, 4, 3\)"):
        protocols.apply(full, good, np.ones((4, 4, 3)))
    with pytest.raises(InputError, match="prediction of shape .* type bool"):
        protocols.apply(full, good, good > 0)
    with pytest.raises(InputError, match="'nyu_eigen' leaves no pixel of a depth map of 1x1"):
        protocols.apply(eigen, np.ones((1, 1)), good)
