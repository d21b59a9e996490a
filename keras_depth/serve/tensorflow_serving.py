"""TensorFlow Serving's gRPC service, so that its clients need no change."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf
from kserve.protocol.dataplane import DataPlane
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_depth.errors import InputError
from keras_depth.serve import requests
from keras_depth.serve.requests import MAX_INSTANCES, Options, Request, Spec


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers `Predict`; the other methods of the service are for other kinds of models."""

    def __init__(self, dataplane: DataPlane):
        self._dataplane = dataplane

    async def Predict(self, request, context):
        answer, _ = await self._dataplane.infer(request.model_spec.name, partial(decode, request))
        answer.model_spec.CopyFrom(request.model_spec)
        return answer


def decode(message: predict_pb2.PredictRequest, spec: Spec) -> Request:
    """Reads a `PredictRequest`: `image` of the model's type, or strings, which are JPEG or PNG.

    Returns:
        A request whose answer is a `PredictResponse`: `depth`, float32 (B, h, w, 1), metres.

    Raises:
        InputError: the request is not valid.
    """
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
