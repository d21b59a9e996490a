"""Runs the exported network beside it: pictures, videos and cameras in, metres out.

It is copied with every export, and needs Python 3.6 or later, NumPy, OpenCV and one runtime, and
nothing of the package that wrote it. TensorFlow is needed for a SavedModel only:

    python3 run.py                                        what this machine can run
    python3 run.py --check                                is it the network that was trained?
    python3 run.py --bench --json bench.json              how fast is it here?
    python3 run.py room.jpg pictures walk.mp4 --output out
    python3 run.py --camera 0 --output out --frames 100

Each picture gets, by --format:
    png    NAME_depth.png  16 bit, millimetres, 0 = none
    npy    NAME_depth.npy  float32 metres
    color  NAME_color.png  near bright, far dark, gray where there is none
    ply    NAME_cloud.ply  colored points, metres
Frames of videos and cameras are pictures named NAME_000000 and so on.
"""

import argparse
import base64
import ctypes
import ctypes.util
import datetime
import functools
import importlib
import io
import json
import math
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np

# Accepted relative differences from the Keras model: the largest in fp32, the mean in precisions
# that round on purpose.
LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "int8": 1e-1}
GPU_LIMIT = 1e-2  # at least, where a GPU may round products as TensorFloat-32 does
FITS = ("stretch", "letterbox", "crop")
FORMATS = ("png", "npy", "color", "ply")
STILLS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".3gp", ".wmv")
WARM_UP = 10  # calls before those that are timed


class Problem(Exception):
    """Bad input, or a machine that cannot run it; the message says what to do."""


class Export:
    """Holds what export.json says of the network in a folder."""

    def __init__(self, folder):
        self.folder, path = folder, folder / "export.json"
        try:
            self.details = details = json.loads(path.read_text(encoding="utf-8"))
            image, self.format = details["input"], details["format"]
            self.dtype, self.channels_first = image["dtype"], image["layout"] == "NCHW"
            shape = list(image["shape"])
            if self.channels_first:
                shape.append(shape.pop(1))
            self.batch, height, width, _ = shape
            self.input_size = (int(height), int(width))
            self.map_shape = [int(side) for side in details["output"]["shape"][1:]]
            self.name, self.precision = details["name"], details["precision"]
            self.fit = details.get("fit", "stretch")
            self.focal_length = (details.get("camera") or {}).get("focal_length")
            self.limit = details.get("parity", {}).get("limit") or LIMITS[self.precision]
            self.converted = (folder / "converted" / "tftrt.json").is_file()  # by tftrt.py
            if self.converted:
                text = (folder / "converted" / "tftrt.json").read_text(encoding="utf-8")
                self.precision = json.loads(text)["precision"].lower()
                self.limit = LIMITS[self.precision]
        except OSError as error:
            raise Problem(
                f"{path}: cannot be read ({error.strerror}); keep run.py in the folder of the"
                " exported network"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Problem(f"{path}: damaged; copy the folder again") from None

    def file(self, name):
        """Returns a file's path; it must be there."""
        path = self.folder / name
        if not path.exists():
            raise Problem(f"{path}: missing; copy the whole folder of the exported network")
        return path

    def to_input(self, images):
        """Lays pictures (B, h, w, 3) out in memory as the network takes them."""
        if self.channels_first:
            images = images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images)


# Backends. Each says with `missing` why it cannot run here, loads the network, and computes depth,
# float32 (B, h, w, 1), of pictures (B, h, w, 3).


class Cuda:
    """The GPU's memory, by CUDA's runtime library."""

    NAMES = (
        *("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"),
        *("libcudart.so.10.2", "/usr/local/cuda/lib64/libcudart.so"),
    )
    TO_DEVICE, TO_HOST = 1, 2  # cudaMemcpyKind
    CAPABILITY = (75, 76)  # cudaDevAttrComputeCapabilityMajor, Minor

    def __init__(self):
        self._library = self._open()
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._library.cudaGetErrorString.restype = ctypes.c_char_p
        self._library.cudaMalloc.argtypes = [ctypes.POINTER(pointer), ctypes.c_size_t]
        self._library.cudaMemcpyAsync.argtypes = [
            pointer,
            pointer,
            ctypes.c_size_t,
            integer,
            pointer,
        ]
        self._library.cudaStreamCreate.argtypes = [ctypes.POINTER(pointer)]
        self._library.cudaStreamSynchronize.argtypes = [pointer]
        self._library.cudaDeviceGetAttribute.argtypes = [ctypes.POINTER(integer), integer, integer]
        count = integer()
        self._call("cudaGetDeviceCount", ctypes.byref(count))
        if not count.value:
            raise Problem("CUDA sees no GPU")

    def _open(self):
        for name in (ctypes.util.find_library("cudart"),) + self.NAMES:
            try:
                if name:
                    return ctypes.CDLL(name)
            except OSError:
                continue
        raise Problem("there is no libcudart; install CUDA's runtime, or add it to LD_LIBRARY_PATH")

    def _call(self, name, *arguments):
        code = getattr(self._library, name)(*arguments)
        if code:
            reason = self._library.cudaGetErrorString(code).decode(errors="replace")
            raise Problem(f"CUDA's {name} fails: {reason}")

    def capability(self):
        """Returns the GPU's compute capability, such as "87"."""
        value = ctypes.c_int()
        digits = ""
        for attribute in self.CAPABILITY:
            self._call("cudaDeviceGetAttribute", ctypes.byref(value), attribute, 0)
            digits += str(value.value)
        return digits

    def stream(self):
        stream = ctypes.c_void_p()
        self._call("cudaStreamCreate", ctypes.byref(stream))
        return stream.value

    def allocate(self, size):
        """Returns the address of so many bytes of the GPU's; they are kept to the end."""
        address = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(address), size)
        return address.value

    def upload(self, address, array, stream):
        """Starts to copy an array to the GPU."""
        self._call(
            "cudaMemcpyAsync", address, array.ctypes.data, array.nbytes, self.TO_DEVICE, stream
        )

    def download(self, array, address, stream):
        """Starts to copy an array from the GPU."""
        self._call(
            "cudaMemcpyAsync", array.ctypes.data, address, array.nbytes, self.TO_HOST, stream
        )

    def wait(self, stream):
        self._call("cudaStreamSynchronize", stream)


