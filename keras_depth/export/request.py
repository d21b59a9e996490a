"""Describes what to export and how; checks it before TensorFlow is imported."""

from dataclasses import dataclass
from pathlib import Path

from keras_depth.errors import InputError, check_choice, check_positive
from keras_depth.files import check_utf8
from keras_depth.geometry import Intrinsics
from keras_depth.letterbox import FITS

PRECISIONS = {
    "saved_model": ("fp32",),
    "onnx": ("fp32", "fp16", "int8"),
    "litert": ("fp32", "fp16", "int8"),
    "tftrt": ("fp32", "fp16", "int8"),
    "tensorrt": ("fp32", "fp16", "int8"),
}
WITH_BUDGET = ("onnx", "tensorrt")  # formats whose int8 keeps layers in float
BUDGET = 0.01
OPSETS = (11, 13, 17)  # of ONNX: TensorRT 7.1 reads 11, 8.0 also 13, 8.4 also 17
ANY_BATCH = ("saved_model", "onnx")  # formats that take any number of images at once


@dataclass(frozen=True)
class Request:
    """What to export, and how.

    Attributes:
        run: run folder or `.keras` file.
        format: "saved_model", "onnx", "litert", "tftrt" or "tensorrt".
        output: folder; the versions of the network are `output/<name>/1`, 2 ...
        size: (height, width) of the images that come in; None: the network's own.
        batch: images at once; None: any number, in the formats of `ANY_BATCH`.
        dtype: of the images, "uint8" or "float32" in [0, 1].
        output_size: "network" or "input": the size of the depth.
        precision: "fp32", "fp16" or "int8".
        resize: "operator", or "matmul": bilinear resizing as two matrix products.
        layout: "NHWC" or "NCHW": the order of the axes of ONNX's input.
        opset: of ONNX, one of `OPSETS`.
        calibration: folder of images, or of recordings with depth; int8 takes its scales from them.
        budget: by how much REL may rise in int8 of the formats in `WITH_BUDGET`; None: by `BUDGET`.
        limit: accepted relative difference; None: the one for the precision.
        encoding: how the network writes depth; None: as its architecture does.
        focal_baseline: of a disparity, at the network's size; None: as in its training.
        fit: how images of another shape are brought to the network's size, see `letterbox.py`;
            None: as in its training.
        intrinsics: of the camera, in pixels of the images that come in: metres are scaled to it.
        fov: instead, the horizontal field of view in degrees, of square pixels.

    Raises:
        InputError: options that do not go together, or an output that TensorFlow cannot open.
    """

    run: Path
    format: str
    output: Path
    size: tuple[int, int] | None = None
    batch: int | None = None
    dtype: str = "uint8"
    output_size: str = "network"
    precision: str = "fp32"
    resize: str = "operator"
    layout: str = "NHWC"
    opset: int = 13
    calibration: Path | None = None
    budget: float | None = None
    limit: float | None = None
    encoding: str | None = None
    focal_baseline: float | None = None
    fit: str | None = None
    intrinsics: Intrinsics | None = None
    fov: float | None = None

    def __post_init__(self) -> None:
        check_utf8(self.output)
        check_choice("format", self.format, PRECISIONS)
        if self.fit is not None:
            check_choice("fit", self.fit, FITS)
        if self.precision not in PRECISIONS[self.format]:
            raise InputError(
                f"precision {self.precision}: {self.format} is written in"
                f" {', '.join(PRECISIONS[self.format])}; choose one of these"
            )
        if self.focal_baseline is not None and not self.focal_baseline > 0:
            raise InputError(f"focal_baseline {self.focal_baseline}: give a number above 0")
        if self.intrinsics is not None and self.fov is not None:
            raise InputError("--intrinsics and --fov say the same of a camera; give one of them")
        if self.focal_baseline is not None and (self.intrinsics or self.fov):
            raise InputError(
                "--focal-baseline holds a focal length too; leave it out, or --intrinsics and --fov"
            )
        if self.precision == "int8" and self.calibration is None:
            raise InputError(
                "int8 takes its scales from images: give --calibration a folder of images like"
                " those that the network will see"
            )
        if self.calibration and self.precision != "int8":
            raise InputError("--calibration is for --precision int8; leave it out")
        if self.budget is not None:
            check_positive("what REL may rise by", budget=self.budget)
            if self.precision != "int8" or self.format not in WITH_BUDGET:
                raise InputError(
                    f"--budget is for --precision int8 of {' and '.join(WITH_BUDGET)}; leave it out"
                )
        if self.precision == "int8" and self.opset < 13:
            raise InputError(
                f"opset {self.opset} has no scale for each channel; for --precision int8 give"
                " --opset 13"
            )
        if self.opset not in OPSETS:
            raise InputError(
                f"opset {self.opset}: ONNX is written in {', '.join(map(str, OPSETS))}; choose one"
                " of these"
            )
        if self.format not in ("onnx", "tensorrt") and (self.layout, self.opset) != ("NHWC", 13):
            raise InputError(f"--layout and --opset are for ONNX; leave them out of {self.format}")
