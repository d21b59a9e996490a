"""The training loop.

`model.fit` would not do: it neither trains nor saves a loss's own state, does not resume exactly,
and cannot run under `MultiWorkerMirroredStrategy` in Keras 3.15. Here a step's frames and their
augmentation depend on (seed, epoch, index) alone, and a checkpoint holds all state there is, so a
run that is killed at any moment and started again ends with bit-identical weights. That is tested
on CPUs.
"""

import dataclasses
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_depth import losses, models, protocols, recipes
from keras_depth.data.augment import Augmentation
from keras_depth.data.pipeline import (
    Batches,
    frames_of_step,
    mean_depth_map,
    resize,
    training_batches,
)
from keras_depth.data.reader import Reader
from keras_depth.data.targets import target_of
from keras_depth.encodings import ENCODINGS, Encoding
from keras_depth.errors import InputError, check_keywords, unknown_name
from keras_depth.evaluate import figures
from keras_depth.files import replacing
from keras_depth.recipes import Recipe
from keras_depth.run_folder import RunFolder
from keras_depth.train import schedules
from keras_depth.train.figures import training_curves
from keras_depth.train.optimizers import AdamL2
from keras_depth.train.step import training_step
from keras_depth.train.validation import Validator

LOG_EVERY = 10  # steps
_MEAN_FRAMES = 1000  # training frames in the mean depth map, at most

_PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adam_l2": AdamL2,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


@dataclasses.dataclass
class _State:
    """What training changes, and what turns it into a checkpoint."""

    model: keras.Model  # at the size of the training crop
    saved_model: keras.Model  # the same weights at the size of the frame
    optimizer: keras.optimizers.Optimizer
    loss: losses.DepthLoss
    validator: Validator  # of `saved_model`
    step: tf.Variable
    checkpoint: tf.train.Checkpoint


def train(recipe: Recipe, folder: RunFolder, checkpoint_every: int = 100) -> bool:
    """Trains a recipe in a run folder, from its last checkpoint where it has one.

    Args:
        recipe: what to train.
        folder: where; see `run_folder.py` for what it then holds.
        checkpoint_every: steps between checkpoints, rounded up to a multiple of 10; each epoch
            ends with one too.

    Returns:
        Whether a report is due. It is not where the folder holds the finished run and its report,
        where no depth was measured to score, and never on another worker than the first.

    Raises:
        InputError: a recipe, data or folder that cannot work; a loss that is not a number.
    """
    strategy = _strategy()
    frames = recipes.open_data(recipe, "train")
    validation = recipes.open_data(recipe, "validation")
    steps_per_epoch = _steps_per_epoch(recipe, frames, strategy.num_replicas_in_sync)
    total = recipe.steps or steps_per_epoch * recipe.epochs
    augmentation = _augmentation(recipe, frames.stereo)
    latest = tf.train.latest_checkpoint(folder.checkpoints)
    with strategy.scope():
        loss = _loss(recipe)
        _check_encoding(recipe)
        _check_seen(loss, recipe, frames)
        # What a checkpoint replaces need not be there any more.
        built = dataclasses.replace(recipe, weights="none") if latest else recipe
        state = _build(built, loss, augmentation.crop or recipe.size, total)
    chief = _is_chief(strategy)
    if chief:
        folder.begin(recipe)
        _warn_of_frozen_noise(recipe, state.model)
    first = _restore(state, folder, latest)
    if first == total and folder.model_file.exists():
        return chief and validation.measured and not folder.report_file.exists()
    if chief:
        folder.forget_log_after(first)
        _keep_what_scores_need(folder, recipe, frames)
    # A checkpoint of mirrored variables is written by all workers together; what the others write
    # is thrown away, and all read the chief's.
    place = folder.checkpoints if chief else folder.path / f"worker-{os.getpid()}"
    checkpoints = tf.train.CheckpointManager(state.checkpoint, place, max_to_keep=2)

    step_function = training_step(state.model, state.loss, state.optimizer, strategy)
    every = LOG_EVERY * math.ceil(checkpoint_every / LOG_EVERY)
    window: list[float] = []
    passes = f"{recipe.architecture}, {total / steps_per_epoch:.3g} epochs"
    bar = tqdm(total=total, initial=first, unit="step", desc=passes)
    with bar, _EventFile(folder.path / "tensorboard", enabled=chief) as events:
        batches = _batches(recipe, state, augmentation, frames, strategy, first, total)
        for step, batch in enumerate(batches, start=first + 1):
            window.append(_run(step_function, batch))
            if not math.isfinite(window[-1]):
                raise _not_a_number(recipe, frames, step, steps_per_epoch, window[-1])
            bar.update()
            epoch_ends = step % steps_per_epoch == 0 or step == total
            row: dict[str, float] = {}
            if step % LOG_EVERY == 0 or epoch_ends:
                row = {"loss": float(np.mean(window)), **_moving(state)}
                bar.set_postfix(loss=f"{row['loss']:.4f}")
                window = []
            if epoch_ends and chief:
                row |= _finish_epoch(recipe, folder, state, validation)
            if row and chief:
                folder.log(step=step, epoch=step / steps_per_epoch, **row)
                events.write(step, row)
            if step % every == 0 or epoch_ends:
                _save(checkpoints, state, step)
    if chief:
        training_curves(folder.log_rows(), folder.figures / "training.png")
    else:
        shutil.rmtree(place)
    return chief and validation.measured


