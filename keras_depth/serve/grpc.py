"""The gRPC server: the Open Inference Protocol and TensorFlow Serving's, at one port."""

from functools import partial

import grpc
from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.servicer import InferenceServicer

from keras_depth.serve import tensorflow_serving, v2
from keras_depth.serve.http import REFUSED
from keras_depth.serve.model import MAX_WAITING, Busy, DepthModel, ReadOnlyRepository
from keras_depth.serve.settings import Settings


def create(dataplane: DataPlane, settings: Settings) -> grpc.aio.Server:
    """Returns a gRPC server that has not started."""
    server = grpc.aio.server(
        interceptors=[ErrorToStatus()],
        maximum_concurrent_rpcs=MAX_WAITING,
        options=[
            ("grpc.max_receive_message_length", settings.max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # else two servers would share a port without notice
            ("grpc.keepalive_time_ms", 1000 * settings.timeout),  # notices clients that are gone
        ],
    )
    add_GRPCInferenceServiceServicer_to_server(
        Inference(dataplane, ReadOnlyRepository(dataplane.model_registry)), server
    )
    tensorflow_serving.add_services(server, dataplane)
    server.add_insecure_port(settings.grpc_address)
    return server


class Inference(InferenceServicer):
    """KServe's service, with our own decoding, which refuses a bad request with a sentence.

    KServe's answers whatever version it is asked for.
    """

    async def ModelReady(self, request, context):
        self._find(request.name, request.version)
        return await super().ModelReady(request, context)

    async def ModelMetadata(self, request, context):
        self._find(request.name, request.version)
        return await super().ModelMetadata(request, context)

    async def ModelInfer(self, request, context):
        model = self._find(request.model_name, request.model_version)
        answer, _ = await self._data_plane.infer(model.name, partial(v2.decode_grpc, request))
        return answer

    def _find(self, name: str, version: str) -> DepthModel:
        return self._data_plane.model_registry.get_version(name, version)


class ErrorToStatus(ExceptionToStatusInterceptor):
    """Answers an error with its status and sentence; the server's own faults go to its log."""

    async def handle_exception(self, ex, request_or_iterator, context, method_name):
        for kind, status in (
            (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
            (ModelNotFound, grpc.StatusCode.NOT_FOUND),
            (Busy, grpc.StatusCode.RESOURCE_EXHAUSTED),
            (NotImplementedError, grpc.StatusCode.UNIMPLEMENTED),
        ):
            if isinstance(ex, kind):
                REFUSED.labels(status=status.name).inc()
                await context.abort(status, getattr(ex, "reason", str(ex)))
        await super().handle_exception(ex, request_or_iterator, context, method_name)
