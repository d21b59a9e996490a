"""Scores the best guesses that know a pixel's row alone, which a network must beat.

    python evaluation/ramp.py runs/optidepthnet_vgg-folder --protocol kitti_eigen_garg

On a street the row says much: the lower, the nearer. The mean of each row over the run's training
frames, once of depth and once of inverse depth, is scored on the frames that `evaluate` scores the
run on. The network is not looked at.
"""

import argparse
from pathlib import Path

import numpy as np

from keras_depth import command, protocols, recipes
from keras_depth.data import Reader, Subset
from keras_depth.data.reader import spread
from keras_depth.evaluate.frames import Frames
from keras_depth.evaluate.scorer import Scorer
from keras_depth.markdown import table
from keras_depth.protocols import Protocol
from keras_depth.run_folder import RunFolder

METRICS = ("abs_rel", "rmse", "delta1")
FRAMES = 200  # at most, evenly spread
ROWS = 128  # of a ramp
FARTHEST = 80.0  # metres: KITTI's usual bound, for rows in which nothing was measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run that names training and test frames")
    parser.add_argument("--protocol", help="default: the recipe's")
    arguments = parser.parse_args()
    recipe = RunFolder(arguments.run).recipe()
    ramps = row_means(recipes.open_data(recipe, "train"))
    reader = Frames().open_own(recipe)
    rows = []
    for alignment in ("none", "median"):
        protocol = protocols.get(arguments.protocol or recipe.protocol, {"alignment": alignment})
        for name, ramp in ramps.items():
            scores = score(ramp, reader, protocol)
            rows.append([name, alignment, *(f"{scores[key]:.3f}" for key in METRICS)])
    print(f"protocol {protocol.name}, {reader.description}\n")
    print("\n".join(table(["mean of each row", "alignment", *METRICS], rows, "llrrr")))


def row_means(reader: Reader) -> dict[str, np.ndarray]:
    """Returns the means of each row over at most FRAMES frames, metres, (ROWS, 1)."""
    count, depth, inverse = np.zeros((3, ROWS))
    for sample in Subset(reader, spread(len(reader), FRAMES)):
        target = np.squeeze(sample["depth"])
        values = target[target > 0]
        row = np.nonzero(target > 0)[0] * ROWS // len(target)
        count += np.bincount(row, minlength=ROWS)
        depth += np.bincount(row, values, ROWS)
        inverse += np.bincount(row, 1 / values, ROWS)
    return {
        "depth": _divide(depth, count)[:, None],
        "inverse depth": _divide(count, inverse)[:, None],
    }


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1), FARTHEST).astype(np.float32)


def score(ramp: np.ndarray, reader: Reader, protocol: Protocol) -> dict[str, float]:
    """Returns metric -> value of a ramp that is predicted for each of the frames."""
    scorer = Scorer(protocol)
    for sample in reader:
        scorer.add(sample, ramp)
    return scorer.scores()[protocol.reduction]


if __name__ == "__main__":
    command.run(main)
