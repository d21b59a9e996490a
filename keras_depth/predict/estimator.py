"""DepthEstimator: a trained network that takes images and returns depth in metres."""

import math
import os
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_depth import images, models
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError, check_choice, first_line
from keras_depth.models import reparameterize
from keras_depth.predict import loading
from keras_depth.predict.exported import Exported
from keras_depth.predict.loading import Source, finest, input_size
from keras_depth.predict.preset_writer import write_preset


class DepthEstimator:
    """Estimates depth in metres, of images of any size.

    Args:
        model: Keras model with a fixed input (B, h, w, 3), RGB in [0, 1], and an output
            (B, h', w', channels), or a list of these, the finest first. Or an exported network.
        encoding: how the model writes depth (a name from `encodings.py`). Defaults to that of the
            architecture the model is named after. An exported network always writes metres.
        focal_baseline: for a network that writes disparity: the focal length, in pixels of images
            of its input size, times the baseline in metres of its training. Defaults to None, for
            networks that write depth.

    Raises:
        InputError: the model is no depth network, nothing says how it writes depth, or
            focal_baseline is no number above 0.

    Example:
        >>> estimator = DepthEstimator.load("runs/lite")
        >>> depth = estimator("room.jpg")  # float32 (H, W), metres
    """

    def __init__(
        self,
        model: keras.Model | Exported,
        encoding: str | None = None,
        focal_baseline: float | None = None,
    ):
        if not isinstance(model, keras.Model | Exported):
            raise InputError(
                f"a model of type {type(model).__name__}: give a Keras model;"
                " DepthEstimator.load takes paths, and DepthEstimator.from_preset names of presets"
            )
        _check_focal_baseline(focal_baseline)
        if encoding is not None:
            check_choice("encoding", encoding, ENCODINGS)
        self._focal_baseline = focal_baseline
        self._trained = model
        self._source: Source | None = None
        if isinstance(model, Exported):
            if encoding not in (None, "metric"):
                raise InputError(
                    f"{model.folder}: an exported network writes metres; leave out the encoding"
                )
            self._input_size, self._encoding = model.input_size, ENCODINGS["metric"]
            self._compute: Callable = partial(_run_exported, model)
            return
        self._input_size = input_size(model)
        self._encoding = ENCODINGS[encoding or encoding_of(model)]
        self._compute = _compile(model, self._input_size)
        if self._encoding.relative:
            warnings.warn(
                f"{model.name} tells near from far within a picture; its metres are right by chance"
                " alone",
                stacklevel=2,
            )

    @classmethod
    def load(cls, path: str | Path, encoding: str | None = None) -> "DepthEstimator":
        """Loads a run folder (its `model.keras`), a `.keras` file, an exported network or a preset.

        A network of this suite runs in its fastest form, which is the same function. If it writes
        disparity, the `camera.json` beside it says what that is in metres.

        Raises:
            InputError: there is no such file, it cannot be read, or it is no depth network.
        """
        _check_path(path)
        source = loading.resolve(path)
        if source.kind == "exported":
            return cls(loading.load_exported(source.path), encoding)
        trained = model = loading.load_model(source.path)
        if models.of(model):  # what another suite trained may hold layers of any kind
            model = reparameterize.reparameterize_model(model)
        try:
            estimator = cls(model, encoding)
        except InputError as error:
            raise InputError(f"{source.model_file}: {error}") from error
        estimator._trained, estimator._source = trained, source
        if estimator.stereo:
            estimator._focal_baseline = source.run_folder.focal_baseline()
        return estimator

    @classmethod
    def from_preset(cls, preset: str | Path) -> "DepthEstimator":
        """Loads a preset: by its name, or from a folder that `save_to_preset` wrote.

        Raises:
            InputError: there is none of that name, or it is damaged.

        Example:
            >>> estimator = DepthEstimator.from_preset("mobile_interl_nyu")
        """
        _check_path(preset)
        return cls.load(loading.resolve(preset, "preset").path)

    def save_to_preset(self, folder: str | Path) -> None:
        """Writes the network as a preset: a folder with half the bytes, and a model card.

        The card of a network that was loaded from a run folder also tells its recipe and the scores
        of its report. Complete the card's text before you publish the preset.

        Args:
            folder: made if missing; its name is the preset's.

        Raises:
            InputError: an exported network, or a folder that is a file, holds something else or
                cannot be written.
        """
        _check_path(folder)
        if isinstance(self._trained, Exported):
            raise InputError(
                f"{self._trained.folder}: an exported network has no Keras model; save the run that"
                " it was exported from"
            )
        write_preset(self._trained, self._encoding.name, self._source, Path(folder))

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the images that the network takes."""
        return self._input_size

    @property
    def stereo(self) -> bool:
        """Whether the network writes disparity, of the stereo cameras it was trained with."""
        return self._encoding.stereo

    @property
    def focal_baseline(self) -> float | None:
        """That of its training, in pixels of images of the input size; None: it is not known."""
        return self._focal_baseline

    def __call__(
        self,
        image: Any,
        resize: bool = True,
        focal_baseline: float | None = None,
        channels: str = "rgb",
    ) -> np.ndarray:
        """Estimates the depth of an image, or of several of one size.

        Args:
            image: the path of an image, or pixels, (H, W, 3) or (B, H, W, 3), uint8 or floating in
                [0, 1]: an array or whatever NumPy makes one of, such as a tensor or a PIL image.
            resize: return depth at the image's size; False: at the size the network computes.
            focal_baseline: for a network that writes disparity: the focal length, in pixels of this
                image, times the baseline in metres of its training. Defaults to the training's
                camera, or one with the same field of view.
            channels: "rgb", or "bgr" for the arrays of OpenCV's imread and VideoCapture. Files are
                read correctly whatever it is.

        Returns:
            float32 (H, W) or (B, H, W), metres, 0 = none.

        Raises:
            InputError: the file or the array is no such image, or focal_baseline is not known.
        """
        check_choice("channels", channels, ("rgb", "bgr"))
        _check_focal_baseline(focal_baseline)
        if isinstance(image, str | os.PathLike):
            pixels = images.read(Path(image))
        else:
            pixels = _to_array(image)
            _check(pixels)
            if channels == "bgr":
                pixels = pixels[..., ::-1]
        if pixels.dtype != np.uint8:
            pixels = pixels.astype(np.float32, copy=False)
        batch = pixels if pixels.ndim == 4 else pixels[None]
        output = self._compute(np.stack([images.resize(one, self.input_size) for one in batch]))
        height, width = batch.shape[1:3]
        if resize:
            # The network's output is interpolated, not its metres: between a disparity and the
            # sky's the mean depth would be nearly the sky's.
            output = np.stack([cv2.resize(one, (width, height)) for one in output])
            output = output.reshape(len(batch), height, width, -1)
        if self.stereo:
            focal_baseline = self._scale_focal_baseline(output.shape[2], focal_baseline, width)
        depth = ops.convert_to_numpy(self._encoding.decode(output, focal_baseline))[..., 0]
        return depth if pixels.ndim == 4 else depth[0]

    def _scale_focal_baseline(
        self, width: int, focal_baseline: float | None, image_width: int
    ) -> float:
        """Returns the focal length times baseline in pixels of a map of this width."""
        if focal_baseline is not None:
            return focal_baseline * width / image_width
        if self._focal_baseline is not None:
            return self._focal_baseline * width / self.input_size[1]
        raise InputError(
            "the network writes disparity, and nothing says what it comes to in metres: give"
            " focal_baseline, the focal length of the images in pixels times the baseline in"
            " metres (on the command line, predict --focal-baseline, evaluate --data-option"
            " stereo=true)"
        )


def _compile(model: keras.Model, size: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
    # One graph, traced once: `Model.predict` would set up a data pipeline for every image.
    @tf.function(input_signature=[tf.TensorSpec((None, *size, 3), tf.float32)])
    def compute(batch):
        return tf.cast(finest(model(batch, training=False)), tf.float32)

    # Divided here, exactly as in training: within its graph TensorFlow would multiply by 1 / 255.
    return lambda batch: compute(images.to_float32(batch)).numpy()


def _run_exported(exported: Exported, batch: np.ndarray) -> np.ndarray:
    """Runs any number of images through a network that takes a fixed batch or another type."""
    batch = images.to_uint8(batch) if exported.dtype == "uint8" else images.to_float32(batch)
    size = exported.batch or len(batch)
    missing = -len(batch) % size
    batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
    groups = [exported(batch[i : i + size]) for i in range(0, len(batch), size)]
    return np.concatenate(groups)[: len(batch) - missing]


def _to_array(image: Any) -> np.ndarray:
    if isinstance(image, list | tuple) and any(isinstance(e, str | os.PathLike) for e in image):
        raise InputError("a list of paths: give one path, and call once for each")
    try:
        pixels = np.asarray(image)
    except (ValueError, TypeError, RuntimeError) as error:
        if isinstance(image, list | tuple) and isinstance(error, ValueError):
            raise InputError("pictures of different sizes: call once for each") from error
        raise InputError(
            f"{type(image).__name__} that is no array ({first_line(error)}): give an array of"
            " RGB, (H, W, 3) or (B, H, W, 3)"
        ) from error
    if pixels.dtype.kind not in "biufcV":
        raise InputError(
            f"{type(image).__name__} is no picture: give a path, or an array of RGB, (H, W, 3)"
            " or (B, H, W, 3)"
        )
    return pixels


def _check(images: np.ndarray) -> None:
    described = f"picture of shape {images.shape} and type {images.dtype}"
    if images.ndim not in (3, 4) or images.shape[-1] != 3 or images.size == 0:
        raise InputError(f"{described}: give RGB, (H, W, 3) or (B, H, W, 3){_guess(images.shape)}")
    if images.dtype == np.uint8:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{described}: give uint8, or floating numbers in [0, 1]")
    low, high = images.min(), images.max()
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # also where one of them is not a number
        raise InputError(
            f"{described} with values from {low:g} to {high:g}: floating pictures are RGB in"
            " [0, 1]; divide by 255, or give uint8"
        )


def _guess(shape: tuple[int, ...]) -> str:
    """Says what pixels of this shape may be, and how they become RGB."""
    if 0 in shape:
        return ""
    if len(shape) == 2 or shape[-1:] == (1,):
        return "; this is gray, or a palette: a PIL image's .convert('RGB') makes it RGB"
    if shape[-1:] == (4,):
        return "; this is RGBA: leave out the fourth channel, image[..., :3]"
    if len(shape) > 2 and shape[-3] == 3:
        return "; this has channels first: np.moveaxis(image, -3, -1) puts them last"
    return ""


def _check_focal_baseline(value: object) -> None:
    if value is not None and not (isinstance(value, Real) and 0 < float(value) < math.inf):
        raise InputError(
            f"focal_baseline {value!r}: give a number above 0, the focal length in pixels times the"
            " baseline in metres"
        )


def _check_path(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{type(path).__name__} is no path: give one, such as 'runs/rooms'")


def encoding_of(model: keras.Model) -> str:
    """Returns the encoding of the architecture that a model is named after.

    Raises:
        InputError: the model is named after none.
    """
    if architecture := models.of(model):
        return architecture.encoding
    raise InputError(
        f"model {model.name!r} is none of the registered architectures, so say how it writes depth:"
        ' encoding="metric" (on the command line, --encoding metric)'
    )
