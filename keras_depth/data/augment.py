"""Augments samples: a seed decides everything, so that a run can be continued."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from keras_depth.data.reader import PICTURES, Sample
from keras_depth.errors import InputError, unknown_name

CROP_AT = ("random", "middle")


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a frame.

    crop: (height, width) cut out; None keeps the frame.
    crop_at: "random", a random place, or "middle".
    mirror: probability of a left-right mirror image.
    rotate: rotation about the middle by up to this many degrees either way.
    colour: brightness, contrast and saturation change by up to this part either way.
    colour_shift: probability of monodepth's change of colour, the same for both pictures of a pair:
        to the power of 0.8 to 1.2, times 0.5 to 2, each channel times 0.8 to 1.2, cut to [0, 1].
        Source: Godard et al.'s released code. The OptiDepthNet paper (section 4.2) has the same
        numbers, but says saturation where the code has the power.
    swap: probability of putting the three colour channels in one of their six orders.
    grey: probability of a grey picture, by ITU-R BT.601, after all other changes.

    Raises:
        InputError: a value is out of its range.
    """

    crop: tuple[int, int] | None = None
    crop_at: str = "random"
    mirror: float = 0.5
    rotate: float = 0.0
    colour: float = 0.0
    colour_shift: float = 0.0
    swap: float = 0.0
    grey: float = 0.0

    def __post_init__(self):
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise InputError(f"augmentation: crop={self.crop}: give a (height, width) in pixels")
        if self.crop_at not in CROP_AT:
            raise unknown_name("value of crop_at", self.crop_at, CROP_AT)
        highest = {"mirror": 1, "rotate": 180, "colour": 0.99}
        highest |= dict.fromkeys(("colour_shift", "swap", "grey"), 1)
        for key, high in highest.items():
            value = getattr(self, key)
            if not 0 <= value <= high:
                raise InputError(f"augmentation: {key}={value}: give a number between 0 and {high}")

    def check(self, size: tuple[int, int], stereo: bool) -> None:
        """Raises InputError if frames of `size`, or stereo pairs, cannot be augmented so."""
        if self.crop and (self.crop[0] > size[0] or self.crop[1] > size[1]):
            raise InputError(
                f"augmentation: crop={tuple(self.crop)} is larger than the frame {tuple(size)}; "
                "give a smaller crop or a larger size"
            )
        if stereo and self.rotate:
            raise InputError(
                "augmentation: rotate would take a stereo pair's rows apart; set"
                " augmentation.rotate=0"
            )


def augment(sample: Sample, rng: np.random.Generator, augmentation: Augmentation) -> Sample:
    """Augments one sample; what belongs to one frame stays aligned.

    Args:
        sample: as `Reader.stored` gives it: pictures uint8 or float32 in [0, 1].
        rng: the same state gives the same result.
        augmentation: what may be done.

    Returns:
        A sample in the same types, of `augmentation.crop`'s size where there is one.

    Raises:
        InputError: the crop is larger than the frame, or a stereo pair is to be rotated.
    """
    augmentation.check(sample["image"].shape[:2], "right" in sample)
    # Every number is drawn in every case: one setting does not change what another one does.
    turn, flip, *place = rng.random(4)
    factors = 1 + augmentation.colour * rng.uniform(-1, 1, 3)
    shift, power, brightness = rng.uniform((0, 0.8, 0.5), (1, 1.2, 2.0)).tolist()
    gains = brightness * rng.uniform(0.8, 1.2, 3)
    swap, grey = rng.random(2)
    order = rng.permutation(3)
    maps = {key: array for key, array in sample.items() if key != "focal_baseline"}
    middle = augmentation.crop_at == "middle"
    window = _window(sample["image"].shape[:2], augmentation.crop, None if middle else place)
    if augmentation.rotate:
        maps = _rotate(maps, math.radians(augmentation.rotate) * (2 * turn - 1), window)
    else:
        # The focal length stays: a crop moves the principal point alone.
        top, left, height, width = window
        maps = {key: a[top : top + height, left : left + width] for key, a in maps.items()}
    if flip < augmentation.mirror:
        maps = _mirror(maps)
    if augmentation.colour:
        maps |= {key: _jitter(maps[key], *factors) for key in PICTURES if key in maps}
    if shift < augmentation.colour_shift:
        maps |= {key: _shift(maps[key], power, gains) for key in PICTURES if key in maps}
    if swap < augmentation.swap:
        maps |= {key: maps[key][..., order] for key in PICTURES if key in maps}
    if grey < augmentation.grey:
        maps |= {key: _grey(maps[key]) for key in PICTURES if key in maps}
    return sample | maps


