"""Measures the cost of targets scaled to each image's own range of depth, as Das et al. train them.

Train the same network twice on rendered rooms:

    python -m keras_depth.train --arch irv2_unet --output runs/unit
    python -m keras_depth.train --arch irv2_unet --set encoding=minmax --output runs/minmax
    python evaluation/minmax.py runs/unit runs/minmax

Prints a table with both networks, the mean depth map of the training rooms, and depth maps that
fit each target without error.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from keras_depth import markdown
from keras_depth.encodings import ENCODINGS
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.run_folder import RunFolder

PROTOCOLS = {
    "das2024": ("das2024", {}),
    "nyu_eigen": ("nyu_eigen", {}),
    "nyu_eigen, aligned by the median": ("nyu_eigen", {"alignment": "median"}),
}
METRICS = ("abs_rel", "rmse", "delta1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "unit", type=Path, help="the run trained with encoding unit: depth divided by 10 m"
    )
    parser.add_argument(
        "minmax", type=Path, help="the run trained with encoding minmax: each image's own range"
    )
    runs = parser.parse_args()
    rows: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for protocol, changes in PROTOCOLS.values():
            for name in ("unit", "minmax"):
                output = Path(folder) / "report"
                report, _ = evaluator.evaluate_run(
                    getattr(runs, name), protocol=protocol, changes=changes, output=output
                )
                add(rows, f"network, {name}", report.scores["model"])
                if name == "unit":
                    mean = report.scores["mean training depth"]
                report, _ = evaluator.evaluate_depth_maps(
                    perfect(name, runs.unit, Path(folder)),
                    Frames("rooms", options={"size": RunFolder(runs.unit).recipe().size}),
                    protocol=protocol,
                    changes=changes,
                    output=output,
                )
                add(rows, f"perfect fit, {name}", report.scores["model"])
            add(rows, "mean depth of the training rooms", mean)
    cells = ([name, *scores] for name, scores in sorted(rows.items()))
    print("\n".join(markdown.table(["", *PROTOCOLS], cells, "l" + "r" * len(PROTOCOLS))))


def add(rows: dict[str, list[str]], name: str, scores: dict[str, dict[str, float]]) -> None:
    """Adds a cell to the row called `name`."""
    cell = " / ".join(f"{scores['image'][metric]:.3f}" for metric in METRICS)
    rows.setdefault(name, []).append(cell)


def perfect(name: str, run: Path, folder: Path) -> Path:
    """Writes the depth maps of a network that fits its target without error; returns the file."""
    encoding = ENCODINGS[name]
    size = RunFolder(run).recipe().size
    reader = Frames("rooms", split="test", options={"size": size}).open()
    depth = np.stack([reader[index]["depth"][..., None] for index in range(len(reader))])
    file = folder / f"{name}.npy"
    np.save(file, np.array(encoding.decode(encoding.encode(depth)))[..., 0])
    return file


if __name__ == "__main__":
    main()
