"""Checks the depth of many frames: its range, its steps, and whether it can be metres."""

import math
from dataclasses import dataclass

import numpy as np

# Bins of a histogram of log10(metres): 0.5 % each, far beyond the range of any unit.
_LOWEST, _HIGHEST, _PER_DECADE = -7, 8, 500
_LEVELS = 256  # distinct values that an 8-bit picture can hold

# Kind of scene -> the lowest, the highest and a usual median of all depth, in metres.
_MEDIANS = {"indoor": (0.3, 10.0, 2.7), "driving": (2.0, 100.0, 12.0), "any": (0.1, 200.0, 3.0)}
# The same of eight frames or more, as measured in NYU, 7-Scenes, KITTI and the rendered frames.
_ROOM, _STREET = (1.2, 4.6, 2.7), (6.5, 23.0, 12.0)
# A street is known in any unit: 99 % of its depth is within 4.3 to 8 medians, a room's within 1.3
# to 3.9. A room that is as wide is not as near, and ends where cameras do, in metres.
_WIDE, _WIDE_ROOM, _WIDE_ROOM_LOW, _ROOM_END = 3.6, 4.2, 1.45, 11.0
# What a depth picture may store for one metre.
_UNITS = {
    1000: "millimetres",
    5000: "steps of 1/5000 m, as TUM's",
    256: "steps of 1/256 m, as KITTI's",
    100: "centimetres",
    10000: "tenths of a millimetre",
}
# What metres may be too large or too small by: quotients of these units.
_FACTORS = (2.56, 3.9, 5, 10, 39)
# Metres of one's own, of .npy files, may be of a table top, which no wrong unit of a room's are:
# nothing is nearer than cameras measure, or farther than an arm.
_TABLE = (0.1, 0.6)
_UNUSUAL = (
    "hint: {}, 99 % within {} m: neither a room (median"
    f" {_ROOM[0]:g} to {_ROOM[1]:g} m) nor a street ({_STREET[0]:g} to {_STREET[1]:g} m) is like"
    " that as a rule; "
)
_LARGEST = 65535  # of a 16-bit picture
_ROTATED = (
    "{:.1%} of the stored values are multiples of 8: these look like SUN RGB-D's rotated bits;"
    " write (d >> 3) | (d << 13) for each 16-bit value d, which is in millimetres, and give"
    " units_per_metre=1000"
)


