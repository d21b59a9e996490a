"""Every figure is written whole or not at all, and an error names its file."""

import errno

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from keras_depth.data.checks.contact_sheet import contact_sheet
from keras_depth.errors import InputError
from keras_depth.evaluate.figures import sample_figure, stereo_figure
from keras_depth.reproduce import charts
from keras_depth.train.figures import draw_training_curves

PICTURES, DEPTHS = [np.zeros((32, 64, 3), np.float32)], [np.full((32, 64), 2.0, np.float32)]

FIGURES = {
    "samples": lambda path: sample_figure(PICTURES, DEPTHS, DEPTHS, path),
    "stereo": lambda path: stereo_figure(PICTURES, DEPTHS, DEPTHS, PICTURES, path),
    "training": lambda path: draw_training_curves([{"step": 1, "loss": 2.0}], path),
    "contact sheet": lambda path: contact_sheet(PICTURES, DEPTHS, ["1"], path),
    "errors": lambda path: charts.errors(["row 1"], [0.1], [0.2], "rendered rooms", path),
    "times": lambda path: charts.times(["row 1"], {"TX2": [1.5]}, [1.2], path),
}
figures = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@figures
def test_a_full_disk_keeps_the_figure_that_was_there(draw, tmp_path, monkeypatch):
    file = tmp_path / "figure.png"
    draw(file)
    before = file.read_bytes()

    def fill_up(canvas, path, **_):
        path.write_bytes(b"\x89PNG")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FigureCanvasAgg, "print_figure", fill_up)
    with pytest.raises(InputError, match=rf"{file}: cannot be written \(No space left"):
        draw(file)
    assert [each.name for each in tmp_path.iterdir()] == ["figure.png"]
    assert file.read_bytes() == before


@figures
def test_a_folder_that_is_a_file(draw, tmp_path):
    (tmp_path / "notes").write_text("my notes")
    with pytest.raises(InputError, match=r"notes.*: cannot be written"):
        draw(tmp_path / "notes" / "figure.png")


@figures
def test_the_display_does_not_matter(draw, tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setattr("matplotlib.pyplot.switch_backend", pytest.fail)
    draw(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
