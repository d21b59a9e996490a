"""Runs `model.engine` by TensorRT's Python, as a JetPack has it. NOT TESTED on a board or a GPU.

It follows NVIDIA's documentation of TensorRT 8 to 10. Memory of the GPU is taken by libcudart, so
that nothing but TensorRT and CUDA need be installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any, Callable

import numpy as np

_TO_DEVICE, _TO_HOST = 1, 2  # cudaMemcpyKind


def available() -> bool:
    """Tells whether TensorRT's Python is installed."""
    return importlib.util.find_spec("tensorrt") is not None


def load(
    file: Path, details: dict[str, Any], batch: int
) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """Returns a function that runs an engine, and what runs it, for people.

    Args:
        file: what trtexec wrote on this machine.
        details: `export.json`'s.
        batch: pictures of a call.

    Raises:
        ImportError: TensorRT or the CUDA runtime cannot be loaded.
        ValueError: TensorRT cannot load the engine, or CUDA fails.
    """
    try:
        import tensorrt
    except Exception as error:  # of an installation that is broken: OSError, AttributeError
        raise ImportError(str(error)) from error

    runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
    loaded = runtime.deserialize_cuda_engine(file.read_bytes())
    if loaded is None:
        raise ValueError(
            f"{file}: TensorRT {tensorrt.__version__} cannot load it; build it again on this board"
        )
    context = loaded.create_execution_context()
    cuda = _Cuda()
    images = np.empty((batch, *details["input"]["shape"][1:]), details["input"]["dtype"])
    depth = np.empty((batch, *details["output"]["shape"][1:]), np.float32)
    places = {"image": cuda.allocate(images.nbytes), "depth": cuda.allocate(depth.nbytes)}
    bindings = [places[name] for name in _names(loaded)]

    def run(images: np.ndarray) -> np.ndarray:
        # The engine, its runtime and the memory live as long as this function does.
        cuda.copy(places["image"], images.ctypes.data, images.nbytes, _TO_DEVICE)
        if not context.execute_v2(bindings):
            raise ValueError("execute_v2 failed")
        cuda.copy(depth.ctypes.data, places["depth"], depth.nbytes, _TO_HOST)
        return depth

    return run, f"TensorRT {tensorrt.__version__}, {file.name}"


def _names(loaded: Any) -> list[str]:
    """Returns the names of an engine's input and output, in the order of its bindings."""
    if hasattr(loaded, "num_io_tensors"):  # from TensorRT 8.5 on
        return [loaded.get_tensor_name(i) for i in range(loaded.num_io_tensors)]
    return [loaded.get_binding_name(i) for i in range(loaded.num_bindings)]


class _Cuda:
    """The three calls of the CUDA runtime that are needed."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libcudart.so")
        except OSError as error:
            raise ImportError(f"the CUDA runtime cannot be loaded: {error}") from error
        self._places: list[int] = []

    def __del__(self) -> None:
        for place in getattr(self, "_places", ()):
            self._library.cudaFree(ctypes.c_void_p(place))

    def allocate(self, size: int) -> int:
        place = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(place), ctypes.c_size_t(size)))
        self._places.append(place.value or 0)
        return self._places[-1]

    def copy(self, to: int, source: int, size: int, kind: int) -> None:
        arguments = ctypes.c_void_p(to), ctypes.c_void_p(source), ctypes.c_size_t(size), kind
        self._check(self._library.cudaMemcpy(*arguments))

    def _check(self, code: int) -> None:
        if code:
            raise ValueError(f"CUDA reports error {code}")
