"""Quantizing ONNX: which nodes have 8 bits, with what scales, and which stay float."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from keras_depth.export.quantize import Quantizer
from keras_depth.predict.exported import onnx_session
from tests.helpers.quantizing import LAYERS, pictures, planted, to_onnx


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return to_onnx(planted(loudness=1.0), tmp_path_factory.mktemp("float"))


class Graph:
    """Finds what makes a tensor."""

    def __init__(self, quantizer, in_float):
        proto = quantizer.quantize(in_float)
        self.layers = quantizer.layers
        onnx.checker.check_model(proto, full_check=True)
        self.nodes = proto.graph.node
        self.constants = {x.name: numpy_helper.to_array(x) for x in proto.graph.initializer}
        self.makers = {name: node for node in self.nodes for name in node.output}

    def layer(self, name):
        """The Conv of a layer, and the nodes that make its image and its weights; None: none."""
        (conv,) = [n for n in self.nodes if n.name in self.layers[name]]
        return conv, *(self.makers.get(value) for value in conv.input)


def test_layers_are_found_by_their_keras_names(proto):
    assert list(Quantizer(proto, "onnx", pictures(2)).layers) == LAYERS


def test_what_fits_pictures_of_another_shape_stays_float(tmp_path):
    fitted = {"size": (32, 96), "fit": "crop", "output_size": "input"}
    proto = to_onnx(planted(loudness=1.0), tmp_path, **fitted)
    images = np.zeros((2, 32, 96, 3), np.float32)
    assert list(Quantizer(proto, "onnx", images).layers) == LAYERS


def test_onnx_runtime_gets_a_scale_a_channel_and_seven_bits(proto):
    graph = Graph(Quantizer(proto, "onnx", pictures(4)), ["loud"])
    for name in LAYERS:
        _, image, weights, *bias = graph.layer(name)
        if name == "loud":
            assert weights is None and bias == [None], "its weights are float constants"
            assert image.op_type != "DequantizeLinear"
            continue
        assert image.op_type == weights.op_type == bias[0].op_type == "DequantizeLinear"
        assert graph.constants[image.input[2]].dtype == np.uint8
        stored, scale, zero = (graph.constants[value] for value in weights.input)
        assert stored.dtype == np.int8 and scale.shape == (len(stored),) and not zero.any()
        largest = np.abs(stored.astype(int)).max()
        assert largest == 127 if name == "wise" else largest <= 64, name
        assert graph.constants[bias[0].input[0]].dtype == np.int32
    conv = graph.layer("head")[0]
    readers = [n.op_type for n in graph.nodes if conv.output[0] in n.input]
    assert "QuantizeLinear" not in readers, "metres are decoded from float"


def test_tensorrt_gets_scales_around_zero_and_float_biases(proto):
    graph = Graph(Quantizer(proto, "tensorrt", pictures(4)), ["wise"])
    zeros = [graph.constants[n.input[2]] for n in graph.nodes if n.op_type == "QuantizeLinear"]
    assert len(zeros) == 2 * (len(LAYERS) - 1), "images and weights, but those of one layer"
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)
    _, image, weights, bias = graph.layer("first")
    assert image.op_type == weights.op_type == "DequantizeLinear" and bias is None
    assert graph.makers[weights.input[0]].op_type == "QuantizeLinear", "weights stay float in it"
    assert graph.constants[weights.input[1]].shape == (8,)
    assert graph.layer("wise")[2] is None


@pytest.mark.parametrize("format", ["onnx", "tensorrt"])
def test_eight_bits_are_near_the_network_in_float(proto, format):
    quantizer = Quantizer(proto, format, pictures(4))
    expected = onnx_session(proto.SerializeToString())(pictures(6)[4:])
    for exact in (False, True):
        run = onnx_session(quantizer.quantize().SerializeToString(), exact)
        relative = np.abs(run(pictures(6)[4:]) / expected - 1)
        assert 1e-5 < relative.mean() < 0.02
