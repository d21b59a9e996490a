"""Training recipes: one YAML file for each published row.

A recipe holds everything that a training run depends on. Its sections `data`, `augmentation`,
`loss`, `optimizer` and `schedule` hold the arguments of the object they name, which checks them.
"""

import copy
import dataclasses
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import yaml

from keras_depth import files, published
from keras_depth.command import parse_yaml
from keras_depth.data import DATA_SETS, SPLITS, Reader, Subset, open_reader
from keras_depth.data.reader import read_bytes
from keras_depth.data.text_files import decode_text
from keras_depth.errors import (
    InputError,
    check_choice,
    check_keywords,
    first_line,
    unknown_name,
)
from keras_depth.letterbox import FITS
from keras_depth.listing import ending

# Names that other programs have for a key, and what it is called here.
ALIASES = {
    "lr": "optimizer.learning_rate",
    "learning_rate": "optimizer.learning_rate",
    "optimizer.lr": "optimizer.learning_rate",
}

FINE_TUNE = "fine_tune"  # the recipe that goes on from a trained network


@dataclass(frozen=True)
class Recipe:
    """Everything that one training run depends on.

    Attributes:
        architecture: a name of `list_architectures()`.
        encoding: how the model writes depth (see `encodings.py`); "": as its architecture does.
        options: the architecture's options that differ from its defaults.
        weights: see `create_model`; "none": random ones.
        data: the reader's `name` (see `data.open_reader`), its folder `dir`, `frames` and
            `validation_frames` (null: all the reader has), and the reader's own options.
        size: (height, width) that frames are brought to, and of the saved model's input.
        fit: how frames, and later the pictures that the model is given, are brought to `size` where
            their shape is another (see `letterbox.FITS`).
        canonical_focal_length: of the one camera, in pixels of frames of `size`, as whose pictures
            all are learned: depth is multiplied by this focal length over the frame's own. null:
            depth is learned as it is.
        augmentation: arguments of `data.augment.Augmentation`; a training step gets frames of its
            `crop`, in pixels of `size`.
        downsample: how depth is reduced to the size of the network's output, where that is
            smaller: "nearest" or "min" (see `data.targets.depth_target`).
        loss: `name` of a loss and its arguments.
        optimizer: `name` of an optimizer and its arguments (see `train/optimizers.py`).
        encoder_rate: what the learning rate is multiplied by for the encoder's weights; 0 freezes
            them, and their batch statistics.
        batch_norm: "trained", or "frozen": every batch norm keeps what it has, its statistics too.
        schedule: `name` of a learning-rate schedule and its arguments (see `train/schedules.py`).
        batch_size: frames per step, over all workers.
        epochs: passes over the training frames, each without its last, incomplete batch.
        steps: steps of the whole training, in place of `epochs`; 0: those of `epochs`.
        precision: a Keras dtype policy.
        seed: seeds weights, frame order, augmentation and dropout.
        protocol: how the result is scored (see `protocols.py`).
        published: the `paper`, and the `row` of its table, that the recipe stands for.
    """

    architecture: str
    data: dict[str, Any]
    size: tuple[int, int]
    loss: dict[str, Any]
    fit: str = "stretch"
    canonical_focal_length: float | None = None
    encoding: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    weights: str = "none"
    augmentation: dict[str, Any] = field(default_factory=dict)
    downsample: str = "nearest"
    optimizer: dict[str, Any] = field(default_factory=lambda: {"name": "adam"})
    encoder_rate: float = 1.0
    batch_norm: str = "trained"
    schedule: dict[str, Any] = field(default_factory=lambda: {"name": "constant"})
    batch_size: int = 8
    epochs: int = 20
    steps: int = 0
    precision: str = "float32"
    seed: int = 0
    protocol: str = "full"
    published: dict[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> str:
        values = {**dataclasses.asdict(self), "size": list(self.size)}
        return yaml.safe_dump(values, sort_keys=False)


def list_recipes() -> list[str]:
    """Returns the names of the recipes that ship with the package, as `paper/row`.

    `FINE_TUNE` is not among them: it is no network's own.
    """
    root = files.resource_folder("training")
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.glob("*/*.yaml"))


def usual(architecture: str, data: str | None = None) -> str:
    """Returns the name of the recipe that trains an architecture on a data set.

    Args:
        architecture: a name of `list_architectures()`.
        data: a name of `data.DATA_SETS`. On rendered frames, and for None, the recipe is its
            paper's `rooms` or `drives`; otherwise it is the architecture's published row on that
            data set or, if there is none, on another.

    Raises:
        InputError: there is no such architecture; the message names the nearest.

    Example:
        >>> usual("msfnet", "kitti")
        'msfnet/row2_kitti'
    """
    from keras_depth import models  # imports TensorFlow

    entry = models.get(architecture)
    own = [name for name in list_recipes() if name.startswith(f"{entry.paper}/")]
    rendered = [each.name for each in DATA_SETS.values() if each.rendered]
    if data is None or DATA_SETS[data].rendered:
        wanted = [] if data is None else [DATA_SETS[data].name]
        names = [f"{entry.paper}/{each}" for each in (*wanted, *rendered)]
        return next(name for name in names if name in own)
    row = f"{entry.paper}/{entry.recipe}"
    for name in (row, *own):  # the paper may have another row of this architecture on this data
        recipe = load(name)
        if (recipe.architecture, recipe.data["name"]) == (architecture, data):
            return name
    return row


