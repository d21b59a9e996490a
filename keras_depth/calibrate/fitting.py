"""Fits scale and shift to measures, and finds measures that contradict the others.

Errors are relative, and each is made by leaving one out: what the other measures imply for it. This
error chooses between scale alone and scale + shift (cross-validation: Stone, J. Royal Statistical
Society B 36, 1974), and it shows a measure that is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_depth.errors import InputError

_SPREAD = 1.5  # farthest over nearest distance, from which on a shift can be told from a scale
_MEASURES_OF_SHIFT = 3
_GAIN = 0.5  # of scale alone's error: what scale + shift must fall below to be chosen
_TOLERANCE, _SIGMAS = 0.25, 3.0  # relative deviation of a measure that contradicts the others
_HUBER = 1.345  # standard deviations up to which the square of an error counts


@dataclass(frozen=True)
class Measure:
    """Depth that is known, and the network's of the same place.

    Attributes:
        name: the picture, and the box in it.
        metres: what was measured, (N,) metres: a number of a tape measure, or places of a frame.
        network: the network's own depth of these places, (N,), metres.
        size: (height, width) of the picture.
    """

    name: str
    metres: np.ndarray
    network: np.ndarray
    size: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """Metres from the network's: scale * network + shift."""

    scale: float
    shift: float = 0.0

    def __call__(self, network: np.ndarray) -> np.ndarray:
        return self.scale * network + self.shift


@dataclass(frozen=True)
class Fit:
    """What was fitted.

    Attributes:
        line: scale and shift.
        errors: leave-one-out error of each kind that could be fitted, "scale" and "scale + shift",
            and the error of the network "as it is"; empty where there is one measure.
        why: says why a shift was fitted or was not.
    """

    line: Line
    errors: dict[str, float]
    why: str


@dataclass(frozen=True)
class Outlier:
    """A measure that contradicts the others.

    Attributes:
        name: of the measure.
        metres: what was measured; of several places the median.
        implied: what the other measures imply there, metres.
    """

    name: str
    metres: float
    implied: float

    def __str__(self) -> str:
        return (
            f"{self.name}: measured {self.metres:.2f} m, the other measures imply"
            f" {self.implied:.2f} m"
        )


def fit(measures: Sequence[Measure]) -> Fit:
    """Fits scale, or scale + shift where that is clearly better by the error of leaving one out."""
    scale = _solve(measures, shift=False)
    if len(measures) == 1:
        return Fit(scale, {}, "scale alone: one measure, which no other one checks")
    own = [_deviation(one, Line(1.0)) for one in measures]
    errors = {"as it is": float(np.sqrt(np.mean(np.square(own))))}
    errors["scale"] = _error(measures, shift=False)
    network = np.concatenate([one.network for one in measures])
    if len(measures) < _MEASURES_OF_SHIFT or network.max() < _SPREAD * network.min():
        return Fit(
            scale,
            errors,
            f"scale alone: a shift takes {_MEASURES_OF_SHIFT} measures, the farthest of them"
            f" {_SPREAD} times as far as the nearest",
        )
    errors["scale + shift"] = _error(measures, shift=True)
    gain = min(_GAIN, 1 - 2 / len(measures))  # a line through few measures is near them by chance
    both = _solve(measures, shift=True)
    if errors["scale + shift"] < gain * errors["scale"] and both.scale > 0:
        return Fit(both, errors, "scale + shift: clearly better")
    return Fit(scale, errors, "scale alone: a shift is not clearly better")


def find_outliers(measures: Sequence[Measure]) -> list[Outlier]:
    """Finds measures that contradict the others, the worst first.

    One is taken away after the other, as long as three are left: of two that disagree, nobody knows
    which one is wrong.
    """
    rest, found = list(measures), []
    while len(rest) > 2:
        if np.max(np.abs(_deviations(rest, fit(rest).line.shift != 0))) <= np.log1p(_TOLERANCE):
            break
        excess = [_contradiction(one, _without(rest, i)) for i, one in enumerate(rest)]
        worst = int(np.argmax(excess))
        if excess[worst] <= 1:
            break
        one = rest.pop(worst)
        implied = float(np.median(fit(rest).line(one.network)))
        found.append(Outlier(one.name, float(np.median(one.metres)), implied))
    return found


def check_agreement(measures: Sequence[Measure]) -> None:
    """Raises InputError where measures contradict each other."""
    if found := find_outliers(measures):
        remedy = "check it, or leave it out" if len(found) == 1 else "check them, or leave them out"
        raise InputError(f"{'; '.join(map(str, found))}; {remedy}")
    if len(measures) == 2:
        deviation = _deviations(measures, shift=False)[0]
        if abs(deviation) > np.log1p(_TOLERANCE):
            raise InputError(
                f"{measures[0].name} and {measures[1].name} imply scales that differ by"
                f" {np.expm1(abs(deviation)):.0%}: one of them may be wrong; add a third measure"
            )


def _contradiction(one: Measure, others: Sequence[Measure]) -> float:
    """Returns how far a measure is from what others imply, 1 where they would just allow it.

    What they allow follows from how far they are from each other: a wrong measure among them widens
    it, so that it is the wrong one that stands out.
    """
    line = fit(others).line
    scatter = 1.4826 * np.median(np.abs(_deviations(others, line.shift != 0)))
    return abs(_deviation(one, line)) / max(np.log1p(_TOLERANCE), _SIGMAS * scatter)


def _error(measures: Sequence[Measure], shift: bool) -> float:
    """Returns the root mean square of the leave-one-out errors, relative."""
    return float(np.sqrt(np.mean(np.square(_deviations(measures, shift)))))


def _deviations(measures: Sequence[Measure], shift: bool) -> np.ndarray:
    """Returns how far each measure is from what the others imply."""
    rest = [_without(measures, i) for i in range(len(measures))]
    lines = [_solve(others, shift) for others in rest]
    return np.array([_deviation(*pair) for pair in zip(measures, lines, strict=True)])


def _deviation(one: Measure, line: Line) -> float:
    """Returns log(measured / implied), of several places the median."""
    implied = np.maximum(line(one.network), 1e-3 * one.metres)
    return float(np.median(np.log(one.metres / implied)))


def _without(measures: Sequence[Measure], i: int) -> list[Measure]:
    return [*measures[:i], *measures[i + 1 :]]


def _solve(measures: Sequence[Measure], shift: bool) -> Line:
    """Fits a line to all measures, each of which counts the same, however many places it has.

    The scale alone is the median of measured / network. With a shift, relative errors are
    minimized: their squares where they are small, their sizes where they are large (Huber, Annals
    of Mathematical Statistics 35, 1964).
    """
    if not shift:
        ratios = [np.median(np.log(one.metres / one.network)) for one in measures]
        return Line(float(np.exp(np.median(ratios))))
    network = np.concatenate([one.network for one in measures])
    metres = np.concatenate([one.metres for one in measures])
    share = np.concatenate([np.full(len(one.metres), 1 / len(one.metres)) for one in measures])
    columns = np.stack([network, np.ones_like(network)], axis=1) / metres[:, None]
    weights = share
    for _ in range(10):
        root = np.sqrt(weights)
        (scale, offset), *_ = np.linalg.lstsq(columns * root[:, None], root, rcond=None)
        size = np.abs(columns @ (scale, offset) - 1)
        limit = _HUBER * 1.4826 * np.median(size)
        weights = share * np.minimum(1, limit / np.maximum(size, 1e-12))
    return Line(float(scale), float(offset))