@dataclass(frozen=True)
class DepthValues:
    """Summarizes the measured depth of one frame or several; two summaries add up.

    Attributes:
        pixels, measured: the number of pixels, and of those with depth.
        counts: int64, the histogram of the measured depth.
        minimum, maximum: metres; infinity and 0 if nothing is measured.
        at_maximum: pixels at the maximum.
        reaching: frames with a pixel at the maximum.
        levels: the distinct values; None if there are more than an 8-bit image can hold.
        eights, sixteens: pixels whose stored value is a multiple of 8, and of 16; 0 if the unit is
            not known.
    """

    pixels: int
    measured: int
    counts: np.ndarray
    minimum: float
    maximum: float
    at_maximum: int
    reaching: int
    levels: frozenset[float] | None
    eights: int = 0
    sixteens: int = 0

    @classmethod
    def of(cls, depth: np.ndarray, units_per_metre: float | None = None) -> "DepthValues":
        """Summarizes one depth map.

        Args:
            depth: floating (H, W), metres, 0 = not measured.
            units_per_metre: see `Reader`.
        """
        values = depth[depth > 0]
        bins = (np.log10(values) - _LOWEST) * _PER_DECADE
        last = (_HIGHEST - _LOWEST) * _PER_DECADE - 1
        counts = np.bincount(bins.clip(0, last).astype(np.int64), minlength=last + 1)
        if not values.size:
            return cls(depth.size, 0, counts, math.inf, 0.0, 0, 0, frozenset())
        # In most maps a part of the pixels already has more values.
        few = len(np.unique(values[:: 1 + values.size // 5000])) <= _LEVELS
        levels = np.unique(values) if few else ()
        maximum = values.max()
        stored = np.rint(values * (units_per_metre or 0)).astype(np.int64)
        eights, sixteens = (
            int((stored % step == 0).sum()) if units_per_metre else 0 for step in (8, 16)
        )
        return cls(
            depth.size,
            values.size,
            counts,
            float(values.min()),
            float(maximum),
            int((values == maximum).sum()),
            1,
            frozenset(map(float, levels)) if 0 < len(levels) <= _LEVELS else None,
            eights,
            sixteens,
        )

    def __add__(self, other: "DepthValues") -> "DepthValues":
        maximum = max(self.maximum, other.maximum)
        highest = [part for part in (self, other) if part.maximum == maximum]
        levels = None
        if self.levels is not None and other.levels is not None:
            levels = self.levels | other.levels
        return DepthValues(
            self.pixels + other.pixels,
            self.measured + other.measured,
            self.counts + other.counts,
            min(self.minimum, other.minimum),
            maximum,
            sum(part.at_maximum for part in highest),
            sum(part.reaching for part in highest),
            levels if levels is not None and len(levels) <= _LEVELS else None,
            self.eights + other.eights,
            self.sixteens + other.sixteens,
        )

    def percentile(self, percent: float) -> float:
        """Returns a percentile in metres, within 0.3 %; NaN if nothing is measured."""
        if not self.measured:
            return math.nan
        place = np.searchsorted(self.counts.cumsum(), percent / 100 * self.measured)
        metres = 10 ** ((place + 0.5) / _PER_DECADE + _LOWEST)
        return float(np.clip(metres, self.minimum, self.maximum))

    def summary(self) -> dict[str, float | int | None]:
        """Returns the share of measured pixels, five percentiles, and the number of levels."""
        percentiles = {f"{p}%": self.percentile(p) for p in (1, 50, 99)} if self.measured else {}
        return {
            "measured": self.measured / self.pixels,
            "minimum": self.minimum if self.measured else None,
            **percentiles,
            "maximum": self.maximum if self.measured else None,
            "levels": None if self.levels is None else len(self.levels),
        }


def find_value_faults(values: DepthValues, scene: str, units_per_metre: float | None) -> list[str]:
    """Says why these values are unlikely to be metres, one sentence for each reason.

    Args:
        values: of all frames that were read.
        scene: "indoor", "driving" or "any".
        units_per_metre: see `Reader`.
    """
    faults = find_unit_faults(values, scene, units_per_metre)
    if values.measured and not _is_saturated(values, units_per_metre):
        faults += [_find_cut_off(values)]
    return [sentence for sentence in faults if sentence]


def find_unit_faults(values: DepthValues, scene: str, units_per_metre: float | None) -> list[str]:
    """Says why the unit seems wrong; takes what `find_value_faults` takes."""
    if not values.measured:
        return []
    share, sentences = 0.0, []
    if _is_saturated(values, units_per_metre):
        share = values.at_maximum / values.measured
        sentences.append(
            f"{share:.1%} of the depth is {values.maximum:g} m, stored as {_LARGEST}, which cameras"
            " write where they measure nothing; write 0 there"
        )
    eights = values.eights / values.measured / (1 - share) if share < 1 else 0
    # Coarser steps, as of 8-bit pictures times 256, are multiples of 16 too.
    if eights > 0.9 and 0.2 < values.sixteens / values.eights < 0.8:
        sentences.append(_ROTATED.format(eights))
    else:
        sentences.append(_find_unit_fault(values, share, scene, units_per_metre))
    return [sentence for sentence in sentences if sentence]


def _is_saturated(values: DepthValues, units_per_metre: float | None) -> bool:
    """Tells whether the maximum is the largest value of a 16-bit picture (or of millimetres)."""
    return abs(values.maximum * (units_per_metre or 1000) - _LARGEST) < 0.5


def _find_unit_fault(
    values: DepthValues, saturated: float, scene: str, units_per_metre: float | None
) -> str:
    """Compares all depth but the saturated share with what is usual."""
    median = values.percentile(50 * (1 - saturated))
    low, high, usual = _MEDIANS[scene]
    levels = values.levels or frozenset()
    if len(levels) > 16 and values.maximum <= 255 and all(v == int(v) for v in levels):
        return (
            f"median depth {number(median)} m, with 8-bit steps of whole metres: these look like an"
            " 8-bit picture's 0 to 255; decode it to metres (255 = 10 m in DenseDepth's copies)"
        )
    steps = f" with 8-bit steps ({len(levels)} distinct values)" if values.levels else ""
    found = f"median depth {number(median)} m{steps}"
    far = values.percentile(99 * (1 - saturated))
    if units_per_metre:
        return _doubt_stated_unit(found, median, far, scene, units_per_metre)
    if low <= median <= high:
        table = _TABLE[0] <= values.percentile(1) and far <= _TABLE[1]
        return "" if scene != "any" or table else _doubt_metres(found, median, far)
    sign = 1 if median > high else -1
    unit = min(_UNITS, key=lambda unit: abs(math.log(median / usual / unit**sign)))
    if median > high:
        return f"{found}: these look like {_UNITS[unit]}; divide them by {unit}"
    scaled = ", or scaled to 0..1" if values.maximum <= 1 else ""
    return (
        f"{found}: these look like metres divided by {unit} once too often{scaled}; multiply them"
        f" by {unit}"
    )


def _doubt_stated_unit(
    found: str, median: float, far: float, scene: str, units_per_metre: float
) -> str:
    """Names the likely unit where the depth is unusual in the unit that the user has given."""
    low, high, usual = _MEDIANS[scene]
    possible = low <= median <= high
    if possible and (scene != "any" or _is_room(median, far) or _is_street(median, far)):
        return ""
    if scene == "any":
        usual = _usual_median(median, far)
    medians = {unit: median * units_per_metre / unit for unit in (*_UNITS, units_per_metre)}
    likely = sorted(medians, key=lambda unit: abs(math.log(medians[unit] / usual)))
    listed = "; ".join(f"as {unit:g}: {number(medians[unit])} m" for unit in likely)
    if possible and likely[0] == units_per_metre:
        return (
            f"{_UNUSUAL.format(found, number(far))}check units_per_metre={units_per_metre:g} with a"
            f" distance that you know (median {listed})"
        )
    other = next(unit for unit in likely if unit != units_per_metre)
    hint = "hint: " if possible else ""
    return (
        f"{hint}{found}: these look like {_UNITS[int(other)]}; give units_per_metre={other:g}"
        f" (median {listed})"
    )


def _doubt_metres(found: str, median: float, far: float) -> str:
    """Says that depth which is taken for metres is unusual, and by what it may be too large."""
    if _is_room(median, far) or _is_street(median, far):
        return ""
    ratio = math.log(median / _usual_median(median, far))
    factor = min(_FACTORS, key=lambda factor: abs(abs(ratio) - math.log(factor)))
    word, likely = ("divided", median / factor) if ratio > 0 else ("multiplied", median * factor)
    return (
        f"{_UNUSUAL.format(found, number(far))}these values are taken for metres: check a distance"
        f" that you know ({word} by {factor:g}, the median is {number(likely)} m)"
    )


def _usual_median(median: float, far: float) -> float:
    return (_STREET if far > _WIDE * median else _ROOM)[2]


def _is_room(median: float, far: float) -> bool:
    """Tells whether a median, and what 99 % of the depth are within, are usual in rooms; metres."""
    low = _WIDE_ROOM_LOW if far > _WIDE_ROOM * median else _ROOM[0]
    return low <= median <= _ROOM[1] and far <= _ROOM_END


def _is_street(median: float, far: float) -> bool:
    """Tells the same of streets."""
    return _STREET[0] <= median <= _STREET[1] and far > _WIDE * median


def _find_cut_off(values: DepthValues) -> str:
    """Says that depth is cut off: many pixels are at the maximum, and few are near it."""
    share = values.at_maximum / values.measured
    bins = (np.log10([0.95 * values.maximum, values.maximum]) - _LOWEST) * _PER_DECADE
    near = values.counts[int(bins[0]) : int(bins[1]) + 1].sum() - values.at_maximum
    if values.reaching < 2 or share < 0.01 or near > values.at_maximum:
        return ""
    return (
        f"{share:.1%} of the depth is exactly {number(values.maximum)} m, the maximum, in"
        f" {values.reaching} frames: what is farther is cut off there, or not measured; write 0"
        " for it"
    )


_MIN_FRAMES = 8  # a single frame may look down a slope, or at a ceiling


def trend(depth: np.ndarray) -> float | None:
    """Returns the correlation of row and log depth; below 0 if the bottom is nearer."""
    rows = np.nonzero(depth > 0)[0]
    values = np.log(depth[depth > 0])
    if values.size < 100 or np.ptp(values) == 0 or np.ptp(rows) == 0:
        return None
    return float(np.corrcoef(rows, values)[0, 1])


def find_trend_fault(trends: list[float]) -> str:
    """Says that depth grows downwards, if it does so on average."""
    if len(trends) < _MIN_FRAMES:
        return ""
    mean, error = np.mean(trends), np.std(trends) / math.sqrt(len(trends))
    if mean < 0.1 or mean < 2 * error:
        return ""
    return (
        f"depth grows downwards in the picture (correlation {mean:.2f} over {len(trends)} frames),"
        " where things are nearer as a rule: these look like inverse depth or disparity, or like"
        " maps that are upside down"
    )


def number(value: float) -> str:
    """Formats a value with three digits, thousands as 2,710."""
    if abs(value) < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}"
