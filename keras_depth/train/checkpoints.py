"""Saves and restores everything that training changes."""

import os
import shutil
from collections.abc import Iterable

import keras
import tensorflow as tf

from keras_depth.errors import InputError, first_line
from keras_depth.losses import DepthLoss
from keras_depth.run_folder import RunFolder


class Checkpoints:
    """The checkpoints of one run: weights, dropout seeds, optimizer, loss state and step.

    Args:
        folder: the run folder.
        chief: whether this worker writes the run folder. All workers together write a checkpoint
            of mirrored variables; those that are not the chief write to a folder that `close`
            deletes, and read the chief's.
        model: the trained model.
        optimizer: built for the model.
        loss: its state is saved too.
    """

    def __init__(
        self,
        folder: RunFolder,
        chief: bool,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: DepthLoss,
    ):
        self._folder, self._chief = folder.checkpoints, chief
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(
            # `variables`, unlike `weights`, include dropout's seeds.
            model=_tensorflow_variables(model.variables),
            optimizer=_tensorflow_variables(optimizer.variables),
            loss=_tensorflow_variables(loss.state.values()),
            step=self._step,
        )
        self._own = folder.checkpoints if chief else folder.path / f"worker-{os.getpid()}"

    @staticmethod
    def exist(folder: RunFolder) -> bool:
        """Returns whether a run folder has a checkpoint."""
        return tf.train.latest_checkpoint(folder.checkpoints) is not None

    def restore(self) -> int:
        """Restores the last checkpoint, if there is one; returns the steps taken until then.

        Raises:
            InputError: the checkpoint is damaged.
        """
        latest = tf.train.latest_checkpoint(self._folder)
        if latest:
            try:
                self._checkpoint.restore(latest).assert_consumed()
            except (tf.errors.OpError, LookupError, ValueError, AssertionError) as error:
                raise InputError(
                    f"{latest}: the checkpoint is damaged ({first_line(error)}); delete"
                    f" {self._folder} to train from the start, or restore it from a copy"
                ) from error
        return int(self._step.numpy())

    def save(self, step: int, keep: int = 2) -> None:
        """Saves the state after a step, and deletes all checkpoints but the last `keep`.

        Raises:
            InputError: the disk is full.
        """
        self._step.assign(step)
        self._delete_partial()  # of a process that was killed
        try:
            manager = tf.train.CheckpointManager(self._checkpoint, self._own, max_to_keep=keep)
            manager.save(step)
        except tf.errors.OpError as error:
            self._delete_partial()
            reason = first_line(error).split("; ")[-1].split(" [Op:")[0]
            raise InputError(
                f"{self._own}: the checkpoint of step {step} could not be written ({reason}); make"
                " room on the disk and run the command again"
            ) from error

    def _delete_partial(self) -> None:
        """Deletes a checkpoint that was not written to its end."""
        for folder in self._own.glob("*_temp"):
            shutil.rmtree(folder)

    def close(self) -> None:
        """Deletes what a worker that is not the chief has written."""
        if not self._chief and self._own.exists():
            shutil.rmtree(self._own)


def _tensorflow_variables(variables: Iterable[keras.Variable]) -> list[tf.Variable]:
    return [variable.value for variable in variables]
