"""This machine as a board: cases are what they say, and what is measured is a board."""

import numpy as np
import pytest

from keras_depth.fit import this_machine
from keras_depth.fit.layers import KINDS
from keras_depth.fit.this_machine import Case

TINY = {
    "conv": Case("conv", 8, 16, 32, 3, stride=2),
    "narrow": Case("narrow", 8, 3, 16),
    "grouped": Case("grouped", 8, 16, 16, 3, groups=4),
    "depthwise": Case("depthwise", 8, 16, 16, 3, groups=16),
    "transposed": Case("transposed", 8, 16, 8, 5, stride=2),
    **{kind: Case(kind, 8, 16) for kind in ("pool", "bilinear", "nearest", "shuffle", "copy")},
    **{kind: Case(kind, 8, 16) for kind in ("pointwise", "function")},
}


def test_each_kind_has_cases():
    assert {case.kind for case in this_machine.CASES} == KINDS.keys() == TINY.keys()


def test_a_case_counts_as_a_network_does():
    first, second = TINY["conv"].layers
    assert (first.macs, first.moved) == (16 * 9 * 16 * 32, 9 * 16 * 32 + 64 * 16 + 16 * 32)
    assert (second.macs, second.moved) == (16 * 9 * 32 * 16, 9 * 16 * 32 + 16 * 32 + 16 * 16)
    (up,) = TINY["transposed"].layers
    assert up.macs == 64 * 25 * 16 * 8 and up.writes[0].values == 16 * 16 * 8


@pytest.mark.parametrize("run", [this_machine._onnxruntime, this_machine._tensorflow])
@pytest.mark.parametrize("kind", TINY)
def test_a_case_computes_maps_of_the_size_it_counts(kind, run):
    if run is this_machine._onnxruntime:
        pytest.importorskip("onnxruntime")
    case = TINY[kind]
    result = run(case)()
    result = result[0] if isinstance(result, list) else result
    assert np.isfinite(result).all()
    assert result.size == case.layers[-1].writes[0].values


def test_what_is_measured_is_a_board(monkeypatch):
    monkeypatch.setattr(this_machine, "CASES", tuple(TINY.values()))
    monkeypatch.setattr(this_machine, "_SECONDS", 0)
    board = this_machine.measure()
    assert board.name == "this" and board.peaks.keys() == {"fp32"}
    assert board.efficiency.keys() == KINDS.keys()
    for share in board.efficiency.values():
        assert 0 < share.low <= share.typical * (1 + 1e-9) <= 1.01
    assert 0 < board.overhead < 1 and board.memory > 2**28
