"""One process that answers over HTTP and gRPC, until SIGTERM."""

import asyncio
import signal
import socket

import grpc
import uvicorn

from keras_depth import command
from keras_depth.serve.connections import PunctualConnection
from keras_depth.serve.settings import Settings

GRACE = 10  # seconds that running requests have to finish after SIGTERM


def work(settings: Settings, listening: socket.socket) -> None:
    """Loads the networks, and serves until SIGTERM or Ctrl-C.

    Args:
        settings: what the command line says.
        listening: a socket of the HTTP port.

    Raises:
        InputError: a network cannot be loaded.
    """
    command.load_tensorflow()
    # KServe takes seconds to import, and the networks TensorFlow.
    from kserve.protocol.dataplane import DataPlane

    from keras_depth.serve.model import DepthModel, Models

    models = Models()
    for name, folder in settings.folders.items():
        models.update(DepthModel(name, folder))
    asyncio.run(_serve(settings, listening, DataPlane(models)))


async def _serve(settings: Settings, listening: socket.socket, dataplane) -> None:
    from keras_depth.serve import grpc as grpc_server
    from keras_depth.serve import http

    config = uvicorn.Config(
        http.create(dataplane, settings.max_bytes),
        http=PunctualConnection,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.timeout,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config, grpc_server.create(dataplane, settings), settings)
    await server.serve([listening])


class _Server(uvicorn.Server):
    """uvicorn's server of HTTP, with the server of gRPC at its side from start to end."""

    def __init__(self, config: uvicorn.Config, beside: grpc.aio.Server, settings: Settings):
        super().__init__(config)
        self._beside = beside
        self._settings = settings

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        await self._beside.start()
        names = ", ".join(self._settings.folders)
        host, port = sockets[0].getsockname()[:2]
        print(f"{names}: http://{host}:{port}/, gRPC {self._settings.grpc_address}", flush=True)

    async def shutdown(self, sockets=None) -> None:
        await asyncio.gather(super().shutdown(sockets), self._beside.stop(GRACE))

    def handle_exit(self, sig: int, frame) -> None:
        # uvicorn would raise the signal again at the end, and the process leave with its number.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
