"""Shows how a network fails on photographs unlike those of its training.

    python evaluation/failures.py mobile_interl_nyu docs/photos --output failures.png

Takes the first frame of a folder of RGB-D recordings, and changes it as a user's camera might: held
upright, with a telephoto lens, in the dark. Prints a table, and draws a row for each.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_depth.data import Sample, open_reader
from keras_depth.evaluate.figures import sample_figure
from keras_depth.evaluate.scorer import Scorer
from keras_depth.markdown import table
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.protocols import PROTOCOLS


def as_taken(sample: Sample) -> Sample:
    return sample


def held_upright(sample: Sample) -> Sample:
    """Turns the camera by a quarter: walls are where the network knows floors."""
    return {key: np.rot90(array) for key, array in sample.items()}


def telephoto(sample: Sample) -> Sample:
    """Cuts out the middle, as twice the focal length would; depth stays what it is."""
    height, width = sample["depth"].shape
    rows, columns = (slice(side // 4, side - side // 4) for side in (height, width))
    return {key: array[rows, columns] for key, array in sample.items()}


def in_the_dark(sample: Sample) -> Sample:
    return {**sample, "image": sample["image"] // 8}


CHANGES: dict[str, Callable[[Sample], Sample]] = {
    "as taken": as_taken,
    "held upright": held_upright,
    "twice the focal length": telephoto,
    "an eighth of the light": in_the_dark,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run, .keras file or preset")
    parser.add_argument("folder", type=Path, help="RGB-D recordings, see docs/data.md")
    parser.add_argument("--units-per-metre", type=float, default=5000, help="of depth (5000: TUM)")
    parser.add_argument("--output", type=Path, required=True, metavar="PNG")
    arguments = parser.parse_args()
    estimator = DepthEstimator.load(arguments.run)
    reader = open_reader(
        "folder", arguments.folder, None, units_per_metre=arguments.units_per_metre
    )
    rows, images, targets, depths = [], [], [], []
    for name, change in CHANGES.items():
        sample = {key: np.ascontiguousarray(a) for key, a in change(reader.stored(0)).items()}
        depth = estimator(sample["image"])
        scorer = Scorer(PROTOCOLS["full"])
        scorer.add(sample, depth)
        scores = scorer.scores()["image"]
        rows.append([name, *(f"{scores[key]:.3f}" for key in ("abs_rel", "delta1"))])
        images.append(sample["image"])
        targets.append(sample["depth"])
        depths.append(depth)
    print("\n".join(table(["picture", "abs_rel", "delta1"], rows, "lrr")))
    sample_figure(images, targets, depths, arguments.output)


if __name__ == "__main__":
    main()
