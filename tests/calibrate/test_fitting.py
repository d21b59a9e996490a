"""Scale and shift from measures, and the measures that contradict the others."""

import numpy as np
import pytest

from keras_depth.calibrate import fitting
from keras_depth.calibrate.fitting import Measure
from keras_depth.errors import InputError

FAR = [0.8, 1.2, 2.0, 3.1, 4.5]


def measures(network, metres):
    pairs = zip(network, metres, strict=True)
    return [
        Measure(f"{i}.jpg", np.atleast_1d(float(one)), np.atleast_1d(float(depth)), (48, 64))
        for i, (depth, one) in enumerate(pairs)
    ]


def noisy(metres, part, seed):
    noise = np.random.default_rng(seed).standard_normal(len(metres))
    return np.multiply(metres, np.exp(part * noise))


def test_scale_alone():
    network = np.array([1.0, 2.0, 4.0])
    found = fitting.fit(measures(network, 1.3 * network))
    assert found.line.scale == pytest.approx(1.3) and found.line.shift == 0
    assert found.errors["scale"] == pytest.approx(0, abs=1e-9)


def test_scale_and_shift_where_both_are_true():
    network = np.array(FAR)
    found = fitting.fit(measures(network, noisy(1.2 * network + 0.4, 0.005, 0)))
    assert found.line.scale == pytest.approx(1.2, rel=0.02)
    assert found.line.shift == pytest.approx(0.4, abs=0.05)
    assert found.errors["scale + shift"] < 0.5 * found.errors["scale"]
    assert fitting.find_outliers(measures(network, 1.2 * network + 0.4)) == []


def test_noise_alone_seldom_looks_like_a_shift():
    """Of 50 sets of three to six measures, in which there is none."""
    rng = np.random.default_rng(1)
    chosen = 0
    for seed in range(50):
        network = np.exp(rng.uniform(np.log(0.8), np.log(6), rng.integers(3, 7)))
        chosen += fitting.fit(measures(network, noisy(1.3 * network, 0.05, seed))).line.shift != 0
    assert chosen <= 4


@pytest.mark.parametrize("network", [[1.0, 3.0], [2.0, 2.2, 2.4, 2.6]], ids=["few", "alike"])
def test_a_shift_takes_three_measures_at_differing_distances(network):
    metres = np.array(network) + 0.3
    found = fitting.fit(measures(network, metres))
    assert found.line.shift == 0 and "scale + shift" not in found.errors
    assert found.why.startswith("scale alone: a shift takes 3 measures")


def test_one_measure_is_not_checked():
    found = fitting.fit(measures([2.0], [2.5]))
    assert found.line.scale == 1.25 and found.errors == {}
    fitting.check_agreement(measures([2.0], [2.5]))


def test_a_frame_counts_as_much_as_a_box():
    """A frame's many places do not outvote two boxes."""
    frame = Measure("frame.png", np.full(24, 2.0), np.full(24, 1.0), (48, 64))
    boxes = measures([1.0, 3.0], [1.3, 3.9])
    assert fitting.fit([frame, *boxes]).line.scale == pytest.approx(1.3)


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("wrong", [0, 2])
@pytest.mark.parametrize("factor", [1.5, 0.6])
def test_a_wrong_measure_is_named(count, wrong, factor):
    network = np.array(FAR[:count])
    metres = noisy(1.3 * network, 0.02, 3)
    implied = metres[wrong]
    metres[wrong] *= factor
    (found,) = fitting.find_outliers(measures(network, metres))
    assert found.name == f"{wrong}.jpg"
    assert found.metres == metres[wrong] and found.implied == pytest.approx(implied, rel=0.1)
    with pytest.raises(InputError) as error:
        fitting.check_agreement(measures(network, metres))
    assert str(error.value) == (
        f"{wrong}.jpg: measured {metres[wrong]:.2f} m, the other measures imply"
        f" {found.implied:.2f} m; check it, or leave it out"
    )


def test_two_wrong_measures_are_named():
    network = np.array([*FAR, 5.0, 6.0])
    metres = 1.3 * network
    metres[[1, 4]] = 3.4, 2.0
    found = fitting.find_outliers(measures(network, metres))
    assert sorted(one.name for one in found) == ["1.jpg", "4.jpg"]
    with pytest.raises(InputError, match="; check them, or leave them out$"):
        fitting.check_agreement(measures(network, metres))


def test_of_two_that_disagree_nobody_knows_which_is_wrong():
    with pytest.raises(InputError) as error:
        fitting.check_agreement(measures([1.0, 2.0], [1.3, 3.9]))
    assert str(error.value) == (
        "0.jpg and 1.jpg imply scales that differ by 50%: one of them may be wrong; add a third"
        " measure"
    )
    fitting.check_agreement(measures([1.0, 2.0], [1.3, 2.7]))


def test_what_the_network_always_errs_is_not_a_wrong_measure():
    """Measures that scatter by 6 % around the truth pass nine times in ten."""
    rng = np.random.default_rng(2)
    flagged = 0
    for seed in range(30):
        network = np.exp(rng.uniform(np.log(0.8), np.log(6), 5))
        flagged += bool(fitting.find_outliers(measures(network, noisy(network, 0.06, seed))))
    assert flagged <= 3
