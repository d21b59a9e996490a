"""Batches for training and evaluation, in an order that a seed and a step determine.

batches = training_batches(reader, size=(128, 160), augmentation=Augmentation(),
                           target=depth_target, batch_size=8, seed=0, steps=100)
for image, y_true in batches: ...
"""

import functools

import cv2
import numpy as np
import tensorflow as tf

from keras_depth.data.augment import Augmentation, augment, zoom
from keras_depth.data.batches import Batches, Frame
from keras_depth.data.reader import CAMERA_KEYS, IMAGE_KEYS, Reader, Sample, sample_to_bytes
from keras_depth.data.targets import Target, depth_target
from keras_depth.errors import InputError
from keras_depth.letterbox import Placement, place


def _shapes(
    reader: Reader, size: tuple[int, int], focal_length: bool
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"image": (*size, 3), "depth": size}
    if focal_length:
        shapes["focal_length"] = (2,)
    return shapes | ({"right": (*size, 3), "focal_baseline": ()} if reader.stereo else {})


def check_focal_length(
    sample: Sample, name: str, remedy: str = "leave canonical_focal_length out"
) -> None:
    """Raises InputError unless a frame's focal length is known.

    Args:
        sample: the frame.
        name: its name.
        remedy: what the user can do where no camera.yaml can be written.
    """
    if "focal_length" not in sample:
        raise InputError(
            f"{name}: its focal length is not known, which canonical_focal_length needs; write a"
            f" camera.yaml beside the pictures, or {remedy}"
        )


