"""Chooses which layers stay float, so that 8 bits keep within an error of the depth.

Half of the images give the ranges, the other half judge. The error is REL, the mean of
|d - t| / t over pixels, then over images; t is the truth where there is some, else the depth of the
network in float. If all layers in 8 bits keep within the budget, that is it. Otherwise each layer
is quantized alone, and those that move the depth farthest from the network's in float are kept in
float: 1, 2, 4 ..., and then as few of them as will do. The truth does not rank, because an error of
one layer may also bring the depth nearer to it, by chance. Every choice is measured as a whole,
because errors do not add up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_depth import images
from keras_depth.data.reader import spread
from keras_depth.errors import InputError
from keras_depth.export.quantize import Quantizer, batches
from keras_depth.predict.exported import onnx_session

_RANKED = 8  # images, by which layers are ranked
_NAMED = 6  # layers, where people read it; export.json names all


@dataclass(frozen=True)
class Choice:
    """Says which layers stay float, and what the others cost.

    Attributes:
        layers: how many can be quantized.
        in_float: the names of those that stay float, the worst first.
        budget: the accepted rise of REL.
        judged_against: "truth", or "the network in float".
        rel_float, rel: REL of the network in float and of the quantized one.
        calibration_images, judged_images: how many gave ranges, and how many judged.
        sensitivity: REL against the network in float with one layer alone in 8 bits, the worst
            first; empty if no layer had to stay float.
    """

    layers: int
    in_float: list[str]
    budget: float
    judged_against: str
    rel_float: float
    rel: float
    calibration_images: int
    judged_images: int
    sensitivity: dict[str, float]

    def __str__(self) -> str:
        count = self.layers - len(self.in_float)
        against = self.judged_against
        if against == "truth":
            error = f"REL {self.rel_float:.4f} in float, {self.rel:.4f} now, against truth"
        else:
            error = f"REL {self.rel:.4f} against {against}"
        names = self.in_float[:_NAMED] + ["..."] * (len(self.in_float) > _NAMED)
        kept = f"; in float: {', '.join(names)}" if names else ""
        return (
            f"{count} of {self.layers} layers; {error}, on {self.judged_images} images that gave no"
            f" ranges (budget {self.budget:g}){kept}"
        )


def quantize(
    proto: Any,
    format: str,
    pictures: np.ndarray,
    truth: Sequence[np.ndarray] | None,
    budget: float,
) -> tuple[Any, Choice]:
    """Quantizes a network, within a budget.

    Args:
        proto: ONNX in float, from `image` to `depth`.
        format: "onnx" or "tensorrt": who will run it.
        pictures: (N, ...) as the network takes them; the first half gives ranges, the other judges.
        truth: the depth of each, (h, w) metres of any size, 0 = not measured; None: none is known.
        budget: by how much REL may rise.

    Returns:
        The quantized ONNX, and what was chosen.

    Raises:
        InputError: too few images, a network without a layer to quantize, or no choice keeps within
            the budget.
    """
    half = len(pictures) // 2
    batch = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    if half < batch:
        raise InputError(
            f"{len(pictures)} images for calibration: half of them give ranges and half judge;"
            f" give {2 * batch} or more"
        )
    quantizer = Quantizer(proto, format, pictures[:half])
    count = len(quantizer.layers)
    if not count:
        raise InputError("the network has no layer that 8 bits are for; choose fp32 or fp16")
    judge = _Judge(quantizer.network, format, pictures[half:], truth and truth[half:])
    rise, kept = judge.rise(quantizer.quantize()), 0
    sensitivity: dict[str, float] = {}
    if not rise <= budget:  # NaN too
        sensitivity = _rank(quantizer, judge)
        worst = list(sensitivity)

        def measure(number: int) -> float:
            return judge.rise(quantizer.quantize(worst[:number]))

        kept, rise = _find_fewest(measure, count - 1, budget, rise)
        if not rise <= budget:
            raise InputError(
                f"8 bits within a budget of {budget:g}: even with {kept} of {count} layers in float"
                f" REL rises by {rise:.2g} against {judge.against}; give a larger --budget, or"
                " choose fp16"
            )
    in_float = list(sensitivity)[:kept]
    choice = Choice(
        layers=count,
        in_float=in_float,
        budget=budget,
        judged_against=judge.against,
        rel_float=judge.rel_float,
        rel=judge.rel_float + rise,
        calibration_images=half,
        judged_images=len(pictures) - half,
        sensitivity=sensitivity,
    )
    return quantizer.quantize(in_float), choice


def _rank(quantizer: Quantizer, judge: "_Judge") -> dict[str, float]:
    """Returns REL against the network in float, each layer alone in 8 bits, the worst first."""
    some, moved = judge.of_float(_RANKED), {}
    for name in tqdm(quantizer.layers, unit="layer", desc="sensitivity"):
        moved[name] = some.rise(quantizer.quantize([n for n in quantizer.layers if n != name]))
    return dict(sorted(moved.items(), key=lambda item: -item[1]))


def _find_fewest(
    measure: Callable[[int], float], most: int, budget: float, rise: float
) -> tuple[int, float]:
    """Finds the fewest layers in float that keep within the budget, and their rise.

    Args:
        measure: number of layers in float -> rise of REL.
        most: of them.
        budget: the accepted rise.
        rise: with none of them in float, above the budget.

    Returns:
        `most` and its rise, above the budget, if no number keeps within it.
    """
    low, high = 0, 0  # `low` does not keep within it
    while not rise <= budget and high < most:
        low, high = high, min(max(1, 2 * high), most)
        rise = measure(high)
    while rise <= budget and high - low > 1:
        middle = (low + high) // 2
        if (found := measure(middle)) <= budget:
            high, rise = middle, found
        else:
            low = middle
    return high, rise


class _Judge:
    """Measures REL of a network on images that gave no ranges.

    Args:
        network: ONNX in float.
        format: "onnx": computed as ONNX Runtime does here; "tensorrt": as TensorRT would, in exact
            arithmetic of the rounded values.
        pictures: as the network takes them.
        truth: see `quantize`.

    Attributes:
        against: what the depth is compared with.
        rel_float: REL of the network in float.
    """

    def __init__(
        self,
        network: Any,
        format: str,
        pictures: np.ndarray,
        truth: Sequence[np.ndarray] | None,
    ):
        self._network, self._format = network, format
        self._groups = list(batches(network, pictures))
        self._pictures = pictures
        self.against = "truth" if truth else "the network in float"
        depth = self._compute(network)
        self._expected = truth if truth else list(depth)
        if not any((one > 0).any() for one in self._expected[: len(depth)]):
            raise InputError(f"8 bits cannot be judged: {self.against} has no depth above 0")
        self.rel_float = self._rel(depth)

    def of_float(self, count: int) -> "_Judge":
        """Returns a judge against the network in float, on a few images, at least a batch."""
        batch = len(self._groups[0])
        some = spread(len(self._groups) * batch, -(-count // batch) * batch)
        return _Judge(self._network, self._format, self._pictures[some], None)

    def rise(self, network: Any) -> float:
        """Returns REL of a quantized network less that of the network in float."""
        return self._rel(self._compute(network)) - self.rel_float

    def _compute(self, network: Any) -> np.ndarray:
        """Computes depth, (N, h, w) metres."""
        run = onnx_session(network.SerializeToString(), exact=self._format == "tensorrt")
        return np.concatenate([run(group) for group in self._groups])[..., 0]

    def _rel(self, depth: np.ndarray) -> float:
        pairs = zip(depth, self._expected, strict=False)  # the last may not fill a batch
        rels = [_rel(one, expected) for one, expected in pairs if (expected > 0).any()]
        return float(np.mean(rels))


def _rel(depth: np.ndarray, expected: np.ndarray) -> float:
    """Returns the mean of |d - t| / t where t is above 0; a map grows to the truth's size first."""
    there = expected > 0
    depth = images.resize(depth, expected.shape)
    return float(np.mean(np.abs(depth[there] - expected[there]) / expected[there]))
