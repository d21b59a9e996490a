"""The training loop.

It replaces `fit`, which neither trains nor saves a loss's own state, does not resume exactly,
and cannot run under `MultiWorkerMirroredStrategy` in Keras 3.15. The frames of a step and their
augmentation depend on (seed, epoch, index) alone, and a checkpoint holds all state, so a run that
is killed at any moment and started again ends with bit-identical weights (tested on CPUs).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_depth.data import DATA_SETS
from keras_depth.data.batches import Batches
from keras_depth.data.pipeline import (
    frames_of_step,
    mean_depth_map,
    training_batches,
)
from keras_depth.data.targets import target_of
from keras_depth.errors import InputError, cannot_write, first_line
from keras_depth.evaluate import figures
from keras_depth.files import replacing
from keras_depth.recipes import Recipe
from keras_depth.run_folder import RunFolder
from keras_depth.train import camera, checks, cluster, frame_list, lock, setup
from keras_depth.train.figures import draw_training_curves
from keras_depth.train.setup import Training
from keras_depth.train.step import make_training_step
from keras_depth.train.validation import example_indices

LOG_EVERY = 10  # steps
_MEAN_FRAMES = 1000  # training frames in the mean depth map, at most


def train(
    recipe: Recipe,
    folder: RunFolder,
    checkpoint_every: int = 100,
    *,
    other_frames: bool = False,
    keep_checkpoints: bool = False,
) -> bool:
    """Trains a recipe in a run folder, from its last checkpoint if it has one.

    Args:
        recipe: what to train.
        folder: where to write; `run_folder.py` lists the files.
        checkpoint_every: steps between checkpoints, rounded up to a multiple of 10. Every epoch
            ends with a checkpoint too.
        other_frames: go on though the frames of the data set are others than when the run began.
        keep_checkpoints: keep the last checkpoint but one when the run has ended.

    Returns:
        Whether a report is due. It is not if the folder holds the finished run and its report, if
        the validation frames have no measured depth, or on a worker that is not the chief.

    Raises:
        InputError: the recipe, its data or the folder cannot work, the frames have changed, another
            process trains in the folder, or the loss is not finite.
    """
    chief = cluster.is_chief()
    if chief:
        folder.check(recipe)
    run = setup.build(recipe, folder)  # writes nothing
    if chief:
        now = frame_list.note_frames(run.frames, run.validation, recipe.data["name"])
        changed = frame_list.check(folder, now, other_frames)
        folder.note_data_dir(recipe)
    scored = chief and run.validation.measured
    if run.checkpoints.restore() >= run.steps and folder.model_file.exists():
        return scored and not folder.is_scored
    with lock.hold(folder.path) if chief else nullcontext():
        start = run.checkpoints.restore()  # another process may have trained until now
        if chief:
            folder.begin(recipe)
            if changed or not folder.frames_file.exists():
                frame_list.write(folder, now, start)
            _prepare(run, start)
        _train(run, start, checkpoint_every, keep_checkpoints)
    return scored


def _prepare(run: Training, start: int) -> None:
    """Readies the folder for the steps after `start`, and says what the run learns from."""
    run.folder.truncate_log(start)
    tqdm.write(f"learns from {run.frames.description}")
    tqdm.write(f"validates on {run.validation.description}")
    if noted := run.folder.frames():
        frame_list.warn_of_learned_frames(noted)
    _save_reference_statistics(run)


def _train(run: Training, start: int, checkpoint_every: int, keep_checkpoints: bool) -> None:
    """Takes the steps after `start`, until the run has ended."""
    training_step = make_training_step(run.model, run.loss, run.optimizer, run.strategy)
    checkpoint_every = LOG_EVERY * math.ceil(checkpoint_every / LOG_EVERY)
    losses: list[float] = []  # of the steps since the last row of the log
    with _progress_bar(run, start) as bar, _Log(run) as log:
        for step, (image, y_true) in enumerate(_batches(run, start), start=start + 1):
            losses.append(_take_step(training_step, image, y_true))
            if not math.isfinite(losses[-1]):
                raise _not_finite(run, step, losses[-1])
            bar.update()
            epoch_ends = step % run.steps_per_epoch == 0 or step == run.steps
            if step % LOG_EVERY == 0 or epoch_ends:
                row = {"loss": float(np.mean(losses)), **_rate_and_loss_state(run)}
                bar.set_postfix(loss=f"{row['loss']:.4f}")
                losses = []
                if run.chief and epoch_ends:
                    row |= _finish_epoch(run)
                log.write(step, row)
            if step % checkpoint_every == 0 or epoch_ends:
                ended = step == run.steps and not keep_checkpoints
                run.checkpoints.save(step, keep=1 if ended else 2)
    if run.chief:
        if start >= run.steps:  # its model was deleted, or its frames have become fewer
            _finish_epoch(run)
        draw_training_curves(run.folder.log_rows(), run.folder.figures / "training.png")
    run.checkpoints.close()


def _save_reference_statistics(run: Training) -> None:
    """Writes what evaluation needs from the training frames: their mean depth and the camera."""
    frames, size, folder = run.frames, run.recipe.size, run.folder
    if frames.measured and not folder.mean_depth_file.exists():
        if not frames.rendered:
            checks.warn_of_wrong_unit(frames, DATA_SETS[run.recipe.data["name"]].scene)
        mean = mean_depth_map(frames, size, limit=_MEAN_FRAMES)
        checks.warn_of_unreachable_depth(run.encoding, frames, float(mean.max()))
        with replacing(folder.mean_depth_file) as path:
            np.save(path, mean)
    if not folder.camera_file.exists():
        if known := camera.find_camera(frames, run.recipe):
            folder.write_camera(**known)


def _progress_bar(run: Training, start: int) -> tqdm:
    epochs = f"{run.recipe.architecture}, {run.steps / run.steps_per_epoch:.3g} epochs"
    return tqdm(total=run.steps, initial=start, unit="step", desc=epochs)


# What tf.summary.scalar writes; that function alone needs TensorBoard to be installed.
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})


class _Log:
    """Writes the rows of a run's log, to log.jsonl and for TensorBoard; the chief alone does."""

    def __init__(self, run: Training):
        self._run = run
        self._events = None
        if run.chief:
            with _full_disk(run.folder.events):
                self._events = tf.summary.create_file_writer(str(run.folder.events))

    def write(self, step: int, row: dict[str, float]) -> None:
        if self._events:
            self._run.folder.log(step=step, epoch=step / self._run.steps_per_epoch, **row)
            with _full_disk(self._run.folder.events), self._events.as_default():
                for key, value in row.items():
                    tf.summary.write(key, tf.constant(value, tf.float32), step, _SCALAR)

    def __enter__(self) -> "_Log":
        return self

    def __exit__(self, *_) -> None:
        if self._events:
            with _full_disk(self._run.folder.events):
                self._events.close()


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    """Turns TensorFlow's error about what it writes at `path` into one sentence."""
    try:
        yield
    except tf.errors.OpError as error:
        raise cannot_write(path, OSError(first_line(error).split("; ")[-1])) from error


