"""The picture of docs/boards.md: users' times join it where an error is known."""

import json
import sys

import cv2
import pytest

from evaluation import draw_boards
from keras_depth.errors import InputError
from keras_depth.fit.layers import Layer, Map, Network

BENCH = {
    "format": 1,
    "network": "lite",
    "architecture": "lite_basic_interl_t",
    "input": [240, 320],
    "precision": "fp16",
    "backend": "tensorrt",
    "board": "NVIDIA Jetson Nano",
    "milliseconds": {"median": 40.0},
}


def analyze(point):
    layer = Layer("all", "conv", 10**9, 10**6, [Map(10**6)], [Map(10**6)])
    return Network(point.architecture, point.size, 1, [layer])


def write(path, **changes):
    path.write_text(json.dumps(BENCH | changes))
    return str(path)


def test_times_join_the_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draw_boards, "analyze", analyze)
    drawn = []
    draw = draw_boards.draw
    monkeypatch.setattr(draw_boards, "draw", lambda *given: drawn.append(draw(*given)) or drawn[0])
    words = [write(tmp_path / "a.json"), write(tmp_path / "b.json", input=[16, 16])]
    words += ["--boards", "nano", "--output", str(tmp_path / "new.png")]
    monkeypatch.setattr(sys, "argv", ["draw_boards.py", *words])
    draw_boards.main()
    assert cv2.imread(str(tmp_path / "new.png")) is not None
    printed = capsys.readouterr().out
    assert f"{words[1]}: not drawn, no error is known of lite_basic_interl_t at 16x16" in printed
    assert f"{words[0]}: not drawn" not in printed
    (figure,) = drawn
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "measured: NVIDIA Jetson Nano, tensorrt, fp16" in texts
    (place,) = [
        tuple(one.get_offsets()[0])
        for axes in figure.axes
        for one in axes.collections
        if one.get_label() == "measured"
    ]
    assert place == (0.236, 40.0), "row 16's REL, and the median"


def test_points_are_the_best_rows_and_the_presets():
    points = {
        (one.architecture, one.size): one.abs_rel
        for one in draw_boards.find_points(["jetson_fcnn", "presets"])
    }
    assert points["basic_sc_nonbt", (480, 640)] == 0.173, "row 8, not row 7"
    assert points["mobile_interl", (240, 320)] == 0.1664 and len(points) == 12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "bad.json: not a file that run.py --bench wrote"),
        ("{}", "bad.json: not a file that run.py --bench wrote"),
        (json.dumps(BENCH | {"format": 2}), "bad.json: of another version of run.py"),
        (
            json.dumps(BENCH | {"architecture": "lite_basic_interl"}),
            "did you mean 'lite_basic_interl_t'",
        ),
    ],
)
def test_other_files(tmp_path, content, message):
    file = tmp_path / "bad.json"
    file.write_text(content)
    with pytest.raises(InputError, match=message):
        draw_boards.read_bench(file)
