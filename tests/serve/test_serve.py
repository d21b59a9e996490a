import asyncio
import base64
import gzip
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.predict.loading import resolve
from keras_depth.serve import __main__ as serve
from tests.helpers.ports import hold_port
from tests.helpers.serving import SIZE, Server, depth_of, export

for module in ("kserve", "tensorflow_serving"):
    pytest.importorskip(module, reason="serving needs pip install 'keras_depth[serve]'")

import grpc  # noqa: E402
import httpx  # noqa: E402
import tensorflow as tf  # noqa: E402
from kserve.protocol.dataplane import DataPlane  # noqa: E402
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb  # noqa: E402
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_depth.serve import http, v2  # noqa: E402
from keras_depth.serve import model as serving_model  # noqa: E402
from keras_depth.serve import server as server_module  # noqa: E402
from keras_depth.serve.model import DepthModel, Models  # noqa: E402
from keras_depth.serve.requests import Options  # noqa: E402
from keras_depth.serve.settings import Settings  # noqa: E402

MAX_BYTES = 400_000
V1, V2 = "/v1/models/bytes:predict", "/v2/models/bytes/infer"
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
PICTURE = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
PNG = cv2.imencode(".png", PICTURE[..., ::-1])[1].tobytes()
JPEG = cv2.imencode(".jpg", PICTURE[..., ::-1])[1].tobytes()
B64 = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export(folder / "bytes" / "2")
    export(folder / "bytes" / "10")  # the highest by number, not by name
    export(folder / "floats" / "1", dtype="float32")
    export(folder / "pairs" / "1", batch=2)
    return folder


@pytest.fixture(scope="module")
def server(models):
    with Server(models, "--max-bytes", str(MAX_BYTES), "--timeout", "3") as running:
        running.wait()
        yield running
        assert running.process.poll() is None, "the server died"


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


def answer(result):
    status, body, _ = result
    assert status == 200, body
    return json.loads(body)


def refusal(result, status=400):
    """Returns the sentence of an answer that is an error, and looks at its form."""
    assert result[0] == status, result[1]
    document = json.loads(result[1])
    assert list(document) == ["error"]
    sentence = document["error"]
    assert sentence and "\n" not in sentence and "Traceback" not in sentence
    assert len(sentence) < 400
    return sentence


def v2_tensor(images, datatype="UINT8", **more):
    return {"name": "image", "shape": list(images.shape), "datatype": datatype, **more}


def v2_binary(server, contents, tensor, path=V2, **document):
    """Posts a tensor behind its JSON; returns the answer's JSON and what is behind that."""
    tensor = {**tensor, "parameters": {"binary_data_size": len(contents)}}
    head = json.dumps({"inputs": [tensor], **document}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return server.post(path, head + contents, headers)


def file_tensor(*files):
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


def infer(channel, raw=(), model="bytes", parameters=None, **tensor):
    tensor = {"name": "image", "datatype": "UINT8", "shape": IMAGES.shape, **tensor}
    message = pb.ModelInferRequest(
        model_name=model,
        inputs=[pb.ModelInferRequest.InferInputTensor(**tensor)],
        raw_input_contents=raw,
        parameters={
            name: pb.InferParameter(string_param=value)
            for name, value in (parameters or {}).items()
        },
    )
    return GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=20)


def grpc_refusal(call, code=grpc.StatusCode.INVALID_ARGUMENT):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code, caught.value.details()
    assert "\n" not in caught.value.details() and "Traceback" not in caught.value.details()
    return caught.value.details()


# The same numbers by every way in.


def test_rows_are_answered_as_tensorflow_serving_does(server):
    document = answer(server.post(V1, {"instances": IMAGES.tolist()}))
    np.testing.assert_allclose(document["predictions"], depth_of(IMAGES), rtol=1e-6)
    assert document["parameters"] == {"format": "metres", "units": "metres"}
    named = answer(server.post(V1, {"instances": [{"image": one} for one in IMAGES.tolist()]}))
    assert named == document
    for name in ("serving_default", "", None):
        signature = {"signature_name": name, "instances": IMAGES.tolist()}
        assert answer(server.post(V1, signature)) == document


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"image": value}])
def test_columns_are_answered_as_tensorflow_serving_does(server, wrap):
    rows = answer(server.post(V1, {"instances": IMAGES.tolist()}))
    columns = answer(server.post(V1, {"inputs": wrap(IMAGES.tolist())}))
    assert columns["outputs"] == rows["predictions"]


def test_whatever_the_content_type_says_the_body_is_json(server):
    body = json.dumps({"instances": IMAGES.tolist()}).encode()
    for kind in ("application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/x"):
        answer(server.post(V1, body, {"Content-Type": kind}))


def test_tensors_give_equal_numbers_by_every_protocol(server, channel):
    v1 = np.float32(answer(server.post(V1, {"instances": IMAGES.tolist()}))["predictions"])

    data = IMAGES.reshape(-1).tolist()
    output = answer(server.post(V2, {"inputs": [v2_tensor(IMAGES, data=data)]}))["outputs"][0]
    assert (output["name"], output["datatype"]) == ("depth", "FP32")
    v2 = np.float32(output["data"]).reshape(output["shape"])
    np.testing.assert_array_equal(v2, v1)
    nested = server.post(V2, {"inputs": [v2_tensor(IMAGES, data=IMAGES.tolist())]})
    assert answer(nested)["outputs"] == [output]

    status, body, headers = v2_binary(
        server, IMAGES.tobytes(), v2_tensor(IMAGES), parameters={"binary_data_output": True}
    )
    size = int(headers["Inference-Header-Content-Length"])
    document = json.loads(body[:size])
    assert status == 200 and document["parameters"] == {"units": "metres"}
    assert document["outputs"][0]["parameters"] == {"binary_data_size": len(body) - size}
    np.testing.assert_array_equal(np.frombuffer(body[size:], "<f4").reshape(v1.shape), v1)

    for message in (
        infer(channel, raw=[IMAGES.tobytes()]),
        infer(channel, contents={"uint_contents": data}),
    ):
        assert list(message.outputs[0].shape) == list(v1.shape)
        assert message.parameters["units"].string_param == "metres"
        raw = np.frombuffer(message.raw_output_contents[0], "<f4")
        np.testing.assert_array_equal(raw.reshape(v1.shape), v1)

    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto(IMAGES)})
    request.model_spec.name = "bytes"
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    np.testing.assert_array_equal(
        tf.make_ndarray(stub.Predict(request, timeout=20).outputs["depth"]), v1
    )