def _batches(run: Training, start: int) -> Iterator[tuple]:
    """Yields (image, y_true) of each step after `start`; each replica gets its share."""
    recipe = run.recipe
    make = partial(
        training_batches,
        run.frames,
        size=recipe.size,
        augmentation=run.augmentation,
        target=target_of(
            run.loss, run.encoding, run.model, recipe.downsample, recipe.canonical_focal_length
        ),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        start_step=start,
        steps=run.steps,
        fit=recipe.fit,
        focal_length=recipe.canonical_focal_length is not None,
    )
    if run.strategy.num_replicas_in_sync == 1:
        yield from make()
        return
    own: list[Batches] = []

    def make_own_batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own.append(make(context=context))
        return own[-1].dataset

    distributed = run.strategy.distribute_datasets_from_function(make_own_batches)
    with own[0].errors():
        yield from distributed


def _take_step(training_step: Callable[..., tf.Tensor], image, y_true) -> float:
    """Takes one step and returns its loss."""
    try:
        return float(training_step(image, y_true))
    except tf.errors.ResourceExhaustedError as error:
        raise InputError("a training step does not fit into memory; lower --batch-size") from error


def _not_finite(run: Training, step: int, loss: float) -> InputError:
    recipe, frames = run.recipe, run.frames
    indices = frames_of_step(len(frames), recipe.batch_size, recipe.seed, step - 1)
    names = ", ".join(frames.name(index) for index in indices)
    return InputError(
        f"the loss is {loss} at step {step} (epoch {(step - 1) // run.steps_per_epoch + 1}; frames"
        f" {names}); check these frames, or lower --set optimizer.learning_rate; the last"
        " checkpoint was saved before this step"
    )


def _rate_and_loss_state(run: Training) -> dict[str, float]:
    """Returns what a row of the log holds beside the loss: learning rate and the loss's state."""
    optimizer = getattr(run.optimizer, "inner_optimizer", run.optimizer)
    state = {key: float(keras.ops.convert_to_numpy(v)) for key, v in run.loss.state.items()}
    return {"learning_rate": float(optimizer.learning_rate), **state}


def _finish_epoch(run: Training) -> dict[str, float]:
    """Validates and saves the model, and draws examples; returns the validation scores."""
    model, folder = run.saved_model, run.folder
    if model is not run.model:
        model.set_weights(run.model.get_weights())
        # Takes the averages of the weights, if the optimizer keeps them.
        optimizer = getattr(run.optimizer, "inner_optimizer", run.optimizer)
        optimizer.finalize_variable_values(model.trainable_variables)
    scores, examples = run.validator.validate(run.validation, run.recipe.batch_size)
    # Without measured depth only the loss tells which epoch is best.
    decisive = "val_abs_rel" if run.validation.measured else "val_loss"
    noted = folder.frames()
    since = noted.since if noted else 0  # errors on other frames do not compare
    rows = [row for row in folder.log_rows() if decisive in row and row["step"] > since]
    best = min((row[decisive] for row in rows), default=math.inf)
    with replacing(folder.model_file) as path:
        model.save(path)
    if scores[decisive] < best:
        with replacing(folder.best_file) as path:
            model.save(path)
    names = [run.validation.key(index) for index in example_indices(run.validation)]
    if run.validation.measured:
        figures.sample_figure(
            examples["image"],
            examples["ground_truth"],
            examples["depth"],
            folder.figures / "validation.png",
            names,
        )
    if run.loss.target_kind == "pair":
        figures.stereo_figure(
            examples["image"],
            examples["disparity"],
            examples["depth"],
            examples["warped"],
            folder.figures / "stereo.png",
            names,
        )
    return scores
