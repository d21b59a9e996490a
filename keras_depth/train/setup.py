"""Builds everything that a training run needs from its recipe and its run folder."""

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from keras_depth import losses, models, recipes
from keras_depth.data.augment import Augmentation
from keras_depth.data.reader import Reader
from keras_depth.encodings import ENCODINGS, Encoding
from keras_depth.errors import InputError, check_choice, check_keywords, check_kinds, first_line
from keras_depth.losses import DepthLoss
from keras_depth.protocols import PROTOCOLS
from keras_depth.recipes import Recipe
from keras_depth.registry import Registry
from keras_depth.run_folder import RunFolder
from keras_depth.train import checks, cluster
from keras_depth.train.checkpoints import Checkpoints
from keras_depth.train.optimizers import OPTIMIZERS, make_optimizer
from keras_depth.train.schedules import SCHEDULES
from keras_depth.train.validation import Validator

_PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class Training:
    """The parts of one training run.

    Attributes:
        recipe: what is trained.
        folder: where the results are written.
        strategy: distributes a step over devices and workers.
        chief: whether this worker writes the run folder; exactly one does.
        frames: training frames.
        validation: validation frames.
        augmentation: the random changes made to a training frame.
        steps_per_epoch: whole batches in the training frames.
        steps: steps of the whole run.
        encoding: how the model writes depth.
        loss: what is minimized.
        model: the trained model, at the size of the training crop.
        saved_model: the model at the size of a frame, and with averaged weights if the optimizer
            averages them; `model` itself where neither makes a difference.
        optimizer: with its learning-rate schedule.
        validator: scores `saved_model`.
        checkpoints: of all state that training changes.
    """

    recipe: Recipe
    folder: RunFolder
    strategy: tf.distribute.Strategy
    chief: bool
    frames: Reader
    validation: Reader
    augmentation: Augmentation
    steps_per_epoch: int
    steps: int
    encoding: Encoding
    loss: DepthLoss
    model: keras.Model
    saved_model: keras.Model
    optimizer: keras.optimizers.Optimizer
    validator: Validator
    checkpoints: Checkpoints


def build(recipe: Recipe, folder: RunFolder) -> Training:
    """Builds a training run, and checks that its parts fit together; writes nothing.

    Sets Keras's random seed and dtype policy.

    Raises:
        InputError: the recipe or its data cannot work.
    """
    strategy = cluster.make_strategy()
    chief = cluster.is_chief()
    frames = recipes.open_data(recipe, "train")
    validation = recipes.open_data(recipe, "validation")
    steps_per_epoch = _count_steps(recipe, frames, strategy.num_replicas_in_sync)
    steps = recipe.steps or steps_per_epoch * recipe.epochs
    augmentation = _make_augmentation(recipe, frames.stereo)
    crop = augmentation.crop or recipe.size
    with strategy.scope():
        loss = make_loss(recipe)
        encoding = ENCODINGS[recipe.encoding or models.get(recipe.architecture).encoding]
        checks.check_encoding(recipe, encoding)
        checks.check_loss(recipe, loss, encoding, frames)
        checks.check_canonical(recipe, loss, frames, validation)
        checks.check_batch_norm(recipe)
        check_choice("precision", recipe.precision, _PRECISIONS)
        protocol = PROTOCOLS[recipe.protocol]

        keras.utils.set_random_seed(recipe.seed)
        keras.config.set_dtype_policy(recipe.precision)
        # A checkpoint replaces the first weights, whose file may be gone by then.
        begins = not Checkpoints.exist(folder)
        weights = recipe.weights if begins else "none"
        model = make_model(recipe, crop, weights)
        factors = _learning_rate_factors(recipe, model)
        _check_arguments("optimizer", OPTIMIZERS, recipe.optimizer)
        _check_arguments("schedule", SCHEDULES, recipe.schedule)
        with _section("optimizer"):
            optimizer = make_optimizer(recipe, steps, factors)
        optimizer.build(model.trainable_variables)
        same = tuple(crop) == recipe.size and not averages_weights(optimizer)
        saved_model = model if same else make_model(recipe, recipe.size, "none")
        checkpoints = Checkpoints(folder, chief, model, optimizer, loss)
        validator = Validator(
            saved_model,
            loss,
            encoding,
            protocol,
            recipe.downsample,
            recipe.canonical_focal_length,
            recipe.fit,
        )
    if chief:
        checks.warn_of_frozen_noise(recipe, model)
        checks.warn_of_missing_frames(frames, validation)
    if chief and begins:
        checks.warn_of_test_frames(recipe)
        checks.warn_of_enlarged_frames(recipe, frames)
        checks.warn_of_other_camera(recipe, frames)
    return Training(
        recipe=recipe,
        folder=folder,
        strategy=strategy,
        chief=chief,
        frames=frames,
        validation=validation,
        augmentation=augmentation,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        encoding=encoding,
        loss=loss,
        model=model,
        saved_model=saved_model,
        optimizer=optimizer,
        validator=validator,
        checkpoints=checkpoints,
    )