def test_pictures_give_equal_numbers_by_every_protocol(server, channel):
    v1 = np.float32(answer(server.post(V1, {"instances": [{"b64": B64}]}))["predictions"])
    assert v1.shape == (1, 30, 40, 1), "of the picture's own size"
    assert abs(v1 - 10 * PICTURE.mean() / 255).max() < 3
    named = answer(server.post(V1, {"instances": [{"image": {"b64": B64}}]}))
    np.testing.assert_array_equal(np.float32(named["predictions"]), v1)

    tensor = {"name": "image", "shape": [1], "datatype": "BYTES"}
    output = answer(server.post(V2, {"inputs": [{**tensor, "data": [B64]}]}))["outputs"][0]
    np.testing.assert_array_equal(np.float32(output["data"]).reshape(output["shape"]), v1)

    _, body, _ = v2_binary(server, file_tensor(PNG), tensor)
    np.testing.assert_array_equal(
        np.float32(json.loads(body)["outputs"][0]["data"]).reshape(v1.shape), v1
    )
    for message in (
        infer(channel, raw=[file_tensor(PNG)], datatype="BYTES", shape=[1]),
        infer(channel, contents={"bytes_contents": [PNG]}, datatype="BYTES", shape=[1]),
    ):
        raw = np.frombuffer(message.raw_output_contents[0], "<f4")
        np.testing.assert_array_equal(raw.reshape(message.outputs[0].shape), v1)

    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto([PNG])})
    request.model_spec.name = "bytes"
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    np.testing.assert_array_equal(
        tf.make_ndarray(stub.Predict(request, timeout=20).outputs["depth"]), v1
    )


def test_png16_is_the_same_depth_in_millimetres(server, channel):
    metres = np.float32(answer(server.post(V1, {"instances": [{"b64": B64}]}))["predictions"])[0]
    parameters = {"format": "png16"}

    def decoded(file):
        return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)

    document = answer(server.post(V1, {"instances": [{"b64": B64}], "parameters": parameters}))
    assert document["parameters"] == {"format": "png16", "units": "millimetres"}
    v1 = decoded(base64.b64decode(document["predictions"][0]["b64"]))
    assert v1.dtype == np.uint16 and v1.shape == (30, 40)
    np.testing.assert_array_equal(v1, np.rint(1000 * metres[..., 0]))

    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [B64]}
    document = answer(server.post(V2, {"inputs": [tensor], "parameters": parameters}))
    assert document["parameters"] == {"units": "millimetres"}
    output = document["outputs"][0]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1])
    np.testing.assert_array_equal(decoded(base64.b64decode(output["data"][0])), v1)

    raw = [file_tensor(PNG)]
    message = infer(channel, raw, datatype="BYTES", shape=[1], parameters=parameters)
    assert message.outputs[0].datatype == "BYTES"
    np.testing.assert_array_equal(decoded(message.raw_output_contents[0][4:]), v1)

    tensors = answer(server.post(V1, {"instances": IMAGES.tolist(), "parameters": parameters}))
    first = decoded(base64.b64decode(tensors["predictions"][0]["b64"]))
    np.testing.assert_allclose(first, 1000 * depth_of(IMAGES)[0, ..., 0], atol=0.51)


def test_depth_of_the_networks_size_where_it_is_asked_for(server):
    request = {"instances": [{"b64": B64}], "parameters": {"size": "network"}}
    assert np.shape(answer(server.post(V1, request))["predictions"]) == (1, 4, 6, 1)


def test_pictures_of_several_sizes_in_one_request(server):
    other = base64.b64encode(cv2.imencode(".jpg", PICTURE[:20])[1]).decode()
    rows = [{"b64": B64}, {"b64": other}]
    predictions = answer(server.post(V1, {"instances": rows}))["predictions"]
    assert [np.shape(one) for one in predictions] == [(30, 40, 1), (20, 40, 1)]
    tensor = {"name": "image", "shape": [2], "datatype": "BYTES", "data": [B64, other]}
    assert "several sizes" in refusal(server.post(V2, {"inputs": [tensor]}))
    small = answer(server.post(V2, {"inputs": [tensor], "parameters": {"size": "network"}}))
    assert small["outputs"][0]["shape"] == [2, 4, 6, 1]
    with pytest.raises(InputError, match="several sizes"):  # as of a letterboxing network
        v2._output([np.ones((4, 6)), np.ones((3, 6))], Options(size="network"))


def test_a_network_that_takes_floats(server, channel):
    path = "/v1/models/floats:predict"
    images = (IMAGES / np.float32(255)).astype(np.float32)
    v1 = np.float32(answer(server.post(path, {"instances": images.tolist()}))["predictions"])
    np.testing.assert_allclose(v1, depth_of(IMAGES), rtol=1e-5)
    message = infer(channel, [images.tobytes()], model="floats", datatype="FP32")
    np.testing.assert_array_equal(np.frombuffer(message.raw_output_contents[0], "<f4"), v1.ravel())
    black = {"instances": np.zeros((1, *SIZE, 3), int).tolist()}
    assert not np.any(answer(server.post(path, black))["predictions"])
    sentence = refusal(server.post(path, {"instances": IMAGES.tolist()}))
    assert re.search(r"values from 0 to 25\d; the model takes RGB .* numbers, 0 to 1", sentence)