def _window(size, crop, place) -> tuple[int, int, int, int]:
    """Returns top, left, height and width of the crop; `place` in [0, 1) both ways, or None."""
    (height, width), (h, w) = size, crop or size
    if place is None:
        return (height - h) // 2, (width - w) // 2, h, w
    return int(place[0] * (height - h + 1)), int(place[1] * (width - w + 1)), h, w


def _rotate(maps: Sample, angle: float, window: tuple[int, int, int, int]) -> Sample:
    # A rotation about the optical axis moves points parallel to the image plane: camera z, which
    # is what depth means here, stays as it is. (About the middle and with square pixels this is
    # nearly that rotation.) Depth takes the nearest pixel: a mean over an edge would be a surface
    # that is not there. What the frame does not cover is black, and not measured.
    top, left, height, width = window
    y, x = ((side - 1) / 2 for side in maps["image"].shape[:2])
    cos, sin = math.cos(angle), math.sin(angle)
    # From a pixel of the crop to the one of the frame that it shows.
    source = np.array(
        [
            [cos, -sin, x + cos * (left - x) - sin * (top - y)],
            [sin, cos, y + sin * (left - x) + cos * (top - y)],
        ]
    )

    def warp(array, interpolation):
        flags = interpolation | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(array, source, (width, height), flags=flags)

    return {
        "image": warp(maps["image"], cv2.INTER_LINEAR),
        "depth": warp(maps["depth"], cv2.INTER_NEAREST),
    }


def _mirror(maps: Sample) -> Sample:
    maps = {key: array[:, ::-1] for key, array in maps.items()}
    if "right" in maps:
        # In a mirror the right camera is the left one. Its depth is not known.
        maps |= {"image": maps["right"], "right": maps["image"]}
        maps["depth"] = np.zeros_like(maps["depth"])
    return maps


_GREY = np.array([0.2989, 0.587, 0.114])  # ITU-R BT.601


def _grey(picture: np.ndarray) -> np.ndarray:
    # One matrix, all of whose rows are the same; bytes are rounded.
    return cv2.transform(np.ascontiguousarray(picture), np.tile(_GREY, (3, 1)))


def _jitter(picture: np.ndarray, brightness: float, contrast: float, saturation: float):
    # All three are linear: saturation moves a colour away from its grey, contrast from the
    # picture's mean. One matrix does them in one pass, and rounds once.
    colour = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * _GREY)
    picture = np.ascontiguousarray(picture)
    mean = brightness * np.mean(cv2.mean(picture)[:3]) * (1 - contrast)
    top = 255 if picture.dtype == np.uint8 else 1
    changed = cv2.transform(picture, np.column_stack([colour, np.full(3, mean)]))
    return np.clip(changed, 0, top)


def _shift(picture: np.ndarray, power: float, gains: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8:
        return np.clip(picture**power * gains.astype(picture.dtype), 0, 1)
    # A byte has 256 values: a table of what becomes of each, in each channel.
    values = np.linspace(0, 1, 256)[:, None, None]
    table = np.rint(255 * np.clip(values**power * gains, 0, 1)).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(picture), table)
