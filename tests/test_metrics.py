"""Every metric against numbers worked out by hand and a NumPy oracle, in every reduction."""

import json

import keras
import numpy as np
import pytest

from keras_depth import losses, metrics
from keras_depth.errors import InputError

NAMES = [
    *("mse", "rmse", "abs_rel", "sq_rel", "rms_rel", "rmse_log", "log10"),
    *("delta1", "delta2", "delta3", "r2"),
]


def oracle(kind, t, p):
    """The metric of flat arrays of valid truths and predictions."""
    positive = np.maximum(p, 1e-3)
    ratio = np.maximum(positive / t, t / positive)
    return {
        "mse": lambda: np.mean((p - t) ** 2),
        "rmse": lambda: np.sqrt(np.mean((p - t) ** 2)),
        "abs_rel": lambda: np.mean(np.abs(p - t) / t),
        "sq_rel": lambda: np.mean((p - t) ** 2 / t),
        "rms_rel": lambda: np.sqrt(np.mean(((p - t) / t) ** 2)),
        "rmse_log": lambda: np.sqrt(np.mean((np.log(positive) - np.log(t)) ** 2)),
        "log10": lambda: np.mean(np.abs(np.log10(positive) - np.log10(t))),
        "delta1": lambda: np.mean(ratio < 1.25),
        "delta2": lambda: np.mean(ratio < 1.25**2),
        "delta3": lambda: np.mean(ratio < 1.25**3),
        "r2": lambda: 1 - np.sum((p - t) ** 2) / np.sum((t - np.mean(t)) ** 2),
    }[kind]()


def frames(images):
    """Batch of one-row images given as [(truth, prediction), ...]; truth 0 is not valid."""
    values = np.array(images, "float32")[:, None]
    truth, prediction = values[..., 0], values[..., 1]
    return np.stack([truth, truth > 0], -1).astype("float32"), prediction[..., None]


# Image 1: errors 1, -1, 0 and a hole; image 2: one valid pixel, its error 2; image 3: none.
TWO_AND_AN_EMPTY_ONE = [
    [(1, 2), (2, 1), (4, 4), (0, 7)],
    [(4, 6), (0, 1), (0, 0), (0, -5)],
    [(0, 1), (0, 2), (0, 3), (0, 4)],
]
BY_HAND = {  # (mean of the two images, the four pixels pooled, mean of images with its root last)
    "mse": ((2 / 3 + 4) / 2, 6 / 4, (2 / 3 + 4) / 2),
    "rmse": ((np.sqrt(2 / 3) + 2) / 2, np.sqrt(1.5), np.sqrt((2 / 3 + 4) / 2)),
    "abs_rel": ((1.5 / 3 + 0.5) / 2, 2 / 4, (1.5 / 3 + 0.5) / 2),
    "sq_rel": ((1.5 / 3 + 1) / 2, 2.5 / 4, (1.5 / 3 + 1) / 2),
    "rms_rel": (
        (np.sqrt(1.25 / 3) + 0.5) / 2,
        np.sqrt(1.5 / 4),
        np.sqrt((1.25 / 3 + 0.25) / 2),
    ),
    "rmse_log": (
        (np.sqrt(2 * np.log(2) ** 2 / 3) + np.log(1.5)) / 2,
        np.sqrt((2 * np.log(2) ** 2 + np.log(1.5) ** 2) / 4),
        np.sqrt((2 * np.log(2) ** 2 / 3 + np.log(1.5) ** 2) / 2),
    ),
    "log10": (
        (2 * np.log10(2) / 3 + np.log10(1.5)) / 2,
        (2 * np.log10(2) + np.log10(1.5)) / 4,
        (2 * np.log10(2) / 3 + np.log10(1.5)) / 2,
    ),
    "delta1": ((1 / 3 + 0) / 2, 1 / 4, 1 / 6),
    "delta2": ((1 / 3 + 1) / 2, 2 / 4, 4 / 6),  # 1.5 < 1.5625
    "delta3": ((1 / 3 + 1) / 2, 2 / 4, 4 / 6),  # 2 > 1.953
    # Image 1: 2 / (42/9); image 2 is constant and missed: 0. Pooled: 6 / (37 - 11²/4). Images'
    # means: error (2/3 + 4) / 2, truth (7/3 + 4) / 2, its square (7 + 16) / 2.
    "r2": (
        (1 - 2 / (42 / 9) + 0) / 2,
        1 - 6 / (37 - 121 / 4),
        1 - (7 / 3) / (11.5 - (19 / 6) ** 2),
    ),
}