def test_a_network_of_a_fixed_batch_takes_any_number(server):
    images = np.concatenate([IMAGES, IMAGES[:1]])
    document = answer(server.post("/v1/models/pairs:predict", {"instances": images.tolist()}))
    np.testing.assert_allclose(document["predictions"], depth_of(images), rtol=1e-6)


# What is said about the server.


def test_models_health_and_metadata(server, channel):
    names = ["bytes", "floats", "pairs"]
    assert answer(server.get("/v1/models")) == {"models": names}
    assert answer(server.get("/v2/models")) == {"models": names}
    document = answer(server.get("/v1/models/bytes"))
    assert (document["name"], document["ready"]) == ("bytes", True)
    assert answer(server.get("/v2/health/live")) == {"live": True}
    assert answer(server.get("/v2/health/ready")) == {"ready": True}
    assert answer(server.get("/v2/models/floats/ready"))["ready"] is True
    document = answer(server.get("/v2/models/floats"))
    assert document["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 12, 3]}]
    assert document["outputs"] == [{"name": "depth", "datatype": "FP32", "shape": [-1, 4, 6, 1]}]
    stub = GRPCInferenceServiceStub(channel)
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    assert stub.ModelMetadata(pb.ModelMetadataRequest(name="bytes")).inputs[0].datatype == "UINT8"


STATUS = {
    "model_version_status": [
        {"version": "10", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}


def test_versions_are_those_of_the_folders(server, channel):
    """By TensorFlow Serving's paths, the Open Inference Protocol's, and both over gRPC."""
    body = {"instances": IMAGES.tolist()}
    v1 = answer(server.post("/v1/models/bytes/versions/10:predict", body))
    assert v1 == answer(server.post(V1, body))
    v2 = answer(server.post("/v2/models/bytes/versions/10/infer", {"inputs": [TENSOR]}))
    assert v2["outputs"] == answer(server.post(V2, {"inputs": [TENSOR]}))["outputs"]
    assert answer(server.get("/v2/models/bytes/versions/10/ready"))["ready"] is True
    for path in ("/v2/models/bytes", "/v2/models/bytes/versions/10"):
        assert answer(server.get(path))["versions"] == ["10"]

    sentence = "bytes is served in version 10, not in '2'; ask for that version, or for none"
    for path in ("", "/metadata"):
        assert refusal(server.get(f"/v1/models/bytes/versions/2{path}"), 404) == sentence
    for path in ("v1/models/bytes/versions/2:predict", "v2/models/bytes/versions/2/infer"):
        assert refusal(server.post(f"/{path}", b""), 404) == sentence
    for path in ("", "/ready"):
        assert refusal(server.get(f"/v2/models/bytes/versions/2{path}"), 404) == sentence
    unknown = refusal(server.post("/v1/models/bites/versions/10:predict", b""), 404)
    assert "did you mean 'bytes'" in unknown

    missing = grpc.StatusCode.NOT_FOUND
    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto(IMAGES)})
    request.model_spec.name = "bytes"
    request.model_spec.version.value = 10
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    spec = stub.Predict(request, timeout=20).model_spec
    assert (spec.name, spec.version.value) == ("bytes", 10)
    assert spec.signature_name == "serving_default"
    request.model_spec.signature_name = "x"
    assert "signature_name" in grpc_refusal(lambda: stub.Predict(request, timeout=20))
    request.model_spec.version.value = 2
    assert grpc_refusal(lambda: stub.Predict(request, timeout=20), missing) == sentence
    request.model_spec.version_label = "stable"
    assert "'stable'" in grpc_refusal(lambda: stub.Predict(request, timeout=20), missing)
    stub = GRPCInferenceServiceStub(channel)
    for call, message in (
        (stub.ModelInfer, pb.ModelInferRequest(model_name="bytes", model_version="2")),
        (stub.ModelMetadata, pb.ModelMetadataRequest(name="bytes", version="2")),
        (stub.ModelReady, pb.ModelReadyRequest(name="bytes", version="2")),
    ):
        assert grpc_refusal(lambda: call(message, timeout=20), missing) == sentence  # noqa: B023
    assert stub.ModelReady(pb.ModelReadyRequest(name="bytes", version="10"), timeout=20).ready


def test_tensorflow_servings_status_and_metadata(server, channel):
    for path in ("/v1/models/bytes", "/v1/models/bytes/versions/10"):
        assert answer(server.get(path)) == {"name": "bytes", "ready": True, **STATUS}
    document = answer(server.get("/v1/models/bytes/metadata"))
    assert document == answer(server.get("/v1/models/bytes/versions/10/metadata"))
    assert document["model_spec"] == {"name": "bytes", "signature_name": "", "version": "10"}
    assert list(document["metadata"]) == ["signature_def"]
    signature = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    (image,), (depth,) = signature["inputs"].values(), signature["outputs"].values()
    assert list(signature["inputs"]) == ["image"] and list(signature["outputs"]) == ["depth"]
    for tensor, dtype, sides in (
        (image, "DT_UINT8", (-1, 8, 12, 3)),
        (depth, "DT_FLOAT", (-1, 4, 6, 1)),
    ):
        assert tensor["dtype"] == dtype
        dimensions = [{"size": str(side), "name": ""} for side in sides]
        assert tensor["tensor_shape"] == {"dim": dimensions, "unknown_rank": False}

    spec = {"name": "bytes"}
    status = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    (version,) = stub.GetModelStatus(status, timeout=20).model_version_status
    assert (version.version, version.state) == (10, version.AVAILABLE)
    wanted = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec, metadata_field=["signature_def"]
    )
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(wanted, timeout=20).metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].inputs["image"].dtype == tf.uint8


# A picture as the body.

PICTURE_BODY = {"Content-Type": "image/png"}


