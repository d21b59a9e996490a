"""The images inside a report."""

import cv2
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.reproduce import html


@pytest.mark.parametrize("width, expected", [(200, (100, 200, 3)), (900, (200, 400, 3))])
def test_jpeg(tmp_path, width, expected):
    ramp = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (200, 1, 3))
    cv2.imwrite(str(tmp_path / "a.png"), ramp)
    data = html.jpeg(tmp_path / "a.png", width)
    assert data[:2] == b"\xff\xd8"
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == expected
    np.testing.assert_allclose(picture[50, :: expected[1] // 4, 0], ramp[0, ::100, 0], atol=4)


def test_jpeg_of_no_image(tmp_path):
    (tmp_path / "a.png").write_text("no")
    for name in ("a.png", "b.png"):
        with pytest.raises(InputError, match=f"{name}: no image"):
            html.jpeg(tmp_path / name)
