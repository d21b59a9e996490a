"""Augments samples: stateless, so that a seed decides everything and a run can be continued."""

import math
from dataclasses import dataclass

import tensorflow as tf

from keras_depth.data.reader import PICTURES
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
    """Augments one sample; what belongs to one frame stays aligned.

    Args:
        sample: `image` uint8, or float32 in [0, 1], (H, W, 3), `depth` float32 (H, W, 1) metres,
            0 = not measured; H and W known. Of a stereo sample also `right` and `focal_baseline`.
        seed: int32 (2,); the same seed gives the same result.
        augmentation: what may be done.

    Returns:
        A sample of the same kind, its pictures float32 in [0, 1], of `augmentation.crop`'s size
        where there is one.

    Raises:
        InputError: the crop is larger than the frame, or a stereo pair is to be rotated.
    """
    turn, cut, flip, jitter = tf.unstack(tf.random.split(seed, 4))
    maps = {key: array for key, array in sample.items() if key != "focal_baseline"}
    if augmentation.rotate:
        if "right" in maps:
            raise InputError(
                "augmentation: rotate would take a stereo pair's rows apart; set"
                " augmentation.rotate=0"
            )
        maps = {"image": to_unit(maps["image"]), "depth": maps["depth"]}
        maps = dict(zip(maps, _rotate(*maps.values(), turn, augmentation.rotate), strict=True))
    if augmentation.crop:
        # The focal length stays: a crop moves the principal point alone.
        maps = _crop(maps, cut, augmentation.crop)
    if augmentation.mirror:
        mirrored = tf.random.stateless_uniform((), flip) < augmentation.mirror
        maps = tf.cond(mirrored, lambda: _mirror(maps), lambda: maps)
    maps |= {key: to_unit(maps[key]) for key in PICTURES if key in maps}
    if augmentation.colour:
        maps |= {
            key: _jitter(maps[key], jitter, augmentation.colour) for key in PICTURES if key in maps
        }
    return sample | maps


def to_unit(picture) -> tf.Tensor:
    """Returns a picture as float32 in [0, 1]: uint8 is divided by 255."""
    # Not tf.image.convert_image_dtype: it multiplies by 1/255, which is not the same bits.
    return tf.cast(picture, tf.float32) / 255 if picture.dtype == tf.uint8 else picture


def _mirror(maps: dict) -> dict:
    maps = {key: tf.reverse(array, [1]) for key, array in maps.items()}
    if "right" in maps:
        # In a mirror the right camera is the left one. Its depth is not known.
        maps |= {"image": maps["right"], "right": maps["image"]}
        maps["depth"] = tf.zeros_like(maps["depth"])
    return maps


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


def _crop(maps: dict, seed, crop: tuple[int, int]) -> dict:
    (height, width), (h, w) = maps["image"].shape[:2], crop
    if h > height or w > width:
        raise InputError(
            f"augmentation: crop={tuple(crop)} is larger than the frame ({height}, {width}); "
            "give a smaller crop or a larger size"
        )
    room = tf.constant([height - h + 1, width - w + 1])
    start = tf.random.stateless_uniform((2,), seed, maxval=2**31 - 1, dtype=tf.int32) % room
    begin = tf.concat([start, [0]], 0)
    return {key: tf.slice(array, begin, [h, w, array.shape[2]]) for key, array in maps.items()}


def _jitter(image, seed, amount: float):
    factors = tf.random.stateless_uniform((3,), seed, 1 - amount, 1 + amount)
    brightness, contrast, saturation = tf.unstack(factors)
    image = image * brightness
    mean = tf.reduce_mean(image)
    image = mean + (image - mean) * contrast
    grey = tf.image.rgb_to_grayscale(image)
    return tf.clip_by_value(grey + (image - grey) * saturation, 0.0, 1.0)
