"""Bounds the time and the memory of a network on a board by its roofline.

A layer takes at least as long as its arithmetic at the board's peak, and as its traffic at the
memory's bandwidth: the longer of the two. A network takes the sum. Source: Williams, Waterman,
Patterson: Roofline, Communications of the ACM 52 (4), 2009.
"""

from dataclasses import dataclass

from keras_depth.fit.boards import PRECISIONS, Board
from keras_depth.fit.layers import MOVING, Layer, Map, Network

# Runtimes lay the maps of convolutions out in blocks of channels, which these kinds cannot read:
# their maps are rewritten before and after.
_RELAID = ("transposed", "bilinear", "shuffle", "function")


@dataclass(frozen=True)
class LayerTime:
    """The bounds of one layer, in seconds.

    Attributes:
        layer: the layer.
        compute: of its arithmetic at the peak.
        memory: of its traffic at the memory's bandwidth.
        typical, high: at the efficiency of its kind, with the overhead.
    """

    layer: Layer
    compute: float
    memory: float
    typical: float
    high: float

    @property
    def low(self) -> float:
        return max(self.compute, self.memory)

    @property
    def memory_bound(self) -> bool:
        return self.memory > self.compute


@dataclass(frozen=True)
class Fit:
    """What a network needs on a board.

    Attributes:
        network, board, precision: what was asked.
        times: of each layer.
        weights, maps: bytes of the weights, and of the maps held at once at most.
    """

    network: Network
    board: Board
    precision: str
    times: list[LayerTime]
    weights: int
    maps: int

    @property
    def low(self) -> float:
        """Seconds a call takes at least."""
        return sum(one.low for one in self.times)

    @property
    def typical(self) -> float:
        return sum(one.typical for one in self.times)

    @property
    def high(self) -> float:
        """Seconds a call takes at most, where every layer is as inefficient as measured."""
        return sum(one.high for one in self.times)

    @property
    def memory_bound(self) -> list[LayerTime]:
        """Layers that wait for the memory, those that take longest first."""
        bound = [one for one in self.times if one.memory_bound]
        return sorted(bound, key=lambda one: -one.memory)

    @property
    def memory(self) -> int:
        """Bytes of weights and maps."""
        return self.weights + self.maps


def fit(network: Network, board: Board, precision: str) -> Fit:
    """Bounds the time and the memory of a network on a board.

    Args:
        network: from `layers.analyze`.
        board: from `boards.read_boards` or `this_machine.measure`.
        precision: of weights and maps, one of `PRECISIONS`.

    Raises:
        InputError: the board has no arithmetic of this precision.
    """
    board.check_precision(precision)
    width = PRECISIONS[precision]
    weights = network.weights * width
    kept = weights <= board.cache  # then the weights may stay in the cache between two calls
    times = [_time(layer, board, precision, kept) for layer in network.layers]
    return Fit(network, board, precision, times, weights, network.live * width)


def _time(layer: Layer, board: Board, precision: str, weights_kept: bool) -> LayerTime:
    width = PRECISIONS[precision]
    compute = 2 * layer.macs / board.peaks[precision]
    maps = (_bytes(one, width, board.cache) for one in (*layer.reads, *layer.writes))
    weights = 0 if weights_kept else layer.weights * width
    memory = (weights + sum(maps)) / board.bandwidth
    if layer.kind in MOVING:  # a runtime may write each part in its place at once
        memory = 0
    # What a cache may spare is not counted on, nor that each function is fused.
    usual = max(compute, layer.moved * width / board.bandwidth)
    functions = 2 * layer.functions * width / board.bandwidth
    share, of_functions = board.efficiency[layer.kind], board.efficiency["function"]
    typical = usual / share.typical + functions / of_functions.typical + board.overhead / 2
    high = usual / share.low + functions / of_functions.low + board.overhead
    relaid = 2 * layer.functions if layer.kind not in _RELAID else layer.moved - layer.weights
    high += 2 * relaid * width / board.bandwidth / board.efficiency["copy"].low
    return LayerTime(layer, compute, memory, typical, high)


def _bytes(one: Map, width: int, cache: float) -> int:
    return one.values * width if one.values * width > cache else 0
