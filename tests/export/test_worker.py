"""The worker: an exported network in a fresh process, and what is said where it fails."""

import json

import keras
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.export import litert, network, worker

SIZE = (8, 12)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network whose depth is the sum of R, G and B, for two images at once."""
    folder = tmp_path_factory.mktemp("exported")
    image = keras.Input((*SIZE, 3))
    depth = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(image)
    litert.write(network.build(keras.Model(image, depth), "metric", batch=2), folder)
    given = {"dtype": "uint8", "shape": [2, *SIZE, 3], "layout": "NHWC"}
    details = {"format": "litert", "name": "mine", "input": given, "output": {}}
    (folder / "export.json").write_text(json.dumps(details))
    return folder


def test_requests(exported):
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.full(
        (4, *SIZE, 3), 51, np.uint8
    )
    with worker.start(exported) as alone:
        depth = alone.run(images)
        assert depth.shape == (4, *SIZE, 1) and depth.dtype == np.float32
        np.testing.assert_allclose(depth[:, 0, 0, 0], [0, 0.6, 1.2, 1.8], rtol=1e-6)
        seconds = alone.time(5)
        assert len(seconds) == 5 and min(seconds) > 0
        assert alone.peak() > 10e6


def test_a_failing_request_is_quoted(exported):
    wrong = np.zeros((2, *SIZE, 3), np.float32)
    with (
        pytest.raises(InputError, match="fails in a fresh process: .*it takes uint8"),
        worker.start(exported) as alone,
    ):
        alone.run(wrong)


def test_a_network_that_does_not_load(exported, tmp_path):
    with (
        pytest.raises(InputError, match="fails in a fresh process: .*give an exported network"),
        worker.start(tmp_path),
    ):
        pass


def test_a_process_that_is_killed(exported):
    with worker.start(exported) as alone:
        alone._process.kill()
        alone._process.wait()
        for _ in range(2):  # its pipe is broken from the first request on
            with pytest.raises(InputError, match="it was killed; there may be too little memory"):
                alone.time(1)
