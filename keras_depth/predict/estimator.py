"""DepthEstimator: a trained network that takes images and returns depth in metres."""

from __future__ import annotations

import math
import os
import warnings
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_depth import images
from keras_depth.errors import InputError, check_choice, first_line
from keras_depth.letterbox import FITS, Placement, place
from keras_depth.predict import calibration, camera, loading
from keras_depth.predict.calibration import Calibration
from keras_depth.predict.camera import Ratio
from keras_depth.predict.exported import Exported
from keras_depth.predict.loading import Source

if TYPE_CHECKING:  # an exported network needs neither Keras nor TensorFlow, unless it is theirs
    import keras

    from keras_depth.geometry import Intrinsics
    from keras_depth.predict.keras_network import KerasNetwork


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
        fit: how images of another shape are brought to the input's size: "stretch", "letterbox" or
            "crop" (see `letterbox.py`). Defaults to what an exported network says, else "stretch".
        focal_length: of the camera that the network's metres are right for, (x, y) in pixels of
            images of its input size. Defaults to what an exported network says, else None: not
            known.

    Raises:
        InputError: the model is no depth network, nothing says how it writes depth, there is no
            such fit, or a focal length is no number above 0.

    Example:
        >>> estimator = DepthEstimator.load("runs/lite")
        >>> depth = estimator("room.jpg")  # float32 (H, W), metres
    """

    def __init__(
        self,
        model: keras.Model | Exported,
        encoding: str | None = None,
        focal_baseline: float | None = None,
        fit: str | None = None,
        focal_length: tuple[float, float] | None = None,
    ):
        self._trained = model
        self._source: Source | None = None
        self._network = _to_network(model, encoding)
        _check_focal_baseline(focal_baseline)
        self._focal_baseline = focal_baseline
        if isinstance(model, Exported):
            fit, focal_length = fit or model.fit, focal_length or model.focal_length
        self.fit = fit or "stretch"
        check_choice("fit", self.fit, FITS)
        self.focal_length = camera.check_focal_length(focal_length)

    @classmethod
    def load(
        cls, path: str | Path, encoding: str | None = None, fit: str | None = None
    ) -> DepthEstimator:
        """Loads a run folder (its `model.keras`), a `.keras` file, an exported network or a preset.

        A network of this suite runs in its fastest form, which is the same function. The
        `camera.json` beside it says for which camera its metres are right and, if it writes
        disparity, what that is in metres. A run's `calibration.json` is applied.

        Args:
            path: what is loaded.
            encoding: see `DepthEstimator`.
            fit: see `DepthEstimator`. Defaults to what the recipe beside the network, or the
                exported network, says.

        Raises:
            InputError: there is no such file, it cannot be read, or it is no depth network.
        """
        _check_path(path)
        source = loading.resolve(path)
        if source.kind == "exported":
            return cls(loading.load_exported(source.path), encoding, fit=fit)
        from keras_depth import models
        from keras_depth.models import reparameterize

        trained = model = loading.load_model(source.path)
        if models.of(model):  # what another suite trained may hold layers of any kind
            model = reparameterize.reparameterize_model(model)
        folder, calibrated = source.run_folder, calibration.read(source.model_file)
        focal_length = calibrated.focal_length if calibrated else folder.focal_length()
        try:
            estimator = cls(model, encoding, fit=fit or folder.fit(), focal_length=focal_length)
        except InputError as error:
            raise InputError(f"{source.model_file}: {error}") from error
        estimator._trained, estimator._source = trained, source
        estimator._network.calibration = calibrated or Calibration()
        if estimator.stereo:
            estimator._focal_baseline = folder.focal_baseline()
        return estimator

    @classmethod
    def from_preset(cls, preset: str | Path) -> DepthEstimator:
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
        from keras_depth.predict.preset_writer import write_preset

        write_preset(self._trained, self._network.encoding, self._source, Path(folder))

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the images that the network takes."""
        return self._network.input_size

    @property
    def encoding(self) -> str:
        """How the network writes depth, a name from `encodings.py`; exported ones write metres."""
        return self._network.encoding

    @property
    def stereo(self) -> bool:
        """Whether the network writes disparity, of the stereo cameras it was trained with."""
        return self._network.stereo

    @property
    def calibration(self) -> Calibration:
        """Scale and shift that its metres have been given by `python -m keras_depth.calibrate`."""
        return self._network.calibration

    @property
    def focal_baseline(self) -> float | None:
        """That of its training, in pixels of images of the input size; None: it is not known."""
        return self._focal_baseline

    def camera_ratio(
        self,
        size: tuple[int, int],
        intrinsics: Intrinsics | tuple[float, float, float, float] | None = None,
        fov: float | None = None,
        fit: str | None = None,
    ) -> Ratio | None:
        """Returns by what the network's metres are multiplied for images of a camera.

        Args:
            size: (height, width) of the images.
            intrinsics, fov, fit: see `__call__`.

        Returns:
            The ratio of the focal lengths; its text is a line for people. None: the network's own
            camera is not known.

        Raises:
            InputError: the intrinsics are none, or of images of another size.
        """
        given = camera.find_intrinsics(size, intrinsics, fov)
        if self.focal_length is None:
            return None
        return camera.compare(self.place(size, fit), given, self.focal_length)

    def place(self, size: tuple[int, int], fit: str | None = None) -> Placement:
        """Says where an image of this (height, width) lies in the network's input."""
        return place(size, self.input_size, fit or self.fit)

    def __call__(
        self,
        image: Any,
        resize: bool = True,
        focal_baseline: float | None = None,
        channels: str = "rgb",
        *,
        fit: str | None = None,
        intrinsics: Intrinsics | tuple[float, float, float, float] | None = None,
        fov: float | None = None,
    ) -> np.ndarray:
        """Estimates the depth of an image, or of several of one size.

        Args:
            image: the path of an image, or pixels, (H, W, 3) or (B, H, W, 3), uint8 or floating in
                [0, 1]: an array or whatever NumPy makes one of, such as a tensor or a PIL image.
            resize: return depth at the image's size; False: at the network's resolution.
            focal_baseline: for a network that writes disparity: the focal length, in pixels of this
                image, times the baseline in metres of its training. Defaults to the training's
                camera, or one with the same field of view.
            channels: "rgb", or "bgr" for the arrays of OpenCV's imread and VideoCapture. Files are
                read correctly whatever it is.
            fit: see `DepthEstimator`. Defaults to the estimator's.
            intrinsics: (fx, fy, cx, cy) of the camera, in pixels of this image. Metres are
                multiplied by the ratio of its focal length to that of the network's camera.
            fov: instead, the horizontal field of view in degrees, of a camera of square pixels.

        Returns:
            float32 (H, W) or (B, H, W), metres, 0 = none: also where the fit "crop" cuts the image.

        Raises:
            InputError: the file or the array is no such image, focal_baseline is not known, or the
                intrinsics are those of images of another size.
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
        placement = self.place(batch.shape[1:3], fit)
        ratio = 1.0
        if intrinsics is not None or fov is not None:
            if focal_baseline is not None:
                raise InputError(
                    "focal_baseline holds a focal length too; leave it out, or intrinsics and fov"
                )
            found = self.camera_ratio(placement.size, intrinsics, fov, fit)
            if found is None:
                warnings.warn(self.describe_unknown_camera(), stacklevel=2)
            else:
                ratio = found.value
        maps = self._network.compute(np.stack([placement.fit(one) for one in batch]))
        # The network's output is interpolated, not its metres: between a disparity and the sky's
        # the mean depth would be nearly the sky's.
        size = placement.size if resize else placement.map_size(maps.shape[1:])
        maps = np.stack([placement.restore(one, size) for one in maps])
        if self.stereo:
            focal_baseline = self._scale_focal_baseline(placement, focal_baseline, size[1])
        depth = self._network.decode(maps, focal_baseline)[..., 0]
        if ratio != 1:
            depth = depth * np.float32(ratio)
        if not (seen := placement.seen(size)).all():
            depth = np.where(seen, depth, np.float32(0))
        return depth if pixels.ndim == 4 else depth[0]

    def describe_unknown_camera(self) -> str:
        """Says why metres are not scaled to a camera."""
        if isinstance(self._trained, Exported):
            where = f"{self._trained.folder / 'export.json'} names none"
        elif self._source:
            folder = self._source.run_folder
            calibrated = folder.path / calibration.FILE
            where = f"{calibrated if self.calibration.measures else folder.camera_file} names none"
        else:
            where = "give DepthEstimator its focal_length"
        return (
            f"metres are not scaled: the focal length of the network's camera is unknown ({where})"
        )

    def _scale_focal_baseline(
        self, placement: Placement, focal_baseline: float | None, width: int
    ) -> float:
        """Returns the focal length times baseline in pixels of the input shown `width` wide."""
        if focal_baseline is not None:
            return focal_baseline * placement.scale_x * width / self.input_size[1]
        if self._focal_baseline is not None:
            return self._focal_baseline * width / self.input_size[1]
        raise InputError(
            "the network writes disparity, and nothing says what it comes to in metres: give"
            " focal_baseline, the focal length of the images in pixels times the baseline in"
            " metres (on the command line, predict --focal-baseline, evaluate --data-option"
            " stereo=true)"
        )


def _to_network(model: keras.Model | Exported, encoding: str | None) -> KerasNetwork | Exported:
    if not isinstance(model, Exported):
        from keras_depth.predict.keras_network import KerasNetwork

        return KerasNetwork(model, encoding)
    if encoding not in (None, "metric"):
        raise InputError(
            f"{model.folder}: an exported network writes metres; leave out the encoding"
        )
    return model


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
