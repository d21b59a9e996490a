"""TensorFlow Serving's gRPC services, so that its clients need no change."""

from collections.abc import Sequence
from functools import partial
from math import prod
from operator import methodcaller
from typing import Any

import grpc
import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message
from kserve.protocol.dataplane import DataPlane

from keras_depth.errors import InputError
from keras_depth.serve import requests
from keras_depth.serve import tf_messages as messages
from keras_depth.serve.model import DepthModel
from keras_depth.serve.requests import MAX_INSTANCES, SIGNATURE, Options, Request, Spec

_DATATYPES = {"UINT8": "DT_UINT8", "FP32": "DT_FLOAT"}  # of KServe, and TensorFlow's
_DTYPES = {"uint8": "DT_UINT8", "float32": "DT_FLOAT"}  # of NumPy


def add_services(server: grpc.aio.Server, dataplane: DataPlane) -> None:
    """Adds what there is of a depth network; other methods are for other kinds of models."""
    services = {
        "PredictionService": {
            "Predict": (_predict, messages.PredictRequest),
            "GetModelMetadata": (_get_metadata, messages.GetModelMetadataRequest),
        },
        "ModelService": {"GetModelStatus": (_get_status, messages.GetModelStatusRequest)},
    }
    for service, methods in services.items():
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                partial(answer, dataplane), request.FromString, methodcaller("SerializeToString")
            )
            for name, (answer, request) in methods.items()
        }
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)]
        )


async def _predict(dataplane: DataPlane, request: Any, context: Any) -> Message:
    model = _find(dataplane, request.model_spec)
    answer, _ = await dataplane.infer(model.name, partial(decode, request))
    answer.model_spec.CopyFrom(_spec(model))
    answer.model_spec.signature_name = SIGNATURE
    return answer


async def _get_metadata(dataplane: DataPlane, request: Any, context: Any) -> Message:
    return metadata_of(_find(dataplane, request.model_spec))


async def _get_status(dataplane: DataPlane, request: Any, context: Any) -> Message:
    return status_of(_find(dataplane, request.model_spec))


def _find(dataplane: DataPlane, wanted: Any) -> DepthModel:
    version = str(wanted.version.value) if wanted.HasField("version") else wanted.version_label
    return dataplane.model_registry.get_version(wanted.name, version)


def status_of(model: DepthModel) -> Message:
    """Returns the model's only version, which is loaded."""
    answer = messages.GetModelStatusResponse()
    version = answer.model_version_status.add(version=model.version, state=messages.AVAILABLE)
    version.status.SetInParent()
    return answer


def metadata_of(model: DepthModel) -> Message:
    """Returns the model's signature, as that of a SavedModel is stored."""
    signatures = messages.SignatureDefMap()
    signature = signatures.signature_def[SIGNATURE]
    signature.method_name = "tensorflow/serving/predict"
    for infos, tensors in (
        (signature.inputs, model.get_input_types()),
        (signature.outputs, model.get_output_types()),
    ):
        for tensor in tensors:
            info = infos[tensor["name"]]
            info.name = f"{tensor['name']}:0"
            info.dtype = _number(_DATATYPES[tensor["datatype"]])
            for side in tensor["shape"]:
                info.tensor_shape.dim.add(size=side)
    answer = messages.GetModelMetadataResponse(model_spec=_spec(model))
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _spec(model: DepthModel) -> Message:
    return messages.ModelSpec(name=model.name, version={"value": model.version})


def to_json(message: Message) -> dict[str, Any]:
    """Writes an answer of the gRPC services as TensorFlow Serving's REST does."""
    document = json_format.MessageToDict(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
        descriptor_pool=messages.POOL,
    )
    for part in document.get("metadata", {}).values():
        del part["@type"]
    return document


def decode(message: Any, spec: Spec) -> Request:
    """Reads a `PredictRequest`: `image` of the model's type, or strings, which are JPEG or PNG.

    Returns:
        A request whose answer is a `PredictResponse`: `depth`, float32 (B, h, w, 1), metres.

    Raises:
        InputError: the request is not valid.
    """
    requests.check_signature(message.model_spec.signature_name)
    if list(message.inputs) != ["image"]:
        raise InputError('inputs: give one, named "image"')
    tensor = message.inputs["image"]
    shape = [side.size for side in tensor.tensor_shape.dim]
    if tensor.dtype == _number("DT_STRING"):
        names = [f"image[{index}]" for index in range(len(tensor.string_val))]
        pictures = requests.decode_images(tensor.string_val, names)
        requests.check_stackable(pictures, Options())
        return Request(Options(), _encode, images=pictures)
    if tensor.dtype != _number(_DTYPES[spec.dtype]):
        raise InputError(f"image: another type; the model takes {spec.dtype}, {spec}, or strings")
    requests.check_list(shape, "image", spec)
    # The shape comes first: one value may stand for an array of any size.
    if len(shape) != 4 or tuple(shape[1:]) != spec.shape or not 1 <= shape[0] <= MAX_INSTANCES:
        raise InputError(
            f"image: shape {shape[:8]}; the model takes up to {MAX_INSTANCES} of {spec}"
        )
    images = _to_array(tensor, shape, spec.dtype)
    return Request(Options(), _encode, tensor=requests.check_numbers(images, "image", spec))


def _number(datatype: str) -> int:
    return messages.DATA_TYPES[datatype]


def _to_array(tensor: Any, shape: list[int], dtype: str) -> np.ndarray:
    """Reads numbers: as bytes, or as a list in which the last stands for all that are missing.

    Raises:
        InputError: they are too many or too few.
    """
    wrong = InputError(f"image: its content is not of shape {shape}")
    if tensor.tensor_content:
        if len(tensor.tensor_content) != prod(shape) * np.dtype(dtype).itemsize:
            raise wrong
        return np.frombuffer(tensor.tensor_content, np.dtype(dtype).newbyteorder("<")).reshape(
            shape
        )
    values = np.array(tensor.int_val if dtype == "uint8" else tensor.float_val)
    missing = prod(shape) - len(values)
    if missing < 0:
        raise wrong
    if not len(values):
        values, missing = np.zeros(1, np.uint8), missing - 1
    values = np.pad(values, (0, missing), "edge").reshape(shape)
    return values.astype(np.float32) if dtype == "float32" else values


def _encode(depths: Sequence[np.ndarray]) -> Message:
    depth = np.stack(depths)[..., None]
    answer = messages.PredictResponse()
    tensor = answer.outputs["depth"]
    tensor.dtype = _number("DT_FLOAT")
    tensor.tensor_content = depth.astype("<f4").tobytes()
    for side in depth.shape:
        tensor.tensor_shape.dim.add(size=side)
    return answer
