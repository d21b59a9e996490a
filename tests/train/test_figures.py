"""The curves of a training run."""

import cv2
import pytest

from keras_depth.errors import InputError
from keras_depth.train import figures


def log(validated=True):
    steps = [{"step": s, "loss": 1 / s, "learning_rate": 1e-4, "k": 0.5} for s in range(1, 50)]
    epochs = [
        {
            "step": 10 * e,
            "epoch": e,
            "val_abs_rel": 1 / e,
            "val_rmse": 2 / e,
            "val_delta1": 1 - 1 / e,
        }
        for e in range(1, 6)
    ]
    return steps + epochs * validated


def test_training_curves_with_and_without_validation(tmp_path):
    figures.draw_training_curves(log(), tmp_path / "both.png")
    figures.draw_training_curves(log(validated=False), tmp_path / "loss.png")
    assert cv2.imread(str(tmp_path / "both.png")).shape == (600, 1200, 3)
    assert cv2.imread(str(tmp_path / "loss.png")).shape == (320, 1200, 3)


def test_curves_of_an_empty_log_are_refused(tmp_path):
    with pytest.raises(InputError, match="train a little longer"):
        figures.draw_training_curves([{"epoch": 1, "val_abs_rel": 0.3}], tmp_path / "a.png")