class TensorRT:
    """TensorRT 7 to 11, by its Python; it builds the engine where there is none."""

    FORMATS = ("onnx", "tensorrt")
    WORKSPACE = 1 << 30  # bytes that building may take; TensorRT 7 and 8.2 give none by themselves
    # Up to TensorRT 10; then the graph alone decides. What 8 bits leave in float is in half.
    FLAGS = {"fp16": ("FP16",), "int8": ("INT8", "FP16")}  # type: dict

    @classmethod
    def missing(cls, name):
        try:
            importlib.import_module("tensorrt")
            Cuda()
        except (ImportError, Problem) as error:
            return first_line(error)
        return None

    def __init__(self, export, name, threads):
        self.name, self._export, self._cuda = name, export, Cuda()
        self._tensorrt = importlib.import_module("tensorrt")
        self.version = self._tensorrt.__version__
        self.batch = export.batch or 1
        self._stream = self._cuda.stream()
        self._logger = self._tensorrt.Logger(self._tensorrt.Logger.ERROR)
        self._runtime = self._tensorrt.Runtime(self._logger)
        self._engine = self._load()
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise Problem(f"{export.folder}: too little memory of the GPU for the engine")
        self._depth = np.empty([self.batch] + export.map_shape, np.float32)
        shape = export.to_input(np.empty((self.batch,) + export.input_size + (3,), export.dtype))
        self._addresses = [self._cuda.allocate(array.nbytes) for array in (shape, self._depth)]
        self._start = self._connect(shape.shape)

    def __call__(self, images):
        images = self._export.to_input(images)
        self._cuda.upload(self._addresses[0], images, self._stream)
        if not self._start():
            raise Problem(f"{self._export.folder}: TensorRT {self.version} failed; see above")
        self._cuda.download(self._depth, self._addresses[1], self._stream)
        self._cuda.wait(self._stream)
        return self._depth.copy()

    def _load(self):
        """Loads model.engine, else the engine that it built here before, else builds one."""
        name = f"model-tensorrt{self.version}-sm{self._cuda.capability()}.engine"
        own = self._export.folder / name
        given = self._export.folder / "model.engine"
        path = next((each for each in (given, own) if each.is_file()), None)
        if path is None:
            path, content = own, self._build()
            write(path, content)
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            built = (self._export.details.get("engine") or {}).get("tensorrt")
            who = f"TensorRT {built}" if built and path == given else "another TensorRT or GPU"
            raise Problem(
                f"{path}: TensorRT {self.version} cannot load it: {who} built it, or it is damaged;"
                " delete it, and run.py builds it anew"
            )
        self.engine = path.name
        return engine

    def _build(self):
        """Builds an engine from model.onnx; returns the content of its file."""
        tensorrt, source = self._tensorrt, self._export.file("model.onnx")
        say(f"{source}: TensorRT {self.version} builds an engine, which may take minutes")
        builder = tensorrt.Builder(self._logger)
        explicit = getattr(tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
        network = builder.create_network(0 if explicit is None else 1 << int(explicit))
        parser = tensorrt.OnnxParser(network, self._logger)
        if not parser.parse(source.read_bytes()):
            reason = first_line(parser.get_error(0).desc())
            raise Problem(f"{source}: TensorRT {self.version} cannot read it ({reason})")
        settings = self._settings(builder)
        if hasattr(builder, "build_serialized_network"):
            content = builder.build_serialized_network(network, settings)
        else:  # TensorRT 7
            engine = builder.build_engine(network, settings)
            content = None if engine is None else engine.serialize()
        if content is None:
            raise Problem(f"{source}: TensorRT {self.version} cannot build an engine; see above")
        return bytes(content)

    def _settings(self, builder):
        tensorrt, settings = self._tensorrt, builder.create_builder_config()
        if hasattr(settings, "set_memory_pool_limit"):  # 8.4 and later
            settings.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, self.WORKSPACE)
        else:
            settings.max_workspace_size = self.WORKSPACE
        for name in self.FLAGS.get(self._export.precision, ()):
            if hasattr(tensorrt.BuilderFlag, name):
                settings.set_flag(getattr(tensorrt.BuilderFlag, name))
        if self._export.batch is None:
            profile = builder.create_optimization_profile()
            one = self._export.to_input(np.empty((1,) + self._export.input_size + (3,))).shape
            profile.set_shape("image", one, one, one)
            settings.add_optimization_profile(profile)
        return settings

    def _connect(self, shape):
        """Says where the tensors are; returns a function that starts a computation."""
        engine, context, (image, depth) = self._engine, self._context, self._addresses
        if hasattr(engine, "num_io_tensors"):  # 8.5 and later: by name
            self._check_names([engine.get_tensor_name(i) for i in range(engine.num_io_tensors)])
            fits = context.set_input_shape("image", shape)
            context.set_tensor_address("image", image)
            context.set_tensor_address("depth", depth)
            start = functools.partial(context.execute_async_v3, self._stream)
        else:
            names = [engine.get_binding_name(i) for i in range(engine.num_bindings)]
            self._check_names(names)
            fits = context.set_binding_shape(names.index("image"), shape)
            bindings = [{"image": image, "depth": depth}[name] for name in names]
            start = functools.partial(context.execute_async_v2, bindings, self._stream)
        if not fits:
            raise Problem(f"{self._export.folder}: the engine takes no pictures of shape {shape}")
        return start

    def _check_names(self, names):
        if sorted(names) != ["depth", "image"]:
            raise Problem(
                f"{self._export.folder}: the engine has {', '.join(names)} in place of image and"
                " depth; delete it, and run.py builds it anew"
            )


class OnnxRuntime:
    """ONNX Runtime on the CPU, or by its providers for CUDA and TensorRT."""

    FORMATS = ("onnx", "tensorrt")
    PROVIDERS = {
        "onnxruntime-tensorrt": "TensorrtExecutionProvider",
        "onnxruntime-cuda": "CUDAExecutionProvider",
        "onnxruntime-cpu": "CPUExecutionProvider",
    }

    @classmethod
    def missing(cls, name):
        try:
            here = importlib.import_module("onnxruntime").get_available_providers()
        except ImportError as error:
            return first_line(error)
        wanted = cls.PROVIDERS[name]
        return None if wanted in here else f"this onnxruntime has no {wanted}"

    def __init__(self, export, name, threads):
        onnxruntime = importlib.import_module("onnxruntime")
        self.version, self.batch, self._export = onnxruntime.__version__, export.batch, export
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = threads
        if export.format == "tensorrt":  # compute 8 bits as TensorRT does: x86's own may saturate
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        names, here = list(self.PROVIDERS), onnxruntime.get_available_providers()
        wanted = [self.PROVIDERS[other] for other in names[names.index(name) :]]
        providers = [provider for provider in wanted if provider in here]
        path = export.file("model.onnx")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime's own classes have nothing else in common
            raise Problem(f"{path}: onnxruntime cannot load it ({first_line(error)})") from None
        used = self._session.get_providers()[0]  # onnxruntime passes over one that does not load
        self.name = next(other for other in names if self.PROVIDERS[other] == used)

    def __call__(self, images):
        return self._session.run(["depth"], {"image": self._export.to_input(images)})[0]


