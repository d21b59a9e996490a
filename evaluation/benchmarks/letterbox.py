"""Asks which fit is best for pictures of another shape than the network was trained on.

    python evaluation/benchmarks/letterbox.py mobile_interl_nyu --data-dir ~/nyu --every 10

Frames of NYU Depth v2 are cut to each shape around their center, and scored against their true
depth. Their camera is the one the network was trained with, so whatever REL grows by is the fit's.
"border" is what lies around a letterboxed picture.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_depth import command, geometry, metrics
from keras_depth.data import open_reader
from keras_depth.markdown import table
from keras_depth.predict.estimator import DepthEstimator

SHAPES = {
    "4:3": (4, 3),
    "16:9": (16, 9),
    "21:9": (21, 9),
    "1:1": (1, 1),
    "3:4": (3, 4),
    "9:16": (9, 16),
}
Predict = Callable[[np.ndarray, geometry.Intrinsics], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--every", type=command.count, default=10)
    arguments = parser.parse_args()
    command.load_tensorflow()
    estimator = DepthEstimator.load(arguments.run)
    reader = open_reader("nyu", arguments.data_dir, "test")
    if estimator.focal_length is None:  # a network of NYU frames that does not say so
        camera = geometry.scale_intrinsics(geometry.NYU, (480, 640), estimator.input_size)
        estimator.focal_length = (camera.fx, camera.fy)
    ways = list_ways(estimator)
    errors: dict[str, dict[str, list[float]]] = {
        way: {shape: [] for shape in SHAPES} for way in ways
    }
    seen: dict[str, list[float]] = {shape: [] for shape in SHAPES}
    for index in tqdm(range(0, len(reader), arguments.every)):
        for shape, image, depth, camera in cut(reader.stored(index)):
            for way, predict in ways.items():
                prediction = predict(image, camera)
                known = (depth > 0) & (prediction > 0)
                errors[way][shape].append(
                    float(np.mean(np.abs(prediction[known] / depth[known] - 1)))
                )
                if way == "crop":
                    seen[shape].append(float((prediction > 0).mean()))
    rows = [
        [way, *(f"{np.mean(values):.3f}" for values in by_shape.values())]
        for way, by_shape in errors.items()
    ]
    rows.append(["seen by crop", *(f"{np.mean(shares):.0%}" for shares in seen.values())])
    print(f"{metrics.describe('abs_rel')}, mean of {len(seen['4:3'])} frames")
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


def list_ways(estimator: DepthEstimator) -> dict[str, Predict]:
    """Returns each way to predict the depth of a picture of another shape."""

    def bordered(border: float) -> Predict:
        def predict(image: np.ndarray, camera: geometry.Intrinsics) -> np.ndarray:
            (height, width), (h, w) = estimator.input_size, image.shape[:2]
            whole = max(h, round(w * height / width)), max(w, round(h * width / height))
            top, left = (whole[0] - h) // 2, (whole[1] - w) // 2
            padded = np.full((*whole, 3), round(255 * border), np.uint8)
            padded[top : top + h, left : left + w] = image
            return estimator(padded)[top : top + h, left : left + w]

        return predict

    return {
        "stretch": lambda image, camera: estimator(image, fit="stretch"),
        "stretch, metres by the camera": lambda image, camera: estimator(
            image, fit="stretch", intrinsics=camera
        ),
        "letterbox": lambda image, camera: estimator(image, fit="letterbox"),
        "letterbox, metres by the camera": lambda image, camera: estimator(
            image, fit="letterbox", intrinsics=camera
        ),
        "letterbox, border black": bordered(0),
        "letterbox, border gray": bordered(0.5),
        "crop": lambda image, camera: estimator(image, fit="crop"),
        "crop, metres by the camera": lambda image, camera: estimator(
            image, fit="crop", intrinsics=camera
        ),
    }


if __name__ == "__main__":
    main()
