import numpy as np
import pytest

from keras_depth.data.targets import depth_target
from keras_depth.errors import InputError


def test_a_smaller_target_of_the_nearest_points():
    """Of KITTI's 385x513 to 193x257: the nearest point of each 2x2, alone at the odd ends."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 80, (2, 385, 513, 1)) * (rng.uniform(size=(2, 385, 513, 1)) < 0.04)
    depth = depth.astype("float32")
    cells = np.where(depth > 0, depth, np.inf)
    cells = np.pad(cells, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=np.inf)
    cells = cells.reshape(2, 193, 2, 257, 2).min((2, 4))
    target, valid = np.moveaxis(depth_target({"depth": depth}, None, (193, 257), "min"), -1, 0)
    np.testing.assert_array_equal(valid, np.isfinite(cells))
    np.testing.assert_array_equal(target, np.where(np.isfinite(cells), cells, 1))
    plain = depth_target({"depth": depth}, None, (193, 257))
    assert valid.sum() > 3.5 * plain[..., 1].numpy().sum()


def test_targets_that_cannot_be():
    depth = {"depth": np.ones((1, 12, 17, 1), "float32")}
    assert depth_target(depth, None, (4, 6), "min").shape == (1, 4, 6, 2)
    sentence = (
        r"^downsample=min: depth of \(12, 17\) does not divide into square cells for \(6, 4\)"
    )
    with pytest.raises(InputError, match=sentence):
        depth_target(depth, None, (6, 4), "min")
    with pytest.raises(InputError, match="unknown value of downsample 'mini': did you mean 'min'"):
        depth_target(depth, None, (6, 9), "mini")
