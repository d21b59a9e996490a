"""One short walk, which all tests of maps share: 60 frames of 120x160, a quarter of the loop."""

from typing import NamedTuple

import numpy as np
import pytest

from keras_depth.data.rendered.walks import Walks
from keras_depth.geometry import Intrinsics
from keras_depth.images import to_uint8
from keras_depth.map.trajectories import Trajectory


class Walk(NamedTuple):
    images: np.ndarray  # uint8 (N, H, W, 3)
    depths: np.ndarray  # float32 (N, H, W)
    truth: Trajectory
    intrinsics: Intrinsics


@pytest.fixture(scope="session")
def walk():
    reader = Walks(60, size=(120, 160), seed=0, split="test")
    samples = [reader.stored(i) for i in range(len(reader))]
    return Walk(
        np.stack([to_uint8(sample["image"]) for sample in samples]),
        np.stack([sample["depth"] for sample in samples]),
        Trajectory(reader.times, reader.poses),
        reader.intrinsics,
    )
