"""Finds the Keras model whose layers are counted."""

from pathlib import Path

import keras

from keras_depth import models
from keras_depth.errors import InputError
from keras_depth.predict.exported import read_details
from keras_depth.predict.loading import load_model, resolve


def load(run: Path | None, architecture: str | None, size: tuple[int, int] | None) -> keras.Model:
    """Loads a trained model, or builds an architecture with random weights.

    Of an exported network the architecture that its export.json names is built: no count depends on
    the weights.

    Args:
        run: what a command takes as RUN; None: see `architecture`.
        architecture: its name.
        size: (height, width) of the image; None: the architecture's own.

    Raises:
        InputError: there is no such network, or an exported one names no architecture.
    """
    if run is None:
        return models.create_model(architecture or "", (*size, 3) if size else None)
    source = resolve(run)
    if source.kind != "exported":
        return load_model(run)
    model = read_details(source.path).get("model") or {}
    if model.get("architecture") is None:
        raise InputError(
            f"{run}: its export.json names no architecture, so its layers are not known; give the"
            " run folder or the .keras file it was exported from"
        )
    exported = models.create_model(model["architecture"], (*model["size"], 3))
    if exported.count_params() != model["parameters"]:
        raise InputError(
            f"{run}: it was trained with other options than {model['architecture']} has here; give"
            " the run folder or the .keras file it was exported from"
        )
    return exported
