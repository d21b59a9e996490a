"""Training recipes: one YAML file a published row, and what it means.

A recipe names everything a training run depends on. Its sections `data`, `augmentation`, `loss`,
`optimizer` and `schedule` hold the arguments of what they name, which refuses a key that it does
not take.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin

import yaml

from keras_depth import files
from keras_depth import published as tables
from keras_depth.command import parse_yaml
from keras_depth.data import RENDERED, SPLITS, Reader, Subset, open_reader, reader_options
from keras_depth.errors import InputError, check_keywords, unknown_name


@dataclass(frozen=True)
class Recipe:
    """What one training run depends on.

    Attributes:
        architecture: a name of `list_architectures()`.
        encoding: how the network is to write depth (see `encodings.py`); "": its architecture's.
        options: the builder's options, where they differ from its defaults.
        weights: see `create_model`; "none" are random ones.
        data: the reader's `name` (see `data.open_reader`), its folder `dir`, `frames` and
            `validation_frames` (null: all the reader has), and the reader's own options.
        size: (height, width) of a frame as the network sees it, and of the saved model's input.
        augmentation: arguments of `data.augment.Augmentation`; its `crop`, in pixels of `size`,
            is what a training step sees.
        downsample: how depth is reduced to the size of the network's output, where that is
            smaller: "nearest" or "min" (see `data.targets.depth_target`).
        loss: `name` of a loss and its arguments.
        optimizer: `name` of an optimizer, Keras' or `optimizers.py`'s, and its arguments.
        schedule: `name` of a learning-rate schedule and its arguments (see `schedules.py`).
        batch_size: frames a step, over all workers.
        epochs: passes over the training frames, each without its last, incomplete batch.
        steps: training steps in all; 0: those of `epochs`, which otherwise decides nothing.
        precision: a Keras dtype policy.
        seed: of weights, frame order, augmentation and dropout.
        protocol: how `evaluate` scores the result (see `protocols.py`).
        published: the `paper` and `row` of its table that the recipe stands for.
    """

    architecture: str
    data: dict[str, Any]
    size: tuple[int, int]
    loss: dict[str, Any]
    encoding: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    weights: str = "none"
    augmentation: dict[str, Any] = field(default_factory=dict)
    downsample: str = "nearest"
    optimizer: dict[str, Any] = field(default_factory=lambda: {"name": "adam"})
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
    """Returns the names of the recipes that ship with the package, as `paper/row`."""
    root = files.resource_folder("training")
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.glob("*/*.yaml"))


def load(name: str, overrides: Iterable[str] = (), **changes: Any) -> Recipe:
    """Reads a recipe.

    Args:
        name: `paper/row`, the row's file name alone where one paper has it, or the path of a YAML
            file.
        overrides: "key=value" or "section.key=value", the value in YAML.
        **changes: fields to set; None leaves the recipe's value.

    Where either sets `epochs` and not `steps`, the recipe's own `steps` no longer count. Of a
    recipe that is given another data set, the options that this does not take are left out. Given
    another data set or architecture, it stands for no published row.

    Raises:
        InputError: no such recipe, an unknown key (the nearest is named), a value of another type.

    Example:
        >>> load("jetson_fcnn/rooms", ["loss.alpha2=3", "epochs=5"]).epochs
        5
    """
    path = _find(name)
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a YAML file ({str(error).splitlines()[0]})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a recipe is a list of `key: value` lines")
    own_architecture, own_data = values.get("architecture"), values.get("data")
    own_data = dict(own_data) if isinstance(own_data, dict) else {}
    changes = {key: value for key, value in changes.items() if value is not None}
    values.update(changes)
    changed = {*changes, *(_override(values, override) for override in overrides)}
    if "epochs" in changed and "steps" not in changed:
        values["steps"] = 0
    recipe = _check(values, path)
    if recipe.architecture != own_architecture or recipe.data["name"] != own_data.get("name"):
        recipe = dataclasses.replace(recipe, published={})  # it stands for the row no longer
    return dataclasses.replace(recipe, data=_without_leftovers(recipe.data, own_data))


def open_data(recipe: Recipe, purpose: str) -> Reader:
    """Opens a recipe's frames.

    Args:
        recipe: its `data` section says what and how many.
        purpose: the split, "train", "validation" or "test".

    Raises:
        InputError: an unknown split, no data set where the recipe says, or not the layout of one.
    """
    if purpose not in SPLITS:
        raise unknown_name("split", purpose, SPLITS)
    section = dict(recipe.data)
    limits = {split: section.pop(key, None) for split, key in _LIMITS.items()}
    limit = limits.get(purpose)  # of test frames all count
    for count in limits.values():
        if count is not None and (not isinstance(count, int) or count < 1):
            raise InputError(f"data: give a whole number of frames above 0, or null, not {count!r}")
    name, data_dir = section.pop("name"), section.pop("dir", None)
    if name in RENDERED:
        # Drawn on demand, as many as asked for, at the size the network sees.
        if purpose == "test":
            limit = limits["validation"]
        section = {"count": limit or _COUNTS[purpose], "size": recipe.size} | section
        limit = None
    reader = open_reader(name, data_dir, purpose, **section)
    if limit is None or limit >= len(reader):
        return reader
    return Subset(reader, [i * len(reader) // limit for i in range(limit)])


_LIMITS = {"train": "frames", "validation": "validation_frames"}  # their keys in `data`
_COUNTS = {"train": 2400, "validation": 64, "test": 64}


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"recipe {name}: no such file")
        return path
    known = list_recipes()
    found = [each for each in known if name in (each, each.split("/")[1])]
    if len(found) > 1:
        raise InputError(f"recipe {name}: there are {', '.join(found)}; give one of these")
    if not found:
        raise unknown_name("recipe", name, [each.split("/")[1] for each in known])
    return files.resource_folder("training") / f"{found[0]}.yaml"


def _override(values: dict[str, Any], text: str) -> str:
    """Sets what "section.key=value" says in the recipe's values; returns the field it changes."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write it as key=value, for example loss.alpha2=3")
    *sections, last = key.strip().split(".")
    if len(sections) > 1:
        raise InputError(f"--set {text}: sections do not nest; write section.key=value")
    known = [f.name for f in dataclasses.fields(Recipe)]
    changed = (sections or [last])[0]
    if changed not in known:
        raise unknown_name("recipe key", changed, known)
    target = values
    for section in sections:
        target = values.setdefault(section, {})
        if not isinstance(target, dict):
            raise InputError(f"--set {text}: {section!r} is one value, not a section")
    try:
        target[last] = parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text}: {value!r} is not a YAML value") from error
    return changed