def frames_of_step(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Returns the frames of a step of a run: int64 (batch_size,), indices below `count`.

    Epoch e takes the frames in the order of `default_rng((seed, e)).permutation`, without its last,
    incomplete batch.
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
    fit: str = "stretch",
    focal_length: bool = False,
    context: tf.distribute.InputContext | None = None,
) -> Batches:
    """Returns the batches of steps `start_step` to `steps` - 1 of a run.

    Frame order (see `frames_of_step`) and augmentation depend on (seed, epoch, index) alone, so a
    run that resumes at a step gets the batches it would have got without a stop.

    Args:
        reader: frames to learn from.
        size: (height, width) that frames are brought to, before they are augmented.
        augmentation: what may be done to a frame; its crop is in pixels of `size`.
        target: makes `y_true`, see `Batches`.
        batch_size: frames of a step, over all replicas.
        seed: 0 or more.
        steps: steps of the whole run.
        start_step: the first step.
        fit: how frames of another shape are brought to `size`, see `letterbox.FITS`.
        focal_length: `target` gets the frames' focal lengths too, which all must then have.
        context: as `distribute_datasets_from_function` passes it: this worker gets its rows of
            every batch, one replica's share at a time.

    Raises:
        InputError: the reader has fewer frames than a batch, the augmentation does not fit, or a
            frame lacks its focal length.
        ValueError: the batch does not divide over the replicas.
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
        sample = reader.stored(index)
        if focal_length:
            check_focal_length(sample, reader.name(index))
        if augmentation.zoom > 1:  # before resizing, which would lose what is enlarged again
            own = np.random.default_rng((seed, epoch, index, 1))
            sample = zoom(sample, own, augmentation.zoom)
        rng = np.random.default_rng((seed, epoch, index))
        return sample_to_bytes(augment(resize(sample, size, fit), rng, augmentation))

    return Batches(read, plan, _shapes(reader, crop, focal_length), share, target)


def evaluation_batches(
    reader: Reader,
    *,
    size: tuple[int, int],
    batch_size: int,
    target: Target | None = None,
    crop: tuple[int, int] | None = None,
    fit: str = "stretch",
    focal_length: bool = False,
) -> Batches:
    """Returns batches of all frames, in order and not augmented; the last one may be smaller.

    Args:
        reader: frames.
        size: (height, width) that frames are brought to.
        batch_size: frames per batch.
        target: makes `y_true`, see `Batches`; None: `depth_target`, in metres.
        crop: (height, width), in pixels of `size`, to cut from the middle; None: the whole frame.
        fit: how frames of another shape are brought to `size`, see `letterbox.FITS`.
        focal_length: `target` gets the frames' focal lengths too, which all must then have.

    Raises:
        InputError: the crop is larger than `size`, or a frame lacks its focal length.
    """
    height, width = crop or size
    if height > size[0] or width > size[1]:
        raise InputError(f"crop {crop} is larger than the frames' size {size}; give a smaller crop")
    top, left = (size[0] - height) // 2, (size[1] - width) // 2

    def plan():
        for start in range(0, len(reader), batch_size):
            yield [(index,) for index in range(start, min(start + batch_size, len(reader)))]

    def read(frame: Frame) -> Sample:
        sample = resize(reader.stored(frame[0]), size, fit)
        if focal_length:
            check_focal_length(sample, reader.name(frame[0]))
        rows, columns = slice(top, top + height), slice(left, left + width)
        return sample_to_bytes(
            {
                key: array if key in CAMERA_KEYS else array[rows, columns]
                for key, array in sample.items()
            }
        )

    shapes = _shapes(reader, (height, width), focal_length)
    return Batches(read, plan, shapes, None, target or depth_target)


def resize(sample: Sample, size: tuple[int, int], fit: str = "stretch") -> Sample:
    """Brings a sample to `size`, (height, width), and keeps its types.

    Images are resized by `images.resize`, depth by the nearest pixel; `focal_length` follows both
    sides, `focal_baseline` the width. Around a letterboxed frame no depth is measured.

    Args:
        sample: as `Reader.stored` returns it.
        size: (height, width).
        fit: how a frame of another shape is brought to it, see `letterbox.FITS`.

    Raises:
        InputError: there is no such fit.
    """
    height, width = sample["image"].shape[:2]
    if (height, width) == tuple(size):
        return sample
    placement = place((height, width), (size[0], size[1]), fit)
    resized = {}
    for key, array in sample.items():
        if key in IMAGE_KEYS:
            resized[key] = placement.fit(array)
        elif key == "depth":
            resized[key] = _place_depth(array, placement)
        elif key == "focal_length":
            fx, fy = array
            resized[key] = np.array(placement.scale_focal_length((fx, fy)), np.float32)
        else:  # focal_baseline is in pixels of the width
            resized[key] = np.array(array * placement.scale_x, np.float32)
    return resized


def _place_depth(depth: np.ndarray, placement: Placement) -> np.ndarray:
    # Nearest: the mean over an edge or a hole is a depth that nothing has.
    inner = cv2.resize(depth, placement.inner[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    if placement.fills:
        return inner
    placed = np.zeros(placement.input_size, depth.dtype)
    top, left = placement.top, placement.left
    shown = inner[max(0, -top) : len(placed) - top, max(0, -left) : placed.shape[1] - left]
    top, left = max(0, top), max(0, left)
    placed[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return placed


def mean_depth_map(reader: Reader, size: tuple[int, int], limit: int | None = None) -> np.ndarray:
    """Returns the mean depth of each pixel: a baseline that ignores the image.

    Args:
        reader: frames to average; only measured depth counts.
        size: (h, w) of the result.
        limit: the largest number of frames to read, evenly spread.

    Returns:
        float32 (h, w), metres; a pixel that no frame measured has the mean of all others.

    Raises:
        InputError: no frame has a measured pixel.
    """
    total, count = np.zeros(size), np.zeros(size)
    for index in np.linspace(0, len(reader) - 1, min(len(reader), limit or len(reader))):
        depth = resize(reader.stored(int(index)), size)["depth"]
        total += depth
        count += depth > 0
    if not count.any():
        raise InputError(
            f"{reader.description}: no frame has a measured depth; check its depth files"
        )
    mean = total.sum() / count.sum()
    return np.where(count > 0, total / np.maximum(count, 1), mean).astype(np.float32)