def test_names():
    assert metrics.names() == NAMES == list(BY_HAND)
    assert [metric.name for metric in metrics.all_metrics()] == NAMES
    assert all(metrics.describe(name) for name in NAMES)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("column", "reduction"), list(enumerate(("image", "pixel", "root_last"))))
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_by_hand_in_batches_of_any_size(kind, column, reduction, batch):
    metric = metrics.DepthMetric(kind, reduction)
    y_true, y_pred = frames(TWO_AND_AN_EMPTY_ONE)
    for _ in range(2):  # and again after a reset
        metric.reset_state()
        for start in range(0, 3, batch):
            metric.update_state(y_true[start : start + batch], y_pred[start : start + batch])
        np.testing.assert_allclose(metric.result(), BY_HAND[kind][column], rtol=1e-12)


def test_pixels_are_pooled_within_a_batch():
    """Wang et al.: the root over the pixels of some images, then their mean; no empty batch."""
    metric = metrics.DepthMetric("rmse", "batch")
    y_true, y_pred = frames(TWO_AND_AN_EMPTY_ONE)
    metric.update_state(y_true[:2], y_pred[:2])
    np.testing.assert_allclose(metric.result(), np.sqrt(6 / 4))
    metric.update_state(y_true[2:], y_pred[2:])
    np.testing.assert_allclose(metric.result(), np.sqrt(6 / 4))
    metric.update_state(y_true[1:2], y_pred[1:2])
    np.testing.assert_allclose(metric.result(), (np.sqrt(6 / 4) + 2) / 2)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("reduction", metrics.REDUCTIONS)
def test_equals_numpy(kind, reduction):
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.5, 10, (7, 6, 5)).astype("float32")
    prediction = (truth * rng.uniform(0.5, 1.6, truth.shape)).astype("float32")
    prediction[0, 0] = -1  # counts as 1 mm where a logarithm or a ratio is taken
    valid = rng.uniform(size=truth.shape) < np.linspace(0.2, 0.9, 7)[:, None, None]
    metric = metrics.DepthMetric(kind, reduction)
    for part in (slice(0, 2), slice(2, 7)):
        y_true = np.stack([truth, valid], -1)[part]
        metric.update_state(y_true, prediction[part, ..., None])
    truth, prediction = truth.astype("float64"), prediction.astype("float64")
    images = [(t[v], p[v]) for t, p, v in zip(truth, prediction, valid, strict=True)]
    values = np.array([oracle(kind, t, p) for t, p in images])
    expected = {
        "image": np.mean(values),
        "pixel": oracle(kind, truth[valid], prediction[valid]),
        "root_last": np.mean(values),
        "batch": np.mean(
            [
                oracle(kind, truth[part][valid[part]], prediction[part][valid[part]])
                for part in (slice(0, 2), slice(2, 7))
            ]
        ),
    }[reduction]
    if reduction == "root_last" and kind in ("rmse", "rms_rel", "rmse_log"):
        expected = np.sqrt(np.mean(values**2))
    if reduction == "root_last" and kind == "r2":
        error, mean, square = np.mean(
            [[np.mean((p - t) ** 2), t.mean(), np.mean(t**2)] for t, p in images], axis=0
        )
        expected = 1 - error / (square - mean**2)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)


