"""Timing: what is called, how often and in which order, and what a step and an inference do."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_depth import losses
from keras_depth.benchmark import timing


def network(heads=1, channels=1):
    image = keras.Input((8, 16, 3))
    half = layers.AveragePooling2D(2)(image)
    maps = [layers.Conv2D(channels, 3, padding="same")(half) for _ in range(heads)]
    return keras.Model(image, maps if heads > 1 else maps[0])


def test_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = timing.seconds(functions, repeats=3)
    assert "".join(calls) == "a" * timing.WARM_UP + "b" * timing.WARM_UP + "ababab"
    assert {name: (seconds.shape, seconds.dtype) for name, seconds in times.items()} == {
        name: ((3,), np.dtype(float)) for name in "ab"
    }
    assert all((seconds >= 0).all() for seconds in times.values())


def test_inference_computes_every_output():
    compute = timing.inference(network(heads=2), batch=5)
    first, second = compute()
    assert first.shape == second.shape == (5, 4, 8, 1)
    assert np.array_equal(compute()[0], first), "the images stay the same"


@pytest.mark.parametrize(
    ("loss", "heads", "channels"), [("mse_rel", 1, 1), ("stereo", 2, 2)], ids=["depth", "pair"]
)
def test_a_training_step_trains(loss, heads, channels):
    keras.utils.set_random_seed(0)
    model = network(heads, channels)
    before = model.get_weights()
    step = timing.training_step(model, losses.get(loss), batch=2)
    values = [float(step()[0]) for _ in range(3)]
    assert values[0] > values[1] > values[2]
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
