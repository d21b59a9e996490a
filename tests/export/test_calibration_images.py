"""Images for calibration: a folder of them, or recordings whose depth judges."""

import numpy as np
import pytest

from keras_depth import depth_png
from keras_depth.errors import InputError
from keras_depth.export import calibration_images
from keras_depth.images import encode_png


def write(folder, count, encode_depth):
    (folder / "rgb").mkdir(parents=True), (folder / "depth").mkdir()
    for i in range(count):
        picture = np.full((8, 12, 3), i % 256, np.uint8)
        (folder / "rgb" / f"{i}.png").write_bytes(encode_png(picture))
        depth = np.full((8, 12), 1 + i / 1000, np.float32)
        (folder / "depth" / f"{i}.png").write_bytes(encode_depth(depth))
    return folder


def test_a_folder_of_pictures_has_no_truth(tmp_path):
    folder = write(tmp_path / "data", 3, depth_png.encode) / "rgb"
    pictures, truth = calibration_images.read(folder, (4, 6), "stretch")
    assert pictures.shape == (3, 4, 6, 3) and pictures.dtype == np.uint8 and truth is None


def test_at_most_200_of_recordings_with_their_depth(tmp_path):
    folder = write(tmp_path / "data", 402, depth_png.encode)
    pictures, truth = calibration_images.read(folder, (4, 6), "stretch")
    assert pictures[:, 0, 0, 0].tolist() == [i % 256 for i in range(0, 402, 3)]
    assert len(truth) == 134 and truth[1].shape == (4, 6)
    assert truth[1][0, 0] == pytest.approx(1.003)


def test_depth_of_eight_bits_is_refused(tmp_path):
    folder = write(tmp_path / "data", 2, lambda depth: encode_png((50 * depth).astype(np.uint8)))
    with pytest.raises(InputError, match="stored as uint8.*an 8-bit copy has lost the metres"):
        calibration_images.read(folder, (4, 6), "stretch")


def test_depth_without_a_unit_is_refused(tmp_path):
    folder = write(tmp_path / "data", 2, lambda depth: encode_png((1000 * depth).astype(np.uint16)))
    with pytest.raises(InputError, match="does not name its unit; write metres as .npy"):
        calibration_images.read(folder, (4, 6), "stretch")
