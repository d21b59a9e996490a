"""The process that answers over HTTP and gRPC, from loading the networks until SIGTERM."""

import asyncio
import signal
import socket

import grpc
import uvicorn

from keras_depth.errors import InputError
from keras_depth.predict.loading import load_runtime
from keras_depth.serve.connections import TimeoutConnection
from keras_depth.serve.settings import Settings

GRACE = 10  # seconds that running requests have to finish after SIGTERM


def serve(settings: Settings) -> None:
    """Loads the networks, and serves until SIGTERM or Ctrl-C; running requests finish first.

    Args:
        settings: what the command line says.

    Raises:
        InputError: a port is taken, or a network cannot be loaded.
    """
    # Both ports are tried before anything is loaded, which takes seconds.
    bind(settings.host, settings.grpc_port, "--grpc-port").close()
    listening = bind(settings.host, settings.port, "--port")
    for folder in settings.folders.values():
        load_runtime(folder)
    # KServe takes seconds to import.
    from kserve.protocol.dataplane import DataPlane

    from keras_depth.serve.model import DepthModel, Models

    models = Models()
    for name, folder in settings.folders.items():
        models.update(DepthModel(name, folder, settings.fit, settings.intrinsics, settings.fov))
    asyncio.run(_serve(settings, listening, DataPlane(models)))


def bind(host: str, port: int, option: str) -> socket.socket:
    """Returns a socket of that address, which does not listen yet.

    Args:
        host, port: the address.
        option: the option that gave the port, for messages.

    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{option} {port}: cannot listen there, at {host} ({reason}); give another"
        ) from error
    return listening


async def _serve(settings: Settings, listening: socket.socket, dataplane) -> None:
    from keras_depth.serve import grpc as grpc_server
    from keras_depth.serve import http

    config = uvicorn.Config(
        http.create(dataplane, settings.max_bytes),
        http=TimeoutConnection,
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
    """uvicorn's HTTP server, which starts and stops the gRPC server with itself."""

    def __init__(self, config: uvicorn.Config, grpc_server: grpc.aio.Server, settings: Settings):
        super().__init__(config)
        self._grpc_server = grpc_server
        self._settings = settings

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        await self._grpc_server.start()
        names, url = list(self._settings.folders), self._settings.url
        print(f"{', '.join(names)}: {url}, gRPC {self._settings.grpc_target}")
        command = "curl --data-binary @room.jpg -H 'Content-Type: image/jpeg'"
        into_file = "-H 'Accept: image/png' -o depth.png"
        print(f"next: {command} {into_file} {url}v1/models/{names[0]}:predict", flush=True)

    async def shutdown(self, sockets=None) -> None:
        await asyncio.gather(super().shutdown(sockets), self._grpc_server.stop(GRACE))

    def handle_exit(self, sig: int, frame) -> None:
        # uvicorn would raise the signal again at the end, and the process leave with its number.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
