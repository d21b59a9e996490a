"""The statistics over a map's channels."""

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.layers import ChannelStatistics
from tests.helpers.arrays import random


def test_channel_statistics():
    x = random(2, 3, 4, 5)
    mean, highest, lowest = x.mean(-1), x.max(-1), x.min(-1)
    cbam, eda = (np.array(ChannelStatistics(kind)(x)) for kind in ("cbam", "eda"))
    np.testing.assert_allclose(cbam, np.stack([mean, highest], -1), atol=1e-6)
    np.testing.assert_allclose(eda, np.stack([mean - lowest, highest - lowest], -1), atol=1e-6)
    with pytest.raises(InputError, match="unknown kind of ChannelStatistics 'eca': did you mean"):
        ChannelStatistics("eca")
