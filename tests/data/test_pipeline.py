import functools
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from keras_depth.data.augment import Augmentation
from keras_depth.data.pipeline import (
    evaluation_batches,
    frames_of_step,
    mean_depth_map,
    resize,
    training_batches,
)
from keras_depth.data.reader import Reader
from keras_depth.data.targets import depth_target
from keras_depth.errors import InputError

SIZE = (12, 16)


class Numbered(Reader):
    """Frames that carry their index: depth is 1 + index metres, the top row is not measured."""

    description = "numbered frames"

    def __init__(self, count, broken=(), size=SIZE):
        self.count, self.broken, self.size = count, broken, size

    def __len__(self):
        return self.count

    def name(self, index):
        return f"frame {index}"

    def key(self, index):
        return f"{index}"

    def stored(self, index):
        if index in self.broken:
            raise InputError(f"frame {index}: the file is cut short; copy it again")
        noise = np.random.default_rng(index).integers(0, 256, (*self.size, 3), np.uint8)
        depth = np.full(self.size, 1 + index, np.float32)
        depth[0] = 0
        return {"image": noise, "depth": depth}


class Seen(Numbered):
    """The same, by a camera of (fx, fy) = (20, 5) pixels; frame 3's is not known."""

    def stored(self, index):
        camera = {} if index == 3 else {"focal_length": np.array([20, 5], np.float32)}
        return super().stored(index) | camera


class Stereo(Numbered):
    """The left pictures are dark and the right ones bright."""

    stereo = True

    def stored(self, index):
        sample = super().stored(index)
        pictures = {"image": sample["image"] // 4, "right": sample["image"] // 4 + 192}
        return sample | pictures | {"focal_baseline": np.float32(100)}


def train(reader, steps, start_step=0, **options):
    settings = dict(
        size=SIZE,
        augmentation=Augmentation(crop=(8, 8), rotate=5.0, color_shift=0.5),
        target=depth_target,
        batch_size=3,
        seed=5,
    )
    batches = training_batches(reader, steps=steps, start_step=start_step, **settings | options)
    return [(image.numpy(), y.numpy()) for image, y in batches]


def frames_of(batches):
    return [[round(float(y[..., 0].max())) - 1 for y in batch[1]] for batch in batches]


def test_shapes_and_types():
    ((image, y),) = train(Numbered(4), 1)
    assert image.shape == (3, 8, 8, 3) and image.dtype == np.float32
    assert y.shape == (3, 8, 8, 2) and y.dtype == np.float32
    assert set(np.unique(y[..., 1])) <= {0.0, 1.0}


def test_the_dataset_knows_its_shapes():
    batches = training_batches(
        Numbered(4), size=SIZE, augmentation=Augmentation(), target=depth_target, batch_size=3,
        seed=0, steps=1,
    )  # fmt: skip
    image, y = batches.dataset.element_spec
    assert image.shape == (3, *SIZE, 3) and y.shape == (3, *SIZE, 2)


def test_an_epoch_is_a_permutation_without_its_last_batch():
    # 10 frames in batches of 3: an epoch is 3 steps and leaves one frame out.
    orders = [np.random.default_rng((5, epoch)).permutation(10)[:9] for epoch in (0, 1)]
    seen = frames_of(train(Numbered(10), 6, augmentation=Augmentation()))
    assert seen == np.concatenate(orders).reshape(6, 3).tolist()
    assert seen == [frames_of_step(10, 3, 5, step).tolist() for step in range(6)]


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_later_start_gives_the_very_same_batches(start):
    whole, rest = train(Numbered(10), 7), train(Numbered(10), 7, start)
    assert len(rest) == 7 - start
    for (image, y), (again, y_again) in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(y, y_again)


def test_a_frame_is_augmented_differently_in_each_epoch_and_seed():
    first, second = train(Numbered(1), 2, batch_size=1)
    other = train(Numbered(1), 1, batch_size=1, seed=6)[0]
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], other[0])


def test_unmeasured_pixels_hold_a_finite_target_and_are_invalid():
    def inverse(batch):
        return depth_target(batch, lambda depth, focal_baseline: 10.0 / depth)

    ((_, y),) = train(Numbered(3), 1, augmentation=Augmentation(), target=inverse)
    assert np.isfinite(y).all()
    assert (y[:, 0, :, 1] == 0).all() and (y[:, 1:, :, 1] == 1).all()
    assert sorted(y[:, 1, 0, 0]) == pytest.approx([10 / 3, 5.0, 10.0])


def test_an_error_of_the_target_comes_through():
    with pytest.raises(
        InputError, match="^downsample=min: depth of .* does not divide into square"
    ):
        train(Numbered(3), 1, target=lambda batch: depth_target(batch, None, (3, 1), "min"))


def test_rotation_uncovers_invalid_pixels():
    turned = Augmentation(mirror=0.0, rotate=45.0)
    ((_, y),) = train(Numbered(3), 1, augmentation=turned)
    assert (y[:, 1:, :, 1] == 0).any()


