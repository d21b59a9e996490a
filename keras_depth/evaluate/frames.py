"""The frames that are scored: a data set, a split of it and its options."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_depth import recipes
from keras_depth.data import DATA_SETS, Reader, open_reader
from keras_depth.data.reader import NoSplit
from keras_depth.errors import InputError
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.recipes import Recipe

_RENDERED_COUNT = 64  # rendered frames that are scored by default


@dataclass(frozen=True)
class Frames:
    """Names the frames to score, as `data.open_reader` takes them.

    Attributes:
        data: the data set; None: that of the run's recipe.
        data_dir: its folder; None: that of the run's recipe, or none for rendered frames.
        split: "train", "validation" or "test". None: test frames; of a run's own data set without
            test frames, validation frames.
        options: options of the data set.
    """

    data: str | None = None
    data_dir: str | Path | None = None
    split: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The data set, its folder and split; without a folder, the run's own or rendered ones."""
        folder = f" in {os.path.abspath(self.data_dir)}" if self.data_dir else ""
        return f"{self.data}{folder}{f', {self.split}' if self.split else ''}"

    def open(self, estimator: DepthEstimator | None = None) -> Reader:
        """Opens the frames, with defaults that suit the model.

        Rendered frames are few and of the model's size. A model that outputs disparity gets stereo
        pairs, whose camera converts disparity to metres.

        Args:
            estimator: the model that will be scored.

        Raises:
            InputError: there is no such data set or split, or it refuses an option.
        """
        if self.data is None:
            raise InputError("no data set is named; give --data")
        defaults: dict[str, Any] = {}
        if DATA_SETS[self.data].rendered:
            defaults["count"] = _RENDERED_COUNT
            if estimator:
                defaults["size"] = estimator.input_size
        if estimator and "stereo" in DATA_SETS[self.data].options:
            defaults["stereo"] = estimator.stereo
        return open_reader(self.data, self.data_dir, self.split, **{**defaults, **self.options})

    def open_own(self, recipe: Recipe) -> Reader:
        """Opens held-out frames of the recipe's own data set, with these options and folder.

        Raises:
            InputError: the frames cannot be read. Validation frames take the place of test frames
                only where the data set has none.
        """
        section = {**recipe.data, **self.options}
        if recipe.data.get("depth") == "none" and "depth" not in self.options:
            del section["depth"]  # trained without depth, scored with the data set's usual one
        if self.data_dir:
            section["dir"] = str(self.data_dir)
        recipe = dataclasses.replace(recipe, data=section)
        if self.split:
            return recipes.open_data(recipe, self.split)
        try:
            return recipes.open_data(recipe, "test")
        except NoSplit:  # but for test frames that are there and cannot be read, no others
            return recipes.open_data(recipe, "validation")

    def usual_protocol(self) -> str:
        """Returns the name of the usual protocol of these frames."""
        return DATA_SETS[self.data or ""].usual_protocol(self.options.get("list"))
