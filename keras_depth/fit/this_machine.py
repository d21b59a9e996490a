"""Measures this machine as a board: its peaks, and the efficiency of single layers.

The layers are timed in ONNX Runtime where it is installed, else in TensorFlow: convolutions of
several shapes, depthwise and grouped ones, additions, pooling, resizing, and the copying of an
interleave. No network is among them.
"""

import importlib.util
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import Any

import numpy as np

from keras_depth.errors import check_installed
from keras_depth.fit.boards import THIS, Board, Efficiency
from keras_depth.fit.layers import KINDS, Layer, Map

_SECONDS = 0.12  # for which each case is repeated
_LEAST = 5  # calls, however long they take


@dataclass(frozen=True)
class Case:
    """A layer that is timed; of convolutions two, from `channels` to `to` channels and back.

    Attributes:
        kind: of the layer, see `layers.KINDS`.
        side: height and width of the map.
        channels, to: of the map, before and after the first of the two; of a convolution alone.
        kernel: side of the kernel.
        groups: of a grouped convolution.
        stride: of the first of two convolutions; of a transposed one, of its only one.
    """

    kind: str
    side: int
    channels: int
    to: int = 0
    kernel: int = 1
    groups: int = 1
    stride: int = 1

    @property
    def layers(self) -> list[Layer]:
        """The layers that a call computes, as a network would list them."""
        values = self.side**2 * self.channels
        if self.kind == "transposed":
            macs = self.side**2 * self._weights
            larger = (self.stride * self.side) ** 2 * self.to
            return [_layer(self.kind, macs, self._weights, [values], [larger])]
        if self.to:
            pixels = (self.side // self.stride) ** 2
            macs, between = pixels * self._weights, pixels * self.to
            return [
                _layer(self.kind, macs, self._weights, [values], [between]),
                _layer(self.kind, macs, self._weights, [between], [pixels * self.channels]),
            ]
        reads = 2 if self.kind in ("pointwise", "copy") else 1
        written = {"pool": values // 4, "copy": 2 * values}
        written |= dict.fromkeys(("bilinear", "nearest"), 4 * values)
        return [_layer(self.kind, 0, 0, [values] * reads, [written.get(self.kind, values)])]

    @property
    def _weights(self) -> int:
        return self.channels * self.to // self.groups * self.kernel**2


def _layer(kind: str, macs: int, weights: int, reads: list[int], writes: list[int]) -> Layer:
    return Layer(kind, kind, macs, weights, [Map(n) for n in reads], [Map(n) for n in writes])


# Shapes as encoders and decoders have them: large maps of few channels to small ones of many.
CASES = (
    *(Case("conv", 128, 64, 64, 3), Case("conv", 64, 256, 256, 3), Case("conv", 16, 512, 512, 3)),
    *(Case("conv", 64, 64, 256), Case("conv", 16, 256, 1024), Case("conv", 8, 512, 512)),
    *(Case("conv", 64, 256, 512, stride=2), Case("conv", 32, 128, 256, 3, stride=2)),
    *(Case("conv", 128, 16, 96), Case("conv", 64, 24, 144), Case("conv", 128, 32, 16, 3)),
    *(Case("narrow", 256, 3, 32, 3, stride=2), Case("narrow", 256, 3, 64, 7, stride=2)),
    *(Case("narrow", 128, 64, 1, 3), Case("narrow", 128, 32, 1, 5)),
    *(Case("transposed", 32, 256, 128, 5, stride=2), Case("transposed", 64, 64, 32, 5, stride=2)),
    *(Case("grouped", 32, 256, 256, 3, groups=32), Case("grouped", 64, 128, 128, 3, groups=64)),
    *(Case("depthwise", 128, 64, 64, 3, groups=64), Case("depthwise", 32, 384, 384, 3, groups=384)),
    Case("depthwise", 128, 96, 96, 3, groups=96, stride=2),
    Case("depthwise", 64, 128, 128, 7, groups=128),
    *(Case("pointwise", 32, 64), Case("pointwise", 128, 64), Case("pointwise", 512, 32)),
    *(Case("function", 32, 64), Case("function", 128, 64), Case("function", 256, 32)),
    *(Case("pool", 128, 64), Case("pool", 32, 256)),
    *(Case("bilinear", 64, 64), Case("bilinear", 32, 256)),
    *(Case("nearest", 64, 64), Case("nearest", 32, 256)),
    *(Case("shuffle", 128, 64), Case("shuffle", 32, 512)),
    *(Case("copy", 128, 64), Case("copy", 256, 64)),
)
_SMALLEST = Case("conv", 4, 16, 16)  # whose time is overhead


def measure() -> Board:
    """Measures this machine as a board, in float32; it takes some seconds.

    The peaks are the fastest call of any case, so that no layer can be faster; the efficiencies are
    of the median calls.
    """
    run = _onnxruntime if runtime() == "ONNX Runtime" else _tensorflow
    seconds = {case: _seconds(run(case)) for case in CASES}
    peak = max(_operations(case) / min(times) for case, times in seconds.items())
    bandwidth = max(_bytes(case) / min(times) for case, times in seconds.items())
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for case, times in seconds.items():
        at_peak = sum(
            max(2 * layer.macs / peak, 4 * layer.moved / bandwidth) for layer in case.layers
        )
        shares[case.kind].append(at_peak / median(times))
    return Board(
        THIS,
        f"{_processor()}, {cores()} cores, {runtime()}",
        {"fp32": peak},
        bandwidth,
        0,  # the bandwidth is that of the caches
        _memory(),
        {kind: Efficiency(min(ones), geometric_mean(ones)) for kind, ones in shares.items()},
        median(_seconds(run(_SMALLEST))) / len(_SMALLEST.layers),
        {"all": "measured now, by this command"},
    )


def runtime() -> str:
    """Returns the runtime in which layers are timed here."""
    both = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    return "ONNX Runtime" if both else "TensorFlow"


def _operations(case: Case) -> int:
    return sum(2 * layer.macs for layer in case.layers)


def _bytes(case: Case) -> int:
    return sum(4 * layer.moved for layer in case.layers)


def _seconds(call: Callable[[], object]) -> list[float]:
    call()
    call()
    times: list[float] = []
    while sum(times) < _SECONDS or len(times) < _LEAST:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def _onnxruntime(case: Case) -> Callable[[], object]:
    """Returns a function that computes a case in ONNX Runtime."""
    check_installed("onnx", "onnx", "onnxruntime")
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    shape = (1, case.channels, case.side, case.side)
    constants: dict[str, np.ndarray] = {}
    nodes = _nodes(case, constants, helper.make_node)
    graph = helper.make_graph(
        nodes,
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = {"x": _noise(shape)}
    return lambda: session.run(None, given)


def _nodes(case: Case, constants: dict[str, np.ndarray], node: Callable[..., Any]) -> list[Any]:
    """Returns the ONNX nodes of a case, and adds their constants."""
    if case.kind == "transposed":
        constants["a"] = _noise((case.channels, case.to, case.kernel, case.kernel))
        pads, more = [case.kernel // 2] * 4, [case.stride - 1] * 2
        options = {"strides": [case.stride] * 2, "pads": pads, "output_padding": more}
        return [node("ConvTranspose", ["x", "a"], ["y"], **options)]
    if case.to:
        for name, before, after in (("a", case.channels, case.to), ("b", case.to, case.channels)):
            constants[name] = _noise((after, before // case.groups, case.kernel, case.kernel))
        both = {"group": case.groups, "pads": [case.kernel // 2] * 4}
        return [
            node("Conv", ["x", "a"], ["between"], strides=[case.stride] * 2, **both),
            node("Conv", ["between", "b"], ["y"], **both),
        ]
    if case.kind == "function":
        return [node("Elu", ["x"], ["y"])]
    if case.kind in ("pointwise", "copy"):
        constants["other"] = _noise((1, case.channels, case.side, case.side))
        if case.kind == "copy":
            return [node("Concat", ["x", "other"], ["y"], axis=1)]
        return [node("Add", ["x", "other"], ["y"])]
    if case.kind == "pool":
        return [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
    if case.kind == "shuffle":
        return [node("DepthToSpace", ["x"], ["y"], blocksize=2)]
    constants["twice"] = np.array([1, 1, 2, 2], np.float32)
    rule = {"coordinate_transformation_mode": "half_pixel", "mode": "linear"}
    if case.kind == "nearest":
        rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return [node("Resize", ["x", "", "twice"], ["y"], **rule)]


def _tensorflow(case: Case) -> Callable[[], object]:
    """Returns a function that computes a case in TensorFlow."""
    import tensorflow as tf

    x = tf.constant(_noise((1, case.side, case.side, case.channels)))
    kernels = [
        tf.constant(_noise((case.kernel, case.kernel, before // case.groups, after)))
        for before, after in ((case.channels, case.to), (case.to, case.channels))
    ]
    twice, stride = (2 * case.side, 2 * case.side), case.stride
    compute = {
        "depthwise": lambda x: _depthwise(_depthwise(x, kernels[0], stride), kernels[1], 1),
        "transposed": lambda x: tf.nn.conv2d_transpose(
            x, tf.transpose(kernels[0], (0, 1, 3, 2)), (1, *twice, case.to), stride
        ),
        "pointwise": lambda x: x + tf.reverse(x, [1]),
        "function": tf.nn.elu,
        "copy": lambda x: tf.concat([x, x], -1),
        "pool": lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
        "shuffle": lambda x: tf.nn.depth_to_space(x, 2),
        "bilinear": lambda x: tf.image.resize(x, twice, "bilinear"),
        "nearest": lambda x: tf.image.resize(x, twice, "nearest"),
    }.get(case.kind)
    if compute is None:

        def compute(x):
            return tf.nn.conv2d(tf.nn.conv2d(x, kernels[0], stride, "SAME"), kernels[1], 1, "SAME")

    function = tf.function(compute, autograph=False)
    return lambda: function(x).numpy()


def _depthwise(x: Any, kernel: Any, stride: int) -> Any:
    import tensorflow as tf

    kernel = tf.transpose(kernel, (0, 1, 3, 2))
    return tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), "SAME")


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def cores() -> int:
    """Returns how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _processor() -> str:
    """Returns the processor's name, as Linux knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _memory() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
