"""Runtimes side by side: two networks in three of them."""

import keras
import pytest

from keras_depth.benchmark import compare_runtimes
from keras_depth.export import parity
from tests.helpers.exporting import run_in_this_process


def network(name, channels):
    image = keras.Input((16, 24, 3))
    x = keras.layers.Conv2D(channels, 3, padding="same")(image)
    return keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x), name=name)


@pytest.mark.slow
def test_two_networks_in_three_runtimes(monkeypatch):
    """Each is timed in a process of its own; the memory is that process's."""
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)
    models = {
        "lite_basic_interl_t": network("lite_basic_interl_t", 4),
        "optidepthnet_vgg": network("optidepthnet_vgg", 8),  # writes disparity: needs a camera
    }
    runtimes = ["tensorflow", "onnxruntime", "litert"]
    result = compare_runtimes.compare(models, runtimes, batch=2, repeats=3)
    assert [(row["architecture"], row["runtime"]) for row in result["rows"]] == [
        (name, runtime) for name in models for runtime in runtimes
    ]
    report = compare_runtimes.report(result)
    for row in result["rows"]:
        assert 0 < row["median"] <= row["percentile_95"]
        assert row["images_per_second"] == pytest.approx(2000 / row["median"])
        if row["runtime"] != "tensorflow":  # which takes more, and is in none of the others
            assert 30e6 < row["peak_memory"] < result["rows"][0]["peak_memory"]
        assert f"| `{row['architecture']}` | 16x24 | 0.00 M | 0.00 | {row['runtime']} |" in report
    assert [row["macs"] for row in result["rows"][::3]] == [384 * (108 + 4), 384 * (216 + 8)]
    assert "fp32, batch 2, on CPU:0 with" in report and "3 calls of each, in turn" in report
