"""A `tensorrt` module with the members that a real version has, and no others.

What each version has is recorded in tests/export/tensorrt_api. Its engines are the ONNX they were
built from, run by ONNX Runtime on the memory of `write_cudart`'s library. It shows that calls are
those of this version, in an order that works; it is not TensorRT.
"""

import ctypes
import json
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

FOLDER = Path(__file__).parents[1] / "export" / "tensorrt_api"
VERSIONS = ("7.2.2", "8.2.1", "8.5.2", "8.6.1", "10.3.0", "10.16.0", "11.1.0")

_CUDART = """
#include <stdlib.h>
#include <string.h>
static struct { void *to; const void *from; size_t size; } waiting[8];
static int count = 0;
int cudaGetDeviceCount(int *devices) { *devices = 1; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1; return 0; }
int cudaStreamCreate(void **stream) { *stream = malloc(1); return 0; }
int cudaMalloc(void **address, size_t size) {
  *address = size > 1 << 20 ? 0 : malloc(size); return *address ? 0 : 2; }
const char *cudaGetErrorString(int code) { return code == 2 ? "out of memory" : "unknown error"; }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
  if (kind == 1) memcpy(to, from, size);
  else if (kind == 2 && count < 8) {
    waiting[count].to = to; waiting[count].from = from; waiting[count++].size = size; }
  else return 1;
  return 0; }
int cudaStreamSynchronize(void *stream) {
  while (count) { count--; memcpy(waiting[count].to, waiting[count].from, waiting[count].size); }
  return 0; }
"""


