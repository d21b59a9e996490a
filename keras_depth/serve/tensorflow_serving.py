"""TensorFlow Serving's gRPC services, so that its clients need no change."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import Message
from kserve.protocol.dataplane import DataPlane
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_depth.errors import InputError
from keras_depth.serve import requests
from keras_depth.serve.model import DepthModel
from keras_depth.serve.requests import MAX_INSTANCES, SIGNATURE, Options, Request, Spec

_DATATYPES = {"UINT8": tf.uint8, "FP32": tf.float32}  # of KServe, and TensorFlow's


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers what there is of a depth network; other methods are for other kinds of models."""

    def __init__(self, dataplane: DataPlane):
        self._dataplane = dataplane

    async def Predict(self, request, context):
        model = _find(self._dataplane, request.model_spec)
        answer, _ = await self._dataplane.infer(model.name, partial(decode, request))
        answer.model_spec.CopyFrom(_spec(model))
        answer.model_spec.signature_name = SIGNATURE
        return answer

    async def GetModelMetadata(self, request, context):
        return metadata_of(_find(self._dataplane, request.model_spec))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers whether a model is loaded."""

    def __init__(self, dataplane: DataPlane):
        self._dataplane = dataplane

    async def GetModelStatus(self, request, context):
        return status_of(_find(self._dataplane, request.model_spec))


def _find(dataplane: DataPlane, wanted: model_pb2.ModelSpec) -> DepthModel:
    version = str(wanted.version.value) if wanted.HasField("version") else wanted.version_label
    return dataplane.model_registry.get_version(wanted.name, version)


def status_of(model: DepthModel) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns the model's only version, which is loaded."""
    answer = get_model_status_pb2.GetModelStatusResponse()
    available = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
    answer.model_version_status.add(version=model.version, state=available).status.SetInParent()
    return answer


def metadata_of(model: DepthModel) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Returns the model's signature, as that of a SavedModel is stored."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def[SIGNATURE]
    signature.method_name = "tensorflow/serving/predict"
    for infos, tensors in (
        (signature.inputs, model.get_input_types()),
        (signature.outputs, model.get_output_types()),
    ):
        for tensor in tensors:
            info = infos[tensor["name"]]
            info.name = f"{tensor['name']}:0"
            info.dtype = _DATATYPES[tensor["datatype"]].as_datatype_enum
            for side in tensor["shape"]:
                info.tensor_shape.dim.add(size=side)
    answer = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_spec(model))
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _spec(model: DepthModel) -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name=model.name, version={"value": model.version})


def to_json(message: Message) -> dict[str, Any]:
    """Writes an answer of the gRPC services as TensorFlow Serving's REST does."""
    document = json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
    for part in document.get("metadata", {}).values():
        del part["@type"]
    return document


def decode(message: predict_pb2.PredictRequest, spec: Spec) -> Request:
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
    if tensor.dtype == tf.string.as_datatype_enum:
        names = [f"image[{index}]" for index in range(len(tensor.string_val))]
        pictures = requests.decode_images(tensor.string_val, names)
        requests.check_stackable(pictures, Options())
        return Request(Options(), _encode, images=pictures)
    if tensor.dtype != tf.as_dtype(spec.dtype).as_datatype_enum:
        raise InputError(f"image: another type; the model takes {spec.dtype}, {spec}, or strings")
    requests.check_list(shape, "image", spec)
    # The shape comes first: TensorFlow would make an array of any size that a few bytes claim.
    if len(shape) != 4 or tuple(shape[1:]) != spec.shape or not 1 <= shape[0] <= MAX_INSTANCES:
        raise InputError(
            f"image: shape {shape[:8]}; the model takes up to {MAX_INSTANCES} of {spec}"
        )
    try:
        images = tf.make_ndarray(tensor)
    except (ValueError, TypeError) as error:
        raise InputError(f"image: its content is not of shape {shape}") from error
    return Request(Options(), _encode, tensor=requests.check_numbers(images, "image", spec))


def _encode(depths: Sequence[np.ndarray]) -> predict_pb2.PredictResponse:
    depth = tf.make_tensor_proto(np.stack(depths)[..., None])
    return predict_pb2.PredictResponse(outputs={"depth": depth})
