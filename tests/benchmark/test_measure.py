"""Measuring a model: times in milliseconds, and the loss of its recipe."""

import keras
import numpy as np

from keras_depth.benchmark import measure, timing


def test_times_in_milliseconds(monkeypatch):
    seconds = np.linspace(0.1, 0.2, 11)
    monkeypatch.setattr(timing, "seconds", lambda functions, _: dict.fromkeys(functions, seconds))
    image = keras.Input((8, 12, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    text = measure.report(measure.measure(model, batch=3, repeats=11))
    assert "150.0 ms (110.0 to 190.0), 20.0 images/s" in text
    assert "training step" not in text


def test_pairs_where_the_recipe_trains_on_them():
    image = keras.Input((8, 16, 3))
    disparity = keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid")(image)
    model = keras.Model(image, disparity, name="optidepthnet_vgg")
    result = measure.measure(model, batch=2, repeats=1, training=True)
    assert result["training"]["loss"] == "stereo"