def test_a_readers_error_comes_through():
    with pytest.raises(InputError, match="^frame 2: the file is cut short; copy it again$"):
        train(Numbered(6, broken=(2,)), 2)
    with pytest.raises(InputError, match="^frame 4: the file is cut short"):
        list(evaluation_batches(Numbered(6, broken=(4,)), size=SIZE, batch_size=2))


def test_batches_before_the_broken_frame_arrive():
    seen = []
    with pytest.raises(InputError, match="frame 4"):
        for _, y in evaluation_batches(Numbered(6, broken=(4,)), size=SIZE, batch_size=2):
            seen.append(y)
    assert len(seen) == 2


def test_a_bug_in_a_reader_is_not_hidden():
    class Wrong(Numbered):
        def stored(self, index):
            return 1 / 0

    with pytest.raises(tf.errors.OpError):
        list(evaluation_batches(Wrong(2), size=SIZE, batch_size=2))


def test_a_readers_error_comes_through_a_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    parts = []

    def part(context):
        parts.append(
            training_batches(
                Numbered(7, broken=(6,)),
                size=SIZE,
                augmentation=Augmentation(mirror=0.0),
                target=depth_target,
                batch_size=2,
                seed=0,
                steps=3,
                context=context,
            )
        )
        return parts[-1].dataset

    distributed = strategy.distribute_datasets_from_function(part)
    seen = []
    with pytest.raises(InputError, match="frame 6"), parts[0].errors():
        for _, y in distributed:
            seen.append(frames_of([(None, y.numpy())])[0])
    order = np.random.default_rng((0, 0)).permutation(7)[:6].reshape(3, 2).tolist()
    assert seen == order[: len(seen)] and len(seen) == [6 in pair for pair in order].index(True)


def test_workers_and_replicas_share_each_batch():
    whole = train(Numbered(10), 4, batch_size=4)
    # Two workers with one replica each, or one worker with two.
    for workers, replicas in ((2, 2), (1, 2)):
        contexts = [tf.distribute.InputContext(workers, k, replicas) for k in range(workers)]
        parts = [train(Numbered(10), 4, batch_size=4, context=context) for context in contexts]
        shares = zip(*parts, strict=True) if workers == 2 else zip(*[iter(parts[0])] * 2)  # noqa: B905
        for (image, y), share in zip(whole, shares, strict=True):
            np.testing.assert_array_equal(image, np.concatenate([part[0] for part in share]))
            np.testing.assert_array_equal(y, np.concatenate([part[1] for part in share]))


def test_too_few_frames():
    with pytest.raises(InputError, match="2 frames do not fill a batch of 3"):
        train(Numbered(2), 1)


def test_evaluation_keeps_order_and_the_last_small_batch():
    batches = list(evaluation_batches(Numbered(5), size=SIZE, batch_size=2))
    assert [len(image) for image, _ in batches] == [2, 2, 1]
    assert frames_of([(None, y.numpy()) for _, y in batches]) == [[0, 1], [2, 3], [4]]


def test_evaluation_encodes_and_crops_the_middle():
    reader = Numbered(1)

    def tenths(batch):
        return depth_target(batch, lambda depth, focal_baseline: depth / 10)

    options = {"size": SIZE, "batch_size": 1, "target": tenths}
    image, y = next(iter(evaluation_batches(reader, crop=(4, 6), **options)))
    np.testing.assert_array_equal(image[0], reader[0]["image"][4:8, 5:11])
    np.testing.assert_allclose(y[..., 0], 0.1)
    with pytest.raises(InputError, match="is larger than the frames"):
        evaluation_batches(reader, size=SIZE, batch_size=1, crop=(13, 4))


def test_resize_averages_the_image_and_picks_the_depth():
    y, x = np.meshgrid(np.arange(12), np.arange(16), indexing="ij")
    stripes = np.repeat((x % 2)[..., None], 3, 2).astype(np.float32)
    depth = np.float32(np.where(x < 8, 1, 9) * (y > 0))
    image, small = resize({"image": stripes, "depth": depth}, (6, 8)).values()
    np.testing.assert_allclose(image, 0.5)
    assert set(np.unique(small)) <= {0.0, 1.0, 9.0}
    # Image and depth keep their places: the edge is in the middle of both.
    assert (small[3, :4] == 1).all() and (small[3, 4:] == 9).all()


@pytest.mark.parametrize("target", [(7, 9), (5, 16), (24, 40)])
def test_resize_takes_the_nearest_pixel(target):
    depth = np.arange(12 * 16, dtype=np.float32).reshape(12, 16, 1)
    sample = {"image": np.zeros((12, 16, 3), np.float32), "depth": depth}
    rows, columns = (
        np.clip((np.arange(n) + 0.5) * full / n - 0.5, 0, full - 1)
        for n, full in zip(target, (12, 16), strict=True)
    )
    row, column = np.divmod(resize(sample, target)["depth"], 16)
    assert np.abs(row - rows[:, None]).max() <= 0.5 and np.abs(column - columns).max() <= 0.5


