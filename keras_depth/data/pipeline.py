"""Batches from a reader: in an order, and with augmentations, that a seed and a step decide.

batches = training_batches(reader, size=(128, 160), augmentation=Augmentation(),
                           target=depth_target, batch_size=8, seed=0, steps=100)
for image, y_true in batches: ...
"""

import atexit
import contextlib
import functools
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

from keras_depth import images
from keras_depth.data.augment import Augmentation, augment
from keras_depth.data.reader import PICTURES, Reader, Sample, sample_to_bytes
from keras_depth.data.targets import Target, depth_target
from keras_depth.errors import InputError
from keras_depth.memory import keep_freed_memory

# Reading and decoding release Python's lock; the two beyond the cores wait for the disk.
_THREADS = (os.cpu_count() or 1) + 2
_AHEAD = 4  # batches that are being read

Frame = tuple[int, ...]  # a frame's index, and whatever else decides about it


class Batches:
    """Iterates over batches; a reader's InputError comes through as it was raised.

    Yields `image` float32 (B, h, w, 3) in [0, 1], and what `target` makes of the batch.

    Args:
        read: reads a frame: a stored sample of `size`.
        plan: the frames of each batch, in order; starts anew each time it is called.
        shapes: of a sample's arrays.
        rows: frames of a batch; None where they differ.
        target: makes `y_true` of a batch of samples: `depth_target`, `pair_target` or your own. It
            sees their keys with the batch in front, pictures as float32 in [0, 1].

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
            key: tf.TensorSpec((rows, *shape), tf.uint8 if key in PICTURES else tf.float32)
            for key, shape in shapes.items()
        }
        # tf.data's own parallel map would call Python once a frame, and then its threads spend
        # more time on waiting for Python's lock than a fast reader on reading.
        dataset = tf.data.Dataset.from_generator(self._source.arrays, output_signature=signature)

        @tf.autograph.experimental.do_not_convert  # it would wrap an InputError in its own
        def finish(batch):
            batch = {
                k: tf.cast(v, tf.float32) / 255 if k in PICTURES else v for k, v in batch.items()
            }
            batch["depth"] = batch["depth"][..., tf.newaxis]
            return batch["image"], target(batch)

        self.dataset = dataset.map(finish).prefetch(2)

    def __iter__(self) -> Iterator[tuple[tf.Tensor, Any]]:
        with self.errors():
            yield from self.dataset

    @contextlib.contextmanager
    def errors(self):
        """Raises a reader's InputError in place of the page of text TensorFlow makes of it."""
        try:
            yield
        except tf.errors.OpError:
            if self._source.error is None:
                raise
            raise self._source.error from None


class _Source:
    """Reads the frames of `Batches`, and stacks them.

    TensorFlow (2.21) keeps what a generator's data set calls until the process ends. So this holds
    neither data set nor target, which may hold a network.
    """

    def __init__(
        self,
        read: Callable[[Frame], Sample],
        plan: Callable[[], Iterable[list[Frame]]],
        keys: tuple[str, ...],
    ):
        self._read, self._plan, self._keys = read, plan, keys
        self.error: InputError | None = None
        _IN_USE.add(self)

    def arrays(self) -> Iterator[dict[str, np.ndarray]]:
        keep_freed_memory()  # TensorFlow has set the opposite when it made this generator's op
        cv2.setNumThreads(1)  # the frames are read in parallel: each in parallel too is slower
        pool = ThreadPoolExecutor(_THREADS)
        reading: deque = deque()
        try:
            for frames in self._plan():
                if _ENDING.is_set():
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


# While a dataset is not read to its end, a thread of TensorFlow asks for batches. If it is within
# Python when Python ends, it never returns, and the process waits for it for ever: so it is told
# to stop, and given the time.
_IN_USE: "weakref.WeakSet[_Source]" = weakref.WeakSet()
_ENDING = threading.Event()


@atexit.register
def _let_threads_leave() -> None:
    if _IN_USE:
        _ENDING.set()
        time.sleep(0.5)


def _shapes(reader: Reader, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"image": (*size, 3), "depth": size}
    return shapes | ({"right": (*size, 3), "focal_baseline": ()} if reader.stereo else {})


