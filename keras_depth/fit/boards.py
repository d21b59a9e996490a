"""The boards and what they can do at most: `boards.yaml`, with the source of each number."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from keras_depth.command import parse_yaml
from keras_depth.errors import InputError
from keras_depth.registry import Registry

THIS = "this"  # the machine that runs the command; see `this_machine`
PRECISIONS = {"fp32": 4, "fp16": 2, "int8": 1}  # bytes of a value


@dataclass(frozen=True)
class Efficiency:
    """Which share of the roofline layers of one kind reach: the worst, and a typical one."""

    low: float
    typical: float


@dataclass(frozen=True)
class Board:
    """What a board can do at most, and how much of it is reached.

    Attributes:
        name: what --board takes.
        title: the board, and the mode in which the peaks hold.
        peaks: operations a second by precision, two a MAC; without sparsity.
        bandwidth: of the memory, bytes a second.
        cache: bytes of the last cache; a map that fits into it costs no traffic.
        memory: bytes; None: not known.
        efficiency: by the kind of layer.
        overhead: seconds that each layer takes at most beside its work.
        sources: where each number is from.
        notes: what to know of this board.
    """

    name: str
    title: str
    peaks: Mapping[str, float]
    bandwidth: float
    cache: float
    memory: float | None
    efficiency: Mapping[str, Efficiency]
    overhead: float
    sources: Mapping[str, str]
    notes: str = ""

    def check_precision(self, precision: str) -> None:
        """Raises InputError unless the board has arithmetic of this precision."""
        if precision not in self.peaks:
            raise InputError(
                f"board {self.name}: no peak in {precision} is known; choose one of"
                f" {', '.join(self.peaks)}"
            )


def read_boards() -> Registry[Board]:
    """Reads the boards of `boards.yaml`, by name."""
    text = resources.files(__package__).joinpath("boards.yaml").read_text(encoding="utf-8")
    content = parse_yaml(text)
    boards: Registry[Board] = Registry("board")
    for name, entry in content["boards"].items():
        boards.add(name, _board(name, entry, content["processors"][entry["processor"]]))
    return boards


def _board(name: str, entry: dict[str, Any], processor: dict[str, Any]) -> Board:
    return Board(
        name,
        entry["title"],
        {precision: 1e9 * giga for precision, giga in entry["giga_operations"].items()},
        1e9 * entry["gigabytes_a_second"],
        2**10 * entry["cache_kib"],
        2**30 * entry["memory_gib"],
        {kind: Efficiency(*shares) for kind, shares in processor["efficiency"].items()},
        1e-6 * processor["overhead_microseconds"],
        entry["sources"],
        entry.get("notes", ""),
    )
