"""What a train command starts from: a recipe, and why it is this one; a trained network, if any.

Architecture, options and encoding belong to the network, and come from it; all else belongs to the
training, and comes from the recipe. So does the size, if the recipe has one: `fine_tune` has none.
"""

import dataclasses
import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_depth import models, recipes
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError
from keras_depth.predict.loading import input_size, load_model, resolve
from keras_depth.recipes import Recipe
from keras_depth.run_folder import RunFolder, name_run
from keras_depth.train.checkpoints import Checkpoints

# Losses of logarithms suit these encodings; for others the network keeps the loss of its training.
_LENGTHS = ("metric", "centimetres")


@dataclass(frozen=True)
class Start:
    """A training that has been asked for.

    Attributes:
        recipe: what to train, with all changes.
        folder: where.
        lines: what a user should know of it: the recipe and why it is this one, and the weights.
    """

    recipe: Recipe
    folder: RunFolder
    lines: list[str]


@dataclass(frozen=True)
class Network:
    """A trained network that training goes on from.

    Attributes:
        weights: where it is, as the user named it.
        architecture: a name of `list_architectures()`.
        options: of the architecture.
        encoding: as in a recipe; "": as the architecture does.
        size: (height, width) that it takes.
        training: the recipe that it was trained by, if there is one beside it.
        layers: how many layers have weights.
    """

    weights: str
    architecture: str
    options: dict[str, Any]
    encoding: str
    size: tuple[int, int]
    training: Recipe | None
    layers: int = 0

    @property
    def title(self) -> str:
        return f"{self.weights} ({self.architecture}, {self.size[0]}x{self.size[1]})"


def prepare(
    architecture: str | None = None,
    recipe: str | None = None,
    data: str | None = None,
    weights: str | None = None,
    *,
    data_dir: Path | None = None,
    output: Path | None = None,
    overrides: Iterable[str] = (),
    **changes: Any,
) -> Start:
    """Finds the recipe, the run folder and the first weights of a train command.

    Args:
        architecture, recipe, data: see `choose_recipe`; `recipe` may be the path of a YAML file.
        weights: see `models.create_model`; None: those of the recipe.
        data_dir: the folder of the data set.
        output: the run folder. Defaults to one in `runs/` named after what is trained on what.
        overrides: "key=value" changes of the recipe; they win over all else but `data` and
            `data_dir`.
        **changes: other fields of the recipe; None leaves the recipe's value.

    Raises:
        InputError: nothing says which recipe, the recipe is wrong, or the weights are of another
            architecture or of none of this suite's.
    """
    name, reason = choose_recipe(architecture, recipe, data, weights)
    lines = [f"recipe {name}: {reason}"]
    overrides = list(overrides)
    if data:
        overrides.append(f"data.name={data}")
    if data_dir:
        overrides.append(f"data.dir={json.dumps(str(data_dir.expanduser().resolve()))}")
    changes |= {"architecture": architecture, "weights": weights}
    if recipes.is_open(name):
        folder = RunFolder(output or Path("runs") / _name_tuned(weights, data_dir, data))
        network = _find_network(_check_named(name, weights), folder)
        _check_architecture(network, architecture)
        loaded = recipes.load(name, overrides, **{**changes, **_fields_of(network)})
    else:
        loaded = recipes.load(name, overrides, **changes)
        folder = RunFolder(output or Path("runs") / name_run(loaded, recipe))
        if not names_network(loaded.weights):
            return Start(loaded, folder, lines)
        try:
            network = _find_network(loaded.weights, folder)
        except InputError as error:
            if weights:
                raise
            raise InputError(f"recipe {name} goes on from a trained network: {error}") from error
        _check_architecture(network, loaded.architecture)
    loaded = dataclasses.replace(
        loaded,
        options=network.options | loaded.options,
        encoding=loaded.encoding or network.encoding,
    )
    if network.size != loaded.size and not Checkpoints.exist(folder):
        _warn_of_other_size(network, loaded)
    return Start(loaded, folder, [*lines, _describe(network, loaded, folder)])


def choose_recipe(
    architecture: str | None, recipe: str | None, data: str | None, weights: str | None
) -> tuple[str, str]:
    """Returns the name of the recipe that a train command asks for, and why it is this one.

    Args:
        architecture: a name of `list_architectures()`.
        recipe: a recipe's name or file.
        data: a name of `data.DATA_SETS`.
        weights: see `models.create_model`.

    Raises:
        InputError: none of them says which recipe.
    """
    if recipe:
        return recipe, "--recipe names it"
    if architecture:
        name = recipes.usual(architecture, data)
        return name, _reason(name, architecture, data)
    if weights and names_network(weights):
        return recipes.FINE_TUNE, "--weights names a trained network, and there is no --recipe"
    given = f"--weights {weights} names no trained network, so " if weights else ""
    raise InputError(
        f"{given}give --arch or --recipe, or --weights with a trained network to fine-tune; --help"
        " shows examples"
    )


