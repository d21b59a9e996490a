"""The registry of networks: what an architecture is, and how one is built by name."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from keras_depth import presets
from keras_depth.environment import set_keras_defaults
from keras_depth.errors import InputError, check_choice, check_kinds, first_line, shown
from keras_depth.models.blocks import Sides
from keras_depth.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One network of a paper. Its entry stands below its builder, in the paper's file.

    Attributes:
        name: what `create_model` and the commands call it; the model carries it too.
        paper: the paper's file here, and the folder of its recipes in `training/`.
        citation: authors, title, where and when it was published.
        description: one line.
        build: function (input_shape, weights, *, name, **options) -> keras.Model.
        sides: function (**options) -> the image sides that the network takes with these options.
            The builder refuses all others.
        recipe: the published row that `train --arch NAME` follows on the paper's data.
        parameters: with the default options, all and trainable.
        encoding: how the network writes depth, a name of `ENCODINGS`.
        options_of: function of the path of an encoder's weights -> the options that go with them.
        decoder: how the names of the decoder's layers begin; all others are the encoder's.
        size: (height, width) of the input unless another is asked for.
    """

    name: str
    paper: str
    citation: str
    description: str
    build: Callable[..., keras.Model]
    sides: Callable[..., Sides] = lambda **options: Sides()
    recipe: str
    parameters: tuple[int, int]
    encoding: str = "metric"
    options_of: Callable[[str], dict[str, Any]] = lambda weights: {}
    decoder: tuple[str, ...] = ()
    size: tuple[int, int] = (240, 320)

    @property
    def options(self) -> dict[str, Any]:
        """The builder's options and their defaults for this network."""
        parameters = inspect.signature(self.build).parameters
        fixed = ("input_shape", "weights", "name")
        return {key: value.default for key, value in parameters.items() if key not in fixed}

    def encoder_layers(self, model: keras.Model) -> list[keras.Layer]:
        """Returns the layers of one of its models that the decoder does not have.

        Raises:
            InputError: the entry does not say which layers are the decoder's.
        """
        if not self.decoder:
            raise InputError(
                f"{self.name}: its entry does not name its decoder's layers, so that its encoder"
                " cannot be treated apart; name them in `decoder`, or set encoder_rate=1"
            )
        return [layer for layer in model.layers if not layer.name.startswith(self.decoder)]


ARCHITECTURES: Registry[Architecture] = Registry("architecture")


def register(architecture: Architecture) -> None:
    """Adds a network.

    Raises:
        InputError: the name is taken, or it is no `Architecture`.
    """
    if not isinstance(architecture, Architecture):
        raise InputError(f"network {shown(architecture)}: give an `Architecture`")
    ARCHITECTURES.add(architecture.name, architecture)


def get(name: str) -> Architecture:
    """Returns the network called `name`.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    return ARCHITECTURES[name]


def of(model: keras.Model) -> Architecture | None:
    """Returns the architecture of a model by the model's name; None: no network of that name.

    A model trained to another encoding than its architecture's is called "name-encoding", so that
    its file says how it writes depth wherever it is copied. The entry returned has that encoding.

    Raises:
        InputError: it is no Keras model.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"model {shown(model)}: give a Keras model")
    name, _, encoding = model.name.partition("-")
    entry = ARCHITECTURES.get(name)
    return replace(entry, encoding=encoding) if entry and encoding else entry


def list_architectures(paper: str | None = None) -> list[str]:
    """Returns the names of all networks, or of one paper's.

    Raises:
        InputError: there is no network of that paper.
    """
    if paper is not None:
        check_choice("paper", paper, {entry.paper for entry in ARCHITECTURES.values()})
    return [name for name, entry in ARCHITECTURES.items() if paper in (None, entry.paper)]


def create_model(
    name: str,
    input_shape: Sequence[int] | None = None,
    weights: str | Path | None = None,
    **options: Any,
) -> keras.Model:
    """Builds a network by name.

    Args:
        name: see `list_architectures()`.
        input_shape: (height, width, 3) of the image. Defaults to the network's own `size`.
        weights: None or "none" (random), "imagenet" (the encoder's), the name of a preset or the
            path of a trained model (`.keras`, `.weights.h5` or a run folder), whose size may
            differ, or a file of the encoder's alone: `.h5` as keras.applications saves it, or
            PyTorch's `.pth` of an encoder that keras.applications does not have.
        **options: the builder's; `models.get(name).options` lists them.

    Returns:
        A functional model from RGB in [0, 1], (B, height, width, 3), to the network's output,
        finest first.

    Raises:
        InputError: unknown name or option, a size it cannot take, weights that do not fit.

    Example:
        >>> model = create_model("lite_basic_interl_t", input_shape=(240, 320, 3))
        >>> model.output_shape
        (None, 240, 320, 1)
    """
    set_keras_defaults()  # they may have been changed since the import
    architecture = get(name)
    for option in options:
        check_choice(f"option of {name}", option, architecture.options)
    check_kinds(f"option of {name}", architecture.options, options)
    shape = (*architecture.size, 3) if input_shape is None else input_shape
    given = "none" if weights is None else str(weights)
    if given == "imagenet" or given.endswith(".pth") or is_encoder_h5(given):
        options = architecture.options_of(given) | options
        return architecture.build(shape, given, name=name, **options)
    model = architecture.build(shape, None, name=name, **options)
    if given != "none":
        _load_weights(model, Path(given))
    return model


def is_encoder_h5(path: str) -> bool:
    """Returns whether a file's name is that of an encoder's weights as keras.applications saves."""
    return path.endswith(".h5") and not path.endswith(".weights.h5")


def _load_weights(model: keras.Model, path: Path) -> None:
    """Loads the weights of a trained model, which may have been built for another size."""
    if not path.exists() and (preset := presets.find(path)):
        presets.check(preset)
        path = preset
    if path.is_dir():
        path = path / "model.keras"  # a run folder
    if not path.is_file():
        raise InputError(
            f"weights {path}: no such file; give 'none', 'imagenet', a preset's name"
            f" ({', '.join(presets.list_presets())}) or the path of a .keras, .weights.h5 or, of an"
            " encoder alone, .h5 or .pth file"
        )
    wanted, found = model.name, "they"
    try:
        if path.suffix == ".keras":
            trained = keras.saving.load_model(path, compile=False)
            found = f"the weights of {trained.name} in this file"
            model.set_weights(trained.get_weights())
        else:
            model.load_weights(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InputError(
            f"weights {path}: {found} do not fit {wanted} ({first_line(error)}); give weights"
            f" saved from {wanted} with the same options"
        ) from error
