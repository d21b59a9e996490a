import cv2
import numpy as np
import pytest

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
