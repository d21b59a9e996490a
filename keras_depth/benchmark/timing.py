"""Times calls of a model: inference and training steps."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_depth.export.worker import WARM_UP
from keras_depth.losses import DepthLoss
from keras_depth.train.step import make_training_step


def inference(model: keras.Model, batch: int) -> Callable[[], object]:
    """Returns a function that computes the depth of `batch` fixed images of the model's size."""
    image = _images(model, batch)
    compute = tf.function(lambda: model(image, training=False), autograph=False)
    return lambda: _wait(compute())


def training_step(model: keras.Model, loss: DepthLoss, batch: int) -> Callable[[], object]:
    """Returns a function that trains a model for one step of Adam, always on the same data.

    Args:
        model: Keras model with an input (B, h, w, 3); its weights change.
        loss: one of `keras_depth.losses`; its `target_kind` says what `y_true` holds.
        batch: images of a step.
    """
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)
    pair = _images(model, batch, channels=6)
    image = pair[..., :3]
    if loss.target_kind == "pair":
        y_true = pair
    else:
        _, height, width, _ = keras.tree.flatten(model.outputs)[0].shape
        # 3 metres everywhere, all of it measured: no value is faster than another.
        y_true = tf.broadcast_to([3.0, 1.0], (batch, height, width, 2))

    step = make_training_step(model, loss, optimizer, tf.distribute.get_strategy())
    return lambda: _wait(step(image, y_true))


def seconds(functions: Mapping[str, Callable], repeats: int) -> dict[str, np.ndarray]:
    """Times functions in turn, so that other load on the machine affects all alike.

    Args:
        functions: by name; each is called without arguments, and first `WARM_UP` times untimed.
        repeats: timed calls of each.

    Returns:
        The seconds of each call, float64 (repeats,), by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(WARM_UP):
            function()
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in times.items()}


def threads() -> dict[str, int]:
    """Returns how many threads TensorFlow uses within an operation and across operations."""
    # TensorFlow's default, 0, means one thread for each core that the process may use.
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    threading = tf.config.threading
    return {
        "within_operations": threading.get_intra_op_parallelism_threads() or cores,
        "across_operations": threading.get_inter_op_parallelism_threads() or cores,
    }


def _images(model: keras.Model, batch: int, channels: int = 3) -> tf.Tensor:
    _, height, width, _ = model.inputs[0].shape
    return tf.random.stateless_uniform((batch, height, width, channels), seed=(0, 1))


def _wait(result: Any) -> list[np.ndarray]:
    """Copies results to the host: a device may still be computing when a call returns."""
    return [tensor.numpy() for tensor in keras.tree.flatten(result)]