def is_open(name: str) -> bool:
    """Returns whether a recipe leaves its architecture to a trained network, as `FINE_TUNE` does.

    To load such a recipe, give `architecture` and `size` as changes.

    Raises:
        InputError: no such recipe, or its file is damaged.
    """
    return "architecture" not in _read(_find(name))


def load(name: str, overrides: Iterable[str] = (), **changes: Any) -> Recipe:
    """Reads a recipe.

    Some values follow from those that are changed. If `epochs` is changed and `steps` is not, the
    recipe's `steps` no longer count. If the data set or its list is changed, options that the new
    data set does not take are dropped, and the recipe gets the usual protocol of the new frames
    unless `protocol` is changed too. With another data set or architecture, the recipe no longer
    stands for its published row.

    Args:
        name: `paper/row`, the row's file name alone if only one paper has it, `FINE_TUNE`, or the
            path of a YAML file.
        overrides: "key=value" or "section.key=value", the value in YAML.
        **changes: fields to set; None leaves the recipe's value.

    Raises:
        InputError: no such recipe, an unknown key (the nearest is named), a value of another type.

    Example:
        >>> load("jetson_fcnn/rooms", ["loss.alpha2=3", "epochs=5"]).epochs
        5
    """
    path = _find(name)
    values = _read(path)
    own = copy.deepcopy(values)
    changes = {key: value for key, value in changes.items() if value is not None}
    values.update(copy.deepcopy(changes))
    changed = {*changes, *(_override(values, override) for override in overrides)}
    if "epochs" in changed and "steps" not in changed:
        values["steps"] = 0
    return _adapt(_check(values, path), own, changed)


