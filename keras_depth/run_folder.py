"""The run folder: everything one training run leaves behind.

recipe.yaml       what was asked for, resolved
environment.json  versions, commit, devices
log.jsonl         a line a logged step, a line a validation
tensorboard/      the same curves for TensorBoard
checkpoints/      weights, optimizer, loss state, dropout's seeds, step: to go on from
model.keras       the network after the last finished epoch
mean_depth.npy    per-pixel mean depth of training frames, which reports compare with
camera.json       focal length times baseline, where the network was trained on stereo pairs
best.keras        the network of the epoch with the lowest validation REL, under the recipe's
                  protocol; where no depth was measured, with the lowest validation loss
report.json, report.md, figures/
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import recipes
from keras_depth.environment import environment
from keras_depth.errors import InputError
from keras_depth.files import write_text
from keras_depth.recipes import Recipe


class RunFolder:
    """Paths and files of one run.

    Args:
        path: the folder; `begin` makes it.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.yaml"
        self.log_file = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.model_file = self.path / "model.keras"
        self.best_file = self.path / "best.keras"
        self.mean_depth_file = self.path / "mean_depth.npy"
        self.camera_file = self.path / "camera.json"
        self.report_file = self.path / "report.md"
        self.figures = self.path / "figures"

    def begin(self, recipe: Recipe) -> None:
        """Makes the folder for a recipe, or takes up the run that is in it.

        Raises:
            InputError: the folder holds something else or another recipe's run, or it cannot be
                written; nothing in it is touched.
        """
        if self.recipe_file.exists() and self.checkpoints.exists():
            self._check_same(recipe)
            return
        # A run that ended before its first checkpoint; a recipe alone may be the user's own.
        empty = self.recipe_file.exists() and (self.path / "environment.json").exists()
        if (
            not empty
            and self.path.exists()
            and (not self.path.is_dir() or any(self.path.iterdir()))
        ):
            raise InputError(
                f"{self.path}: not a run folder (it has no recipe.yaml); give --output a new folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.figures.mkdir(exist_ok=True)
            write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")
            write_text(self.recipe_file, recipe.to_yaml())
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); give --output a folder of"
                " your own"
            ) from error

    def recipe(self) -> Recipe:
        """Reads the run's recipe.

        Raises:
            InputError: the folder is no run folder.
        """
        if not self.recipe_file.is_file():
            raise InputError(f"{self.path}: not a run folder (it has no recipe.yaml)")
        return recipes.load(str(self.recipe_file))

    def log(self, **row: Any) -> None:
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def log_rows(self) -> list[dict[str, Any]]:
        if not self.log_file.exists():
            return []
        lines = self.log_file.read_text(encoding="utf-8").split("\n")
        # A kill may leave half of the last line, which its newline would have ended.
        try:
            return [json.loads(line) for line in lines[:-1]]
        except json.JSONDecodeError as error:
            raise InputError(
                f"{self.log_file}: a line is no JSON ({error}); restore or delete the file"
            ) from error

    def mean_depth(self) -> np.ndarray | None:
        """Reads the mean depth map of the training frames, float32 (h, w), metres, if it is there.

        Raises:
            InputError: the file is damaged.
        """
        if not self.mean_depth_file.exists():
            return None
        try:
            return np.load(self.mean_depth_file)
        except (ValueError, EOFError) as error:
            raise InputError(
                f"{self.mean_depth_file}: damaged; delete it to score without this baseline"
            ) from error

    def write_camera(self, focal_baseline: float) -> None:
        """Writes what turns the network's disparity into metres, for pictures of its size."""
        write_text(self.camera_file, json.dumps({"focal_baseline": focal_baseline}) + "\n")

    def focal_baseline(self) -> float | None:
        """Reads focal length times baseline of the training pictures, at the network's size.

        Raises:
            InputError: the file is damaged.
        """
        if not self.camera_file.exists():
            return None
        try:
            return float(json.loads(self.camera_file.read_text(encoding="utf-8"))["focal_baseline"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.camera_file}: damaged; restore it, or delete it and give focal_baseline"
            ) from error

    def truncate_log(self, step: int) -> None:
        """Removes the rows that a killed run logged after its last checkpoint, at `step`."""
        if self.log_file.exists():
            rows = [row for row in self.log_rows() if row["step"] <= step]
            write_text(self.log_file, "".join(json.dumps(row) + "\n" for row in rows))

    def _check_same(self, recipe: Recipe) -> None:
        there, now = self.recipe().__dict__, recipe.__dict__
        different = [
            f"{key} ({there[key]!r} there, {now[key]!r} now)"
            for key in now
            if key != "published"  # trains nothing
            and _without_folder(there[key]) != _without_folder(now[key])
        ]
        if different:
            raise InputError(
                f"{self.path}: holds a run of another recipe: {'; '.join(different)};"
                " give --output another folder, or the same recipe to go on"
            )


def _without_folder(value: Any) -> Any:
    """The data section without its `dir`: a data set may have moved since."""
    return {k: v for k, v in value.items() if k != "dir"} if isinstance(value, dict) else value
