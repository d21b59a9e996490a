"""The arithmetic of the roofline, with round numbers."""

import pytest

from keras_depth.errors import InputError
from keras_depth.fit.boards import Board, Efficiency
from keras_depth.fit.layers import KINDS, Layer, Map, Network
from keras_depth.fit.roofline import fit


def board(**changes):
    """1000 operations and 100 bytes a second; half of both is reached, of copies a quarter."""
    efficiency = dict.fromkeys(KINDS, Efficiency(0.5, 0.8)) | {"copy": Efficiency(0.25, 0.5)}
    fields = dict(name="slate", title="", peaks={"fp32": 1000.0, "fp16": 2000.0}, bandwidth=100.0)
    fields |= dict(cache=0, memory=None, efficiency=efficiency, overhead=0.0, sources={})
    return Board(**fields | changes)


def network(*layers):
    return Network("net", (1, 1), 1, list(layers))


def conv(macs, weights=0, reads=(0,), writes=0, kind="conv", functions=0):
    maps = [Map(values) for values in reads]
    return Layer("conv", kind, macs, weights, maps, [Map(writes)], functions)


def test_the_longer_of_arithmetic_and_traffic():
    busy, waiting = conv(5000, writes=25), conv(500, weights=50, reads=[100, 25], writes=75)
    found = fit(network(busy, waiting), board(), "fp32")
    assert [(one.compute, one.memory) for one in found.times] == [(10, 1), (1, 10)]
    assert found.low == 20 and found.typical == 20 / 0.8 and found.high == 40
    assert [one.layer for one in found.memory_bound] == [waiting]
    half = fit(network(busy, waiting), board(), "fp16")
    assert half.low == 10 and half.weights == 100 and found.weights == 200


def test_overhead_and_copies_count_at_the_upper_end_alone():
    copy = conv(0, reads=[50], writes=50, kind="copy")
    found = fit(network(copy), board(overhead=3.0), "fp32")
    assert found.low == 0 and found.typical == 4 / 0.5 + 1.5 and found.high == 4 / 0.25 + 3


def test_functions_cost_a_pass_and_new_layouts_where_they_are_not_fused():
    found = fit(network(conv(5000, functions=100)), board(), "fp32")
    assert found.low == 10 and found.typical == pytest.approx(10 / 0.8 + 8 / 0.8)
    assert found.high == 10 / 0.5 + 8 / 0.5 + 16 / 0.25


def test_what_fits_into_the_cache_costs_no_traffic():
    layer = conv(0, weights=100, reads=[100], writes=101)
    assert fit(network(layer), board(cache=400), "fp32").low == 4.04
    assert fit(network(layer), board(cache=399), "fp32").low == 12.04
    assert fit(network(layer), board(cache=400), "fp32").high == 2 * 12.04


def test_a_precision_without_a_peak():
    with pytest.raises(InputError, match="slate: no peak in int8 is known; choose one of fp32,"):
        fit(network(conv(1)), board(), "int8")
