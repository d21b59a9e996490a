"""Augments samples: stateless, so that a seed decides everything and a run can be continued."""

import math
from dataclasses import dataclass

import tensorflow as tf

from keras_depth.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a frame.

    crop: (height, width) cut out at a random place; None keeps the frame.
    mirror: probability of a left-right mirror image.
    rotate: rotation about the middle by up to this many degrees either way.
    colour: brightness, contrast and saturation change by up to this part either way.

    Raises:
        InputError: a value is out of its range.
    """

    crop: tuple[int, int] | None = None
    mirror: float = 0.5
    rotate: float = 0.0
    colour: float = 0.0

    def __post_init__(self):
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise InputError(f"augmentation: crop={self.crop}: give a (height, width) in pixels")
        for key, low, high in (("mirror", 0, 1), ("rotate", 0, 180), ("colour", 0, 0.99)):
            value = getattr(self, key)
            if not low <= value <= high:
                raise InputError(
                    f"augmentation: {key}={value}: give a number between {low} and {high}"
                )


def augment(sample: dict, seed, augmentation: Augmentation) -> dict:
    """Augments one sample; image and depth stay aligned.

    Args:
        sample: `image` float32 (H, W, 3) in [0, 1], `depth` float32 (H, W, 1) metres, 0 = not
            measured; H and W known.
        seed: int32 (2,); the same seed gives the same result.
        augmentation: what may be done.

    Returns:
        A sample of the same kind, of `augmentation.crop`'s size where there is one.

    Raises:
        InputError: the crop is larger than the frame.
    """
    image, depth = sample["image"], sample["depth"]
    turn, cut, flip, jitter = tf.unstack(tf.random.split(seed, 4))
    if augmentation.rotate:
        image, depth = _rotate(image, depth, turn, augmentation.rotate)
    if augmentation.crop:
        image, depth = _crop(image, depth, cut, augmentation.crop)
    if augmentation.mirror:
        mirrored = tf.random.stateless_uniform((), flip) < augmentation.mirror
        image = tf.where(mirrored, tf.reverse(image, [1]), image)
        depth = tf.where(mirrored, tf.reverse(depth, [1]), depth)
    if augmentation.colour:
        image = _jitter(image, jitter, augmentation.colour)
    return {"image": image, "depth": depth}


def _rotate(image, depth, seed, degrees: float):
    # A rotation about the optical axis moves points parallel to the image plane: camera z, which
    # is what depth means here, stays as it is. (About the middle and with square pixels this is
    # nearly that rotation.) Depth takes the nearest pixel: a mean over an edge would be a surface
    # that is not there. What the frame does not cover is black, and not measured.
    angle = tf.random.stateless_uniform((), seed, -degrees, degrees) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = image.shape[0], image.shape[1]
    y, x = (height - 1) / 2, (width - 1) / 2
    transform = tf.stack(
        [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y, 0.0, 0.0]
    )

    def warp(array, interpolation):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=array[None],
            transforms=transform[None],
            output_shape=[height, width],
            fill_value=0.0,
            interpolation=interpolation,
        )[0]

    return warp(image, "BILINEAR"), warp(depth, "NEAREST")


def _crop(image, depth, seed, crop: tuple[int, int]):
    (height, width), (h, w) = image.shape[:2], crop
    if h > height or w > width:
        raise InputError(
            f"augmentation: crop={tuple(crop)} is larger than the frame ({height}, {width}); "
            "give a smaller crop or a larger size"
        )
    room = tf.constant([height - h + 1, width - w + 1])
    start = tf.random.stateless_uniform((2,), seed, maxval=2**31 - 1, dtype=tf.int32) % room
    begin = tf.concat([start, [0]], 0)
    return tf.slice(image, begin, [h, w, 3]), tf.slice(depth, begin, [h, w, 1])


def _jitter(image, seed, amount: float):
    factors = tf.random.stateless_uniform((3,), seed, 1 - amount, 1 + amount)
    brightness, contrast, saturation = tf.unstack(factors)
    image = image * brightness
    mean = tf.reduce_mean(image)
    image = mean + (image - mean) * contrast
    grey = tf.image.rgb_to_grayscale(image)
    return tf.clip_by_value(grey + (image - grey) * saturation, 0.0, 1.0)
