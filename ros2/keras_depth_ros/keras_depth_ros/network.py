"""An exported depth network: found, checked, and run by ONNX Runtime or by TensorRT."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np

from keras_depth_ros import engine
from keras_depth_ros.letterbox import FITS, Placement

DETAILS = "export.json"
ONNX, ENGINE = "model.onnx", "model.engine"
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
LARGEST = 2**30  # values of the pictures of a call; more is no network of ours

Run = Callable[[np.ndarray], np.ndarray]


class Network:
    """Computes depth in metres by a network that `keras-depth export` wrote.

    `model.engine`, which trtexec wrote on this board, runs where TensorRT's Python is installed;
    otherwise `model.onnx` does.

    Args:
        path: the folder with `export.json`, or with its versions: the highest number counts.
        warn: is told why `model.onnx` runs, if `model.engine` should.
        fit: how pictures of another shape are brought to the network's, see `Placement`; "": as
            `export.json` says.

    Attributes:
        name: the network's.
        input_size: (height, width) of the pictures it computes.
        focal_length: of the camera that its metres are right for, one number in pixels of its
            input; None: it is not known.
        runtime: what runs it, for people.

    Raises:
        ValueError: there is none, it is damaged, or nothing here runs it.
    """

    def __init__(self, path: str, warn: Callable[[str], Any] = warnings.warn, fit: str = ""):
        folder = find(path)
        details = read_details(folder)
        self._fit = fit or details.get("fit", "stretch")
        if self._fit not in FITS:
            raise ValueError(f"fit {self._fit!r}; give one of {', '.join(FITS)}")
        camera = details.get("camera")
        self.focal_length = math.sqrt(math.prod(camera["focal_length"])) if camera else None
        picture = details["input"]
        self.name: str = details["name"]
        batch, *shape = picture["shape"]
        self._batch = batch or 1
        self._channels_first = picture["layout"] == "NCHW"
        self.input_size = (shape[1], shape[2]) if self._channels_first else (shape[0], shape[1])
        self._float = picture["dtype"] == "float32"
        self._run, self.runtime = _load(folder, details, self._batch, warn)
        self(np.zeros((*self.input_size, 3), np.uint8))  # the first call is slow, and shows faults

    def place(self, size: tuple[int, int]) -> Placement:
        """Returns where pictures of this (height, width) lie in the network's input."""
        return Placement(size, self.input_size, self._fit)

    def __call__(self, rgb: np.ndarray, full_size: bool = False) -> np.ndarray:
        """Computes depth.

        Args:
            rgb: uint8 (H, W, 3) of any size.
            full_size: return depth of the picture's size, not of the network's resolution.

        Returns:
            float32 (h, w), which covers the picture, metres, 0 = none.

        Raises:
            ValueError: the runtime fails.
        """
        placement = self.place(rgb.shape[:2])
        pixels = placement.fit(rgb)
        if self._float:
            pixels = pixels.astype(np.float32) / np.float32(255)
        if self._channels_first:
            pixels = pixels.transpose(2, 0, 1)
        images = np.ascontiguousarray(np.broadcast_to(pixels, (self._batch, *pixels.shape)))
        try:
            depth = np.asarray(self._run(images)[0, :, :, 0], np.float32)
        except Exception as error:  # onnxruntime's own classes have nothing else in common
            raise ValueError(
                f"{self.name}: {self.runtime} cannot compute it ({_first_line(error)})"
            ) from error
        size = placement.size if full_size else placement.map_size(depth.shape)
        return placement.restore(depth, size)


def find(path: str) -> Path:
    """Returns the folder that holds `export.json`: `path`, or its highest version.

    Raises:
        ValueError: there is none.
    """
    if not path:
        raise ValueError("no network; set the parameter model to a folder of keras-depth export")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; give that of keras-depth export --format onnx")
    if (folder / DETAILS).is_file():
        return folder
    versions = [child for child in folder.iterdir() if child.name.isdecimal()]
    complete = [child for child in versions if (child / DETAILS).is_file()]
    if not complete:
        raise ValueError(
            f"{folder}: no {DETAILS} in it or in a version of it, such as {folder.name}/1; give"
            " OUTPUT/NAME of keras-depth export --format onnx --output OUTPUT"
        )
    return max(complete, key=lambda child: int(child.name))