def frames_of_step(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Returns the frames of a step of a run: int64 (batch_size,), indices below `count`.

    Epoch e goes through the frames in the order of `default_rng((seed, e)).permutation`, and
    leaves out its last, incomplete batch.
    """
    epoch, place = divmod(step, count // batch_size)
    return _order(count, seed, epoch)[place * batch_size : (place + 1) * batch_size]


@functools.lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def training_batches(
    reader: Reader,
    *,
    size: tuple[int, int],
    augmentation: Augmentation,
    target: Target,
    batch_size: int,
    seed: int,
    steps: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> Batches:
    """Returns the batches of steps `start_step` to `steps` - 1 of a run.

    Frame order (see `frames_of_step`) and augmentation depend on (seed, epoch, index) alone: a run
    that starts at a step gets the very batches it would have got.

    Args:
        reader: frames to learn from.
        size: (height, width) that frames are resized to, before they are augmented.
        augmentation: what may be done to a frame; its crop is in pixels of `size`.
        target: makes `y_true`, see `Batches`.
        batch_size: frames of a step, over all replicas.
        seed: non-negative.
        steps: steps of the whole run.
        start_step: where to begin.
        context: what `distribute_datasets_from_function` gives: this worker gets its
            rows of every batch, in shares of one replica each.

    Raises:
        InputError: the reader has fewer frames than a batch; an augmentation that does not fit.
        ValueError: the batch does not divide by the replicas.
    """
    if len(reader) < batch_size:
        raise InputError(
            f"{reader.description}: {len(reader)} frames do not fill a batch of {batch_size}; "
            "choose a smaller batch"
        )

    augmentation.check(size, reader.stereo)
    crop = augmentation.crop or size
    context = context or tf.distribute.InputContext()  # one worker with one replica
    share = context.get_per_replica_batch_size(batch_size)
    rows = batch_size // context.num_input_pipelines
    first = rows * context.input_pipeline_id

    def plan():
        for step in range(start_step, steps):
            epoch = step // (len(reader) // batch_size)
            own = frames_of_step(len(reader), batch_size, seed, step)[first : first + rows]
            for start in range(0, rows, share):
                yield [(int(index), epoch) for index in own[start : start + share]]

    def read(frame: Frame) -> Sample:
        index, epoch = frame
        rng = np.random.default_rng((seed, epoch, index))
        return sample_to_bytes(augment(resize(reader.stored(index), size), rng, augmentation))

    return Batches(read, plan, _shapes(reader, crop), share, target)


def evaluation_batches(
    reader: Reader,
    *,
    size: tuple[int, int],
    batch_size: int,
    target: Target | None = None,
    crop: tuple[int, int] | None = None,
) -> Batches:
    """Returns all frames once, in order, as they are; the last batch may be smaller.

    `y_true` is metres and valid, or what `target` makes of the batch; `crop`, in pixels of `size`,
    is cut from the middle. The rest is as in `training_batches`.

    Raises:
        InputError: the crop is larger than `size`.
    """
    height, width = crop or size
    if height > size[0] or width > size[1]:
        raise InputError(f"crop {crop} is larger than the frames' size {size}; give a smaller crop")
    top, left = (size[0] - height) // 2, (size[1] - width) // 2

    def plan():
        for start in range(0, len(reader), batch_size):
            yield [(index,) for index in range(start, min(start + batch_size, len(reader)))]

    def read(frame: Frame) -> Sample:
        sample = resize(reader.stored(frame[0]), size)
        rows, columns = slice(top, top + height), slice(left, left + width)
        return sample_to_bytes(
            {key: a[rows, columns] if a.ndim else a for key, a in sample.items()}
        )

    shapes = _shapes(reader, (height, width))
    return Batches(read, plan, shapes, None, target or depth_target)


def resize(sample: Sample, size: tuple[int, int]) -> Sample:
    """Returns a sample resized to `size`, (height, width), in the types it came in."""
    height, width = sample["image"].shape[:2]
    if (height, width) == tuple(size):
        return sample
    resized = {}
    for key, array in sample.items():
        if key in PICTURES:
            resized[key] = images.resize(array, size)
        elif key == "depth":
            # Nearest: a mean over an edge, or over a hole, is a depth that nothing has.
            resized[key] = cv2.resize(array, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        else:  # the focal length is in pixels of the width
            resized[key] = np.array(array * (size[1] / width), np.float32)
    return resized


def mean_depth_map(reader: Reader, size: tuple[int, int], limit: int | None = None) -> np.ndarray:
    """Returns the mean depth of each pixel: the guess that looks at no picture.

    Args:
        reader: frames to average; only what was measured counts.
        size: (h, w) of the result.
        limit: takes at most this many frames, evenly spread.

    Returns:
        float32 (h, w), metres; a pixel that no frame measured gets the mean of all others.

    Raises:
        InputError: no frame has a measured pixel.
    """
    total, count = np.zeros(size), np.zeros(size)
    for index in np.linspace(0, len(reader) - 1, min(len(reader), limit or len(reader))):
        depth = resize(reader.stored(int(index)), size)["depth"]
        total += depth
        count += depth > 0
    if not count.any():
        raise InputError(f"{reader.description}: no frame has a measured depth")
    mean = total.sum() / count.sum()
    return np.where(count > 0, total / np.maximum(count, 1), mean).astype(np.float32)