def _without_leftovers(data: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what the recipe says of its own data set and another one does not take."""
    name = data["name"]
    if name == own.get("name", name):
        return data
    # Two data sets may both have lists, but none in common.
    taken = {"name", *_LIMITS.values(), *reader_options(name)} - {"list"}
    return {k: v for k, v in data.items() if k in taken or k not in own or v != own[k]}


_EXPECTED: dict[type, str] = {
    dict: "a section of `key: value` lines",
    tuple: "two whole numbers, [height, width]",
    int: "a whole number of 1 or more (seed, steps: 0 or more)",
    str: "a text",
}


def _kind(annotation: Any) -> type:
    """Returns `dict` of `dict[str, Any]`, and so on."""
    return get_origin(annotation) or annotation


def _check(values: dict[str, Any], path: Path) -> Recipe:
    fields = {f.name: f for f in dataclasses.fields(Recipe)}
    for key, value in values.items():
        if key not in fields:
            raise unknown_name(f"recipe key in {path.name}", key, fields)
        kind = _kind(fields[key].type)
        if kind is tuple and isinstance(value, list | tuple):
            values[key] = value = tuple(value)
        right = isinstance(value, kind) and not isinstance(value, bool)
        if kind is int:
            right = right and value >= (0 if key in ("seed", "steps") else 1)
        elif kind is tuple:
            right = right and len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value)
        if not right:
            raise InputError(f"{path}: {key} must be {_EXPECTED[kind]}, got {value!r}")
    for key, entry in fields.items():
        required = entry.default is dataclasses.MISSING and entry.default_factory is entry.default
        if required and key not in values:
            raise InputError(f"{path}: the recipe lacks {key!r}")
    for section in ("data", "loss", "optimizer", "schedule"):
        if section in values and "name" not in values[section]:
            raise InputError(f"{path}: section {section!r} lacks its `name`")
    if published := values.get("published"):
        check_keywords(f"key of published in {path.name}", tables.row, published)
        if set(published) != {"paper", "row"}:
            raise InputError(f"{path}: section 'published' needs `paper` and `row`")
        tables.row(**published)
    return Recipe(**values)