def test_a_picture_is_a_body_of_its_own(server):
    wanted = answer(server.post(V1, {"instances": [{"b64": B64}]}))
    for kind in ("image/png", "image/jpeg", "image/*", "Image/PNG; q=1"):  # its bytes decide
        assert answer(server.post(V1, PNG, {"Content-Type": kind})) == wanted
    path = "/v1/models/bytes/versions/10:predict"
    assert answer(server.post(path, PNG, PICTURE_BODY)) == wanted
    small = answer(server.post(f"{V1}?size=network", PNG, PICTURE_BODY))
    assert np.shape(small["predictions"]) == (1, 4, 6, 1)
    asked = {"instances": [{"b64": B64}], "parameters": {"format": "png16"}}
    assert answer(server.post(f"{V1}?format=png16", PNG, PICTURE_BODY)) == answer(
        server.post(V1, asked)
    )


def test_a_picture_is_answered_with_a_picture_where_that_is_accepted(server):
    metres = np.float32(answer(server.post(V1, {"instances": [{"b64": B64}]}))["predictions"])[0]
    headers = {**PICTURE_BODY, "Accept": "image/png"}
    status, body, answered = server.post(V1, PNG, headers)
    assert (status, answered["content-type"]) == (200, "image/png")
    depth = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(depth, np.rint(1000 * metres[..., 0]).astype(np.uint16))
    for accept, kind in (
        ("image/png;q=0", "application/json"),
        ("image/png; q=0.0, application/json", "application/json"),
        ("application/json;q=0.1, IMAGE/PNG;q=0.9", "image/png"),
    ):
        result = server.post(V1, PNG, {**PICTURE_BODY, "Accept": accept})
        assert result[2]["content-type"] == kind, accept
    _, body, _ = server.post(f"{V1}?size=network", PNG, headers)
    assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED).shape == (4, 6)


def test_a_bad_picture_as_a_body_gets_a_sentence(server):
    def refused(body, path=V1):
        return refusal(server.post(path, body, PICTURE_BODY))

    assert (
        refused(b"hello") == "the body: not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF"
    )
    assert "the body: cannot be read" in refused(PNG[:100])
    assert "the body: a picture in base64, where the picture itself" in refused(B64.encode())
    assert "did you mean 'size'" in refused(PNG, f"{V1}?sise=network")
    assert "unknown format 'jpeg'" in refused(PNG, f"{V1}?format=jpeg")


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(PNG).decode(),
        B64.replace("+", "-").replace("/", "_").rstrip("="),
        f"data:image/png;base64,{B64}",
        f"DATA:image/png;BASE64,{B64}",
        f"  data:image/png;charset=x;base64,\r\n{B64}\t",
    ],
    ids=["lines", "for URLs", "data: URL", "data: URL in capitals", "data: URL with lines"],
)
def test_base64_as_programs_write_it(server, text):
    v1 = answer(server.post(V1, {"instances": [{"b64": text}]}))
    assert v1 == answer(server.post(V1, {"instances": [{"b64": B64}]}))
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    output = answer(server.post(V2, {"inputs": [tensor]}))["outputs"][0]
    np.testing.assert_array_equal(output["data"], np.ravel(v1["predictions"]))


@pytest.mark.parametrize("path", [V1, V2])
def test_a_compressed_body_is_415(server, path):
    for encoding in ("gzip", "deflate", "br"):
        result = server.post(path, gzip.compress(b"{}"), {"Content-Encoding": encoding})
        assert f"Content-Encoding '{encoding}' is not taken; send" in refusal(result, 415)
    body = json.dumps({"instances": IMAGES.tolist()}).encode()
    answer(server.post(V1, body, {"Content-Encoding": "identity"}))


def test_the_page(server):
    status, body, headers = server.get("/")
    assert status == 200 and b"<!DOCTYPE html>" in body
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.search(rb"https?://", body), "nothing from elsewhere"


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v2/health/ready", "/metrics"])
def test_head_is_get_without_the_body(server, path):
    url = f"http://127.0.0.1:{server.port}{path}"
    got, head = httpx.get(url), httpx.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_metrics_are_prometheus(server):
    answer(server.post(V1, {"instances": IMAGES.tolist()}))
    refusal(server.post(V1, b"{"))
    text = server.get("/metrics")[1].decode()
    counted = re.search(r'request_predict_seconds_count\{model_name="bytes"\} (\S+)', text)
    assert float(counted[1]) >= 1
    assert re.search(r'keras_depth_refused_total\{status="400"\} [1-9]', text)
    assert "process_resident_memory_bytes" in text


# What is refused, and how.

ROW = IMAGES[0].tolist()
ROWS = json.dumps({"instances": [ROW]})
NPY = BytesIO()
np.save(NPY, IMAGES)


def b64(text):
    return {"instances": [{"b64": text}]}