def _count_steps(recipe: Recipe, frames: Reader, replicas: int) -> int:
    """Returns the steps of an epoch: the whole batches in the frames, at least one.

    Raises:
        InputError: the frames do not fill a batch, or the replicas cannot share it evenly.
    """
    if len(frames) < recipe.batch_size:
        raise InputError(
            f"{frames.description}: {len(frames)} frames do not fill a batch of"
            f" {recipe.batch_size}; give --batch-size {len(frames)} or less"
        )
    if recipe.batch_size % replicas:
        raise InputError(
            f"batch_size {recipe.batch_size} does not divide over {replicas} devices; give"
            f" --batch-size {math.ceil(recipe.batch_size / replicas) * replicas}, or another"
            " multiple of their number"
        )
    return len(frames) // recipe.batch_size


def _make_augmentation(recipe: Recipe, stereo: bool) -> Augmentation:
    check_keywords("key of augmentation", Augmentation, recipe.augmentation)
    check_kinds("recipe section 'augmentation'", vars(Augmentation()), recipe.augmentation)
    with _section("augmentation"):
        augmentation = Augmentation(**recipe.augmentation)
        augmentation.check(recipe.size, stereo)
    return augmentation


def make_loss(recipe: Recipe) -> DepthLoss:
    """Makes a recipe's loss.

    Raises:
        InputError: an unknown name or argument, or a bad value.
    """
    arguments = dict(recipe.loss)
    with _section("loss"):
        return losses.get(arguments.pop("name"), **arguments)


def make_model(recipe: Recipe, size: Sequence[int], weights: str) -> keras.Model:
    """Makes a recipe's model; its name tells the encoding where it is not the architecture's own.

    Args:
        recipe: names architecture, options and encoding.
        size: (height, width) of the input.
        weights: see `create_model`; the recipe's own do not count.

    Raises:
        InputError: an unknown name or option, a bad value, a size that the network cannot take.
    """
    name = recipe.architecture
    # The weights' own options count where a checkpoint will replace them.
    options = models.get(name).options_of(recipe.weights) | recipe.options
    with _section("options"):
        model = models.create_model(name, (size[0], size[1], 3), weights, **options)
    if recipe.encoder_rate == 0:
        for layer in models.get(name).encoder_layers(model):
            layer.trainable = False
    if recipe.batch_norm == "frozen":
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False  # in Keras, its statistics stay too
    if recipe.encoding in ("", models.get(name).encoding):
        return model
    return keras.Model(model.input, model.output, name=f"{name}-{recipe.encoding}")


def _learning_rate_factors(recipe: Recipe, model: keras.Model) -> list[float] | None:
    """Returns what the rate of each trainable variable is multiplied by; None: 1 for all."""
    if recipe.encoder_rate in (0, 1):
        return None
    encoder = models.get(recipe.architecture).encoder_layers(model)
    slow = {id(variable) for layer in encoder for variable in layer.trainable_variables}
    return [
        recipe.encoder_rate if id(variable) in slow else 1.0
        for variable in model.trainable_variables
    ]


def averages_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    """Returns whether the optimizer keeps a moving average of the weights (`use_ema`)."""
    return getattr(optimizer, "inner_optimizer", optimizer).use_ema


def _check_arguments(section: str, known: Registry, values: dict[str, Any]) -> None:
    """Raises InputError unless the numbers and flags of a section are such.

    Keras takes most values as they are, and fails at the first step without naming them.
    """
    defaults = {}
    for key, parameter in inspect.signature(known[values["name"]]).parameters.items():
        if parameter.default is None:
            defaults[key] = 0.0  # Keras leaves out clipping, decay and the like, all numbers
        elif parameter.default is not parameter.empty:
            defaults[key] = parameter.default
        elif parameter.annotation in (int, float):
            defaults[key] = parameter.annotation()
    given = {key: value for key, value in values.items() if key != "name" and value is not None}
    check_kinds(f"recipe section {section!r}", defaults, given)


@contextmanager
def _section(name: str) -> Iterator[None]:
    """Turns a constructor's error about a recipe's value into one sentence about its section."""
    try:
        yield
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            f"recipe section {name!r} holds a value that does not fit: {first_line(error)}"
        ) from error
