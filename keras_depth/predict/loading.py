"""What RUN is: a run, a .keras file, an exported network, a preset; and how its model is loaded."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_depth import listing, presets
from keras_depth.command import load_tensorflow, suggest
from keras_depth.environment import set_keras_defaults
from keras_depth.errors import InputError
from keras_depth.predict.exported import ON_TENSORFLOW, Exported, find_version, read_details

if TYPE_CHECKING:  # they take seconds to import, and what RUN is can be told without them
    import keras

    from keras_depth.recipes import Recipe
    from keras_depth.run_folder import RunFolder

KINDS = {
    "run": "a run folder (it holds model.keras)",
    "keras": "a .keras file",
    "exported": "an exported network (python -m keras_depth.export makes one)",
    "preset": "the name of a preset (python -m keras_depth list shows them)",
}
_RUNS = Path("runs")  # where training writes too


@dataclass(frozen=True)
class Source:
    """Where a trained network is.

    Attributes:
        kind: one of `KINDS`.
        path: the run folder, the .keras file, the folder that holds `export.json`, or the preset's.
    """

    kind: str
    path: Path

    @property
    def model_file(self) -> Path:
        """The .keras file, of a folder or itself; an exported network has none."""
        return self.path / "model.keras" if self.kind in ("run", "preset") else self.path

    @property
    def results(self) -> Path:
        """The folder of the network's exports, unless told otherwise: that of the .keras file.

        A preset may be a part of the installed package: its folder is in the working folder.
        """
        return _RUNS / self.path.name if self.kind == "preset" else self.run_folder.path

    @property
    def run_folder(self) -> RunFolder:
        """The folder around the .keras file, where training writes what belongs to it."""
        from keras_depth.run_folder import RunFolder

        return RunFolder(self.model_file.parent)

    @property
    def canonical(self) -> bool:
        """Whether it learned depth of one canonical camera, from frames of several.

        Raises:
            InputError: what says it is damaged.
        """
        if self.kind == "exported":
            return bool(read_details(self.path).get("canonical"))
        return self.run_folder.canonical()

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of a run, also of its best.keras, or a preset; None for other networks.

        Raises:
            InputError: the run folder has no recipe.
        """
        folder = self.run_folder
        of_run = self.model_file in (folder.model_file, folder.best_file)
        if self.kind in ("run", "preset") or of_run and folder.recipe_file.is_file():
            return folder.recipe()
        return None


def resolve(path: str | Path, *kinds: str) -> Source:
    """Finds out what RUN is.

    Every command that takes a trained network asks here. A folder that holds `export.json`, or
    versions of it, is an exported network, and its highest version counts; one that holds
    `model.keras` is a run folder, or a preset's if it also holds `card.md`; one around a single
    exported network is that network. A name that is no path is that of a preset of the package.

    Args:
        path: what the user gave.
        kinds: those of `KINDS` that the command takes; by default all.

    Raises:
        InputError: the path is none of them or holds several networks, or the preset is damaged.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{path!r}: no path; give that of {KINDS['run']}, or a preset's name")
    path, kinds = Path(path), kinds or tuple(KINDS)
    found = _find(path)
    networks = {} if found else networks_in(path)
    if len(networks) == 1:
        found = Source("exported", *networks.values())
    if found and found.kind in kinds:
        return found
    if len(networks) > 1 and "exported" in kinds:
        folders = ", ".join(str(path / name) for name in networks)
        raise InputError(f"{path}: holds several exported networks; give one of {folders}")
    if found:
        problem = f"this is {KINDS[found.kind]}"
    elif networks:
        problem = "this folder holds several exported networks"
    elif not path.exists():
        known = ", ".join(presets.list_presets())
        problem = f"no such file or folder, and no preset (known: {known})"
    elif (path / "recipe.yaml").is_file():
        problem = "this run has no model.keras yet, so run its train command again"
    elif path.is_dir():
        problem = "this folder holds no model.keras and no export.json"
    else:
        problem = "not a .keras file"
    *others, last = (KINDS[kind] for kind in kinds)
    wanted = f"{', '.join(others)} or {last}" if others else last
    raise InputError(f"{path}: {problem}; give {wanted}")


def load_runtime(run: str | Path) -> None:
    """Imports TensorFlow, without its notices, where the network needs it.

    ONNX Runtime and LiteRT run without, and start in a fraction of the time.

    Raises:
        InputError: see `resolve`.
    """
    source = resolve(run)
    if source.kind != "exported" or read_details(source.path)["format"] in ON_TENSORFLOW:
        load_tensorflow()


def suggest_next(run: str | Path) -> None:
    """Prints what to type once a network is tried or scored: its export, or an export's server."""
    if resolve(run).kind == "exported":
        suggest("serve", run)
    else:
        suggest("export", run, "--format", "saved_model")


