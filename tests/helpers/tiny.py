"""Networks, and their recipes, that train in a second."""

import dataclasses
import inspect
from pathlib import Path

import keras
import pytest

from keras_depth import models, recipes
from keras_depth.train.setup import make_model
from tests.helpers.architectures import make_architecture

_DECODER = ("head",)
TINY, TINY_STEREO = "tiny_for_tests", "tiny_stereo_for_tests"


def tiny(input_shape, weights, *, name=TINY, width=4):
    """A network with all that makes resuming hard: batch norm, dropout."""
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(width, 3, padding="same")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    x = keras.layers.Conv2D(1, 3, padding="same", bias_initializer="ones", name="head")(x)
    return keras.Model(image, keras.layers.ReLU(dtype="float32")(x), name=TINY)


def tiny_stereo(input_shape, weights, *, name=TINY_STEREO):
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="elu")(image)
    maps = []
    for scale in range(2):
        name = f"head{scale}"
        head = keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid", name=name)(x)
        maps.append(keras.layers.Rescaling(0.3, dtype="float32")(head))
        x = keras.layers.AveragePooling2D(2)(x)
    return keras.Model(image, maps, name=TINY_STEREO)


ENTRIES = {
    TINY: make_architecture(TINY, tiny, decoder=_DECODER),
    TINY_STEREO: make_architecture(
        TINY_STEREO,
        tiny_stereo,
        paper="optidepthnet",
        recipe="drives",
        encoding="disparity",
        decoder=_DECODER,
    ),
}


def stand_in(patch: pytest.MonkeyPatch, name: str) -> None:
    """Registers a network of this file in the place of another, whose options it ignores."""
    entry = models.get(name)
    small = tiny_stereo if entry.encoding == "disparity" else tiny

    def build(input_shape, weights, *, name, **options):
        model = small(input_shape, weights)
        return keras.Model(model.input, model.output, name=name)

    build.__signature__ = inspect.signature(entry.build)
    small_entry = dataclasses.replace(entry, build=build, decoder=_DECODER)
    patch.setitem(models.ARCHITECTURES, name, small_entry)


def write_run(folder: Path, recipe: recipes.Recipe) -> None:
    """Writes what commands take of a run: the recipe, and its model with random weights."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    make_model(recipe, recipe.size, "none").save(folder / "model.keras")


def recipe(*overrides):
    return recipes.load(
        "jetson_fcnn/rooms",
        [
            "options={}",
            "data={name: rooms, frames: 13, validation_frames: 5}",
            "size=[16, 32]",
            "batch_size=2",
            "epochs=4",
            "loss={name: adaptive_berhu, preset: notebook}",
            *overrides,
        ],
        architecture=TINY,
    )


def stereo_recipe(data, *overrides):
    settings = ["epochs=1", "steps=5", "loss={name: stereo}", "augmentation.color_shift=0.5"]
    changed = recipe(*settings, f"data={data}", "data.validation_frames=2", *overrides)
    return dataclasses.replace(changed, architecture=TINY_STEREO)