def test_the_reductions_differ():
    y_true, y_pred = frames(TWO_AND_AN_EMPTY_ONE)
    for image, pixel in zip(
        metrics.all_metrics("image"), metrics.all_metrics("pixel"), strict=True
    ):
        if image.name != "abs_rel":  # 1/2 both ways in this example
            assert abs(image(y_true, y_pred) - pixel(y_true, y_pred)) > 0.005, image.name
    for kind in ("rmse", "rms_rel", "rmse_log", "r2"):  # those with a root or a ratio to be last
        image, last = (metrics.DepthMetric(kind, name) for name in ("image", "root_last"))
        assert abs(image(y_true, y_pred) - last(y_true, y_pred)) > 1e-3, kind


@pytest.mark.parametrize(("reduction", "expected"), [("image", (6 / 9 + 0) / 2), ("pixel", 6 / 10)])
def test_d1_needs_3_pixels_and_5_percent(reduction, expected):
    metric = metrics.DepthMetric("d1", reduction)
    wrong = [(10, 13), (10, 7), (60, 63), (100, 105), (5, np.inf), (5, np.nan)]
    right = [(10, 12.9), (100, 104.9), (61, 64), (0, 50)]  # the last is not measured
    # Six of nine in the one, none of one in the other.
    y_true, y_pred = frames([wrong + right, [(9, 9)] + 9 * [(0, 0)]])
    metric.update_state(y_true, y_pred)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)
    assert "d1" not in metrics.names() and "3 pixels and 5 %" in metrics.describe("d1")


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("reduction", metrics.REDUCTIONS)
def test_nothing_valid_is_nan_and_does_not_stick(kind, reduction):
    metric = metrics.DepthMetric(kind, reduction)
    assert np.isnan(metric.result())
    metric.update_state(*frames([[(0, 1), (0, -1)]]))
    assert np.isnan(metric.result())
    metric.update_state(*frames([[(1, 1), (3, 3)]]))
    assert metric.result() == (1 if kind[0] == "d" or kind == "r2" else 0)


@pytest.mark.parametrize("reduction", metrics.REDUCTIONS)
@pytest.mark.parametrize("kind", sorted(set(NAMES) - {"delta1", "delta2", "delta3"}))
def test_a_nan_prediction_is_not_hidden(kind, reduction):
    metric = metrics.DepthMetric(kind, reduction)
    metric.update_state(*frames([[(1, np.nan), (3, 3)], [(1, 1), (3, 3)]]))
    assert np.isnan(metric.result())


def test_delta_bound_is_strict():
    metric = metrics.DepthMetric("delta1")
    assert metric(*frames([[(4, 5), (5, 4), (4, 4.999), (5, 4.001)]])) == 0.5


def test_r2_of_a_truth_that_does_not_vary():
    # 0.1 is not exact in binary: the variance of many of them comes out as noise, not as 0.
    flat = [(0.1, 0.1)] * 1000
    assert metrics.DepthMetric("r2")(*frames([flat])) == 1
    assert metrics.DepthMetric("r2", "pixel")(*frames([[*flat[1:], (0.1, 0.2)]])) == 0


def test_sums_keep_their_digits():
    # Errors of 1 after a sum of 2^26: a float32 sum would stay where it is.
    metric = metrics.DepthMetric("mse", "pixel")
    metric.update_state(*frames([[(1, 1 + 2.0**13)]]))
    for _ in range(8):
        metric.update_state(*frames([[(1, 2)]]))
    assert metric.result() == (2**26 + 8) / 9


def test_half_precision_predictions():
    y_true, y_pred = frames([[(300.0, 700.0), (2.0, 2.0)]])  # 400² overflows float16
    assert metrics.DepthMetric("mse")(y_true, y_pred.astype("float16")) == 80000