def open_data(recipe: Recipe, purpose: str) -> Reader:
    """Opens the frames of a recipe; a network that writes disparity gets stereo pairs.

    Args:
        recipe: its `data` section says which data set, and how many frames.
        purpose: the split, "train", "validation" or "test".

    Raises:
        InputError: an unknown split, or the recipe's folder does not hold the data set.
    """
    check_choice("split", purpose, SPLITS)
    section = dict(recipe.data)
    limits = {split: section.pop(key, None) for split, key in _LIMITS.items()}
    limit = limits.get(purpose)  # none for test frames
    for count in limits.values():
        if count is not None and (not isinstance(count, int) or count < 1):
            raise InputError(f"data: give a whole number of frames above 0, or null, not {count!r}")
    name, data_dir = section.pop("name"), section.pop("dir", None)
    if "stereo" in DATA_SETS[name].options:
        section = {"stereo": _writes_disparity(recipe)} | section
    if DATA_SETS[name].rendered:
        # Drawn on demand: as many as asked for, at the model's size.
        if purpose == "test":
            limit = limits["validation"]
        section = {"count": limit or _COUNTS[purpose], "size": recipe.size} | section
        limit = None
    reader = open_reader(name, data_dir, purpose, **section)
    if limit is None or limit >= len(reader):
        return reader
    return Subset(reader, [i * len(reader) // limit for i in range(limit)])


def _writes_disparity(recipe: Recipe) -> bool:
    from keras_depth import encodings, models  # import TensorFlow

    name = recipe.encoding or models.get(recipe.architecture).encoding
    return encodings.ENCODINGS[name].stereo


_LIMITS = {"train": "frames", "validation": "validation_frames"}  # their keys in `data`
_COUNTS = {"train": 2400, "validation": 64, "test": 64}


def _find(name: str) -> Path:
    if ending(name) in (".yaml", ".yml"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"recipe {name}: no such file; check its path")
        return path
    known = [*list_recipes(), FINE_TUNE]
    found = [each for each in known if name in (each, each.split("/")[-1])]
    if len(found) > 1:
        raise InputError(f"recipe {name}: there are {', '.join(found)}; give one of these")
    if not found:
        raise unknown_name("recipe", name, [each.split("/")[-1] for each in known])
    return files.resource_folder("training") / f"{found[0]}.yaml"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(decode_text(read_bytes(path), str(path)))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not a YAML file ({first_line(error)}); correct it") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a recipe must be `key: value` lines, got {values!r:.40}")
    return _without_aliases(values)


def _without_aliases(values: dict[str, Any]) -> dict[str, Any]:
    """Moves the values of a recipe's aliases to the keys that they stand for."""
    for alias in ALIASES:
        *sections, last = alias.split(".")
        holder = values.get(sections[0]) if sections else values
        if isinstance(holder, dict) and last in holder:
            section, key = _resolve_alias(alias).split(".")
            values.setdefault(section, {})[key] = holder.pop(last)
    return values


def _override(values: dict[str, Any], text: str) -> str:
    """Sets the value of "section.key=value" in a recipe's values; returns the changed field."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write it as key=value, for example loss.alpha2=3")
    key = _resolve_alias(key.strip())
    *sections, last = key.split(".")
    if len(sections) > 1:
        raise InputError(f"--set {text}: sections do not nest; write section.key=value")
    changed = (sections or [last])[0]
    check_choice("recipe key", changed, _FIELDS)
    target = values
    for section in sections:
        target = values.setdefault(section, {})
        if not isinstance(target, dict):
            raise InputError(
                f"--set {text}: {section!r} is one value, not a section; leave out .{last}"
            )
    try:
        target[last] = parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(
            f"--set {text}: {value!r} is not a YAML value; check its brackets"
        ) from error
    return changed


def _resolve_alias(key: str) -> str:
    """Returns what a key, "key" or "section.key", is called here; says so where that differs."""
    if key in ALIASES:
        warnings.warn(f"recipe key {key!r} is here {ALIASES[key]!r}; use that name", stacklevel=4)
    return ALIASES.get(key, key)


_FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}
_EXPECTED: dict[type, str] = {
    dict: "a section of `key: value` lines",
    tuple: "two whole numbers, [height, width]",
    int: "a whole number of 1 or more (seed, steps: 0 or more)",
    float: "a number of 0 or more",
    str: "a text",
}


def _check(values: dict[str, Any], path: Path) -> Recipe:
    """Makes a recipe of the values read from `path`.

    Raises:
        InputError: a key is unknown or missing, or its value is of another type.
    """
    for key, value in values.items():
        check_choice(f"recipe key in {path.name}", key, _FIELDS)
        annotation: Any = _FIELDS[key].type
        optional = NoneType in get_args(annotation)
        if optional and value is None:
            continue
        # float of float | None, dict of dict[str, Any]
        kind = get_args(annotation)[0] if optional else get_origin(annotation) or annotation
        if kind is tuple and isinstance(value, list):
            values[key] = value = tuple(value)
        if kind is float and type(value) is int:
            values[key] = value = float(value)
        right = isinstance(value, kind) and not isinstance(value, bool)
        if kind is int:
            right = right and value >= (0 if key in ("seed", "steps") else 1)
        elif kind is float:
            right = right and 0 <= value < math.inf and not (optional and value == 0)
        elif kind is tuple:
            right = right and len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value)
        if not right:
            expected = "a number above 0, or null" if optional else _EXPECTED[kind]
            raise InputError(f"{path}: {key} must be {expected}, got {value!r}")
    for key, entry in _FIELDS.items():
        required = entry.default is dataclasses.MISSING and entry.default_factory is entry.default
        if required and key not in values:
            raise InputError(f"{path}: the recipe lacks {key!r}; add it")
    if "fit" in values:
        check_choice(f"value of fit in {path.name}", values["fit"], FITS)
    for section in ("data", "loss", "optimizer", "schedule"):
        if section in values and "name" not in values[section]:
            raise InputError(f"{path}: section {section!r} lacks its `name`; add it")
    if row := values.get("published"):
        check_keywords(f"key of published in {path.name}", published.row, row)
        if set(row) != {"paper", "row"}:
            raise InputError(f"{path}: section 'published' needs `paper` and `row`")
        published.row(**row)  # raises if there is none
    return Recipe(**values)


def _adapt(recipe: Recipe, own: dict[str, Any], changed: set[str]) -> Recipe:
    """Makes a recipe's other values follow a change of its data or architecture.

    Args:
        recipe: with the changes.
        own: the values in the recipe's file.
        changed: the fields that were asked for.
    """
    own_data = own["data"] if isinstance(own.get("data"), dict) else {}
    name, own_name = recipe.data["name"], own_data.get("name")
    if recipe.architecture != own.get("architecture") or name != own_name:
        recipe = dataclasses.replace(recipe, published={})
    if own_name not in (None, name):
        # Two data sets may both have lists, but none in common.
        taken = {"name", *_LIMITS.values(), *DATA_SETS[name].options} - {"list"}
        data = {
            key: value
            for key, value in recipe.data.items()
            if key in taken or key not in own_data or value != own_data[key]
        }
        recipe = dataclasses.replace(recipe, data=data)
    frames, own_frames = recipe.data.get("list"), own_data.get("list")
    if "protocol" not in changed and (name, frames) != (own_name, own_frames):
        recipe = dataclasses.replace(recipe, protocol=DATA_SETS[name].usual_protocol(frames))
    return recipe