class LiteRT:
    """LiteRT (TensorFlow Lite), by either of its packages."""

    FORMATS = ("litert",)
    MODULES = ("ai_edge_litert", "tflite_runtime")

    @classmethod
    def _import(cls):
        for name in cls.MODULES:
            try:
                module = importlib.import_module(name + ".interpreter")
                return module, importlib.import_module(name).__version__
            except ImportError as error:
                if name not in str(error):  # it is installed, and cannot be loaded
                    raise
        raise ImportError("there is no ai_edge_litert and no tflite_runtime")

    @classmethod
    def missing(cls, name):
        try:
            cls._import()
        except ImportError as error:
            return first_line(error)
        return None

    def __init__(self, export, name, threads):
        module, self.version = self._import()
        self.name, self.batch, path = name, export.batch, export.file("model.tflite")
        try:
            self._interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise Problem(f"{path}: LiteRT cannot load it ({first_line(error)})") from None
        (self._image,) = self._interpreter.get_input_details()
        (self._depth,) = self._interpreter.get_output_details()

    def __call__(self, images):
        self._interpreter.set_tensor(self._image["index"], images)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._depth["index"])


class TensorFlow:
    """TensorFlow itself, for a SavedModel; of a folder for TF-TRT, what tftrt.py has converted."""

    FORMATS = ("saved_model", "tftrt")

    @classmethod
    def missing(cls, name):
        try:
            importlib.import_module("tensorflow")
        except ImportError as error:
            return first_line(error)
        return None

    def __init__(self, export, name, threads):
        self._tensorflow = importlib.import_module("tensorflow")
        self.name, self.version, self.batch = name, self._tensorflow.__version__, export.batch
        folders = [export.folder / each for each in ("converted", "saved_model")]
        folder = next((each for each in folders if each.is_dir()), export.folder)
        try:
            self._loaded = self._tensorflow.saved_model.load(str(folder))
            self._function = self._loaded.signatures["serving_default"]
        except Exception as error:  # the classes differ from one TensorFlow to the next
            raise Problem(
                f"{folder}: TensorFlow {self.version} cannot load it ({first_line(error)})"
            ) from None

    def __call__(self, images):
        return self._function(image=self._tensorflow.constant(images))["depth"].numpy()


# In the order of choice. onnxruntime-tensorrt is for --backend alone: it would build its engine,
# for minutes, at every start.
BACKENDS = {
    "tensorrt": TensorRT,
    "onnxruntime-tensorrt": OnnxRuntime,
    "onnxruntime-cuda": OnnxRuntime,
    "onnxruntime-cpu": OnnxRuntime,
    "litert": LiteRT,
    "tensorflow": TensorFlow,
}  # type: dict


class Network:
    """The exported network, loaded by one of the backends.

    Args:
        export: what is run.
        asked: name of a backend; None: the first that is here.
        threads: of a CPU.

    Raises:
        Problem: nothing here runs it.
    """

    def __init__(self, export, asked, threads):
        name = choose(export, asked)
        self.export, self.threads = export, threads
        self.backend = BACKENDS[name](export, name, threads)
        if asked and self.backend.name != asked:
            raise Problem(
                f"--backend {asked}: onnxruntime has it and cannot load its libraries here; leave"
                f" out --backend to take {self.backend.name}"
            )

    def __str__(self):
        return f"{self.backend.name} {self.backend.version}"

    def __call__(self, images):
        """Computes depth of any number of pictures.

        Args:
            images: (N, h, w, 3) of the network's size, uint8 or float32 in [0, 1] as it takes them.

        Returns:
            float32 (N, h, w, 1), metres.
        """
        size = self.backend.batch or len(images)
        missing = -len(images) % size  # the last picture fills the last batch
        images = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
        groups = [self.backend(images[i : i + size]) for i in range(0, len(images), size)]
        return np.concatenate(groups)[: len(images) - missing]


def candidates(export):
    """Returns {backend: why it cannot run here, or None} of those that run this format."""
    return {
        name: backend.missing(name) or refuse(export, name)
        for name, backend in BACKENDS.items()
        if export.format in backend.FORMATS
    }


def refuse(export, name):
    """Says why a runtime that is here does not take this network; None: it does."""
    if "tensorrt" in name and (export.format, export.precision) == ("onnx", "int8"):
        return "its 8 bits are not around 0; for TensorRT export with --format tensorrt"
    if name == "tensorrt" and export.dtype == "uint8":
        if not hasattr(importlib.import_module("tensorrt").DataType, "UINT8"):
            return (
                "it takes pictures of uint8, which TensorRT has from 8.5 on; export it with"
                " --input float32"
            )
    return None


def choose(export, asked):
    found = candidates(export)
    if asked and asked not in found:
        raise Problem(
            f"--backend {asked}: this network is {export.format}; give one of {', '.join(found)}"
        )
    if asked and found[asked]:
        raise Problem(f"--backend {asked}: {found[asked]}")
    if asked:
        return asked
    for name, reason in found.items():
        if reason is None and name != "onnxruntime-tensorrt":
            return name
    reasons = "; ".join(f"{name}: {reason}" for name, reason in found.items())
    raise Problem(f"nothing here runs {export.format}, so install one of these: {reasons}")


# Fits: how a picture of another shape is brought to the network's size, and its depth back.


