"""The network that is exported: in float32, its resizing by matrix products."""

import keras
import numpy as np
import pytest

from keras_depth.encodings import ENCODINGS
from keras_depth.export import exporter, network, parity
from keras_depth.export.request import Request
from keras_depth.predict.keras_network import encoding_of
from tests.helpers.exporting import bright_is_far
from tests.helpers.lively import lively


def test_a_network_trained_in_half_precision_computes_in_float32(tmp_path, here):
    model = bright_is_far(dtype="mixed_float16")
    assert model.layers[-1].compute_dtype == "float16"
    model.save(tmp_path / "model.keras")
    (written,) = exporter.export(Request(tmp_path, "onnx", tmp_path / "out"))
    assert written.parity.max_rel < 1e-6


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2_unet",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg19_unet", "msfnet")),
    ],
)
def test_bilinear_resizing_by_matmul(name):
    """The option for TF-TRT: no resizing operator is left, and depth is the same."""
    model = lively(name)
    encoding = ENCODINGS[encoding_of(model)].name
    images = parity.render_images(model.inputs[0].shape[1:3], 2)
    expected = parity.compute_reference(network.to_float32(model), encoding, None, images, "input")
    written = {}
    for matmul in (False, True):
        deployed = network.build(
            network.to_float32(model), encoding, output_size="input", matmul=matmul
        )
        frozen = network.freeze(deployed)
        graph = frozen.get_concrete_function().graph
        written[matmul] = {op.type for op in graph.get_operations()}
        depth = frozen(images)["depth"].numpy()
        assert parity.compare(expected, depth, "fp32").passed
    assert "ResizeBilinear" in written[False] and "ResizeBilinear" not in written[True]


def test_scale_and_shift_are_in_the_graph(tmp_path):
    pictures = parity.render_images((32, 48), 1)
    network.build(bright_is_far(), "metric").save(tmp_path / "plain.keras")
    plain = keras.saving.load_model(tmp_path / "plain.keras")
    network.build(bright_is_far(), "metric", scale=1.5, shift=-9).save(tmp_path / "scaled.keras")
    scaled = keras.saving.load_model(tmp_path / "scaled.keras")
    depth = plain.predict(pictures, verbose=0)
    metres = scaled.predict(pictures, verbose=0)
    assert (metres == 0).any() and (metres > 0).any()
    np.testing.assert_allclose(metres, np.maximum(1.5 * depth - 9, 0), atol=1e-5)
    expected = parity.compute_reference(
        bright_is_far(), "metric", None, pictures, "network", 1.5, -9
    )
    np.testing.assert_allclose(metres, expected, atol=1e-5)


def test_a_file_written_before_there_was_a_scale_still_loads():
    layer = network.Metres.from_config({"name": "metres", "encoding": "unit"})
    assert (layer.scale, layer.shift) == (1, 0)
    np.testing.assert_allclose(layer(np.full((1, 2, 2, 1), 0.5, "float32")), 5)
