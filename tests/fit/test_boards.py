"""Each board's numbers have sources and fit each other."""

import re
from pathlib import Path

import pytest

from keras_depth.fit.boards import PRECISIONS, read_boards
from keras_depth.fit.layers import KINDS

BOARDS = read_boards()
ROOT = Path(__file__).resolve().parents[2]
WORDS = {  # of the page, for the keys of boards.yaml
    "giga_operations": "operations",
    "gigabytes_a_second": "GB/s",
    "cache_kib": "cache",
    "memory_gib": "memory",
}


def test_the_boards_of_the_page():
    assert list(BOARDS) == [
        *("nano", "tx2", "xavier_nx", "orin_nano", "orin_nano_super", "orin_nx", "agx_orin"),
        *("thor", "raspberry_pi_5", "n100"),
    ]


def test_the_page_marks_what_is_unconfirmed():
    table = (ROOT / "docs" / "boards.md").read_text(encoding="utf-8").split("\n## Boards\n")[1]
    marked = {}
    for line in table.splitlines():
        if match := re.match(r"\| `(\w+)` .*\|([^|]*)\|$", line):
            marked[match[1]] = match[2].strip()
    for name, board in BOARDS.items():
        keys = {key for key, text in board.sources.items() if text.startswith("unconfirmed")}
        assert marked[name] == ", ".join(WORDS[key] for key in WORDS if key in keys)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_numbers_and_sources(board):
    assert board.sources.keys() == {
        *("giga_operations", "gigabytes_a_second", "cache_kib", "memory_gib")
    }
    for source in board.sources.values():
        assert re.search(r"https?://\S+\.\S+", source) or source.startswith("unconfirmed: ")
    assert {"fp32"} <= board.peaks.keys() <= PRECISIONS.keys()
    assert 1e11 < board.peaks["fp32"] < 2e14 and 1e10 < board.bandwidth < 3e11
    peaks = [board.peaks[name] for name in PRECISIONS if name in board.peaks]
    ratios = [after / before for before, after in zip(peaks, peaks[1:], strict=False)]
    assert all(1.99 < ratio < 8.1 for ratio in ratios), "fewer bits are faster"
    assert 2**18 <= board.cache <= 2**25 and 2**32 <= board.memory <= 2**37
    assert board.efficiency.keys() == KINDS.keys()
    assert all(0 < one.low <= one.typical < 1 for one in board.efficiency.values())
    assert 0 < board.overhead < 1e-4
