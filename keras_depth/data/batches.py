"""Batches for TensorFlow, from frames that Python threads read in parallel."""

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from keras_depth.data.reader import IMAGE_KEYS, Sample
from keras_depth.data.targets import Target
from keras_depth.errors import InputError
from keras_depth.memory import keep_freed_memory

# Reading and decoding release Python's lock; two threads more than cores, since some wait for the
# disk.
_THREADS = (os.cpu_count() or 1) + 2
_AHEAD = 4  # batches that are being read

Frame = tuple[int, ...]  # a frame's index, and whatever else its sample depends on


class Batches:
    """Iterates over batches; raises a reader's InputError as the reader raised it.

    Yields `image` float32 (B, h, w, 3) in [0, 1], and the result of `target`.

    Args:
        read: reads a frame: a sample of images as uint8, of the given shapes.
        plan: returns the frames of each batch, in order; it is called for each iteration.
        shapes: of a sample's arrays, by key.
        rows: frames per batch; None if they differ.
        target: makes `y_true` from a batch of samples: `depth_target`, `pair_target` or your own.
            It gets the samples' keys: images float32 (B, h, w, 3) in [0, 1], depth (B, h, w, 1).

    dataset: the tf.data.Dataset itself, for `tf.distribute`; iterate over it within `errors()`.
    """

    def __init__(
        self,
        read: Callable[[Frame], Sample],
        plan: Callable[[], Iterable[list[Frame]]],
        shapes: dict[str, tuple[int, ...]],
        rows: int | None,
        target: Target,
    ):
        self._source = _Source(read, plan, tuple(shapes))
        signature = {
            key: tf.TensorSpec((rows, *shape), tf.uint8 if key in IMAGE_KEYS else tf.float32)
            for key, shape in shapes.items()
        }
        # Not tf.data's parallel map: it calls Python once per frame, and its threads then wait for
        # Python's lock longer than a fast reader reads.
        dataset = tf.data.Dataset.from_generator(self._source.arrays, output_signature=signature)

        @tf.autograph.experimental.do_not_convert  # autograph would wrap an InputError in its own
        def finish(batch):
            batch = {
                key: tf.cast(value, tf.float32) / 255 if key in IMAGE_KEYS else value
                for key, value in batch.items()
            }
            batch["depth"] = batch["depth"][..., tf.newaxis]
            return batch["image"], target(batch)

        self.dataset = dataset.map(finish).prefetch(2)

    def __iter__(self) -> Iterator[tuple[tf.Tensor, Any]]:
        with self.errors():
            yield from self.dataset

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raises a reader's InputError instead of the long error that TensorFlow makes of it."""
        try:
            yield
        except tf.errors.OpError:
            if self._source.error is None:
                raise
            raise self._source.error from None


class _Source:
    """Reads the frames of `Batches` in threads, and stacks them.

    TensorFlow (2.21) keeps a data set's generator until the process ends. So this object must hold
    neither the data set nor its target, which may hold a model.
    """

    def __init__(
        self,
        read: Callable[[Frame], Sample],
        plan: Callable[[], Iterable[list[Frame]]],
        keys: tuple[str, ...],
    ):
        self._read, self._plan, self._keys = read, plan, keys
        self.error: InputError | None = None
        _SOURCES.add(self)

    def arrays(self) -> Iterator[dict[str, np.ndarray]]:
        keep_freed_memory()  # TensorFlow set the opposite when it made this generator's op
        cv2.setNumThreads(1)  # frames are read in parallel already
        pool = ThreadPoolExecutor(_THREADS)
        reading: deque = deque()
        try:
            for frames in self._plan():
                if _EXITING.is_set():
                    return
                reading.append([pool.submit(self._read, frame) for frame in frames])
                if len(reading) > _AHEAD:
                    yield self._stack(reading.popleft())
            while reading:
                yield self._stack(reading.popleft())
        except InputError as error:
            self.error = error
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _stack(self, futures: list) -> dict[str, np.ndarray]:
        samples = [future.result() for future in futures]
        return {key: np.stack([sample[key] for sample in samples]) for key in self._keys}


# A thread of TensorFlow may still be inside the generator of a data set that is not read to its end
# when the interpreter exits, which deadlocks. Tell it to stop, and wait.
_SOURCES: "weakref.WeakSet[_Source]" = weakref.WeakSet()
_EXITING = threading.Event()


@atexit.register
def _stop_reading() -> None:
    if _SOURCES:
        _EXITING.set()
        time.sleep(0.5)
