"""Exported networks, each run by the runtime that it was exported for."""

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import images
from keras_depth.errors import InputError, check_installed, first_line
from keras_depth.files import check_utf8
from keras_depth.predict.calibration import Calibration, parse

DETAILS = "export.json"  # in the folder of every exported network
MODEL_FILES = {
    "saved_model": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
    # An engine runs on the machine that built it alone, so here the file it is built from runs.
    "tftrt": "saved_model/saved_model.pb",
    "tensorrt": "model.onnx",
}
ON_TENSORFLOW = ("saved_model", "tftrt")  # what TensorFlow runs


class Exported:
    """Runs a network that `python -m keras_depth.export` wrote.

    Args:
        folder: the folder with `export.json` and the files that it describes.

    Attributes:
        folder: the same.
        details: the content of `export.json`.
        name: the network's name.
        version: the number of its folder, 1 where that is none.
        input_size: (height, width) of the images it takes.
        fit: how images of another shape are brought to that size, see `letterbox.py`.
        focal_length: of the camera that the metres are right for, (x, y) in pixels of images of the
            input's size; None: it is not known.
        calibration: of the metres; it is in the graph already.
        stereo: False: it writes metres.
        batch: how many it takes at once; None: any number.
        dtype: their type, "uint8" or "float32".

    Raises:
        InputError: the network is damaged, its folder's name is one that no runtime opens, or its
            runtime is not installed.
    """

    encoding = "metric"
    stereo = False

    def __init__(self, folder: Path):
        check_utf8(folder)
        self.folder = folder
        self.details = read_details(folder)
        self.name: str = self.details["name"]
        number = folder.resolve().name
        self.version = int(number) if number.isdecimal() else 1
        picture = self.details["input"]
        self.dtype: str = picture["dtype"]
        shape = list(picture["shape"])
        self._channels_first = picture["layout"] == "NCHW"
        if self._channels_first:
            shape.append(shape.pop(1))
        self.batch: int | None = shape[0]
        self.input_size: tuple[int, int] = (shape[1], shape[2])
        self.fit: str = self.details.get("fit", "stretch")
        self.focal_length = _read_focal_length(folder / DETAILS, self.details)
        entry = self.details.get("calibration")
        self.calibration = parse(entry, folder / DETAILS) if entry else Calibration()
        kind = self.details["format"]
        file = folder / MODEL_FILES[kind]
        if not file.is_file():
            raise InputError(f"{folder}: {file.name} is missing; export the network again")
        self._run = _RUNTIMES[kind](file)

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """Computes depth of any number of images: float32 (B, h, w, 1), metres.

        Args:
            batch: (B, height, width, 3) of `input_size`, uint8 or float32 in [0, 1].
        """
        to_type = images.to_uint8 if self.dtype == "uint8" else images.to_float32
        batch, size = to_type(batch), self.batch or len(batch)
        missing = -len(batch) % size
        batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        groups = [self(batch[i : i + size]) for i in range(0, len(batch), size)]
        return np.concatenate(groups)[: len(batch) - missing]

    def decode(self, maps: np.ndarray, focal_baseline: float | None) -> np.ndarray:
        """Returns the maps: they are metres, and nothing is behind the camera."""
        return np.maximum(maps, 0)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Computes depth.

        Args:
            images: (B, height, width, 3) RGB of `input_size`, of `dtype`: uint8, or float32 in
                [0, 1]. Channels are last, even if the file has them first.

        Returns:
            float32 (B, h, w, 1), metres.

        Raises:
            InputError: the network takes another shape or type.
        """
        wanted = (self.batch or len(images), *self.input_size, 3)
        if images.shape != wanted or images.dtype != self.dtype:
            raise InputError(
                f"{self.folder}: pictures of shape {images.shape} and type {images.dtype}; it takes"
                f" {self.dtype} ({self.batch or 'any number'}, {wanted[1]}, {wanted[2]}, 3)"
            )
        if self._channels_first:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return self._run(images)


def find_version(path: Path) -> Path | None:
    """Returns the folder that holds `export.json`: `path`, its highest version, or None."""
    if (path / DETAILS).is_file():
        return path
    versions = [child for child in path.glob("*/") if child.name.isdecimal()]
    complete = [child for child in versions if (child / DETAILS).is_file()]
    return max(complete, key=lambda child: int(child.name), default=None)


def read_details(folder: Path) -> dict[str, Any]:
    """Reads an `export.json`.

    Raises:
        InputError: the file is missing or damaged, or names a format that nothing here runs.
    """
    file = folder / DETAILS
    try:
        details = json.loads(file.read_text(encoding="utf-8"))
        kind, shape = details["format"], details["input"]["shape"]
        complete = {"name", "output"} <= set(details) and len(shape) == 4
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); restore it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: damaged; export the network again") from error
    if kind not in MODEL_FILES or not complete:
        raise InputError(
            f"{file}: not written by python -m keras_depth.export, or by a later version of it;"
            " export the network again"
        )
    return details


def _read_focal_length(file: Path, details: dict[str, Any]) -> tuple[float, float] | None:
    """Returns the focal length of the camera that an `export.json` names, if it names one."""
    if (found := details.get("camera")) is None:
        return None
    try:
        x, y = (float(number) for number in found["focal_length"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: damaged (camera); export the network again") from error
    return x, y


def _tensorflow(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(file.parent))
        signature = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise InputError(f"{file}: damaged; export the network again") from error

    def run(images, loaded=loaded):  # its variables live as long as it does
        return signature(image=tf.constant(images))["depth"].numpy()

    return run


def onnx_session(model: str | bytes, exact: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """Loads ONNX into ONNX Runtime: images in, metres out.

    Args:
        model: the path of a file, or its content.
        exact: compute what is quantized in float, with the rounded values: what TensorRT computes.
            The kernels of 8 bits of an x86 without VNNI saturate where TensorRT does not.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    if exact:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    here = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in here]
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    return lambda images: session.run(["depth"], {"image": images})[0]


def _onnxruntime(file: Path, exact: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    check_installed("onnx", "onnxruntime")
    try:
        return onnx_session(str(file), exact)
    except Exception as error:  # onnxruntime's own classes have nothing else in common
        raise InputError(
            f"{file}: onnxruntime cannot load it ({first_line(error)}); export the network again"
        ) from error


def _litert(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    check_installed("litert", "ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(file))
        interpreter.allocate_tensors()
        signature = interpreter.get_signature_runner("serving_default")
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"{file}: LiteRT cannot load it ({error}); export the network again"
        ) from error
    alone = threading.Lock()  # an interpreter computes one call at a time

    def run(images):
        with alone:
            return signature(image=images)["depth"]

    return run


_RUNTIMES: dict[str, Callable[[Path], Callable[[np.ndarray], np.ndarray]]] = {
    "saved_model": _tensorflow,
    "onnx": _onnxruntime,
    "litert": _litert,
    "tftrt": _tensorflow,
    "tensorrt": partial(_onnxruntime, exact=True),
}
