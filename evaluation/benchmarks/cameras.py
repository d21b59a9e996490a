"""Asks what a camera of another focal length does to metres, and what canonical training saves.

    python evaluation/benchmarks/cameras.py --output runs/cameras

Trains one network twice on as many rendered rooms: of one camera, and of 40 cameras of 50 to 90
degrees as pictures of one (recipe key `canonical_focal_length`). Then scores both on the same
unseen rooms, each seen by every camera. Killed and run again, it goes on.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_depth import markdown, recipes
from keras_depth.command import load_tensorflow
from keras_depth.data import Sample
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.geometry import Intrinsics, from_field_of_view
from keras_depth.run_folder import RunFolder

if TYPE_CHECKING:
    from keras_depth.predict.estimator import DepthEstimator

FOV = (50, 90)  # degrees: of the first and the last camera
MIDDLE = 68  # of the one camera; its focal length is near the geometric mean of the others'
CAMERAS = 40


class Errors(NamedTuple):
    """Holds what a network does under each camera.

    ratio: float (n,): focal length over that of the one camera.
    scale: float (n,): predicted over true depth, the median over rooms of the median over pixels.
    rel: float (n,): mean over rooms of the mean absolute relative error.
    """

    ratio: np.ndarray
    scale: np.ndarray
    rel: np.ndarray

    @property
    def slope(self) -> float:
        """Of the log of the scale over the log of the ratio: -1 where metres ignore the camera."""
        return float(np.polyfit(np.log(self.ratio), np.log(self.scale), 1)[0])

    @property
    def correlation(self) -> float:
        return float(np.corrcoef(np.log(self.ratio), np.log(self.scale))[0, 1])

    @property
    def largest(self) -> float:
        """The largest error of the scale under any camera, as a part of the depth."""
        return float(np.abs(self.scale - 1).max())


def make_recipe(name: str, overrides: Iterable[str], cameras: int) -> recipes.Recipe:
    """Returns the recipe of a plain network of one camera, or of a canonical one of several."""
    recipe = recipes.load(name, overrides)
    several = cameras > 1
    view = {"cameras": cameras, "fov": list(FOV if several else (MIDDLE, MIDDLE))}
    canonical = from_field_of_view(MIDDLE, recipe.size).fx if several else None
    return recipes.load(name, overrides, data=recipe.data | view, canonical_focal_length=canonical)


def render(size: tuple[int, int], rooms: int) -> list[tuple[Intrinsics, list[Sample]]]:
    """Returns each camera, and what it sees of the unseen rooms: the same rooms for all."""
    return [
        (
            from_field_of_view(float(degrees), size),
            list(Rooms(rooms, size, split="test", cameras=1, fov=(degrees, degrees))),
        )
        for degrees in np.linspace(*FOV, CAMERAS)
    ]


def score(
    estimator: "DepthEstimator", views: list[tuple[Intrinsics, list[Sample]]], scaled: bool
) -> Errors:
    """Scores a network under each camera; scaled: its metres are scaled to that camera."""
    middle, rows = from_field_of_view(MIDDLE, estimator.input_size).fx, []
    for camera, frames in views:
        images = np.stack([frame["image"] for frame in frames])
        depth = estimator(images, intrinsics=camera if scaled else None)
        ratio = depth / np.stack([frame["depth"] for frame in frames])
        scale = np.median(np.median(ratio, axis=(1, 2)))
        rows.append((camera.fx / middle, scale, np.abs(ratio - 1).mean()))
    return Errors(*np.array(rows).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/cameras"))
    parser.add_argument("--recipe", default="mobile_interl/rooms")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rooms", type=int, default=16, help="unseen rooms for each camera")
    arguments = parser.parse_args()
    load_tensorflow()
    from keras_depth.predict.estimator import DepthEstimator
    from keras_depth.train.loop import train

    estimators = []
    for name, cameras in (("plain", 1), ("canonical", CAMERAS)):
        folder = RunFolder(arguments.output / name)
        train(make_recipe(arguments.recipe, arguments.set, cameras), folder)
        estimators.append(DepthEstimator.load(folder.path))
    plain, canonical = estimators
    views = render(plain.input_size, arguments.rooms)
    rows = [
        describe("plain, one camera", score(plain, views, scaled=False)),
        describe("the same, with `--intrinsics`", score(plain, views, scaled=True)),
        describe(f"canonical, {CAMERAS} cameras", score(canonical, views, scaled=True)),
    ]
    print("\n".join(table(rows)))


def describe(title: str, errors: Errors) -> list[str]:
    """Returns a row of the table."""
    return [
        title,
        f"{errors.rel.mean():.3f}",
        *(f"{errors.scale[i] - 1:+.0%}" for i in (0, len(errors.scale) // 2, -1)),
        f"{errors.largest:.0%}",
        f"{errors.slope:+.2f}",
        f"{errors.correlation:+.2f}",
    ]


def table(rows: list[list[str]]) -> list[str]:
    middle = np.linspace(*FOV, CAMERAS)[CAMERAS // 2]
    header = ["network", "REL", f"{FOV[0]}°", f"{middle:.0f}°", f"{FOV[1]}°"]
    return markdown.table([*header, "largest", "slope", "correlation"], rows, "lrrrrrrr")


if __name__ == "__main__":
    main()