class Placement:
    """Says where a picture of `size` lies in the network's input.

    `inner` is the (height, width) it is resized to, (`top`, `left`) its place in the input, below 0
    where it is cut.
    """

    def __init__(self, size, input_size, fit):
        self.size, self.input_size = size, input_size
        self.inner, self.top, self.left = input_size, 0, 0
        if fit != "stretch":
            scales = [inside / side for inside, side in zip(input_size, size)]
            scale = min(scales) if fit == "letterbox" else max(scales)
            height, width = (max(1, round(side * scale)) for side in size)
            if height * width > 1 << 26:
                raise Problem(
                    f"a picture of {size[0]}x{size[1]} is too narrow for --fit crop; give"
                    " --fit letterbox"
                )
            self.inner = (height, width)
            self.top, self.left = (input_size[0] - height) // 2, (input_size[1] - width) // 2
        self.fills = self.inner == tuple(input_size)

    def fit(self, image):
        """Brings the picture, uint8 (H, W, 3), to the input's size."""
        image = resize(image, self.inner)
        height, width = self.input_size
        bottom, right = self.top + self.inner[0], self.left + self.inner[1]
        image = image[max(0, -self.top) : height - self.top, max(0, -self.left) : width - self.left]
        above, below, before, behind = (
            max(0, side) for side in (self.top, height - bottom, self.left, width - right)
        )
        black = cv2.BORDER_CONSTANT
        return cv2.copyMakeBorder(image, above, below, before, behind, black, value=0)

    def restore(self, depth):
        """Brings a map of the input, (h, w), to the picture: float32 (H, W), 0 = none."""
        if self.fills:
            return cv2.resize(depth, self.size[::-1])
        places = [
            start + (np.arange(count) + 0.5) * (inner / count)
            for count, inner, start in zip(self.size, self.inner, (self.top, self.left))
        ]
        for axis in (1, 0):
            first, last = self.shown(axis, depth.shape[axis])
            scale = depth.shape[axis] / self.input_size[axis]
            depth = interpolate(depth, np.clip(places[axis] * scale - 0.5, first, last), axis)
        rows, columns = ((x >= 0) & (x <= end) for x, end in zip(places, self.input_size))
        return np.where(rows[:, None] & columns, depth, np.float32(0))

    def shown(self, axis, side):
        """Returns the first and the last row or column of a map that show nothing but the picture.

        The black around it has no depth.
        """
        whole, start = self.input_size[axis], (self.top, self.left)[axis]
        end = start + self.inner[axis]
        first, last = max(0, -(-start * side // whole)), min(side, end * side // whole) - 1
        return (first, last) if first <= last else (0, side - 1)  # thinner than a pixel of the map

    def focal_length(self, intrinsics):
        """Returns the camera's focal length in pixels of the input."""
        fx, fy = intrinsics[:2]
        y, x = (inner / side for inner, side in zip(self.inner, self.size))
        return math.sqrt(fx * x * fy * y)


def resize(image, size):
    """Resizes a picture: along each side, area where it shrinks, bilinear where it grows."""
    (height, width), (old_height, old_width) = size, image.shape[:2]
    if (height - old_height) * (width - old_width) < 0:  # OpenCV has one rule for both sides
        return resize(resize(image, (height, old_width)), size)
    if (height, width) == (old_height, old_width):
        return image
    shrinks = height < old_height or width < old_width
    rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=rule)


def interpolate(values, positions, axis):
    """Interpolates between the two nearest rows (axis 0) or columns (1)."""
    first = np.minimum(positions.astype(int), max(values.shape[axis] - 2, 0))
    second = np.minimum(first + 1, values.shape[axis] - 1)
    weights = (positions - first).astype(np.float32)
    below, above = np.take(values, first, axis), np.take(values, second, axis)
    return below + (above - below) * (weights[:, None] if axis == 0 else weights)


class Estimator:
    """Computes the depth of pictures of any size, in metres of the camera that took them."""

    def __init__(self, network, fit, intrinsics, fov):
        self._network, self._fit = network, fit or network.export.fit
        self._intrinsics, self._fov, self._said = intrinsics, fov, set()

    def intrinsics(self, size):
        """Returns (fx, fy, cx, cy) for pictures of a size; None: they are not known."""
        if self._fov:
            focal_length = size[1] / 2 / math.tan(math.radians(self._fov) / 2)
            return focal_length, focal_length, (size[1] - 1) / 2, (size[0] - 1) / 2
        if self._intrinsics:
            for side, center in zip(size[::-1], self._intrinsics[2:]):
                if not side / 4 <= center <= 3 * side / 4:
                    raise Problem(
                        f"--intrinsics: the principal point is far from the middle of pictures of"
                        f" {size[0]}x{size[1]}, so these are intrinsics of another size; give those"
                        " of these pictures"
                    )
        return self._intrinsics

    def __call__(self, image):
        """Returns depth, float32 (H, W), 0 = none, of a picture, uint8 RGB (H, W, 3)."""
        export = self._network.export
        placement = Placement(image.shape[:2], export.input_size, self._fit)
        pixels = placement.fit(image)[None]
        if export.dtype == "float32":
            pixels = pixels.astype(np.float32) / np.float32(255)
        depth = placement.restore(self._network(pixels)[0, ..., 0])
        intrinsics = self.intrinsics(placement.size)
        return depth * np.float32(self._ratio(placement, intrinsics)) if intrinsics else depth

    def _ratio(self, placement, intrinsics):
        """Returns what metres are multiplied by, and says it, once for each camera."""
        known, (height, width) = self._network.export.focal_length, placement.input_size
        if known is None:
            ratio, text = 1.0, "metres are not scaled: export.json names no camera of the network"
        else:
            ours, theirs = placement.focal_length(intrinsics), math.sqrt(known[0] * known[1])
            ratio = ours / theirs
            text = (
                f"metres x {ratio:.3g}: these pictures' focal length is {ours:.0f} pixels at"
                f" {height}x{width}, the network's camera has {theirs:.0f}"
            )
        if text not in self._said:
            self._said.add(text)
            say(text)
        return ratio


# Pictures, videos and cameras.


def find(inputs, cameras):
    """Returns [(name, path or camera)] of what the inputs name, in order.

    Raises:
        Problem: a path does not exist, a folder holds nothing, or two have one name.
    """
    found = []
    for text in inputs:
        path = Path(text)
        if not path.exists():
            raise Problem(f"{path}: no such file or folder; check its name")
        files = [path]
        if path.is_dir():
            files = [each for each in path.iterdir() if each.suffix.lower() in STILLS + VIDEOS]
            files = [each for each in files if not each.name.startswith(".")]
            if not files:
                raise Problem(f"{path}: no picture or video in this folder; check its name")
        found += [(each.stem, each) for each in sorted(files, key=by_number)]
    for i, camera in enumerate(cameras):
        found.append((f"camera{camera if isinstance(camera, int) else i}", camera))
    by_name = {}  # type: dict
    for name, origin in found:
        if name in by_name:
            raise Problem(
                f"{by_name[name]} and {origin}: both would be written as {name}_*; rename one, or"
                " run them with an --output each"
            )
        by_name[name] = origin
    return found


def by_number(path):
    """Orders names as people do: 2.png before 10.png."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def pictures(name, origin, limit):
    """Yields (name, uint8 RGB (H, W, 3)) of a picture, a video or a camera.

    Raises:
        Problem: it cannot be opened, or gives no frame.
    """
    if isinstance(origin, Path) and origin.suffix.lower() not in VIDEOS:
        yield name, read_picture(origin)
        return
    capture = open_capture(origin)
    count = 0
    try:
        while limit is None or count < limit:
            came, frame = capture.read()
            if not came:
                break
            yield f"{name}_{count:06d}", cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            count += 1
    finally:
        capture.release()
    if not count:
        raise Problem(f"{origin}: opened, but gave no frame; check it with another program")
    if not isinstance(origin, Path) and count != limit:
        raise Problem(f"{origin}: stopped after {count} frames, which are kept; check its cable")


def open_capture(origin):
    """Opens a video (a path), a camera (a number) or a stream (GStreamer's text, or an address)."""
    if isinstance(origin, str) and "!" in origin:
        if not has_gstreamer():
            raise Problem(
                f"camera {origin}: this OpenCV ({cv2.__version__}) has no GStreamer; use the"
                " system's (python3-opencv), which pip's hides where both are installed"
            )
        capture = cv2.VideoCapture(origin, cv2.CAP_GSTREAMER)
    else:
        capture = cv2.VideoCapture(str(origin) if isinstance(origin, Path) else origin)
    if capture.isOpened():
        return capture
    if isinstance(origin, Path):
        raise Problem(f"{origin}: no video that OpenCV can open; convert it to mp4 (H.264)")
    raise Problem(
        f"camera {origin}: cannot be opened; check that it is plugged in and that no other program"
        " uses it"
    )


def has_gstreamer():
    return bool(re.search(r"GStreamer:\s*YES", cv2.getBuildInformation()))


def read_picture(path):
    """Reads a picture as a viewer shows it: uint8 RGB (H, W, 3)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); copy it again") from None
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[24:26] == b"\x10\x00":
        raise Problem(f"{path}: gray of 16 bits, which is how depth is stored; give the picture")
    pixels = None
    if content and is_whole(content):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise Problem(f"{path}: no picture that OpenCV can read, or cut short; copy it again")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def is_whole(content):
    """Tells whether a file has its end; decoders fill what is missing with gray."""
    if content.startswith(b"\x89PNG"):
        return b"IEND" in content[-32:]
    if content.startswith(b"\xff\xd8"):
        return 0 <= content.rfind(b"\xff\xda") < content.rfind(b"\xff\xd9")
    return True


# What is written.


def write(path, content):
    """Writes a file whole or not at all."""
    partial = path.with_name(".partial-" + path.name)
    try:
        partial.write_bytes(content)
        os.replace(str(partial), str(path))
    except OSError as error:
        raise Problem(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        if partial.exists():
            partial.unlink()


def write_depth(folder, name, image, depth, formats, metres, intrinsics):
    """Writes a picture's depth in each format; `metres` are those of the colors' ends."""
    if "png" in formats:
        write(folder / f"{name}_depth.png", encode_millimetres(depth))
    if "npy" in formats:
        content = io.BytesIO()
        np.save(content, depth)
        write(folder / f"{name}_depth.npy", content.getvalue())
    if "color" in formats:
        write(folder / f"{name}_color.png", encode_png(colorize(depth, *metres)[..., ::-1]))
    if "ply" in formats:
        write(folder / f"{name}_cloud.ply", encode_ply(depth, image, intrinsics))


def encode_png(pixels):
    encoded, content = cv2.imencode(".png", pixels)
    if not encoded:
        raise Problem(f"OpenCV {cv2.__version__} cannot write PNG files")
    return content.tobytes()


def encode_millimetres(depth):
    """Encodes depth as PNG of 16 bits that names its unit in a text chunk."""
    there = measured(depth)
    units = np.rint(1000 * np.minimum(np.where(there, depth, np.float32(0)), np.float32(65.535)))
    content = encode_png(np.where(there, np.maximum(units, 1), 0).astype(np.uint16))
    text = b"tEXtunits_per_metre\x001000"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:33] + chunk + content[33:]  # behind the signature and the header


def measured(depth):
    return np.isfinite(depth) & (depth > 0)


def color_range(depth):
    """Returns the metres to paint a map between: all of its depth but the outermost 1 %."""
    values = depth[measured(depth)]
    return tuple(float(x) for x in np.percentile(values, (1, 99))) if values.size else (0.0, 1.0)


def colorize(depth, near, far):
    """Paints depth: near is bright, far is dark, none is gray; uint8 RGB (H, W, 3)."""
    there = measured(depth)
    part = np.clip(np.where(there, depth, near).astype(np.float64), near, far) - near
    places = np.minimum(part / max(far - near, 1e-6) * 256, 255).astype(int)
    colors = np.frombuffer(base64.b64decode(PALETTE), np.uint8).reshape(256, 3)[places]
    return np.where(there[..., None], colors, np.uint8(153))


def encode_ply(depth, image, intrinsics):
    """Encodes depth as colored points, x to the right, y down, z forward."""
    fx, fy, cx, cy = intrinsics
    v, u = np.nonzero(measured(depth))
    z = depth[v, u]
    vertices = np.empty(len(z), dtype=[("xyz", "<f4", (3,)), ("rgb", "u1", (3,))])
    vertices["xyz"] = np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], axis=-1)
    vertices["rgb"] = image[v, u]
    lines = ["ply", "format binary_little_endian 1.0", "comment metres; x right, y down, z forward"]
    lines += [f"element vertex {len(z)}"]
    lines += [f"property float {name}" for name in ("x", "y", "z")]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    return "\n".join(lines + ["end_header\n"]).encode("ascii") + vertices.tobytes()


def predict(found, estimator, arguments):
    """Writes the depth of all that was found; returns (what went wrong, a summary)."""
    output, problems, milliseconds, metres = arguments.output, [], [], []
    if any(Path(text).resolve() == output.resolve() for text in arguments.inputs):
        raise Problem(f"--output {output}: also an input, whose next run would take these results")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"--output {output}: cannot be made ({error.strerror})") from None
    for name, origin in found:
        colors = arguments.range
        try:
            for frame, image in pictures(name, origin, arguments.frames):
                start = time.perf_counter()
                depth = estimator(image)
                seconds = time.perf_counter() - start
                # All frames of a video have one range, so that it does not flicker.
                colors = colors or color_range(depth)
                intrinsics = estimator.intrinsics(image.shape[:2])
                write_depth(output, frame, image, depth, arguments.format, colors, intrinsics)
                milliseconds.append(1000 * seconds)
                values = depth[measured(depth)]
                metres += [np.percentile(values, (0, 50, 100))] if values.size else []
        except Problem as problem:
            problems.append(problem)
        except KeyboardInterrupt:  # the way to stop a camera
            if isinstance(origin, Path):
                raise
    return problems, summarize(milliseconds, metres)


def summarize(milliseconds, metres):
    text = "{} picture{}".format(len(milliseconds), "s" * (len(milliseconds) != 1))
    if milliseconds:
        text += f", {np.median(milliseconds[1:] or milliseconds):.1f} ms each (median)"
    if metres:
        low, middle, high = np.transpose(metres)
        text += f", {low.min():.2f} / {np.median(middle):.2f} / {high.max():.2f} m"
        text += " (min / median / max)"
    return text


# The check and the benchmark.


def read_check(export):
    """Returns the pictures and the Keras model's depth of them, from check.npz."""
    path = export.file("check.npz")
    try:
        with np.load(str(path), allow_pickle=False) as arrays:
            return arrays["image"], arrays["depth"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise Problem(f"{path}: damaged; copy the folder again") from None


def check(network, images, expected):
    """Compares the network's depth here with the Keras model's.

    Returns:
        {"max_rel", "mean_rel", "limit", "judged", "passed"}: differences relative to the depth, or
        to the mean depth where that is larger.
    """
    export, depth = network.export, network(images)
    if depth.shape != expected.shape:
        raise Problem(
            f"{export.folder}: the network returns {depth.shape}, check.npz has {expected.shape};"
            " copy the folder again"
        )
    relative = np.abs(depth - expected) / np.maximum(np.maximum(expected, expected.mean()), 1e-9)
    limit, backend = export.limit, network.backend.name
    if backend in ("tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda") or export.converted:
        limit = max(limit, GPU_LIMIT)
    # An engine may be in half precision (trtexec --fp16) though the graph is not.
    by_engine = backend == "tensorrt" or export.converted
    judged = "max" if export.precision == "fp32" and not by_engine else "mean"
    values = {"max": float(relative.max()), "mean": float(relative.mean())}
    return {
        "max_rel": values["max"],
        "mean_rel": values["mean"],
        "limit": limit,
        "judged": judged,
        "passed": bool(values[judged] <= limit),  # False for NaN
    }


def bench(network, images, runs):
    """Times calls on one batch; returns what `--json` writes, but for the check."""
    export = network.export
    batch = images[: network.backend.batch or 1]
    for _ in range(WARM_UP):
        network(batch)
    sensors, seconds, last = Sensors(), [], 0.0
    for _ in range(runs):
        start = time.perf_counter()
        network(batch)
        end = time.perf_counter()
        seconds.append(end - start)
        if end - last > 0.2:
            sensors.sample()
            last = end
    times = 1000 * np.array(seconds)
    model = export.details.get("model") or {}
    report = {
        "format": 1,
        "network": export.name,
        "architecture": model.get("architecture"),
        "parameters": model.get("parameters"),
        "input": list(export.input_size),
        "batch": len(batch),
        "precision": export.precision,
        "backend": network.backend.name,
        "backend_version": network.backend.version,
        "engine": getattr(network.backend, "engine", None),
        "board": board(),
        "machine": platform.machine(),
        "threads": network.threads,
        "warm_up": WARM_UP,
        "runs": runs,
        "milliseconds": {
            "median": round(float(np.median(times)), 3),
            "p95": round(float(np.percentile(times, 95)), 3),
            "min": round(float(times.min()), 3),
            "mean": round(float(times.mean()), 3),
        },
    }
    report.update(sensors.report())
    now = datetime.datetime.now(datetime.timezone.utc)
    report["date"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return report


ROOT = Path("/")  # of /sys and /proc


def read_text(path):
    """Returns the text of a file of the kernel's; None: it is not there, or not for this user."""
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", "").strip()
    except OSError:
        return None


def read_number(path):
    text = read_text(path)
    return float(text) if text and re.match(r"-?\d+(\.\d+)?$", text) else None


def ask(*command):
    """Returns what a command prints; None: there is none, or it fails."""
    if not shutil.which(command[0]):
        return None
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, timeout=10).decode()
    except (OSError, subprocess.SubprocessError):
        return None


def board():
    """Returns the board's name from its device tree, else the CPU's."""
    cpu = re.search(r"model name\s*:\s*(.+)", read_text(ROOT / "proc/cpuinfo") or "")
    return (
        read_text(ROOT / "proc/device-tree/model")
        or (cpu and cpu.group(1))
        or platform.processor()
        or platform.machine()
    )


def cores():
    """Counts the physical cores that this process may use."""
    try:
        mine = os.sched_getaffinity(0)
    except AttributeError:
        return os.cpu_count() or 1
    folder = ROOT / "sys/devices/system/cpu"
    topologies = [folder / f"cpu{i}" / "topology" for i in mine]
    numbers = ("physical_package_id", "core_id")
    found = {tuple(read_text(each / name) for name in numbers) for each in topologies}
    return len(mine) if (None, None) in found else len(found)


class Sensors:
    """Clocks, power and temperature, from where Linux has them; each may be missing."""

    # The rail that feeds the whole module; a board without one has several that add up to it.
    WHOLE = ("VDD_IN", "POM_5V_IN")
    GPUS = ("gpu", "gp10b", "gv11b", "ga10b")  # in the names of Jetsons' devices

    def __init__(self):
        self._watts, self._hottest, self._clocks = [], [], []  # type: ignore[var-annotated]
        self._start = (self._joules(), time.perf_counter())

    def sample(self):
        """Reads them once, between two calls of the network."""
        self._watts.append(self._rails())
        self._hottest.append(self._temperature())
        self._clocks.append(self._megahertz())

    def report(self):
        """Returns means over the samples, and the highest temperature."""
        joules, seconds = self._joules(), time.perf_counter() - self._start[1]
        rails = [sum(each.values()) for each in self._watts if each]
        power, of = None, None
        if rails:
            power, of = float(np.mean(rails)), ", ".join(sorted(self._watts[-1]))
        elif joules is not None and self._start[0] is not None and joules > self._start[0]:
            power, of = (joules - self._start[0]) / seconds, "RAPL package"
        warm = [each for each in self._hottest if each is not None]
        return {
            "clocks": self._mean_clocks(),
            "power_watts": None if power is None else round(power, 2),
            "power_of": of,
            "temperature_celsius": round(max(warm), 1) if warm else None,
        }

    def _mean_clocks(self):
        names = sorted({name for each in self._clocks for name in each})
        clocks = {
            name: round(float(np.mean([each[name] for each in self._clocks if name in each])))
            for name in names
        }  # type: dict
        mode = re.search(r"NV Power Mode:\s*(\S+)", ask("nvpmodel", "-q") or "")
        throttled = re.search(r"throttled=(\S+)", ask("vcgencmd", "get_throttled") or "")
        clocks.update({"power_mode": mode.group(1)} if mode else {})
        clocks.update({"throttled": throttled.group(1)} if throttled else {})
        return clocks or None

    def _megahertz(self):
        """Returns the clocks of the fastest core and of the GPU."""
        found, folder = {}, ROOT / "sys/devices/system/cpu"
        cpus = [read_number(each) for each in folder.glob("cpu*/cpufreq/scaling_cur_freq")]
        cpus = [each / 1e3 for each in cpus if each]
        if not cpus:
            text = read_text(ROOT / "proc/cpuinfo") or ""
            cpus = [float(each) for each in re.findall(r"cpu MHz\s*:\s*([\d.]+)", text)]
        if cpus:
            found["cpu_mhz"] = max(cpus)
        for path in (ROOT / "sys/class/devfreq").glob("*/cur_freq"):
            if any(name in path.parent.name for name in self.GPUS) and read_number(path):
                found["gpu_mhz"] = read_number(path) / 1e6
        return found

    def _temperature(self):
        """Returns that of the hottest zone, degrees Celsius."""
        found = []
        for zone in (ROOT / "sys/class/thermal").glob("thermal_zone*"):
            value = read_number(zone / "temp")
            # PMIC zones are constants on Jetsons, and a zone that is off has an absurd value.
            if value and "PMIC" not in (read_text(zone / "type") or "") and 0 < value < 150e3:
                found.append(value / 1e3)
        return max(found) if found else None

    def _rails(self):
        """Returns {rail: watts} of an INA3221 (Jetson): the whole module's, else all."""
        found = {}
        for chip in (ROOT / "sys/class/hwmon").glob("hwmon*"):  # JetPack 5 and later
            if read_text(chip / "name") != "ina3221":
                continue
            for i in (1, 2, 3):
                volts, amperes = (read_number(chip / f"{x}{i}_input") for x in ("in", "curr"))
                label = read_text(chip / f"in{i}_label")
                if label and volts is not None and amperes is not None:
                    found[label] = volts * amperes / 1e6
        for path in (ROOT / "sys/bus/i2c/drivers/ina3221x").glob("*/iio:device*/in_power?_input"):
            label = read_text(path.with_name(f"rail_name_{path.name[8]}"))  # JetPack 4
            if label and read_number(path) is not None:
                found[label] = read_number(path) / 1e3
        whole = {name: watts for name, watts in found.items() if name in self.WHOLE}
        return whole or found

    def _joules(self):
        """Returns the energy counters of the CPU's packages (RAPL; of root alone since 2020)."""
        folder = ROOT / "sys/class/powercap"
        zones = [each for each in folder.glob("intel-rapl:*") if each.name.count(":") == 1]
        values = [
            read_number(each / "energy_uj")
            for each in zones
            if (read_text(each / "name") or "").startswith("package")
        ]
        known = [each for each in values if each is not None]
        return sum(known) / 1e6 if known else None


# The command.


def say(text):
    print(text, file=sys.stderr)


def first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def describe(export):
    """Says what the network is and what can run it here."""
    height, width = export.input_size
    image = f"{height}x{width}, {export.dtype}, {export.details['input']['layout']}"
    camera = "not known"
    if export.focal_length:
        camera = "focal length {:.0f}, {:.0f} pixels at its input".format(*export.focal_length)
    lines = [
        ("network", f"{export.name}: {export.format}, {export.precision}"),
        ("pictures", f"{image}; others by --fit {export.fit}"),
        ("camera", camera),
        ("board", f"{board()}, Python {platform.python_version()}, OpenCV {cv2.__version__}"),
        ("GStreamer", "yes" if has_gstreamer() else "no: --camera takes numbers and addresses"),
    ]
    for name, reason in candidates(export).items():
        lines.append((name, f"no: {reason}" if reason else "yes"))
    width = max(len(name) for name, _ in lines) + 2
    print("\n".join(f"{name:<{width}}{text}" for name, text in lines))
    print("next: python3 run.py --check")


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="pictures, videos, folders of them")
    add(
        "--camera",
        action="append",
        default=[],
        metavar="C",
        help="a number (0 is /dev/video0), an address (rtsp://...), or GStreamer's text, which ends"
        " in appsink (CSI cameras)",
    )
    add("--output", type=Path, metavar="DIR", help="made if missing")
    add(
        "--format",
        type=formats,
        default=("png", "color"),
        metavar="FORMAT,...",
        help=f"of {', '.join(FORMATS)} (default: png,color)",
    )
    add("--frames", type=count, metavar="N", help="stop a video or a camera after N frames")
    add(
        "--range",
        type=ends,
        metavar="NEAR,FAR",
        help="metres of the brightest and the darkest color (default: the 1st to 99th percentile of"
        " a picture, and of a video's first frame)",
    )
    add("--fit", choices=FITS, help="pictures of another shape (default: as exported)")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument(
        "--intrinsics",
        type=intrinsics,
        metavar="FX,FY,CX,CY",
        help="of the camera, in pixels of these pictures: scales metres to it; for ply",
    )
    camera.add_argument(
        "--fov", type=degrees, metavar="DEGREES", help="or its horizontal field of view"
    )
    add("--backend", choices=list(BACKENDS), help="default: the first that runs it here")
    add("--threads", type=count, metavar="N", help="of a CPU (default: its cores)")
    add("--check", action="store_true", help="compare with the Keras model's depth of check.npz")
    add("--bench", action="store_true", help="time it, with clocks, power and temperature")
    add("--runs", type=count, default=100, metavar="N", help="timed calls (100)")
    add("--json", type=Path, metavar="FILE", help="what --bench writes")
    arguments = parser.parse_args(argv)
    arguments.camera = [int(each) if each.isdigit() else each for each in arguments.camera]
    if (arguments.inputs or arguments.camera) and not arguments.output:
        parser.error("give --output, the folder for the depth")
    if "ply" in arguments.format and not (arguments.intrinsics or arguments.fov):
        parser.error("a point cloud (ply) needs --intrinsics FX,FY,CX,CY or --fov DEGREES")
    if arguments.json and not arguments.bench:
        parser.error("--json is what --bench writes; give --bench too")
    return arguments


def formats(text):
    names = tuple(text.split(","))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r}: give some of {', '.join(FORMATS)}")
    return names


def numbers(text, count):
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: give {count} numbers with commas between")
    return values


def ends(text):
    near, far = numbers(text, 2)
    if not 0 <= near < far:
        raise argparse.ArgumentTypeError(f"{text!r}: give NEAR,FAR in metres, 0 <= NEAR < FAR")
    return near, far


def intrinsics(text):
    values = numbers(text, 4)
    if min(values[:2]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: FX and FY are pixels, above 0")
    return values


def degrees(text):
    (value,) = numbers(text, 1)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError(f"{text!r}: give degrees, above 0 and below 180")
    return value


def count(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, 1 or more")
    return int(text)


def main(argv=None, folder=None):
    """Runs the command; returns 0, 1 where the check fails, 2 where it cannot run."""
    arguments = parse(argv)
    try:
        return run(arguments, Export(folder or Path(__file__).resolve().parent))
    except Problem as problem:
        say(f"run.py: {problem}")
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def run(arguments, export):
    if not (arguments.inputs or arguments.camera or arguments.check or arguments.bench):
        describe(export)
        return 0
    found = find(arguments.inputs, arguments.camera)
    network = Network(export, arguments.backend, arguments.threads or cores())
    print(f"{export.name}, {export.precision}, by {network}")
    checked, problems = None, []
    if arguments.check or arguments.bench:
        images, depth = read_check(export)
    if arguments.check:
        checked = check(network, images, depth)
        print(
            "check: {} pictures, max {max_rel:.2g}, mean {mean_rel:.2g} of the depth; the limit of"
            " the {judged} is {limit:g}: {}".format(
                len(images), "passed" if checked["passed"] else "FAILED", **checked
            )
        )
    if arguments.bench:
        report = bench(network, images, arguments.runs)
        keep = ("max_rel", "mean_rel", "passed")
        report["check"] = checked and {name: checked[name] for name in keep}
        text = json.dumps(report, indent=1)
        if arguments.json:
            write(arguments.json, (text + "\n").encode())
            print(
                "bench: {median} ms median, {p95} p95, {min} min".format(**report["milliseconds"])
            )
        else:
            print(text)
    if found:
        estimator = Estimator(network, arguments.fit, arguments.intrinsics, arguments.fov)
        problems, summary = predict(found, estimator, arguments)
        print(f"{arguments.output}: {summary}")
    for problem in problems:
        say(f"run.py: {problem}")
    if checked and not checked["passed"]:
        say(
            f"run.py: {export.folder}: depth differs from the Keras model's; copy the folder again,"
            " or give another --backend"
        )
    return 2 if problems else int(bool(checked and not checked["passed"]))


# 256 colors, RGB: matplotlib's inferno (CC0), reversed.
PALETTE = (
    "/P6k+v2g+fyd9/uZ9vqV9fiR9PeN8/aJ8vSF8vOB8fJ98fB58e508e1w8ets8elo8ehk8uZg8uRd8+JZ8+BW895S9NxP"
    "9NtL9dlI9ddF9tVC9tM/99E89886+M03+Ms0+Mkx+ccv+cUs+cMq+sEo+r8l+r0j+rsh+7ke+7cc+7Ua+7MY+7EW+7AU"
    "+64S+6wQ+6oO+6gN+6YL+6QK+6II+6AH+54H+50G+5sG+5kG+pcG+pUG+pMG+pEH+ZAI+Y4I+YwJ+IoL+IgM+IcN94UO"
    "94MQ9oER9oAS9X4U9XwV9HoW83kY83cZ8nUa8nQc8XId8HAe8G8f720h7mwi7Woj7Wgl7Gcm62Un6mQo6WIq6GEr518s"
    "5l4t5lwu5Vsw5Fox41gy4lcz4FY031Q23lM33VI43FA520862k472U0910s+1ko/1UlA1EhB0kdC0UZD0EVEz0RGzUJH"
    "zEFIy0BJyT9KyD5Lxz5MxT1NxDxOwjtPwTpQvzlRvjhSvTdTuzdUujZVuDVWtzRWtTNXtDNYsjJZsTFarzFbrjBbrC9c"
    "qy5dqS5epy1fpixfpCxgoythoSthoCpiniljnCljmyhkmShkmCdlliZmlSZmkyVnkSVnkCRojiRojSNpiyJpiSJpiCFq"
    "hiFqhSBqgyBrgR9rgB9rfh5sfR1sex1sehxteBxtdhttdRttcxptchltcBlubhhubRhuaxduahduaBZuZhVuZRVuYxRu"
    "YhRuYBNuXxJuXRJuWxFuWhFtWBBtVw9tVQ9tUw5tUg5sUA1sTw1sTQxrSwxrSgtqSAtqRgppRQppQwpoQQlnQAlmPglm"
    "PAllOwlkOQliNwlhNQlgNAlfMgldMApcLgpaLQpYKwpWKQtUJwtSJgtQJAtOIgtMIAxKHwxHHQxFHAxDGgtAGQs+Fws7"
    "Fgs5FAs2Ewo0EgoyEAkvDwktDggqDQgoCwcmCgcjCQYhCAYfBwUdBgQbBQQYBAMWBAMUAwISAgIQAgEOAQELAQEJAQAH"
    "AAAGAAAEAAAD"
)


if __name__ == "__main__":
    sys.exit(main())