def _reason(name: str, architecture: str, data: str | None) -> str:
    own = recipes.load(name)
    trained_on = DATA_SETS[own.data["name"]]
    title = trained_on.title or trained_on.name
    if data is None:
        return f"{architecture} without --data trains on {title}"
    row = "published row" if own.published else "recipe"
    if DATA_SETS[data].name != trained_on.name:
        return f"no recipe trains {architecture} on {data}, so this takes its {row} on {title}"
    if trained_on.rendered:
        return f"{architecture} on {title}"
    if own.architecture != architecture:
        return f"{architecture} follows the recipe of {own.architecture} on {title}"
    return f"the {row} of {architecture} on {title}"


def names_network(weights: str) -> bool:
    """Returns whether weights are a trained network's: a RUN, not ImageNet's or a file of weights.

    The files are `.pth`, `.h5` and `.weights.h5`, which name no network.
    """
    return weights not in ("none", "imagenet") and not weights.endswith((".pth", ".h5"))


def _check_named(recipe: str, weights: str | None) -> str:
    if weights and names_network(weights):
        return weights
    raise InputError(
        f"recipe {recipe} has no architecture, so it goes on from a trained network; give it with"
        " --weights RUN"
    )


def _name_tuned(weights: str | None, data_dir: Path | None, data: str | None) -> str:
    """Names the folder of a fine-tuned run after its network and its data."""
    path = Path(weights or "").absolute()
    # Each run folder has files of these names.
    network = path.parent.name if path.name in ("model.keras", "best.keras") else path.stem
    return f"{network}-{data_dir.expanduser().resolve().name if data_dir else data or 'folder'}"


def _find_network(weights: str, folder: RunFolder) -> Network:
    """Reads what a trained network brings with it.

    A run that has begun resumes without the network: all of it is in its recipe and its checkpoint.

    Raises:
        InputError: there is no such network, or it is none of this suite's.
    """
    try:
        source = resolve(weights, "run", "keras", "preset")
    except InputError:
        begun = folder.recipe() if Checkpoints.exist(folder) else None
        if begun is None or begun.weights != weights:
            raise
        return Network(
            weights, begun.architecture, begun.options, begun.encoding, begun.size, begun
        )
    model = load_model(source.path)
    entry = models.of(model)
    if entry is None:
        raise InputError(
            f"weights {weights}: the network {model.name!r} is none of this suite's architectures,"
            " so it cannot be trained further; give a network that python -m keras_depth.train made"
        )
    training = source.run_folder.recipe() if source.run_folder.recipe_file.is_file() else None
    if training and training.architecture != entry.name:
        training = None  # of another network, which a .keras file was put beside
    options = entry.options_of(training.weights) | training.options if training else {}
    return Network(
        weights=weights,
        architecture=entry.name,
        options=options,
        encoding="" if entry.encoding == models.get(entry.name).encoding else entry.encoding,
        size=input_size(model),
        training=training,
        layers=sum(bool(layer.weights) for layer in model.layers),
    )


def _check_architecture(network: Network, wanted: str | None) -> None:
    """Raises InputError if the network is of another architecture than was asked for."""
    if wanted not in (None, network.architecture):
        raise InputError(
            f"weights {network.weights}: a trained {network.architecture}, which {wanted} cannot"
            f" start from; give weights of {wanted}, or leave out --arch and --recipe to fine-tune"
            f" {network.architecture}"
        )


def _fields_of(network: Network) -> dict[str, Any]:
    """Returns the fields that a network gives a recipe without an architecture."""
    fields: dict[str, Any] = {"architecture": network.architecture, "size": network.size}
    encoding = network.encoding or models.get(network.architecture).encoding
    if network.training and encoding not in _LENGTHS:
        fields |= {"loss": network.training.loss, "downsample": network.training.downsample}
    return fields


def _warn_of_other_size(network: Network, recipe: Recipe) -> None:
    (height, width), own = recipe.size, network.size
    warnings.warn(
        f"weights {network.weights}: trained on pictures of {own[0]}x{own[1]}, and this training's"
        f" are {height}x{width}, where things are larger or smaller than it has learned; --set"
        f" size=[{own[0]}, {own[1]}] keeps its size",
        stacklevel=3,
    )


def _describe(network: Network, recipe: Recipe, folder: RunFolder) -> str:
    """Returns the line that says which weights training starts from."""
    if Checkpoints.exist(folder):
        return f"weights: the last checkpoint in {folder.path}, which began from {network.title}"
    if recipe.weights != network.weights:
        return f"weights: {recipe.weights}"
    height, width = recipe.size
    other = "" if recipe.size == network.size else f"; the recipe trains at {height}x{width}"
    return f"weights: {network.title}, all {network.layers} layers{other}"
