"""Schedules: the rate at each step against hand-computed values, and bad arguments."""

import keras
import pytest

from keras_depth.errors import InputError
from keras_depth.train.schedules import make_schedule


def test_the_rates_of_23500_steps():
    """OptiDepthNet's: 1e-4, halved after 14,100 and 18,800 steps."""
    rate = make_schedule(1e-4, 23500, "steps", at=[0.6, 0.8], factor=0.5)
    assert rate.get_config()["boundaries"] == [14100, 18800]
    wanted = {
        0: 1e-4,
        14100: 1e-4,  # steps count from 0, and the boundary step still has the old rate
        14101: 5e-5,
        18800: 5e-5,
        18801: 2.5e-5,
        23499: 2.5e-5,
    }
    assert {step: float(rate(step)) for step in wanted} == pytest.approx(wanted)


def test_an_optimizer_follows_the_steps():
    rate = make_schedule(1.0, 4, "steps", at=[0.5], factor=0.1)
    optimizer = keras.optimizers.SGD(rate)
    variable = keras.Variable(0.0)
    values = []
    for _ in range(4):
        optimizer.apply([keras.ops.ones(())], [variable])
        values.append(float(variable))
    assert values == pytest.approx([-1, -2, -3, -3.1])


def test_one_fraction_and_a_rising_rate():
    rate = make_schedule(1.0, 10, "steps", at=[0.25], factor=2)
    assert [float(rate(step)) for step in (2, 3)] == [1.0, 2.0]  # a quarter of 10 is rounded down


@pytest.mark.parametrize(
    "at", [[], [0.8, 0.6], [0.6, 0.6], [0.0, 0.5], [0.5, 1], [14100], 0.6, ["0.6"], [True], "0.6"]
)
def test_bad_fractions(at):
    with pytest.raises(InputError) as error:
        make_schedule(1e-4, 100, "steps", at=at, factor=0.5)
    assert str(error.value).startswith("schedule steps: at must be ascending fractions")
    assert str(error.value).endswith(f"got {at!r}")


@pytest.mark.parametrize("factor", [0, -0.5, float("nan"), "half", None])
def test_bad_factors(factor):
    with pytest.raises(InputError, match="factor must be a number above 0, got"):
        make_schedule(1e-4, 100, "steps", at=[0.5], factor=factor)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("step", {}, "unknown schedule 'step': did you mean 'steps'"),
        ("steps", {"att": [0.5]}, "unknown argument of schedule steps 'att': did you mean 'at'"),
        ("steps", {"at": [0.5]}, "schedule steps lacks its argument 'factor'"),
        ("inverse_time", {}, "schedule inverse_time lacks its argument 'decay'"),
    ],
)
def test_names_and_arguments(name, arguments, message):
    with pytest.raises(InputError, match=message):
        make_schedule(1e-4, 100, name, **arguments)


def test_linear_falls_by_the_epoch():
    """15 epochs of 1,402 steps: 1e-4 (1 - e / 15), the rate of Das et al."""
    rate = make_schedule(1e-4, 15 * 1402, "linear", parts=15)
    for epoch in (0, 1, 7, 14):
        for step in (epoch * 1402, epoch * 1402 + 1401):
            assert float(rate(step)) == pytest.approx(1e-4 * (1 - epoch / 15), rel=1e-5)
    assert float(make_schedule(1.0, 5, "linear", parts=5)(4)) == pytest.approx(0.2)
    rate = make_schedule(1.0, 3, "linear", parts=15)
    assert [float(rate(step)) for step in range(3)] == pytest.approx([1, 2 / 3, 1 / 3])
    assert (
        make_schedule(1.0, 1, "linear", parts=15) == make_schedule(1.0, 9, "linear", parts=1) == 1
    )
    for parts in (0, 1.5, "3", True):
        with pytest.raises(InputError, match="parts must be a whole number above 0"):
            make_schedule(1.0, 5, "linear", parts=parts)


def test_the_other_schedules():
    assert make_schedule(0.1, 100, "constant") == 0.1
    decayed = make_schedule(0.1, 100, "inverse_time", decay=0.5)
    assert float(decayed(2)) == pytest.approx(0.05)
    cosine = make_schedule(0.1, 100, "cosine", warmup_steps=20)
    assert [float(cosine(step)) for step in (0, 10, 20, 60, 100)] == pytest.approx(
        [0, 0.05, 0.1, 0.05, 0], abs=1e-8
    )
