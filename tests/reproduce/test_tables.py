"""Counts are compared with what papers print."""

from keras_depth.reproduce import tables


def test_agreement_with_what_is_printed():
    agrees = tables.agreement
    assert agrees(None, 5) == "" and agrees(31.15, 31_159_265) == "agrees, cut off"
    assert agrees(22.37, 22_370_305) == "agrees" and agrees(3.59, 3_589_870) == "agrees, rounded"
    assert agrees(30.36, 30_343_150) == "nearly: -0.06%" and agrees(10, 5_000_000) == "-50.00%"