def read_details(folder: Path) -> dict[str, Any]:
    """Returns what `export.json` says of the network.

    Raises:
        ValueError: it cannot be read, is damaged, or is of another format.
    """
    file = folder / DETAILS
    try:
        details = json.loads(file.read_text(encoding="utf-8"))
        kind, picture, depth = details["format"], details["input"], details["output"]["shape"]
        shape, layout, dtype = picture["shape"], picture["layout"], picture["dtype"]
        complete = isinstance(details["name"], str)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: damaged; copy the exported folder again") from error
    if kind not in ("onnx", "tensorrt"):
        raise ValueError(f"{file}: a network exported as {kind}; export it with --format onnx")
    if not complete:
        raise ValueError(f"{file}: damaged; copy the exported folder again")
    if layout not in ("NHWC", "NCHW") or dtype not in ("uint8", "float32"):
        raise ValueError(
            f"{file}: an input of layout {layout!r} and dtype {dtype!r}, which no export has;"
            " copy the exported folder again"
        )
    if not _is_camera(details.get("camera")):
        raise ValueError(f"{file}: damaged (camera); copy the exported folder again")
    if not _is_shape(shape, 3, layout) or not _is_shape(depth, 1, "NHWC"):
        raise ValueError(
            f"{file}: from pictures of shape {shape} to depth of {depth}, which no export has;"
            " copy the exported folder again"
        )
    return details


def _is_shape(shape: Any, channels: int, layout: str) -> bool:
    """Tells whether it is 4 numbers above 0, the batch's or null, as exports have them."""
    if not isinstance(shape, list) or len(shape) != 4:
        return False
    sizes = [1 if shape[0] is None else shape[0], *shape[1:]]
    return (
        all(type(size) is int and size > 0 for size in sizes)
        and sizes[layout.index("C")] == channels
        and math.prod(sizes) <= LARGEST
    )


def _is_camera(camera: Any) -> bool:
    """Tells whether it is null, or a focal length of two numbers above 0, as exports have them."""
    if camera is None:
        return True
    found = camera.get("focal_length") if isinstance(camera, dict) else None
    return (
        isinstance(found, list)
        and len(found) == 2
        and all(isinstance(each, (int, float)) and 0 < each < math.inf for each in found)
    )


def check_sha256(file: Path, details: dict[str, Any]) -> None:
    """Raises ValueError unless a file is the one that `export.json` describes."""
    if not file.is_file():
        raise ValueError(f"{file}: no such file; copy the exported folder again")
    try:
        wanted = details["files"][file.name]["sha256"]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{file.parent / DETAILS}: no SHA-256 of {file.name}; export the network again"
        ) from error
    if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
        raise ValueError(
            f"{file}: not the file that was exported (its SHA-256 differs); copy the exported"
            " folder again"
        )


def _load(
    folder: Path, details: dict[str, Any], batch: int, warn: Callable[[str], Any]
) -> tuple[Run, str]:
    """Returns a function that runs the network, and what runs it, for people."""
    if (folder / ENGINE).is_file() and engine.available():
        try:
            return engine.load(folder / ENGINE, details, batch)
        except ImportError as error:
            _raise_interrupt(error)
            warn(
                f"{folder / ENGINE}: TensorRT cannot be loaded ({_first_line(error)}), so {ONNX}"
                " runs instead; mend TensorRT, or remove the file"
            )
    check_sha256(folder / ONNX, details)
    return _load_onnx(folder / ONNX)


def _load_onnx(file: Path) -> tuple[Run, str]:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ValueError(
            "onnxruntime is not installed; run: python3 -m pip install onnxruntime (this package's"
            " README.md says more)"
        ) from error
    except Exception as error:  # of an installation that is broken: ImportError, AttributeError
        _raise_interrupt(error)
        raise ValueError(
            f"onnxruntime cannot be loaded ({_first_line(error)}); install it again (this package's"
            " README.md says more)"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    # TensorRT's provider takes minutes to build an engine: once, kept beside the network.
    cache = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(file.parent)}
    here = onnxruntime.get_available_providers()
    providers = [name for name in PROVIDERS if name in here]
    settings = [cache if name.startswith("Tensorrt") else {} for name in providers]
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=providers, provider_options=settings
        )
    except Exception as error:  # see `Network.__call__`
        raise ValueError(f"{file}: onnxruntime cannot load it ({_first_line(error)})") from error
    used = session.get_providers()[0]  # a provider whose libraries do not load is left out
    runtime = f"ONNX Runtime {onnxruntime.__version__}, {used}"
    return lambda images: session.run(["depth"], {"image": images})[0], runtime


def _raise_interrupt(error: BaseException | None) -> None:
    """Raises KeyboardInterrupt if it is what an error comes from: an import may wrap it."""
    while error:
        if isinstance(error, KeyboardInterrupt):
            raise error
        error = error.__cause__ or error.__context__


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
