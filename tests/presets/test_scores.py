"""The shipped preset's scores: on real frames where there are any, and on two photographs."""

import cv2
import numpy as np
import pytest

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


def test_on_photographs_of_another_camera(estimator):
    """TUM's desk, whose true depth is measured for two thirds of the pixels."""
    reader = open_reader("folder", ROOT / "docs" / "photos", None, units_per_metre=5000)
    samples = [reader.stored(index) for index in range(len(reader))]
    assert len(samples) == 2
    scores = score("full", samples, estimator)
    one_depth = [np.full(s["depth"].shape, np.median(s["depth"][s["depth"] > 0])) for s in samples]
    guess = Scorer(PROTOCOLS["full"])
    for sample, depth in zip(samples, one_depth, strict=True):
        guess.add(sample, depth.astype(np.float32))
    assert scores["abs_rel"] < 0.25
    # Better than each picture's own median, which nothing but the truth can tell.
    assert scores["delta1"] > guess.scores()["image"]["delta1"]


def test_on_test_frames_of_nyu(samples, estimator):
    """Every 16th official test frame, at half its size: near the card's scores on all of them."""
    folder = samples / "real" / "nyu_labelled_half"
    rows = [line.split(",") for line in (folder / "split.csv").read_text().splitlines()[1:]]
    numbers = [int(row[0]) for row in rows if row[1].strip() == "test"]
    assert len(numbers) == 654
    frames = []
    for number in numbers[::16]:
        image = cv2.imread(str(folder / "rgb" / f"{number:04d}.jpg"))[..., ::-1]
        depth = cv2.imread(str(folder / "depth" / f"{number:04d}.jp2"), cv2.IMREAD_UNCHANGED)
        frames.append({"image": np.ascontiguousarray(image), "depth": depth / np.float32(1000)})
    scores = score("nyu_eigen", frames, estimator)
    assert scores["abs_rel"] < 0.20 and scores["delta1"] > 0.70
