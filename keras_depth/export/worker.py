"""Runs an exported network in a fresh process, which has not seen the Keras model.

The parent writes a request a line, the child answers with a line, both in JSON:

| request                   | answer                                                       |
|---------------------------|--------------------------------------------------------------|
| ["load", FOLDER, BATCH]   | null, once the network is loaded and warmed up               |
| ["run", IMAGES, DEPTH]    | null, once the depth of one .npy file is in the other        |
| ["time", N]               | the seconds of each of N calls                               |
| ["peak"]                  | the most memory the child has held, bytes                    |
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import memory
from keras_depth.errors import InputError, cannot_write
from keras_depth.predict.loading import load_exported

WARM_UP = 3  # calls before those that are timed: tracing, then whatever the first run sets up
_CHILD = (
    "from keras_depth import command; from keras_depth.export import worker; "
    "command.run(worker.answer_requests)"
)


class Worker:
    """An exported network in a process of its own; `start` makes one."""

    def __init__(self, process: Any, stderr: Any):
        self._process = process
        self._stderr = stderr

    def run(self, images: np.ndarray) -> np.ndarray:
        """Computes depth, float32 (N, h, w, 1) in metres.

        Args:
            images: (N, H, W, 3) of the type the network takes, N a multiple of its batch.

        Raises:
            InputError: the process has ended, or the disk of the temporary files is full.
        """
        try:
            with tempfile.TemporaryDirectory() as scratch:
                given, depth = f"{scratch}/images.npy", f"{scratch}/depth.npy"
                np.save(given, images)
                self.ask("run", given, depth)
                return np.load(depth)
        except OSError as error:
            raise cannot_write(Path(tempfile.gettempdir()), error) from error

    def time(self, count: int) -> list[float]:
        """Calls the network on one batch of noise; returns the seconds of each call."""
        return self.ask("time", count)

    def peak(self) -> int:
        """Returns the most memory that the process has held, bytes."""
        return self.ask("peak")

    def ask(self, name: str, *arguments: Any) -> Any:
        """Sends a request and returns its answer.

        Raises:
            InputError: the process has ended.
        """
        try:
            self._process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if answer:
            return json.loads(answer)
        raise InputError(f"the exported network fails in a fresh process: {self._why_ended()}")

    def _why_ended(self) -> str:
        if self._process.wait() < 0:
            return "it was killed; there may be too little memory"
        self._stderr.seek(0)
        said = self._stderr.read().strip() or "it gave no reason"
        return said.splitlines()[-1].removeprefix("error: ")


@contextmanager
def start(folder: Path, batch: int = 1) -> Iterator[Worker]:
    """Starts a process, loads an exported network there, and warms it up.

    Args:
        folder: holds `export.json`.
        batch: images of a timed call, where the network takes any number.

    Raises:
        InputError: the network does not load or run there.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,  # closing a buffered pipe to a process that has ended raises
        ) as process,
    ):
        try:
            worker = Worker(process, stderr)
            worker.ask("load", str(folder), batch)
            yield worker
        finally:
            process.kill()


def answer_requests() -> None:
    """Answers the requests on standard input until it ends: the child's side."""
    # Runtimes print notices: those go to stderr, so that stdout carries answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    network = _Network()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(network, name)(*arguments)), file=answers, flush=True)


class _Network:
    """Answers each request by the method of its name."""

    def load(self, folder: str, batch: int) -> None:
        self._exported = load_exported(folder)
        shape = (self._exported.batch or batch, *self._exported.input_size, 3)
        self._images = np.random.default_rng(0).random(shape, np.float32)
        if self._exported.dtype == "uint8":
            self._images = (255 * self._images).astype(np.uint8)
        for _ in range(WARM_UP):
            self._exported(self._images)

    def run(self, images: str, depth: str) -> None:
        given = np.load(images)
        batch = self._exported.batch or len(given)
        groups = [given[i : i + batch] for i in range(0, len(given), batch)]
        np.save(depth, np.concatenate([self._exported(group) for group in groups]))

    def time(self, count: int) -> list[float]:
        return [self._seconds() for _ in range(count)]

    def peak(self) -> int:
        return memory.peak() or 0

    def _seconds(self) -> float:
        start = time.perf_counter()
        self._exported(self._images)
        return time.perf_counter() - start