def networks_in(path: Path) -> dict[str, Path]:
    """Finds the exported networks in a folder that is no RUN itself, as `export --output` makes it.

    Returns:
        The highest version of each, by the name of its folder.
    """
    if _find(path):
        return {}
    folders = [child for child in sorted(path.glob("*/")) if not child.name.startswith(".")]
    return {child.name: version for child in folders if (version := find_version(child))}


def _find(path: Path) -> Source | None:
    """Returns what a path itself is; None where it is at most a folder around something."""
    if not path.exists() and (folder := presets.find(path)):
        path = folder
    if version := find_version(path):
        return Source("exported", version)
    if presets.is_preset(path):
        presets.check(path)
        return Source("preset", path)
    if (path / "model.keras").is_file():
        return Source("run", path)
    if listing.ending(path) == ".keras" and path.is_file():
        return Source("keras", path)
    return None


def load_model(path: str | Path) -> keras.Model:
    """Loads the Keras model of a run folder, a .keras file or a preset.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no depth network.
    """
    import keras

    from keras_depth import models  # noqa: F401  (registers the layers that a file may hold)

    set_keras_defaults()  # they may have been changed since the import
    file = resolve(path, "run", "keras", "preset").model_file
    if not zipfile.is_zipfile(file):
        raise InputError(f"{file}: damaged, or no Keras model; copy it again from its source")
    try:
        model = keras.saving.load_model(file, compile=False)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        if own := _own_error(error):
            raise own from error
        # Keras wraps the reason in pages of configuration.
        reason = str(error).split("Exception encountered: ")[-1].split(". ")[0].split("\n")[0]
        raise InputError(
            f"{file}: this suite cannot load it ({reason}); copy it again, or train it again"
            " with this version"
        ) from error
    try:
        input_size(model)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return model


def _own_error(error: BaseException | None) -> InputError | None:
    """Returns the error of a layer of this suite that Keras has wrapped in its own."""
    found = None
    while error:
        if isinstance(error, InputError):
            found = error
        error = error.__context__
    return found


def load_exported(path: str | Path) -> Exported:
    """Loads an exported network, of several versions the highest.

    Raises:
        InputError: there is none, it is damaged, or its runtime is not installed.
    """
    return Exported(resolve(path, "exported").path)


def input_size(model: keras.Model) -> tuple[int, int]:
    """Returns the (height, width) that a depth network takes.

    Raises:
        InputError: the model is no depth network: it takes other things than one image of a fixed
            size, or does not return a map.
    """
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or None in shapes[0][1:]:
        raise InputError(
            f"model {model.name!r} takes {shapes or 'no fixed input'}; a depth network takes one"
            " picture, (None, height, width, 3), of a fixed size"
        )
    output = tuple(finest(model.outputs).shape)
    if len(output) != 4:
        raise InputError(
            f"model {model.name!r} returns {output}; a depth network returns a map, (None, height,"
            " width, channels)"
        )
    return shapes[0][1], shapes[0][2]


def finest(outputs: Any) -> Any:
    """Returns the finest of a network's maps, which is the first, or the only one."""
    return outputs[0] if isinstance(outputs, list | tuple) else outputs
