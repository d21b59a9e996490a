"""Who listens: this process, or several that share the ports."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from multiprocessing import connection
from multiprocessing.context import SpawnProcess

from keras_depth import command
from keras_depth.errors import InputError
from keras_depth.serve.server import GRACE, work
from keras_depth.serve.settings import Settings

_BAD_INPUT = 2  # what command.run leaves with


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or Ctrl-C, lets running requests finish, and returns the exit code.

    Raises:
        InputError: a port is taken, or a network cannot be loaded.
    """
    bind(settings.host, settings.grpc_port, "--grpc-port").close()
    listening = bind(settings.host, settings.port, "--port")
    if settings.workers == 1:
        work(settings, listening)
        return 0
    # Each worker counts its requests in files there; /metrics adds them up.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        return _supervise(settings, listening)


def bind(host: str, port: int, option: str) -> socket.socket:
    """Returns a socket of that address, which does not listen yet.

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


def _supervise(settings: Settings, listening: socket.socket) -> int:
    """Keeps workers running until SIGTERM or Ctrl-C, and returns the exit code.

    A worker that dies is replaced, but not where it died of bad input: so would the next.
    """
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopping.append(number))
    processes = [_start(settings, listening) for _ in range(settings.workers)]
    code = 0
    while not stopping and code != _BAD_INPUT:
        connection.wait([process.sentinel for process in processes], timeout=0.5)
        for index, process in enumerate(processes):
            if process.exitcode is None or stopping:
                continue
            code = process.exitcode
            if code != _BAD_INPUT:
                print(f"worker {process.pid} ended ({code}); another starts", file=sys.stderr)
                time.sleep(1)
                processes[index] = _start(settings, listening)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(2 * GRACE)
        process.kill()  # nothing to one that has ended
    return code if code == _BAD_INPUT else 0


def _start(settings: Settings, listening: socket.socket) -> SpawnProcess:
    # Spawned: TensorFlow does not survive a fork. What travels are paths, never a model.
    process = multiprocessing.get_context("spawn").Process(
        target=_worker, args=(settings, listening), daemon=True
    )
    process.start()
    return process


def _worker(settings: Settings, listening: socket.socket) -> None:
    command.end_with_parent()
    command.run(lambda: work(settings, listening))
