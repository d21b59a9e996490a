import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_depth.errors import InputError
from keras_depth.evaluate import figures

GREY = [153, 153, 153]


def samples(count, height=48, width=64):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]
    truths = [rng.uniform(1, 5, (height, width, 1)) for _ in range(count)]
    for truth in truths:
        truth[: height // 4] = 0
    return images, truths, [truth[..., 0] + 0.5 for truth in truths]


@pytest.mark.parametrize("count", [1, 3])
def test_sample_figure(tmp_path, count):
    path = tmp_path / "samples.png"
    figures.sample_figure(*samples(count), path)
    sheet = cv2.imread(str(path))[..., ::-1]
    assert sheet.shape[1] == 1200
    assert count * 150 < sheet.shape[0] < count * 225 + 100
    # Where nothing was measured, truth and error are grey, and the prediction is not.
    grey = (sheet == GREY).all(-1).reshape(len(sheet), 4, 300).sum((0, 2))
    assert grey[1] > 5000 * count and grey[3] > 5000 * count and grey[2] < 500 * count


def test_a_sheet_without_any_truth_is_grey_and_no_error(tmp_path):
    images, truths, predictions = samples(1)
    figures.sample_figure(images, [truths[0] * 0], predictions, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.fixture
def drawn(monkeypatch):
    """What a figure was given: the ends of its bars, by label, and the texts on its images."""
    bars, texts = {}, []

    def colorbar(self, *arguments, extend, **rest):
        bar = Figure.__base__.colorbar(self, *arguments, extend=extend, **rest)
        set_label = bar.set_label

        def label(text, **style):
            bars[text] = extend
            set_label(text, **style)

        bar.set_label = label
        return bar

    def write(figure, path):
        texts.extend(text.get_text() for axes in figure.axes for text in axes.texts)

    monkeypatch.setattr(Figure, "colorbar", colorbar)
    monkeypatch.setattr(figures, "write_figure", write)
    return bars, texts


def test_bars_are_marked_where_values_lie_beyond(tmp_path, drawn):
    image = [np.zeros((48, 64, 3), np.uint8)]
    target = [np.full((48, 64), 2.0)]
    target[0][:, :32] = 3
    figures.sample_figure(image, target, target, tmp_path / "a.png")
    assert drawn[0] == {"depth, m": "neither", "|error|, m": "neither"}
    farther = [target[0] + 0.5]
    farther[0][0, :3] = 9  # 0.1 % of the pixels: the scale of the errors ends below
    figures.sample_figure(image, target, farther, tmp_path / "a.png")
    assert drawn[0] == {"depth, m": "max", "|error|, m": "max"}
    white = [np.ones((48, 64, 3), np.float32)]
    image = [np.zeros((48, 64, 3), np.float32)]
    figures.stereo_figure(image, target, farther, white, tmp_path / "a.png")
    assert drawn[0] == {
        **{"disparity, pixels": "neither", "depth, m": "max"},
        **{"|error|": "max", "|error|, m": "max"},
    }


def test_each_row_is_named(tmp_path, drawn):
    name = "recordings/of/the/robot/in/the/garden/rgb/000123"
    figures.sample_figure(*samples(2), tmp_path / "a.png", ["rgb/1", name])
    assert drawn[1] == ["rgb/1", "...of/the/robot/in/the/garden/rgb/000123"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda i, t, p: (i[:1], t, p), "1 images, 2 true and 2 predicted"),
        (lambda i, t, p: ([], [], []), "0 images, 0 true"),
        (lambda i, t, p: (i, t, [x[:10] for x in p]), "resize the prediction"),
    ],
)
def test_samples_must_fit(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        figures.sample_figure(*change(*samples(2)), tmp_path / "a.png")


@pytest.mark.parametrize("count", [1, 3])
def test_stereo_figure(tmp_path, count):
    rng = np.random.default_rng(0)
    pictures = [rng.uniform(size=(32, 64, 3)).astype("float32") for _ in range(count)]
    disparity = np.tile(np.linspace(1, 8, 64, dtype="float32"), (32, 1))[..., None]
    file = tmp_path / "stereo.png"
    figures.stereo_figure(
        pictures, [disparity] * count, [100 / disparity] * count, pictures[::-1], file
    )
    image = cv2.imread(str(file))
    assert image.shape[1] == 1500 and image.shape[0] > count * 100
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 500


def test_a_stereo_figure_needs_one_of_each(tmp_path):
    picture, depth = np.zeros((8, 8, 3), "float32"), np.ones((8, 8), "float32")
    with pytest.raises(InputError, match="2 left images, 1 disparities, 2 depths and 2 warped"):
        figures.stereo_figure(
            [picture] * 2, [depth], [depth] * 2, [picture] * 2, tmp_path / "x.png"
        )