def test_mean_depth_map():
    mean = mean_depth_map(Numbered(4), (6, 8))
    assert mean.shape == (6, 8) and mean.dtype == np.float32
    np.testing.assert_allclose(mean[1:], 2.5)  # of 1, 2, 3 and 4 m
    np.testing.assert_allclose(mean_depth_map(Numbered(5), (6, 8), limit=2)[1:], 3.0)


def test_mean_depth_map_fills_what_no_frame_measured():
    np.testing.assert_allclose(mean_depth_map(Numbered(2), SIZE)[0], 1.5)

    class Empty(Numbered):
        def stored(self, index):
            return super().stored(index) | {"depth": np.zeros(SIZE, np.float32)}

    with pytest.raises(InputError, match="no frame has a measured depth"):
        mean_depth_map(Empty(2), SIZE)


def test_opencv_threads_do_not_change_a_resized_frame():
    sample = Numbered(1, size=(240, 320))[0]
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = resize(sample, (128, 160))["image"]
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(one, resize(sample, (128, 160))["image"])


@pytest.mark.parametrize("size", [SIZE, (6, 8), (24, 20)])
def test_a_resized_stereo_pair_keeps_its_metres(size):
    whole = Stereo(1)[0]
    pair = resize(whole, size)
    assert pair["right"].shape == (*size, 3) and pair["depth"].shape == size
    np.testing.assert_allclose(pair["focal_baseline"], 100 * size[1] / SIZE[1])
    assert pair["focal_baseline"].dtype == np.float32 and pair["focal_baseline"].shape == ()


def test_stereo_pairs_go_through_the_pipeline():
    augmentation = Augmentation(crop=(8, 8), color_shift=0.5)
    batches = train(Stereo(4), 1, augmentation=augmentation)
    assert batches[0][0].shape == (3, 8, 8, 3)
    with pytest.raises(InputError, match="would misalign the rows of a stereo pair"):
        train(Stereo(4), 1, augmentation=Augmentation(rotate=5.0))


def test_a_crop_that_does_not_fit_is_one_sentence():
    with pytest.raises(InputError, match="^augmentation: crop=.* is larger than the frame"):
        train(Numbered(4), 1, augmentation=Augmentation(crop=(99, 99)))


@pytest.mark.slow
def test_a_process_ends_with_batches_unread():
    code = (
        "from keras_depth.data.augment import Augmentation\n"
        "from keras_depth.data.pipeline import training_batches\n"
        "from keras_depth.data.rendered.rooms import Rooms\n"
        "batches = iter(training_batches(Rooms(16, (24, 32)), size=(24, 32), target=len, seed=0,\n"
        "    augmentation=Augmentation(), batch_size=2, steps=10**6))\n"
        "for _ in range(30): next(batches)\n"
        "raise ValueError('the end')\n"
    )
    for _ in range(3):  # without care about half of them hang
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
        assert b"ValueError: the end" in done.stderr


@pytest.mark.parametrize(
    "fit, size, focal_length, shown",
    [
        ("stretch", (6, 16), (20, 2.5), (6, 16)),
        ("letterbox", (12, 32), (20, 5), (12, 16)),
        ("letterbox", (24, 16), (20, 5), (12, 16)),
        ("crop", (12, 8), (20, 5), (12, 8)),
    ],
)
def test_a_frame_of_another_shape_is_placed_with_its_depth_and_camera(
    fit, size, focal_length, shown
):
    sample = resize(Seen(1).stored(0), size, fit)
    assert sample["image"].shape == (*size, 3) and sample["depth"].shape == size
    np.testing.assert_allclose(sample["focal_length"], focal_length)
    assert (sample["depth"] > 0).sum() == (shown[0] - shown[0] // 12) * shown[1]
    rows, columns = np.nonzero(sample["depth"])
    if fit == "letterbox":  # on black, where nothing is measured
        middle = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        seen = Seen(1).stored(0)["image"]
        np.testing.assert_array_equal(sample["image"][middle], seen[1:])
        assert sample["image"].sum() == seen.sum()


def test_targets_of_one_canonical_camera():
    """A camera of 10 pixels sees at 2 m what one of 20 sees at 4 m."""
    target = functools.partial(depth_target, canonical=20.0)
    options = {"target": target, "focal_length": True}
    ((_, y),) = train(Seen(3), 1, augmentation=Augmentation(), **options)
    assert sorted(y[..., 0].max((1, 2))) == pytest.approx([2, 4, 6])
    batches = evaluation_batches(Seen(3), size=SIZE, batch_size=3, **options)
    assert [float(t[..., 0].numpy().max()) for _, y in batches for t in y] == [2, 4, 6]


def test_a_frame_without_focal_length_is_named():
    message = "frame 3: its focal length is not known.*camera.yaml .* leave canonical_focal_length"
    with pytest.raises(InputError, match=message):
        train(Seen(4), 4, focal_length=True)
    with pytest.raises(InputError, match=message):
        list(evaluation_batches(Seen(4), size=SIZE, batch_size=2, focal_length=True))
