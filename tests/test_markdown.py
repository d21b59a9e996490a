"""Markdown tables: what a cell may hold, and how columns stand."""

from keras_depth import markdown


def test_a_table():
    rows = [["a|b", 1, None], ["c", 22]]
    assert markdown.table(["name", "n", ""], rows, "lrl") == [
        "| name | n |",
        "|---|---:|",
        r"| a\|b | 1 |",
        "| c | 22 |",
    ]


def test_a_header_may_be_empty_where_a_column_is_not():
    assert markdown.table(["", "x"], [["a", 0], ["b"]], "lr") == [
        "|  | x |",
        "|---|---:|",
        "| a | 0 |",
        "| b |  |",
    ]


def test_a_padded_table_reads_well_in_a_terminal():
    assert markdown.table(["name", "frames"], [["a", 1], ["bcdef", 10]], "lr", padded=True) == [
        "| name  | frames |",
        "|-------|-------:|",
        "| a     |      1 |",
        "| bcdef |     10 |",
    ]


def test_no_row():
    assert markdown.table(["a", "b"], [], "lr") == ["|  |", "||"]