def _keep_what_scores_need(folder: RunFolder, recipe: Recipe, frames: Reader) -> None:
    """Writes what evaluation is to know of the training frames: mean depth, and the camera."""
    if frames.measured and not folder.mean_depth_file.exists():
        mean = mean_depth_map(frames, recipe.size, limit=_MEAN_FRAMES)
        _warn_of_far_frames(recipe, frames, float(mean.max()))
        with replacing(folder.mean_depth_file) as partial:
            _save_array(partial, mean)
    if frames.stereo and not folder.camera_file.exists():
        first = resize(frames.stored(0), recipe.size)
        folder.write_camera(float(first["focal_baseline"]))


def _strategy() -> tf.distribute.Strategy:
    """Picks the distribution from what is there: TF_CONFIG, several GPUs, or one device."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _is_chief(strategy: tf.distribute.Strategy) -> bool:
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "worker":
        return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    return resolver.task_type == "chief"


def _steps_per_epoch(recipe: Recipe, frames: Reader, replicas: int) -> int:
    """Returns how many whole batches the frames fill; at least one, a share for each device."""
    if len(frames) < recipe.batch_size:
        raise InputError(
            f"{frames.description}: {len(frames)} frames do not fill a batch of"
            f" {recipe.batch_size}; lower batch_size"
        )
    if recipe.batch_size % replicas:
        raise InputError(
            f"batch_size {recipe.batch_size} does not divide over {replicas} devices; give a"
            " multiple of their number"
        )
    return len(frames) // recipe.batch_size


def _loss(recipe: Recipe) -> losses.DepthLoss:
    arguments = dict(recipe.loss)
    with _section("loss"):
        return losses.get(arguments.pop("name"), **arguments)


def _check_encoding(recipe: Recipe) -> None:
    """Raises InputError where a network's last activation cannot write the recipe's encoding."""
    own = ENCODINGS[models.get(recipe.architecture).encoding]
    if own.bounded and not _encoding(recipe).bounded:
        writable = [name for name in ENCODINGS if ENCODINGS[name].bounded]
        raise InputError(
            f"{recipe.architecture} writes 0..1, and encoding {recipe.encoding} has no such bounds;"
            f" give one of {', '.join(writable)}"
        )


def _check_seen(loss: losses.DepthLoss, recipe: Recipe, frames: Reader) -> None:
    """Raises InputError unless the frames hold what the loss is to see, and the network fits it."""
    data, name = frames.description, recipe.loss["name"]
    if (loss.target_kind == "pair") != _encoding(recipe).stereo:
        trained = "stereo pairs, with loss.name=stereo" if _encoding(recipe).stereo else "depth"
        raise InputError(
            f"loss {name!r} does not fit {recipe.architecture}, which learns from {trained}; choose"
            " another of the two"
        )
    if loss.target_kind == "pair" and not frames.stereo:
        raise InputError(
            f"{data}: loss {name!r} needs stereo pairs; set data.stereo=true where the data set has"
            " them"
        )
    if loss.target_kind == "pair" and recipe.augmentation.get("crop"):
        raise InputError(
            "augmentation: disparity is a fraction of the width, which a crop would change; leave"
            " out crop"
        )
    if loss.target_kind == "depth" and not frames.measured:
        raise InputError(
            f"{data}: loss {name!r} learns from depth; set data.depth to what is there"
        )


def _warn_of_frozen_noise(recipe: Recipe, model: keras.Model) -> None:
    if recipe.weights == "none" and not all(layer.trainable for layer in model.layers):
        warnings.warn(
            f"{recipe.architecture}: its encoder is frozen, and its weights are random: give"
            " --weights, or --set options.frozen=false",
            stacklevel=3,
        )


def _warn_of_far_frames(recipe: Recipe, frames: Reader, farthest: float) -> None:
    encoding = _encoding(recipe)
    if farthest > encoding.farthest:
        warnings.warn(
            f"{recipe.architecture}: with encoding {encoding.name} nothing is farther than"
            f" {encoding.farthest:g} m, and {frames.description} reach {farthest:.0f} m on"
            " average: give another encoding, or another network",
            stacklevel=4,
        )


def _augmentation(recipe: Recipe, stereo: bool) -> Augmentation:
    check_keywords("key of augmentation", Augmentation, recipe.augmentation)
    with _section("augmentation"):
        augmentation = Augmentation(**recipe.augmentation)
        augmentation.check(recipe.size, stereo)
    return augmentation


@contextmanager
def _section(name: str) -> Iterator[None]:
    """Turns what a constructor says of a recipe's values into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"recipe section {name!r} holds a value that does not fit: {reason}"
        ) from error