@pytest.mark.parametrize(
    "metric",
    [
        *metrics.all_metrics("pixel"),
        metrics.DepthMetric("r2", "root_last", name="last"),
        metrics.DepthMetric("d1"),
        metrics.DepthMetric("rmse", name="root", dtype="float32"),
    ],
    ids=lambda metric: metric.name,
)
def test_config_round_trip(metric):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(metric) and again.get_config() == metric.get_config()
    data = frames(TWO_AND_AN_EMPTY_ONE)
    assert again(*data) == metric(*data)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_compiled_model_reports_them(jit, tmp_path):
    image = keras.Input((1, 4, 1))
    model = keras.Model(image, keras.layers.Activation("linear")(image))
    model.compile(
        loss=losses.get("mse"),
        metrics=[
            *metrics.all_metrics("image"),
            metrics.DepthMetric("rmse", "pixel", name="rmse_pixel"),
        ],
        jit_compile=jit,
    )
    y_true, y_pred = frames(TWO_AND_AN_EMPTY_ONE)
    report = model.evaluate(y_pred, y_true, batch_size=2, return_dict=True, verbose=0)
    for kind in NAMES:
        np.testing.assert_allclose(report[kind], BY_HAND[kind][0], rtol=1e-6, err_msg=kind)
    np.testing.assert_allclose(report["rmse_pixel"], BY_HAND["rmse"][1], rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(y_pred, y_true, return_dict=True, verbose=0) == pytest.approx(report)


def test_bad_input():
    with pytest.raises(InputError, match="unknown metric 'delta': did you mean 'delta"):
        metrics.DepthMetric("delta")
    with pytest.raises(InputError, match="unknown reduction 'pixels': did you mean 'pixel'"):
        metrics.DepthMetric("rmse", "pixels")
    with pytest.raises(InputError, match=r"\(1, 4, 4, 2\).*\(1, 2, 2, 1\)"):
        metrics.DepthMetric("rmse")(np.zeros((1, 4, 4, 2)), np.zeros((1, 2, 2, 1)))
    with pytest.raises(InputError, match="'rmse' takes no sample_weight"):
        metrics.DepthMetric("rmse")(*frames([[(1, 1)]]), sample_weight=[1.0])


def pooled_r2(truth, prediction):
    y_true = np.stack([truth, truth > 0], -1).astype("float32")
    return metrics.pooled_r2(y_true, prediction[..., None].astype("float32"))


def test_pooled_r2_by_hand():
    """Means of 7x7, at every second place: of 9x11, two rows of three."""
    rng = np.random.default_rng(0)
    truth, prediction = rng.uniform(1, 5, (2, 9, 11)).astype("float32")
    places = [(y, x) for y in (0, 2) for x in (0, 2, 4)]
    t, p = (
        np.array([each[y : y + 7, x : x + 7].mean() for y, x in places])
        for each in (truth, prediction)
    )
    expected = 1 - np.sum((p - t) ** 2) / np.sum((t - t.mean()) ** 2)
    assert pooled_r2(truth, prediction) == pytest.approx(expected, rel=1e-4)


def test_pooled_r2_takes_the_means_of_what_is_valid():
    truth = np.add.outer(np.arange(21.0), np.arange(21.0)) + 1
    holed = truth * (np.random.default_rng(1).uniform(size=truth.shape) < 0.5)
    assert pooled_r2(holed, truth) == pytest.approx(1)
    assert np.isnan(pooled_r2(0 * truth, truth))
    assert np.isnan(pooled_r2(0 * truth + 2, truth))
    assert np.isnan(pooled_r2(truth[:5], truth[:5]))
    assert pooled_r2(truth, 0 * truth + 100) < 0


@pytest.mark.parametrize(
    ("alias", "kind"), [("absrel", "abs_rel"), ("rel", "abs_rel"), ("a1", "delta1")]
)
def test_names_of_other_programs(alias, kind):
    metric = metrics.DepthMetric(alias)
    assert (metric.kind, metric.name) == (kind, kind)
    assert metrics.DepthMetric.from_config(metric.get_config()).kind == kind
