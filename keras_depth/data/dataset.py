"""Data sets: everything that the package knows of each, in one entry.

A new data set is a reader (see `reader.py`), a function that opens it, and an entry in `DATA_SETS`:

    def open_office(data_dir, split, *, floor=1) -> Reader: ...

    DATA_SETS.add("office", DataSet("office", opener="my_package.office:open_office"))
"""

import inspect
import os
import pkgutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras_depth.data.official import Official
from keras_depth.data.reader import Reader, check_split
from keras_depth.errors import InputError, check_choice
from keras_depth.registry import Registry


@dataclass(frozen=True)
class DataSet:
    """A data set: how it is opened, scored and checked.

    Attributes:
        name: what `--data` and `name` of a recipe's data section call it.
        opener: "module:function", imported on first use, so that a list of data sets costs
            nothing. It takes the folder and the split; its other arguments are the data set's
            options, and their defaults say of which type a value is.
        title: what reports call it; "": its name.
        rendered: frames are drawn and not read. The opener then takes no folder, and `split` is
            "train" or "test"; among its options are `count` and `size`.
        splits: those it may have; "validation" last, since it may be the test frames again.
        protocol: the name of the protocol that most papers score it under, see `protocols.py`.
        list_protocols: the same for the frames of one of its lists.
        stand_in: the rendered data set that rehearses the papers' rows on this one.
        scene: "indoor", "driving" or "any": which depth is plausible.
        sizes: (height, width) of its images, where they are known.
        official: "module:class", a `official.Official`: its published numbers of frames.
    """

    name: str
    opener: str
    title: str = ""
    rendered: bool = False
    splits: tuple[str, ...] = ("train", "test", "validation")
    protocol: str = "full"
    list_protocols: Mapping[str, str] = field(default_factory=dict)
    stand_in: str = "rooms"
    scene: str = "any"
    sizes: frozenset[tuple[int, int]] = frozenset()
    official: str = "keras_depth.data.official:Official"

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that `open` takes, and their defaults."""
        parameters = inspect.signature(pkgutil.resolve_name(self.opener)).parameters
        return MappingProxyType(
            {
                name: parameter.default
                for name, parameter in parameters.items()
                if name not in ("data_dir", "split")
            }
        )

    def open(
        self, data_dir: str | Path | None = None, split: str | None = "train", /, **options: Any
    ) -> Reader:
        """Opens a split, see `open_reader`.

        Raises:
            InputError: an unknown split or option, a value of another type, no folder where one is
                read, a folder where none is, or the folder does not hold the data set.
        """
        check_split(split)
        defaults = self.options
        for name, value in options.items():
            check_choice(f"option of {self.name}", name, defaults)
            _check_value(name, value, defaults[name])
        opener = pkgutil.resolve_name(self.opener)
        if self.rendered:
            if data_dir is not None:
                raise InputError(f"rendered frames are not read; leave out the folder {data_dir}")
            return opener(split="train" if split == "train" else "test", **options)
        if data_dir is None:
            raise InputError(
                f"{self.name}: give the folder that holds the data set with --data-dir"
            )
        if not isinstance(data_dir, str | os.PathLike):
            raise InputError(f"{self.name}: {data_dir!r} is no folder; give its path")
        return opener(data_dir, split, **options)

    def usual_protocol(self, frames: str | None = None) -> str:
        """Returns the name of the protocol that most papers use; `frames` is its list."""
        return self.list_protocols.get(frames or "", self.protocol)

    def find_official(self) -> Official:
        """Returns what is published of the data set's frames."""
        return pkgutil.resolve_name(self.official)()


def _check_value(key: str, value: Any, default: Any) -> None:
    """Raises InputError if an option's value is not of its default's type."""
    if isinstance(default, bool):
        right, kind = isinstance(value, bool), "true or false"
    elif isinstance(default, tuple):
        right = isinstance(value, list | tuple) and len(value) == len(default)
        right = right and all(isinstance(side, int) for side in value)
        kind = "[height, width]" if key == "size" else "two whole numbers"
    elif isinstance(default, int):
        right, kind = type(value) is int, "a whole number"
    elif isinstance(default, float) or default is None:
        right = value is default or type(value) in (int, float)
        kind = "a number"
    else:
        right, kind = isinstance(value, str | Path), "a text"
    if not right:
        raise InputError(f"data.{key} is {value!r}; give {kind}")


class _DataSets(Registry[DataSet]):
    def __missing__(self, name: str) -> DataSet:
        if name == "synthetic":  # an earlier README called it so
            warnings.warn("data set 'synthetic' is now 'rooms'; use that name", stacklevel=3)
            return self["rooms"]
        return super().__missing__(name)


DATA_SETS: Registry[DataSet] = _DataSets("data set")
for _entry in (
    DataSet(
        "rooms",
        opener="keras_depth.data.rendered.rooms:Rooms",
        title="rendered rooms",
        rendered=True,
        splits=("train", "test"),
        scene="indoor",
    ),
    DataSet(
        "drives",
        opener="keras_depth.data.rendered.drives:Drives",
        title="rendered drives",
        rendered=True,
        splits=("train", "test"),
        scene="driving",
    ),
    DataSet(
        "walks",
        opener="keras_depth.data.rendered.walks:Walks",
        title="rendered walks",
        rendered=True,
        splits=("train", "test"),
        scene="indoor",
    ),
    DataSet(
        "nyu",
        opener="keras_depth.data.nyu:open_nyu",
        title="NYU Depth v2",
        protocol="nyu_eigen",
        list_protocols={
            "das2024": "das2024",
            "wang": "wang_relative",
            "wang_small": "wang_relative",
        },
        stand_in="rooms",
        scene="indoor",
        sizes=frozenset({(480, 640)}),
        official="keras_depth.data.nyu.official:NyuOfficial",
    ),
    DataSet(
        "kitti",
        opener="keras_depth.data.kitti:open_kitti",
        title="KITTI",
        protocol="kitti_eigen_garg",
        list_protocols={
            "eigen_benchmark": "kitti_eigen_benchmark",
            "stereo2015": "kitti_stereo2015",
        },
        stand_in="drives",
        scene="driving",
        # Five days, five rectifications.
        sizes=frozenset({(375, 1242), (370, 1224), (374, 1238), (370, 1226), (376, 1241)}),
        official="keras_depth.data.kitti.official:KittiOfficial",
    ),
    DataSet("folder", opener="keras_depth.data.folders:open_folder"),
    DataSet(
        "prepared",
        opener="keras_depth.data.prepared.reader:open_prepared",
    ),
):
    DATA_SETS.add(_entry.name, _entry)