def _restore(state: _State, folder: RunFolder, latest: str | None) -> int:
    """Takes up the last checkpoint, where there is one; returns the step it was made after."""
    if latest:
        try:
            state.checkpoint.restore(latest).assert_consumed()
        except (tf.errors.OpError, LookupError, ValueError, AssertionError) as error:
            raise InputError(
                f"{latest}: the checkpoint is damaged ({str(error).splitlines()[0]}); delete"
                f" {folder.checkpoints} to train from the start, or restore it from a copy"
            ) from error
    return int(state.step.numpy())


def _save(checkpoints: tf.train.CheckpointManager, state: _State, step: int) -> None:
    state.step.assign(step)
    try:
        checkpoints.save(step)
    except tf.errors.OpError as error:
        raise InputError(
            f"{checkpoints.directory}: the checkpoint of step {step} could not be written"
            f" ({error.message.splitlines()[0]}); make room on the disk and run the command again"
        ) from error


def _build(recipe: Recipe, loss: losses.DepthLoss, crop: Sequence[int], total: int) -> _State:
    """Makes model and optimizer of a recipe, and the checkpoint of all that training changes."""
    protocol = protocols.get(recipe.protocol)
    if recipe.precision not in _PRECISIONS:
        raise unknown_name("precision", recipe.precision, _PRECISIONS)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)

    def build(size: Sequence[int], weights: str) -> keras.Model:
        shape = (size[0], size[1], 3)
        name, options = recipe.architecture, recipe.options
        with _section("options"):
            model = models.create_model(name, shape, weights, **options)
        if recipe.encoding in ("", models.get(name).encoding):
            return model
        return keras.Model(model.input, model.output, name=f"{name}-{recipe.encoding}")

    model = build(crop, recipe.weights)
    saved_model = model if tuple(crop) == recipe.size else build(recipe.size, "none")
    with _section("optimizer"):
        optimizer = make_optimizer(recipe, total)
    optimizer.build(model.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    # `variables`, unlike `weights`, holds the seeds of dropout too.
    checkpoint = tf.train.Checkpoint(
        model=_values(model.variables),
        optimizer=_values(optimizer.variables),
        loss=_values(loss.state.values()),
        step=step,
    )
    validator = Validator(saved_model, loss, _encoding(recipe), protocol, recipe.downsample)
    return _State(model, saved_model, optimizer, loss, validator, step, checkpoint)


def _values(variables) -> list[tf.Variable]:
    return [variable.value for variable in variables]


def make_optimizer(recipe: Recipe, total: int) -> keras.optimizers.Optimizer:
    """Builds a recipe's optimizer and schedule for a run of `total` steps.

    Raises:
        InputError: unknown names or arguments; the message names the nearest.
    """
    arguments = dict(recipe.optimizer)
    name = arguments.pop("name")
    if name not in _OPTIMIZERS:
        raise unknown_name("optimizer", name, _OPTIMIZERS)
    check_keywords(f"argument of optimizer {name}", _OPTIMIZERS[name], arguments)
    peak = float(arguments.pop("learning_rate", 0.001))
    rate = schedules.get(peak, total, **recipe.schedule)
    optimizer = _OPTIMIZERS[name](learning_rate=rate, **arguments)
    if recipe.precision == "mixed_float16":
        # float16 gradients would fall below its smallest number.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _encoding(recipe: Recipe) -> Encoding:
    return ENCODINGS[recipe.encoding or models.get(recipe.architecture).encoding]


def _batches(recipe, state, augmentation, frames, strategy, first, total) -> Iterator[tuple]:
    """Yields what a training step takes, from step `first` on; every replica its share."""
    make = partial(
        training_batches,
        frames,
        size=recipe.size,
        augmentation=augmentation,
        target=target_of(state.loss, _encoding(recipe), state.model, recipe.downsample),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        start_step=first,
        steps=total,
    )
    if strategy.num_replicas_in_sync == 1:
        yield from make()
        return
    parts: list[Batches] = []

    def part(context):
        parts.append(make(context=context))
        return parts[-1].dataset

    distributed = strategy.distribute_datasets_from_function(part)
    with parts[0].errors():
        yield from distributed


def _run(step_function: Callable[..., tf.Tensor], batch: tuple) -> float:
    try:
        return float(step_function(*batch))
    except tf.errors.ResourceExhaustedError as error:
        raise InputError("a training step does not fit into memory; lower batch_size") from error


def _moving(state: _State) -> dict[str, float]:
    """What moves along with the weights and belongs in the log: the rate, the loss's state."""
    optimizer = getattr(state.optimizer, "inner_optimizer", state.optimizer)
    own = {key: float(keras.ops.convert_to_numpy(v)) for key, v in state.loss.state.items()}
    return {"learning_rate": float(optimizer.learning_rate), **own}


def _finish_epoch(recipe, folder, state, validation) -> dict[str, float]:
    """Scores the network on the validation frames, saves it, and draws some of them."""
    model = state.saved_model
    if model is not state.model:
        model.set_weights(state.model.get_weights())
    result, shown = state.validator.look(validation, recipe.size, recipe.batch_size)
    # Without measured depth there is no error to compare, but the loss.
    decisive = "val_abs_rel" if validation.measured else "val_loss"
    best = min((row[decisive] for row in folder.log_rows() if decisive in row), default=math.inf)
    with replacing(folder.model_file) as partial:
        model.save(partial)
    if result[decisive] < best:
        with replacing(folder.best_file) as partial:
            model.save(partial)
    if validation.measured:
        figures.sample_figure(
            shown["image"], shown["truth"], shown["depth"], folder.figures / "validation.png"
        )
    if state.loss.target_kind == "pair":
        figures.stereo_figure(
            shown["image"],
            shown["disparity"],
            shown["depth"],
            shown["seen"],
            folder.figures / "stereo.png",
        )
    return result


def _not_a_number(recipe, frames, step, steps_per_epoch, value) -> InputError:
    indices = frames_of_step(len(frames), recipe.batch_size, recipe.seed, step - 1)
    names = ", ".join(frames.name(index) for index in indices)
    return InputError(
        f"the loss is {value} at step {step} (epoch {(step - 1) // steps_per_epoch + 1}; frames"
        f" {names}); look at these frames, or lower optimizer.learning_rate; the last checkpoint"
        " is from before"
    )


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # given a name, np.save would add its own suffix
        np.save(file, array)


class _EventFile:
    """The logged rows again, as TensorBoard reads them."""

    def __init__(self, path: Path, enabled: bool):
        self.writer = tf.summary.create_file_writer(str(path)) if enabled else None

    def write(self, step: int, row: dict[str, float]) -> None:
        if self.writer:
            with self.writer.as_default():
                for key, value in row.items():
                    tf.summary.scalar(key, value, step=step)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.writer:
            self.writer.close()
