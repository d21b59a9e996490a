"""Asks which fit is best for pictures of another shape than the network was trained on.

    python -m keras_depth.export mobile_interl_nyu --format onnx --output exported
    python evaluation/benchmarks/letterbox.py exported/mobile_interl --data-dir ~/nyu

Frames of NYU Depth v2 that the preset's training held out are cut to each shape around their
center, and scored against their true depth. Their camera is the one the network was trained with,
so whatever REL grows by is the fit's. "border" is what lies around a letterboxed picture.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_depth import command, geometry, metrics
from keras_depth.data import open_reader
from keras_depth.markdown import table
from keras_depth.predict.estimator import DepthEstimator

SHAPES = {"4:3": (4, 3), "16:9": (16, 9), "21:9": (21, 9), "3:4": (3, 4), "9:16": (9, 16)}
_HELD_OUT = 0.05  # of the training frames, as in the preset's recipe
FITS = ("stretch", "letterbox", "crop")
BORDERS = {"letterbox, gray around it": 128, "letterbox, its border repeated around it": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--data-dir", type=Path, required=True)
    arguments = parser.parse_args()
    command.load_tensorflow()
    estimator = DepthEstimator.load(arguments.run)
    reader = open_reader("nyu", arguments.data_dir, "validation", hold_out=_HELD_OUT)
    if estimator.focal_length is None:  # a network of NYU frames that does not say so
        camera = geometry.scale_intrinsics(geometry.NYU, (480, 640), estimator.input_size)
        estimator.focal_length = (camera.fx, camera.fy)
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    seen: dict[str, list[float]] = defaultdict(list)
    for index in tqdm(range(len(reader))):
        for shape, image, depth, camera in cut(reader.stored(index)):
            for way, predicted in predict(estimator, image, camera):
                known = (depth > 0) & (predicted > 0)
                error = np.abs(predicted[known] / depth[known] - 1)
                errors[way, shape].append(float(error.mean()))
                if way == "crop":
                    seen[shape].append(float((predicted > 0).mean()))
    ways = dict.fromkeys(way for way, _ in errors)
    rows = [[way, *(f"{np.mean(errors[way, shape]):.3f}" for shape in SHAPES)] for way in ways]
    rows.append(["seen by crop", *(f"{np.mean(shares):.0%}" for shares in seen.values())])
    print(f"{metrics.describe('abs_rel')}, mean of {len(reader)} frames")
    print("\n".join(table(["", *SHAPES], rows, "l" + "r" * len(SHAPES))))


def cut(sample: dict) -> Iterator[tuple[str, np.ndarray, np.ndarray, geometry.Intrinsics]]:
    """Yields a frame cut to each shape: its name, image, depth and camera."""
    image, depth = sample["image"], np.squeeze(sample["depth"])
    height, width = depth.shape
    nyu = geometry.scale_intrinsics(geometry.NYU, (480, 640), (height, width))
    for name, (across, down) in SHAPES.items():
        h, w = min(height, round(width * down / across)), min(width, round(height * across / down))
        top, left = (height - h) // 2, (width - w) // 2
        window = slice(top, top + h), slice(left, left + w)
        camera = geometry.Intrinsics(nyu.fx, nyu.fy, nyu.cx - left, nyu.cy - top)
        yield name, image[window], depth[window], camera


def predict(
    estimator: DepthEstimator, image: np.ndarray, camera: geometry.Intrinsics
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each way to predict the depth of a picture: its name, and the depth."""
    for fit in FITS:
        depth = estimator(image, fit=fit)
        ratio = estimator.camera_ratio(image.shape[:2], camera, fit=fit)
        yield fit, depth
        yield f"{fit}, metres by the camera", depth * ratio.value
    (height, width), (h, w) = estimator.input_size, image.shape[:2]
    whole = max(h, round(w * height / width)), max(w, round(h * width / height))
    top, left = (whole[0] - h) // 2, (whole[1] - w) // 2
    inside = slice(top, top + h), slice(left, left + w)
    for name, border in BORDERS.items():
        sides = ((top, whole[0] - h - top), (left, whole[1] - w - left), (0, 0))
        if border is None:
            padded = np.pad(image, sides, "edge")
        else:
            padded = np.pad(image, sides, constant_values=border)
        yield name, estimator(padded)[inside]


if __name__ == "__main__":
    main()