def write_cudart(folder):
    """Compiles a libcudart whose GPU is the host; what it returns arrives when one waits for it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, library = folder / "cudart.c", folder / "libcudart.so"
    source.write_text(_CUDART)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def make_tensorrt(version):
    """Makes the module of a recorded version."""
    record = json.loads((FOLDER / f"{version}.json").read_text())
    module = types.ModuleType("tensorrt")
    module.__version__ = version
    for name, members in record["classes"].items():
        behavior = type(name, (_Recorded,), {**_BEHAVIORS.get(name, {}), "tensorrt": module})
        setattr(module, name, _restrict(behavior, members))
    # tensorrt/__init__.py of each version gives Logger the levels of ILogger.
    module.Logger.ERROR = "error"
    return module


class _Recorded:
    """Takes attributes that begin with _, and the recorded properties, and no others."""

    properties: frozenset = frozenset()

    def __setattr__(self, name, value):
        if not name.startswith("_") and name not in self.properties:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        object.__setattr__(self, name, value)


def _restrict(behavior, members):
    """Leaves a class the recorded members; calls of its methods must fit a recorded signature."""
    methods, properties = members.get("methods", {}), members.get("properties", [])
    for i, value in enumerate(members.get("values", [])):
        setattr(behavior, value, i)
    behavior.properties = frozenset(properties)
    for name in [name for name in vars(behavior) if not name.startswith("_")]:
        if name not in (
            *methods,
            *properties,
            *members.get("values", []),
            "tensorrt",
            "properties",
        ):
            delattr(behavior, name)
    for name, signatures in methods.items():
        setattr(behavior, name, _check_calls(behavior, name, signatures))
    return behavior


def _check_calls(behavior, name, signatures):
    function = vars(behavior).get(name)

    def call(self, *given, **named):
        if not any(_fits(signature, given, named) for signature in signatures):
            raise TypeError(f"{behavior.__name__}.{name} takes {signatures}, not {given} {named}")
        if function is None:
            raise NotImplementedError(f"{behavior.__name__}.{name}: a member nothing here uses")
        return function(self, *given, **named)

    return call


def _fits(signature, given, named):
    names = [name.rstrip("?") for name in signature]
    needed = {name for name in signature if not name.endswith("?")}
    taken = {*names[: len(given)], *named}
    return len(given) <= len(names) and needed <= taken <= set(names)


def _array(address, shape, dtype):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


# What the methods do that run.py calls. An engine's file is a line with the version, then the ONNX.


def _init_logger(self, min_severity="warning"):
    self._severity = min_severity


def _init_with_logger(self, logger):
    self._logger = logger


def _create_network(self, flags=0):
    network = self.tensorrt.INetworkDefinition()
    network._flags = flags
    return network


def _create_config(self):
    config = self.tensorrt.IBuilderConfig()
    config._profiles, config._flags, config._workspace = [], [], None
    return config


def _serialize_network(self, network, config):
    assert network._model, "parsed"
    workspace = getattr(config, "max_workspace_size" if _before(self, 8, 4) else "_workspace", 0)
    session = onnxruntime.InferenceSession(network._model)
    dynamic = not isinstance(session.get_inputs()[0].shape[0], int)
    if not workspace or dynamic != bool(config._profiles):
        return None  # no room, or a batch of unknown size
    self.tensorrt.built_with = config._flags
    return f"engine of {self.tensorrt.__version__}\n".encode() + network._model


def _build_engine(self, network, config):
    content = _serialize_network(self, network, config)
    return content and _make_engine(self.tensorrt, content)


def _parse(self, model):
    explicit = getattr(self.tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    if explicit is not None and not self._network._flags >> explicit & 1:
        return False
    try:
        onnxruntime.InferenceSession(model)
    except Exception:
        return False
    self._network._model = model
    return True


def _init_parser(self, network, logger):
    self._network = network


def _get_error(self, index):
    return self.tensorrt.ParserError()


def _set_memory_pool_limit(self, pool, pool_size):
    assert pool == self.tensorrt.MemoryPoolType.WORKSPACE
    self._workspace = pool_size


def _add_profile(self, profile):
    self._profiles.append(profile)
    return 0


def _set_flag(self, flag):
    self._flags.append(flag)


def _set_profile_shape(self, input, min, opt, max):
    assert input == "image" and min == opt == max


def _deserialize(self, serialized_engine):
    header = f"engine of {self.tensorrt.__version__}\n".encode()
    if not serialized_engine.startswith(header):
        return None
    return _make_engine(self.tensorrt, serialized_engine)


def _make_engine(tensorrt, content):
    engine = tensorrt.ICudaEngine()
    engine._content = content
    engine._session = onnxruntime.InferenceSession(content.split(b"\n", 1)[1])
    for count in ("num_bindings", "num_io_tensors"):
        if count in engine.properties:
            setattr(engine, count, 2)
    return engine


def _create_context(self):
    context = self.tensorrt.IExecutionContext()
    context._session, context._shape, context._addresses = self._session, None, {}
    return context


def _get_name(self, index):
    return ("depth", "image")[index]  # the order is TensorRT's to choose


def _set_shape(self, name, shape):
    own = self._session.get_inputs()[0].shape
    if name != "image" or any(isinstance(x, int) and x != y for x, y in zip(own, shape)):  # noqa: B905
        return False
    self._shape = shape
    return True


def _set_address(self, name, memory):
    assert name in ("image", "depth")
    self._addresses[name] = memory
    return True


def _execute(self, addresses, stream_handle):
    assert isinstance(stream_handle, int) and stream_handle, "not the default stream"
    image = self._session.get_inputs()[0]
    dtype = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[image.type]
    given = _array(addresses["image"], self._shape, dtype)
    (depth,) = self._session.run(["depth"], {"image": given})
    _array(addresses["depth"], depth.shape, np.float32)[:] = depth
    return True


def _execute_by_place(self, bindings, stream_handle):
    return _execute(self, {_get_name(None, i): bindings[i] for i in range(2)}, stream_handle)


def _before(self, *version):
    return tuple(map(int, self.tensorrt.__version__.split(".")[:2])) < version


_BEHAVIORS = {
    "Logger": {"__init__": _init_logger},
    "Runtime": {"__init__": _init_with_logger, "deserialize_cuda_engine": _deserialize},
    "Builder": {
        "__init__": _init_with_logger,
        "create_network": _create_network,
        "create_builder_config": _create_config,
        "create_optimization_profile": lambda self: self.tensorrt.IOptimizationProfile(),
        "build_serialized_network": _serialize_network,
        "build_engine": _build_engine,
    },
    "OnnxParser": {"__init__": _init_parser, "parse": _parse, "get_error": _get_error},
    "ParserError": {"desc": lambda self: "an operator that it does not know"},
    "IBuilderConfig": {
        "set_memory_pool_limit": _set_memory_pool_limit,
        "add_optimization_profile": _add_profile,
        "set_flag": _set_flag,
    },
    "IOptimizationProfile": {"set_shape": _set_profile_shape},
    "ICudaEngine": {
        "create_execution_context": _create_context,
        "get_tensor_name": _get_name,
        "get_binding_name": _get_name,
        "serialize": lambda self: self._content,
    },
    "IExecutionContext": {
        "set_input_shape": _set_shape,
        "set_tensor_address": _set_address,
        "execute_async_v3": lambda self, stream_handle: _execute(
            self, self._addresses, stream_handle
        ),
        "set_binding_shape": lambda self, binding, shape: _set_shape(
            self, _get_name(None, binding), shape
        ),
        "execute_async_v2": _execute_by_place,
    },
}
