"""The shipped preset's scores: on real frames where there are any, and on two photographs."""

import cv2
import numpy as np
import pytest

from keras_depth import presets
from keras_depth.data import open_reader
from keras_depth.evaluate.scorer import Scorer
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.protocols import PROTOCOLS
from tests.helpers.docs_blocks import ROOT

PRESET = "mobile_interl_nyu"


@pytest.fixture(scope="module")
def estimator():
    return DepthEstimator.from_preset(PRESET)


def score(protocol, samples, estimator):
    scorer = Scorer(PROTOCOLS[protocol])
    for sample in samples:
        scorer.add(sample, estimator(sample["image"]))
    return scorer.scores()["image"]


def card_scores(kind):
    """The scores that the preset's card claims, on a data set."""
    (index,) = presets.read_card(presets.find(PRESET))["model-index"]
    (result,) = (each for each in index["results"] if each["dataset"]["type"] == kind)
    return {metric["name"]: metric["value"] for metric in result["metrics"]}


def test_on_photographs_of_another_camera(estimator):
    """TUM's desk, whose true depth is measured for two thirds of the pixels."""
    reader = open_reader("folder", ROOT / "docs" / "photos", None, units_per_metre=5000)
    samples = [reader.stored(index) for index in range(len(reader))]
    assert len(samples) == 2
    scores, claimed = score("full", samples, estimator), card_scores("tum_rgbd")
    for name, value in claimed.items():
        assert scores[name] == pytest.approx(value, abs=0.01), name


def test_on_test_frames_of_nyu(samples, estimator):
    """Every 16th official test frame, at half its size: as the card says of all 654."""
    folder = samples / "real" / "nyu_labelled_half"
    rows = [line.split(",") for line in (folder / "split.csv").read_text().splitlines()[1:]]
    numbers = [int(number) for number, split in rows if split == "test"]
    assert len(numbers) == 654
    frames = []
    for number in numbers[::16]:
        image = cv2.imread(str(folder / "rgb" / f"{number:04d}.jpg"))[..., ::-1]
        depth = cv2.imread(str(folder / "depth" / f"{number:04d}.jp2"), cv2.IMREAD_UNCHANGED)
        frames.append({"image": np.ascontiguousarray(image), "depth": depth / np.float32(1000)})
    scores, claimed = score("nyu_eigen", frames, estimator), card_scores("nyu")
    assert scores["abs_rel"] < claimed["abs_rel"] + 0.02
    assert scores["delta1"] > claimed["delta1"] - 0.04
