"""Scoring: known errors give known numbers, and every report says what it scored."""

import json

import keras
import numpy as np
import pytest

from keras_depth import data, evaluation, protocols
from keras_depth.architectures import create_model
from keras_depth.errors import InputError
from keras_depth.inference import DepthEstimator


class Frames:
    """Two frames whose every pixel is 2 m and 4 m; half of the second is not measured."""

    description = "two frames"

    def __len__(self):
        return 2

    def __getitem__(self, index):
        depth = np.full((48, 64, 1), (2.0, 4.0)[index], "float32")
        if index == 1:
            depth[:24] = 0
        return {"image": np.zeros((48, 64, 3), "float32"), "depth": depth}

    def name(self, index):
        return f"frame {index}"


def constant(metres):
    """A network that says `metres` everywhere."""
    image = keras.Input((48, 64, 3))
    depth = keras.layers.Conv2D(
        1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(metres)
    )(image)
    return DepthEstimator(keras.Model(image, depth), encoding="metric")


def evaluate(folder, **options):
    return evaluation.evaluate(
        constant(3.0),
        Frames(),
        protocols.get(options.pop("protocol", "full")),
        folder,
        model="three metres",
        synthetic=False,
        **options,
    )


def test_known_errors(tmp_path):
    report = evaluate(tmp_path)
    image, pixel = (report.scores["network"][key] for key in ("image", "pixel"))
    # |3 - 2| / 2 on the first frame, |3 - 4| / 4 on the second, which has half as many pixels.
    assert image["rel"] == pytest.approx((0.5 + 0.25) / 2)
    assert pixel["rel"] == pytest.approx((2 * 0.5 + 0.25) / 3)
    assert image["rmse"] == pixel["rmse"] == pytest.approx(1.0)
    # 3 / 2 and 4 / 3 lie between 1.25 and its square.
    assert image["delta1"] == 0 and image["delta2"] == 1
    assert (report.valid_pixels, report.all_pixels) == (48 * 64 * 3 // 2, 2 * 48 * 64)
    assert report.frames == [
        {"name": "frame 0", "valid": 1.0, "rel": pytest.approx(0.5)},
        {"name": "frame 1", "valid": 0.5, "rel": pytest.approx(0.25)},
    ]


def test_what_is_written(tmp_path):
    report = evaluate(tmp_path, mean_depth=np.full((48, 64), 2.0, "float32"))
    text = (tmp_path / "report.md").read_text()
    assert protocols.get("full").line() in text
    assert "2 frames, 4,608 of 6,144 pixels were valid (75.0%)" in text
    assert r"| rel | 0.3750 | 0.2500 | mean \|p - t\| / t |" in text
    assert "REL is 1.50 of that of the mean training depth map." in text
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["scores"] == report.scores
    assert stored["protocol"] == "full" and stored["environment"]["packages"]["tensorflow"]
    assert (tmp_path / "figures" / "samples.png").stat().st_size > 10_000


def test_nothing_to_score(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Frames,
        "__getitem__",
        lambda self, index: {
            "image": np.zeros((48, 64, 3), "float32"),
            "depth": np.zeros((48, 64, 1), "float32"),
        },
    )
    with pytest.raises(InputError, match="no pixel has a depth that protocol full scores"):
        evaluate(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_synthetic_frames_are_called_so(tmp_path):
    create_model("lite_basic_interl_t", (48, 64, 3)).save(tmp_path / "net.keras")
    report, folder = evaluation.evaluate_run(tmp_path / "net.keras", data="synthetic")
    assert folder == tmp_path / "net" / "evaluation" / "synthetic-full"
    assert report.synthetic and len(report.frames) == 64
    for text in (report.summary(), (folder / "report.md").read_text()):
        assert "say nothing about NYU" in text


def test_a_model_alone_needs_frames(tmp_path):
    create_model("lite_basic_interl_t", (48, 64, 3)).save(tmp_path / "net.keras")
    with pytest.raises(InputError, match="give --data"):
        evaluation.evaluate_run(tmp_path / "net.keras")


def test_real_frames(tmp_path, samples):
    """Two frames of NYU Depth v2 in the layout of BTS' release."""
    create_model("lite_basic_interl_t", (96, 128, 3)).save(tmp_path / "net.keras")
    report, folder = evaluation.evaluate_run(
        tmp_path / "net.keras", data="nyu", data_dir=str(samples / "nyu" / "sync")
    )
    assert report.protocol == "nyu_eigen" and not report.synthetic
    assert len(report.frames) == 2
    reader = data.open_reader("nyu", samples / "nyu" / "sync", None)
    inside = [reader[i]["depth"][45:471, 41:601] for i in range(2)]
    assert report.valid_pixels == sum(int((depth > 0).sum()) for depth in inside)
    assert f"{report.valid_pixels:,} of 477,120 pixels were valid" in report.summary()
