"""Says in text and as JSON what a network needs on a board."""

from typing import Any

from keras_depth import markdown
from keras_depth.fit.boards import Board
from keras_depth.fit.layers import Network
from keras_depth.fit.roofline import Fit, LayerTime, fit

_SHOWN = 5  # layers that wait for the memory


def fits(network: Network, board: Board) -> list[Fit]:
    """Returns what the network needs in each precision of which the board has arithmetic."""
    return [fit(network, board, precision) for precision in board.peaks]


def to_text(asked: Fit, all: list[Fit]) -> str:
    """Returns what `fit` prints: the network, the board, a table of precisions, slow layers."""
    network, board, bound = asked.network, asked.board, asked.memory_bound
    height, width = network.size
    share = sum(one.low for one in bound) / asked.low
    rows = {
        "network": f"{network.name}, {height}x{width}, batch {network.batch}:"
        f" {network.macs / 1e9:.3f} GMAC, {network.weights / 1e6:.2f} M weights,"
        f" {len(network.layers)} layers",
        "board": board.title,
        "peaks": ", ".join(f"{peak / 1e9:,.0f} ({name})" for name, peak in board.peaks.items())
        + f" billion operations/s, {board.bandwidth / 1e9:.1f} GB/s",
        "time": f"{asked.low * 1e3:.2f} to {asked.high * 1e3:.2f} ms in {asked.precision},"
        f" typically {asked.typical * 1e3:.2f} ms ({network.batch / asked.typical:.1f} images/s)",
        "memory": _memory(asked),
        "memory-bound": f"{len(bound)} layers, {share:.0%} of the least time",
    }
    lines = [f"{name:<14}{text}" for name, text in rows.items()]
    lines += ["", *_precisions(all)]
    if bound:
        lines += ["", f"slowest of the memory-bound layers in {asked.precision}:"]
        lines += _layers(bound[:_SHOWN], asked)
    if board.notes:
        lines += ["", board.notes]
    return "\n".join(lines)


def to_json(asked: Fit, all: list[Fit]) -> dict[str, Any]:
    """Returns the same as `to_text`, with every layer, for --json."""
    network, board = asked.network, asked.board
    return {
        "network": network.name,
        "size": list(network.size),
        "batch": network.batch,
        "macs": network.macs,
        "weights": network.weights,
        "board": board.name,
        "title": board.title,
        "operations_a_second": dict(board.peaks),
        "bytes_a_second": board.bandwidth,
        "sources": dict(board.sources),
        "precision": asked.precision,
        "precisions": {one.precision: _summary(one) for one in all},
        "layers": [
            {
                "name": one.layer.name,
                "kind": one.layer.kind,
                "macs": one.layer.macs,
                "weights": one.layer.weights,
                "read": sum(map.values for map in one.layer.reads),
                "written": sum(map.values for map in one.layer.writes),
                "compute_milliseconds": 1e3 * one.compute,
                "memory_milliseconds": 1e3 * one.memory,
                "memory_bound": one.memory_bound,
            }
            for one in asked.times
        ],
    }


def _summary(one: Fit) -> dict[str, Any]:
    return {
        "milliseconds": {
            "low": 1e3 * one.low,
            "typical": 1e3 * one.typical,
            "high": 1e3 * one.high,
        },
        "weights_bytes": one.weights,
        "maps_bytes": one.maps,
    }


def _memory(asked: Fit) -> str:
    text = (
        f"{asked.memory / 1e6:.1f} MB: weights {asked.weights / 1e6:.1f}, maps held at once"
        f" {asked.maps / 1e6:.1f}; the runtime's own comes on top"
    )
    there = asked.board.memory
    return text + f"; {there / 2**30:.0f} GiB on the board" if there else text


def _precisions(all: list[Fit]) -> list[str]:
    rows = [
        [
            one.precision,
            f"{1e3 * one.low:.2f}",
            f"{1e3 * one.typical:.2f}",
            f"{1e3 * one.high:.2f}",
            f"{all[0].low / one.low:.2f}",
            f"{one.weights / 1e6:.1f}",
            f"{one.memory / 1e6:.1f}",
        ]
        for one in all
    ]
    header = ("precision", "at least, ms", "typically, ms", "at most, ms") + (
        *(f"times as fast as {all[0].precision}", "weights, MB", "memory, MB"),
    )
    return markdown.table(header, rows, "lrrrrrr", padded=True)


def _layers(times: list[LayerTime], asked: Fit) -> list[str]:
    rows = [
        [
            one.layer.name,
            one.layer.kind,
            f"{1e3 * one.memory:.3f}",
            f"{1e3 * one.compute:.3f}",
            f"{one.low / asked.low:.1%}",
        ]
        for one in times
    ]
    header = ("layer", "kind", "memory, ms", "arithmetic, ms", "of the least time")
    return markdown.table(header, rows, "llrrr", padded=True)
