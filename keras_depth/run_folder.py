"""The run folder: the files of one training run.

recipe.yaml       the recipe, with all changes
environment.json  versions, commit, devices
frames.json       the frames that were trained and validated on
log.jsonl         training loss every 10 steps, validation scores every epoch
tensorboard/      the same for TensorBoard
checkpoints/      all state that training changes, to resume from
model.keras       the model after the last finished epoch
best.keras        the model of the epoch with the lowest validation REL under the recipe's protocol
                  or, without measured depth, with the lowest validation loss
mean_depth.npy    mean depth of each pixel over the training frames, the baseline of reports
camera.json       the camera of the training frames, where all have the same: its focal length, and
                  of stereo pairs that times the baseline
calibration.json  scale and shift of its metres, from `calibrate`
report.json, report.md, figures/
.lock             says which process writes the folder
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from yaml import YAMLError

from keras_depth import recipes
from keras_depth.command import parse_yaml
from keras_depth.environment import environment
from keras_depth.errors import InputError, cannot_write
from keras_depth.files import check_utf8, check_writable, make_folder, read_json, write_text
from keras_depth.markdown import table
from keras_depth.recipes import Recipe

LOCK = ".lock"
_UNSCORED = "# Not scored"


def name_run(recipe: Recipe, asked: str | None = None) -> str:
    """Names the folder of a run.

    Args:
        recipe: what is trained.
        asked: the recipe's name or file, as the user gave it. The run is named after it, with the
            architecture in front if several papers have a recipe of that name. None: the run is
            named after architecture and data set.
    """
    if not asked:
        return f"{recipe.architecture}-{recipe.data['name']}"
    name = Path(asked).stem
    namesakes = [known for known in recipes.list_recipes() if known.split("/")[1] == name]
    return f"{recipe.architecture}-{name}" if len(namesakes) > 1 else name


@dataclass(frozen=True)
class RunFrames:
    """The frames of a run, by the names that tell one from another.

    Attributes:
        train: those that it learns from, in their reader's order.
        validation: those that it validates on.
        since: the step after which these are its frames; 0: from the start.
        earlier: those that it learned from before that step, and does no more.
        looks: a few of the frames -> height, width, mean of the image (0 to 255) and of the depth
            (metres), by which another recording under the same names is noticed.
    """

    train: list[str]
    validation: list[str]
    since: int = 0
    earlier: list[str] = field(default_factory=list)
    looks: dict[str, list[float]] = field(default_factory=dict)


class RunFolder:
    """Knows the paths of one run's files, and reads and writes those that are not models.

    Args:
        path: the folder; `begin` makes it.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.yaml"
        self._environment_file = self.path / "environment.json"
        self.log_file = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.model_file = self.path / "model.keras"
        self.best_file = self.path / "best.keras"
        self.mean_depth_file = self.path / "mean_depth.npy"
        self.camera_file = self.path / "camera.json"
        self.frames_file = self.path / "frames.json"
        self.report_file = self.path / "report.md"
        self.figures = self.path / "figures"

    @property
    def is_scored(self) -> bool:
        """Whether the report of the finished run is there, with scores."""
        if not self.report_file.is_file():
            return False
        return not self.report_file.read_text(encoding="utf-8").startswith(_UNSCORED)

    @property
    def events(self) -> Path:
        """The folder of the log for TensorBoard."""
        return self.path / "tensorboard"

    def check(self, recipe: Recipe) -> None:
        """Checks that a run of the recipe can begin here or go on; writes nothing.

        Raises:
            InputError: the folder holds something else or a run of another recipe, or it cannot be
                written.
        """
        # A run killed before its first checkpoint has both; a recipe alone may be the user's own.
        begun = self.recipe_file.exists() and self._environment_file.exists()
        check_utf8(self.path)
        if self._has_checkpoints():
            self._check_same(recipe)
        elif not begun and self.path.exists() and not self._is_empty():
            raise InputError(
                f"{self.path}: not a run folder (it has no recipe.yaml); give --output a new folder"
            )
        if self.is_scored:  # a finished run, which is not written any more
            return
        for folder in (self.path, self.checkpoints, self.figures, self.events):
            check_writable(folder)
        for file in (self.model_file, self.best_file, self.log_file, self.report_file):
            if file.is_dir():
                raise cannot_write(file, IsADirectoryError(0, "it is a folder"))

    def begin(self, recipe: Recipe) -> None:
        """Makes the folder for a run that begins; leaves one that goes on as it is.

        Raises:
            InputError: see `check`.
        """
        self.check(recipe)
        make_folder(self.figures)
        if not self._has_checkpoints():
            write_text(self._environment_file, json.dumps(environment(), indent=2) + "\n")
            write_text(self.recipe_file, recipe.to_yaml())

    def recipe(self) -> Recipe:
        """Reads the run's recipe.

        Raises:
            InputError: the folder is not a run folder.
        """
        if not self.recipe_file.is_file():
            raise InputError(
                f"{self.path}: not a run folder (it has no recipe.yaml); give one that has it"
            )
        return recipes.load(str(self.recipe_file))

    def log(self, **row: Any) -> None:
        """Appends a row to the log.

        Raises:
            InputError: the disk is full.
        """
        try:
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise cannot_write(self.log_file, error) from error

    def log_rows(self) -> list[dict[str, Any]]:
        """Reads the rows of the log.

        Raises:
            InputError: the file is damaged.
        """
        if not self.log_file.exists():
            return []
        lines = self.log_file.read_text(encoding="utf-8").split("\n")
        # A killed run may leave half a line after the last newline.
        try:
            return [json.loads(line) for line in lines[:-1]]
        except json.JSONDecodeError as error:
            raise InputError(
                f"{self.log_file}: a line is not JSON ({error}); restore or delete the file"
            ) from error

    def mean_depth(self) -> np.ndarray | None:
        """Reads the mean depth map of the training frames, float32 (h, w), metres, if known.

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

    def write_camera(
        self,
        focal_baseline: float | None = None,
        focal_length: tuple[float, float] | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Writes what is known of the training images' camera, in pixels at the model's size.

        Args:
            focal_baseline: of stereo pairs, the focal length times the baseline in metres.
            focal_length: (fx, fy), if it is the same for all.
            size: (height, width) of the model's input.
        """
        known = {"focal_baseline": focal_baseline, "focal_length": focal_length, "size": size}
        known = {key: value for key, value in known.items() if value is not None}
        write_text(self.camera_file, json.dumps(known) + "\n")

    def focal_baseline(self) -> float | None:
        """Reads focal length times baseline of the training images, at the model's size, if known.

        Raises:
            InputError: the file is damaged.
        """
        (value,) = self._camera_numbers("focal_baseline", 1) or (None,)
        return value

    def focal_length(self) -> tuple[float, float] | None:
        """Reads (fx, fy) of the training images, in pixels at the model's size, if known.

        For this camera the model's metres are right: of a run with `canonical_focal_length`, it is
        the canonical one.

        Raises:
            InputError: the file is damaged.
        """
        fx, fy = self._camera_numbers("focal_length", 2) or (None, None)
        return None if fx is None or fy is None else (fx, fy)

    def _camera_numbers(self, key: str, count: int) -> list[float] | None:
        if not self.camera_file.exists():
            return None
        try:
            known = dict(json.loads(self.camera_file.read_text(encoding="utf-8")))
            value = known.get(key)
            numbers = [] if value is None else [float(number) for number in np.atleast_1d(value)]
        except (ValueError, TypeError):
            known = {}
        if not known or (numbers and (len(numbers) != count or not min(numbers) > 0)):
            raise InputError(
                f"{self.camera_file}: damaged; restore it, or delete it to go on without a camera"
            )
        return numbers or None

    def fit(self) -> str:
        """Reads how pictures are brought to the model's size: the recipe's `fit`, or "stretch".

        Raises:
            InputError: the recipe is damaged.
        """
        return self._recipe_entry("fit") or "stretch"

    def canonical(self) -> bool:
        """Tells whether the model learned depth of one canonical camera, from frames of several.

        Raises:
            InputError: the recipe is damaged.
        """
        return self._recipe_entry("canonical_focal_length") is not None

    def _recipe_entry(self, key: str) -> Any:
        """Reads a key of the recipe alone, which may be of an architecture that is not known here.

        Returns:
            Its value; None: there is no recipe, or no such key in it.
        """
        if not self.recipe_file.is_file():
            return None
        try:
            found = parse_yaml(self.recipe_file.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{self.recipe_file}: damaged; restore it") from error
        return found.get(key) if isinstance(found, dict) else None

    def note_data_dir(self, recipe: Recipe) -> None:
        """Writes into the run's recipe where the data set is now, if it was moved."""
        if not self.recipe_file.is_file():
            return
        there = self.recipe()
        if there.data.get("dir") != recipe.data.get("dir"):
            write_text(self.recipe_file, dataclasses.replace(there, data=recipe.data).to_yaml())

    def write_frames(self, frames: RunFrames) -> None:
        """Writes which frames the run trains and validates on."""
        write_text(self.frames_file, json.dumps(dataclasses.asdict(frames), indent=0) + "\n")

    def frames(self) -> RunFrames | None:
        """Reads which frames the run trains and validates on, if it is known.

        Raises:
            InputError: the file is damaged.
        """
        if not self.frames_file.exists():
            return None
        try:
            return RunFrames(**read_json(self.frames_file))
        except TypeError as error:
            raise InputError(
                f"{self.frames_file}: damaged; restore it, or delete it to go on without"
            ) from error

    def write_unscored(self, error: InputError) -> None:
        """Writes into the report why the finished run has no scores."""
        facts = table(["", ""], [["model", str(self.model_file)], ["data", str(error)]], "ll")
        remedy = f"The same train command scores it, or `evaluate {self.path}` other frames."
        write_text(self.report_file, "\n".join([_UNSCORED, "", *facts, "", remedy]) + "\n")

    def describe_size(self) -> str:
        """Returns the line that says how much of the disk the folder takes."""
        whole, checkpoints = _megabytes(self.path), _megabytes(self.checkpoints)
        return f"{self.path}: {whole:.3g} MB, of which checkpoints {checkpoints:.3g} MB"

    def truncate_log(self, step: int) -> None:
        """Removes the rows that a killed run logged after its last checkpoint, at `step`."""
        if self.log_file.exists():
            rows = [row for row in self.log_rows() if row["step"] <= step]
            write_text(self.log_file, "".join(json.dumps(row) + "\n" for row in rows))

    def _is_empty(self) -> bool:
        """Returns whether the folder holds nothing but what `begin` writes before the recipe."""
        first = (LOCK, self._environment_file.name, self.figures.name)
        return self.path.is_dir() and all(
            file.name in first or file.name.startswith(".partial-") for file in self.path.iterdir()
        )

    def _has_checkpoints(self) -> bool:
        return self.recipe_file.exists() and self.checkpoints.exists()

    def _check_same(self, recipe: Recipe) -> None:
        there, now = vars(self.recipe()), vars(recipe)
        different = [
            f"{key} ({there[key]!r} there, {now[key]!r} now)"
            for key in now
            if key != "published"  # does not change training
            and _without_folder(there[key]) != _without_folder(now[key])
        ]
        if different:
            raise InputError(
                f"{self.path}: holds a run of another recipe: {'; '.join(different)};"
                " give --output another folder, or the same recipe to go on"
            )


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _without_folder(value: Any) -> Any:
    """Returns a section without `dir`: the data set may have been moved."""
    return {k: v for k, v in value.items() if k != "dir"} if isinstance(value, dict) else value
