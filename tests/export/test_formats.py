"""Every kind of network in every format gives the Keras model's depth, in standard operators."""

import gc

import numpy as np
import onnx
import pytest

from keras_depth.export import exporter, parity
from keras_depth.export.request import Request
from keras_depth.layers.interleave import custom_op_available
from keras_depth.models import get, list_architectures
from keras_depth.predict.exported import Exported
from tests.helpers.lively import lively

ONNX, OPSET_11 = ("onnx", {}), ("onnx", {"opset": 11})
FORMATS = (("saved_model", {}), ONNX, ("litert", {}))
# The one that takes seconds; the others take the minutes of `make test-slow`.
FAST = "lite_basic_interl_t"
# Every kind of layer that these have, another network has.
REPEATED = (
    *("basic_deconv", "basic_sc_nonbt", "lite_basic_sc_nonbt"),
    *("basic_sc_interl", "basic_sc_interl_t"),  # mobile_interl interleaves and has shortcuts
    *("monodepth_vgg", "monodepth_resnet50", "monodepth_resnet152"),
    *("optidepthnet_resnet50", "optidepthnet_resnet152"),
    *("densenet201_unet", "densenet169_unet", "resnet152_unet", "resnet50_unet"),
    "mobilenet_v2_unet",  # the encoder of mobile_interl, the decoder of squeezenet_unet
    *("msfnet_baseline", "msfnet_usf", "msfnet_usf_cbam"),
)
# Of these every operator is in opset 11 what it is in 13, or another network has it.
OPSET_13_ALONE = ("basic_sc_deconv", "mobile_interl", "vgg19_unet")
ONNX_ALONE = "irv2_unet"  # minutes: convolutions and weighted sums, and the decoder of vgg19_unet
NAMES = [
    pytest.param(name, marks=() if name == FAST else pytest.mark.slow)
    for name in list_architectures()
    if name not in REPEATED
]


def formats_of(name):
    if name == ONNX_ALONE:
        return (ONNX,)
    return FORMATS if name in OPSET_13_ALONE else (*FORMATS, OPSET_11)


def request_for(folder, name, format, **options):
    stereo = get(name).encoding == "disparity"
    return Request(
        run=folder / "model.keras",
        format=format,
        output=folder / format,
        batch=1 if format == "litert" else None,
        focal_baseline=64.0 if stereo else None,
        **options,
    )


def answers(exported, images):
    groups = [images[i : i + 1] for i in range(len(images))] if exported.batch else [images]
    return np.concatenate([exported(group) for group in groups])


def operators(folder):
    """The types of all operators of a SavedModel, those of its functions too."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_in_every_format(name, tmp_path, monkeypatch):
    """In this process; test_export.py starts a fresh one, which takes ten seconds."""
    lively(name).save(tmp_path / "model.keras")
    compared = []

    def run_here(folder, images):
        compared.append(folder)
        exported = Exported(folder)
        depth = answers(exported, images)
        if exported.batch is None:  # one image as well as three
            assert parity.compare(depth[:1], exported(images[:1]), "fp32").passed
        return parity.Run(depth, milliseconds=1.0, peak_memory=1)

    monkeypatch.setattr(parity, "run_alone", run_here)
    prepared = exporter.prepare(request_for(tmp_path, name, "saved_model"))
    formats = formats_of(name)
    for format, options in formats:
        given = prepared
        if format == "litert":
            given = exporter.prepare(request_for(tmp_path, name, format))
        for written in exporter.write(given, request_for(tmp_path, name, format, **options)):
            details = written.details
            assert details["parity"]["max_rel"] <= 1e-4
            assert details["parity"]["limit"] == 1e-4
            assert details["input"]["shape"][1:3] == list(prepared.images.shape[1:3])
            if format == "saved_model":
                own = {op for op in operators(written.folder) if "KerasDepth" in op}
                assert not own, f"{custom_op_available()=}"
            if format == "onnx":
                written_in = onnx.load(written.folder / "model.onnx").opset_import
                (opset,) = (each.version for each in written_in if not each.domain)
                assert opset == details["opset"] == options.get("opset", 13)
                assert details["transposes"] <= (8 if get(name).paper == "msfnet" else 2)
        gc.collect()  # the functions of TensorFlow that hold the weights
    twins = name != ONNX_ALONE  # the SavedModel's frozen twin is compared too
    assert len(compared) == len(formats) + twins
    assert np.median(prepared.depth) > 1, "metres, and no map of zeros"