BAD_V1 = {
    "not JSON": (b"instances", "the body is not JSON"),
    "half of it": (b'{"instances": [[[', "the body is not JSON"),
    "nothing": (b"", "the body is not JSON"),
    "not text": (b"\xff\xfe\x00", "the body is not JSON"),
    "deeper than JSON goes": (b"[" * 100_000, "the body is not JSON"),
    "in Latin-1": ('{"instances": "é"}'.encode("latin-1"), "not JSON, which is text in UTF-8;"),
    "in UTF-16": (ROWS.encode("utf-16"), "not JSON in UTF-8 but in UTF-16"),
    "in UTF-16, little-endian": (ROWS.encode("utf-16-le"), "not JSON in UTF-8 but in UTF-16"),
    "in UTF-16, big-endian": (ROWS.encode("utf-16-be"), "not JSON in UTF-8 but in UTF-16"),
    "a list": ([1], "no object"),
    "empty": ({}, 'give one of "instances" and "inputs"'),
    "both": ({"instances": [ROW], "inputs": [ROW]}, "give one of"),
    "a typo": ({"instance": [ROW]}, "did you mean 'instances'"),
    "no instances": ({"instances": []}, "no picture"),
    "no list": ({"instances": 5}, "give a list of pictures"),
    "nothing in it": ({"instances": None}, "give a list of pictures"),
    "a picture where a list belongs": ({"instances": {"b64": B64}}, "give a list of pictures"),
    "too many": ({"instances": [ROW] * 17}, "17 pictures in one request; give at most 16"),
    "another shape": ({"instances": [[[[1, 2, 3]]]]}, r"shape \(1, 1, 3\); .*\(8, 12, 3\)"),
    "one picture, by columns": ({"inputs": ROW}, r"inputs: one picture.* \[8, 12, 3\]; .* of its"),
    "one picture": ({"instances": ROW}, r"a list of its own, of shape \[1, 8, 12, 3\]"),
    "one picture of many rows": (
        {"instances": np.zeros((40, 60, 3), int).tolist()},
        r"instances: one picture, of shape \[40, 60, 3\]; .* of its own, of shape \[1, 8, 12, 3\]",
    ),
    "ragged": ({"instances": [[[1, 2, 3]], [[1, 2]]]}, "rows of different lengths"),
    "gray pictures": (
        {"instances": np.zeros((1, 64, 64), int).tolist()},
        r"instances: shape \[1, 64, 64\] has no channels; .*\(8, 12, 3\), .* three times",
    ),
    "text": ({"instances": [[["a"]]]}, "other things than numbers"),
    "true": ({"instances": [np.full((*SIZE, 3), True).tolist()]}, "other things than numbers"),
    "null": ({"instances": [None]}, "other things than numbers"),
    "fractions": ({"instances": [(IMAGES[0] / 255).tolist()]}, "with a decimal point"),
    "below 0": ({"instances": [(IMAGES[0] - 300.0).astype(int).tolist()]}, "values from -300"),
    "above 255": ({"instances": [np.full((*SIZE, 3), 256).tolist()]}, "256 to 256"),
    "beyond 64 bits": ({"instances": [np.full((*SIZE, 3), 10**19).tolist()]}, "1e[+]19"),
    "another input": ({"instances": [{"picture": ROW}]}, 'give the input "image"'),
    "two inputs": ({"instances": [{"image": ROW, "key": 1}]}, 'give the input "image"'),
    "numbers and files": ({"instances": [ROW, {"b64": B64}]}, "numbers beside files"),
    "no base64": ({"instances": [{"b64": "*"}]}, r"instances\[0\]: not base64, .* 1 is '\*'"),
    "base64 with a comma": (
        {"instances": [{"b64": f"{B64[:40]},{B64[40:]}"}]},
        r"instances\[0\]: not base64, because character 41 is ','",
    ),
    "base64 with an end within": ({"instances": [{"b64": "aGVs=bG8="}]}, "character 5 is '='"),
    "base64 without an end": ({"instances": [{"b64": B64.rstrip("=")[:41]}]}, "some are missing"),
    "a data: URL without base64": (
        {"instances": [{"b64": "data:image/svg+xml,<svg/>"}]},
        "a data: URL without base64",
    ),
    "base64 with a space": (b64(f"{B64[:40]} {B64[41:]}"), r"41 is ' ' \(a form makes \+ a space"),
    "base64 of base64": (
        b64(base64.b64encode(B64.encode()).decode()),
        r"instances\[0\]: a picture in base64, where the picture itself belongs; encode it once",
    ),
    "base64 of a data: URL": (
        b64(base64.b64encode(b"data:image/png;base64," + B64.encode()).decode()),
        "a picture in base64, where the picture itself belongs",
    ),
    "base64 alone": (B64.encode(), 'a picture in base64, not JSON; send {"instances": .*"b64"'),
    "gzip": (gzip.compress(b'{"instances": []}'), "the body is compressed by gzip"),
    "zlib": (zlib.compress(b'{"instances": []}'), "the body is compressed by zlib"),
    "a NumPy file": (NPY.getvalue(), "a NumPy file .* array.tolist"),
    "a form": (
        b'--x\r\nContent-Disposition: form-data; name="image"',
        "a form .* curl --data-binary @room.jpg -H 'Content-Type: image/jpeg'",
    ),
    "no text": ({"instances": [{"b64": 5}]}, r"instances\[0\]: not base64"),
    "more than b64": ({"instances": [{"b64": B64, "x": 1}]}, 'give {"b64": "..."} alone'),
    "no picture": ({"instances": [{"b64": "aGVsbG8="}]}, r"instances\[0\]: not a picture"),
    "half a JPEG": (
        {"instances": [{"b64": base64.b64encode(JPEG[: len(JPEG) // 2]).decode()}]},
        r"instances\[0\]: cannot be read",
    ),
    "a depth map": (
        {"instances": [{"b64": base64.b64encode(
            cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1]).decode()}]},
        "give the color picture",
    ),
    "unknown parameter": (
        {"instances": [ROW], "parameters": {"fromat": "png16"}},
        "unknown parameter 'fromat': did you mean 'format'",
    ),
    "unknown format": (
        {"instances": [ROW], "parameters": {"format": "png"}},
        "unknown format 'png': did you mean 'png16'",
    ),
    "a format that is no text": ({"instances": [ROW], "parameters": {"format": [1]}}, "format"),
    "parameters that are none": ({"instances": [ROW], "parameters": "png16"}, "give an object"),
    "another signature": ({"instances": [ROW], "signature_name": "x"}, "signature_name"),
}  # fmt: skip


PICTURES = {
    kind: cv2.imencode(kind, PICTURE)[1].tobytes()
    for kind in (".jpg", ".png", ".bmp", ".webp", ".ppm", ".tiff")
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_came_as_json_can_be_sent_as_the_sentence_says(server, kind):
    content = PICTURES[kind]
    for path in (V1, V2):
        sentence = refusal(server.post(path, content))
        assert "a picture, not JSON; send it to /v1/models/NAME:predict, by curl" in sentence
    path, header = re.search(r"(/v1/\S+), by curl .*Content-Type: ([a-z/]+)", sentence).groups()
    answer(server.post(path.replace("NAME", "bytes"), content, {"Content-Type": header}))


@pytest.mark.parametrize(
    "head, what",
    [
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"\0\0\0\x1cftypavif", "an AVIF picture"),
        (b"GIF89a", "a GIF picture"),
        (b"v/1\x01", "an OpenEXR file"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "image/jpeg"}])
def test_a_picture_that_is_not_read_is_named_whatever_the_content_type(server, head, what, headers):
    sentence = refusal(server.post(V1, head + bytes(40), headers))
    assert sentence == f"the body: {what}, which is not read; convert it to JPEG or PNG"


@pytest.mark.parametrize("path, document", [(V1, {"instances": [ROW]}), (V2, None)])
def test_json_behind_a_byte_order_mark(server, path, document):
    body = json.dumps(document or {"inputs": [TENSOR]}).encode("utf-8-sig")
    answer(server.post(path, body))


@pytest.mark.parametrize("name", BAD_V1)
def test_a_bad_v1_body_gets_a_sentence(server, name):
    body, words = BAD_V1[name]
    assert re.search(words, refusal(server.post(V1, body)))


TENSOR = v2_tensor(IMAGES, data=IMAGES.reshape(-1).tolist())
BAD_V2 = {
    "not JSON": (b"{", "the body is not JSON"),
    "empty": ({}, 'inputs: give one, named "image"'),
    "no list": ({"inputs": 3}, 'inputs: give one, named "image"'),
    "another name": ({"inputs": [{**TENSOR, "name": "x"}]}, 'inputs: give one, named "image"'),
    "two": ({"inputs": [TENSOR] * 2}, 'inputs: give one, named "image"'),
    "another type": ({"inputs": [{**TENSOR, "datatype": "INT64"}]}, "'INT64'; .* UINT8"),
    "no type": ({"inputs": [{**TENSOR, "datatype": None}]}, "'None'; .* UINT8"),
    "no shape": ({"inputs": [{**TENSOR, "shape": None}]}, r"shape \[\]"),
    "a shape of text": ({"inputs": [{**TENSOR, "shape": ["2"]}]}, "a list of whole numbers"),
    "another shape": ({"inputs": [{**TENSOR, "shape": [2, 8, 12, 1]}]}, r"takes .*\(8, 12, 3\)"),
    "more numbers": ({"inputs": [{**TENSOR, "shape": [1, 8, 12, 3]}]}, "576 numbers, but"),
    "any number of": ({"inputs": [{**TENSOR, "shape": [-1, 8, 12, 3]}]}, "576 numbers, but"),
    "none of them": ({"inputs": [{**TENSOR, "shape": [0, 8, 12, 3], "data": []}]}, "no picture"),
    "no data": ({"inputs": [v2_tensor(IMAGES)]}, 'neither "data" nor'),
    "data that is none": ({"inputs": [{**TENSOR, "data": 5}]}, '"data" is a list'),
    "text": ({"inputs": [{**TENSOR, "data": ["a"] * 576}]}, "other things than numbers"),
    "above 255": ({"inputs": [{**TENSOR, "data": [256] * 576}]}, "256 to 256"),
    "another output": ({"inputs": [TENSOR], "outputs": [{"name": "x"}]}, "outputs: the model has"),
    "outputs that are none": ({"inputs": [TENSOR], "outputs": 5}, "outputs: the model has"),
    "unknown parameter": ({"inputs": [TENSOR], "parameters": {"fmt": 1}}, "unknown parameter"),
    "parameters that are none": ({"inputs": [TENSOR], "parameters": [1]}, "give an object"),
    "binary that is not there": (
        {"inputs": [{**v2_tensor(IMAGES), "parameters": {"binary_data_size": 576}}]},
        "at most 0",
    ),
    "a size that is none": (
        {"inputs": [{**v2_tensor(IMAGES), "parameters": {"binary_data_size": "x"}}]},
        "whole number",
    ),
    "tensor parameters that are none": (
        {"inputs": [{**v2_tensor(IMAGES), "parameters": 7}]},
        "give an object",
    ),
    "no picture": (
        {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="]}]},
        r"image\[0\]: not a picture",
    ),
    "one picture": (
        {"inputs": [v2_tensor(IMAGES[0], data=IMAGES[0].ravel().tolist())]},
        r"image: one picture, of shape \[8, 12, 3\]; .* of its own, of shape \[1, 8, 12, 3\]",
    ),
    "no base64": (
        {"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": [B64, "a*"]}]},
        r"image\[1\]: not base64, because character 2 is '\*'",
    ),
    "gzip": (gzip.compress(b"{}"), "the body is compressed by gzip"),
    "fewer files": (
        {"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": [B64]}]},
        "1 files, but shape",
    ),
}


@pytest.mark.parametrize("name", BAD_V2)
def test_a_bad_v2_body_gets_a_sentence(server, name):
    body, words = BAD_V2[name]
    assert re.search(words, refusal(server.post(V2, body)))


def test_a_bad_binary_body_gets_a_sentence(server):
    files = {"name": "image", "shape": [1], "datatype": "BYTES"}
    short = v2_binary(server, IMAGES.tobytes()[:-1], v2_tensor(IMAGES))
    assert "575 numbers, but shape" in refusal(short)
    one = v2_binary(server, IMAGES[0].tobytes(), v2_tensor(IMAGES[0]))
    assert "image: one picture, of shape [8, 12, 3]" in refusal(one)
    assert "length of 4 bytes" in refusal(v2_binary(server, b"\1\0", files))
    assert "of which 3 came" in refusal(v2_binary(server, b"\xff\xff\xff\xffabc", files))
    for size in ("x", "-1", "99999999"):
        headers = {"Inference-Header-Content-Length": size}
        assert "whole number" in refusal(server.post(V2, {"inputs": [TENSOR]}, headers))


def test_a_bad_grpc_request_gets_a_sentence(server, channel):
    def bad(words, **tensor):
        assert re.search(words, grpc_refusal(lambda: infer(channel, **tensor)))

    raw = [IMAGES.tobytes()]
    bad("'INT64'", raw=raw, datatype="INT64")
    bad("'x'", raw=raw, datatype="x")
    bad('named "image"', raw=raw, name="x")
    bad(r"shape \[2\]", raw=raw, shape=[2])
    bad("one picture lies in a list of its own", raw=[IMAGES[0].tobytes()], shape=[*SIZE, 3])
    bad("0 numbers, but", raw=[])
    bad("575 numbers, but", raw=[raw[0][:-1]])
    bad("numbers, but", raw=raw, shape=[2**62, *SIZE, 3])
    bad("not a picture", raw=[file_tensor(b"x")], datatype="BYTES", shape=[1])
    twice = file_tensor(B64.encode())
    bad("encode it once less", raw=[twice], datatype="BYTES", shape=[1])
    bad("unknown parameter", raw=raw, parameters={"fromat": "png16"})
    unknown = grpc.StatusCode.NOT_FOUND
    assert "unknown model" in grpc_refusal(lambda: infer(channel, raw, model="x"), unknown)
    stub = GRPCInferenceServiceStub(channel)
    message = pb.RepositoryModelUnloadRequest(model_name="bytes")
    assert "stay" in grpc_refusal(lambda: stub.RepositoryModelUnload(message))
    large = [b"\0" * (MAX_BYTES + 1)]
    grpc_refusal(lambda: infer(channel, large), grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_a_bad_request_of_tensorflow_servings_client_gets_a_sentence(server, channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def refused(proto, name="image", model="bytes", **kind):
        request = predict_pb2.PredictRequest(inputs={name: proto})
        request.model_spec.name = model
        return grpc_refusal(lambda: stub.Predict(request, timeout=20), **kind)

    proto = tf.make_tensor_proto(IMAGES)
    assert 'named "image"' in refused(proto, name="x")
    assert "unknown model" in refused(proto, model="x", code=grpc.StatusCode.NOT_FOUND)
    assert "takes uint8" in refused(tf.make_tensor_proto(IMAGES / 255))
    assert "shape [2, 8]" in refused(tf.make_tensor_proto(IMAGES[:, :, 0, 0]))
    assert "lies in a list of its own" in refused(tf.make_tensor_proto(IMAGES[0]))
    assert "not a picture" in refused(tf.make_tensor_proto([b"x"]))
    huge = tf.make_tensor_proto(IMAGES)
    huge.tensor_shape.dim[0].size = 10**9  # TensorFlow would fill it up with the last number
    assert "up to 16" in refused(huge)
    short = tf.make_tensor_proto(IMAGES)
    short.tensor_content = b"123"
    assert "not of shape" in refused(short)
    classify = classification_pb2.ClassificationRequest()
    grpc_refusal(lambda: stub.Classify(classify, timeout=20), grpc.StatusCode.UNIMPLEMENTED)


def test_unknown_models_paths_and_methods(server):
    sentence = "unknown model 'bites': did you mean 'bytes'? known are bytes, floats, pairs"
    assert refusal(server.post("/v1/models/bites:predict", b"x"), 404) == sentence
    assert refusal(server.post("/v2/models/bites/infer", b"x"), 404) == sentence
    assert refusal(server.get("/v1/models/bites"), 404) == sentence
    assert refusal(server.get("/v2/models/bites"), 404) == sentence
    assert "nothing at /v3" in refusal(server.get("/v3"), 404)
    for verb in ("explain", "classify", "regress"):
        sentence = f"bytes has nothing to {verb}: it estimates depth; use bytes:predict"
        assert refusal(server.post(f"/v1/models/bytes:{verb}", {}), 404) == sentence
        assert refusal(server.post(f"/v1/models/bytes/versions/10:{verb}", {}), 404) == sentence
    sentence = "bytes has no labels; ask for version 10, which is served, or for none"
    for path in ("stable", "stable/metadata"):
        assert refusal(server.get(f"/v1/models/bytes/labels/{path}"), 404) == sentence
    assert refusal(server.post("/v1/models/bytes/labels/stable:predict", {}), 404) == sentence
    assert "did you mean 'bytes'" in refusal(server.get("/v1/models/bites/labels/x"), 404)
    assert "use POST" in refusal(server.get(V1), 405)
    assert "use GET" in refusal(server.post("/v1/models", {}), 405)


def test_clients_cannot_unload_the_models(server):
    for verb in ("load", "unload"):
        path = f"/v2/repository/models/bytes/{verb}"
        assert "stay" in refusal(server.post(path, b""))
    assert answer(server.get("/v1/models/bytes"))["ready"] is True


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_413(server, chunked):
    body = b" " * (MAX_BYTES + 1)
    parts = iter([body[:1000], body[1000:]]) if chunked else body
    import urllib.request

    url = f"http://127.0.0.1:{server.port}{V1}"
    result = server.send(urllib.request.Request(url, parts, method="POST"))
    assert f"at most {MAX_BYTES:,}" in refusal(result, 413)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(server):
    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    for side in (5_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
        text = base64.b64encode(png).decode()
        sentence = refusal(server.post(V1, {"instances": [{"b64": text}]}))
        assert "at most 16,777,216" in sentence and "pixels in one request" in sentence


@pytest.fixture
def here(models):
    """The application in this process, and its model."""
    model = DepthModel("bytes", models / "bytes")
    repository = Models()
    repository.update(model)
    application = http.create(DataPlane(repository), MAX_BYTES)
    return application, model


def posted(application):
    async def post():
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post(V1, json={"instances": IMAGES.tolist()})

    result = asyncio.run(post())
    return result.status_code, result.content


def test_more_requests_than_can_wait_are_sent_away(here, monkeypatch):
    application, _ = here
    assert posted(application)[0] == 200
    monkeypatch.setattr(serving_model, "MAX_WAITING", 0)
    assert "try again in a moment" in refusal(posted(application), 503)


def test_what_goes_wrong_in_the_server_stays_in_its_log(here, monkeypatch):
    application, model = here
    monkeypatch.setattr(model, "_compute", lambda request: 1 / 0)
    assert refusal(posted(application), 500) == "the server failed; its log says why"


# Slow clients, and the end.


def half_a_request(port, sent):
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(sent)
    return client


HEAD = f"POST {V1} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()


def test_slow_clients_neither_block_others_nor_stay(server):
    slow = [half_a_request(server.port, HEAD + b'{"inst') for _ in range(100)]
    slow += [half_a_request(server.port, b"POST /v1/mod") for _ in range(50)]
    slow += [half_a_request(server.port, b"") for _ in range(50)]
    start = time.monotonic()
    answer(server.post(V1, {"instances": IMAGES.tolist()}))
    assert time.monotonic() - start < 2
    trickle = half_a_request(server.port, b"")
    try:  # a byte now and then does not help
        for byte in HEAD[:12]:
            time.sleep(0.5)
            trickle.sendall(bytes([byte]))
        pytest.fail("the connection still takes bytes")
    except OSError:
        pass
    for client in slow:
        received = b"".join(iter(lambda client=client: client.recv(4096), b""))
        assert received.startswith(b"HTTP/1.1 408 ") and b"did not arrive within 3" in received
    assert time.monotonic() - start < 10


def test_a_client_that_leaves_in_the_middle_is_no_error(server):
    for _ in range(5):
        half_a_request(server.port, HEAD + b'{"inst').close()
    answer(server.post(V1, {"instances": IMAGES.tolist()}))


def test_many_at_once(server):
    results = []

    def client():
        for _ in range(5):
            results.append(server.post(V1, {"instances": [{"b64": B64}]})[0])

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 40


def ends(server, number=signal.SIGTERM):
    """Returns exit code and what was printed after the signal, which must not take long."""
    start = time.monotonic()
    server.process.send_signal(number)
    output = "".join(server.process.communicate(timeout=20))
    assert time.monotonic() - start < 15
    return server.process.returncode, output


def test_sigterm_lets_a_request_finish_and_leaves_with_0(models):
    with Server(models / "bytes") as server:
        server.wait()
        body = json.dumps({"instances": IMAGES.tolist()}).encode()
        head = HEAD.replace(b"1000", str(len(body)).encode())
        running = half_a_request(server.port, head + body[:100])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        running.sendall(body[100:])
        received = b"".join(iter(lambda: running.recv(4096), b""))
        assert received.startswith(b"HTTP/1.1 200 ")
        output = server.process.communicate(timeout=10)
        assert server.process.returncode == 0 and "Traceback" not in output[1]
        first, second = output[0].splitlines()
        url = f"http://127.0.0.1:{server.port}/"
        assert first == f"bytes: {url}, gRPC 127.0.0.1:{server.grpc_port}"
        assert second.startswith("next: curl ") and second.endswith(
            f" {url}v1/models/bytes:predict"
        )


@pytest.mark.slow
def test_sigterm_does_not_wait_for_ever(models):
    with Server(models / "bytes") as server:
        server.wait()
        client = half_a_request(server.port, HEAD)
        time.sleep(0.3)
        assert ends(server)[0] == 0
        client.close()


def test_a_version_folder_and_ctrl_c(models):
    with Server(models / "floats" / "1") as server:
        server.wait()
        assert answer(server.get("/v1/models")) == {"models": ["floats"]}
        assert ends(server, signal.SIGINT)[0] == 0


# The command.


@pytest.mark.parametrize(
    "host, reached_at",
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::1", "[::1]"),
        ("robot", "robot"),
    ],
)
def test_the_addresses_that_it_prints_can_be_opened(host, reached_at):
    settings = Settings({}, host, 8080, 8081, MAX_BYTES, 65)
    assert settings.url == f"http://{reached_at}:8080/"
    assert settings.grpc_target == f"{reached_at}:8081"


def test_find_takes_one_network_its_versions_or_several(models):
    highest = models / "bytes" / "10"
    assert serve.find(highest) == serve.find(models / "bytes") == {"bytes": highest}
    assert list(serve.find(models)) == ["bytes", "floats", "pairs"]
    assert serve.find(models)["bytes"] == highest


def test_a_folder_around_one_network_is_the_same_for_every_command(models, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").symlink_to(models / "bytes")
    assert serve.find(tmp_path / "out") == {"mine": tmp_path / "out" / "mine" / "10"}
    assert resolve(tmp_path / "out").path == tmp_path / "out" / "mine" / "10"


def test_a_folder_without_networks_is_said(tmp_path):
    with pytest.raises(InputError, match="give a run folder .*, an exported network"):
        serve.find(tmp_path)


def test_without_kserve_the_extra_is_named(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "kserve", None)
    with pytest.raises(InputError, match=r"pip install 'keras_depth\[serve\]'"):
        serve.main([str(models)])


@pytest.mark.parametrize("host, port", [("127.0.0.1", 70_000), ("203.0.113.1", 9999)])
def test_an_address_that_is_none_is_said(host, port):
    with pytest.raises(InputError, match=f"--port {port}: cannot listen there, at {host}"):
        server_module.bind(host, port, "--port")


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_that_cannot_be_is_said_before_anything_is_exported(option, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        serve.main([str(tmp_path), option, "18080000"])
    assert f"argument {option}: '18080000': give a port, 1 to 65535" in capsys.readouterr().err


def test_a_damaged_network_and_a_taken_port_are_one_line(models, tmp_path):
    def error(folder, port):
        command = [sys.executable, "-m", "keras_depth.serve", str(folder)]
        with hold_port() as held:
            command += ["--port", str(port), "--grpc-port", str(held.getsockname()[1])]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        return set(done.stderr.splitlines())

    broken = tmp_path / "bytes" / "1"
    broken.mkdir(parents=True)
    (broken / "export.json").write_bytes((models / "bytes" / "2" / "export.json").read_bytes())
    (broken / "saved_model.pb").write_bytes(b"x")
    assert all(re.match("error: .*saved_model.pb: damaged", line) for line in error(broken, 1234))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (line,) = error(models, port)
        assert line.startswith(f"error: --port {port}: cannot listen there, at 127.0.0.1")
