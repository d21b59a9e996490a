"""Augments samples: a seed decides everything, so that a run can be resumed."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from keras_depth.data.reader import CAMERA_KEYS, IMAGE_KEYS, Sample
from keras_depth.errors import InputError, check_choice

CROP_AT = ("random", "middle")


@dataclass(frozen=True)
class Augmentation:
    """Holds what may be done to a frame.

    crop: (height, width) to cut out; None keeps the frame.
    crop_at: "random", at a random place, or "middle".
    mirror: probability of mirroring left and right.
    rotate: largest rotation about the middle, in degrees, either way.
    zoom: largest factor by which a part of the frame, at a random place, is enlarged to the whole:
        1 leaves frames as they are. Depth is divided by the factor, as if the camera had come
        nearer (Eigen et al. 2014, section 3.5); of a stereo pair the focal length grows instead.
    color_shift: probability of monodepth's change of color, the same for both images of a pair:
        to the power of 0.8 to 1.2, times 0.5 to 2, each channel times 0.8 to 1.2, cut to [0, 1].
        Source: Godard et al.'s released code. The OptiDepthNet paper (section 4.2) has the same
        numbers, but says saturation where the code has the power.
    color_jitter: largest change of brightness, contrast and saturation: each is multiplied by
        1 - color_jitter to 1 + color_jitter.
    swap: probability of putting the three color channels into one of their six orders.
    gray: probability of a gray image, by ITU-R BT.601, after all other changes.

    Raises:
        InputError: a value is out of its range.
    """

    crop: tuple[int, int] | None = None
    crop_at: str = "random"
    mirror: float = 0.5
    rotate: float = 0.0
    zoom: float = 1.0
    color_shift: float = 0.0
    color_jitter: float = 0.0
    swap: float = 0.0
    gray: float = 0.0

    def __post_init__(self):
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise InputError(f"augmentation: crop={self.crop}: give a (height, width) in pixels")
        check_choice("value of crop_at", self.crop_at, CROP_AT)
        limits = {
            **dict.fromkeys(("mirror", "color_shift", "color_jitter", "swap", "gray"), (0, 1)),
            **{"rotate": (0, 180), "zoom": (1, 4)},
        }
        for key, (low, high) in limits.items():
            value = getattr(self, key)
            if not low <= value <= high:
                raise InputError(
                    f"augmentation: {key}={value}: give a number between {low} and {high}"
                )

    def check(self, size: tuple[int, int], stereo: bool) -> None:
        """Raises InputError if frames of `size`, or stereo pairs, cannot be augmented so."""
        if self.crop and (self.crop[0] > size[0] or self.crop[1] > size[1]):
            raise InputError(
                f"augmentation: crop={tuple(self.crop)} is larger than the frame {tuple(size)}; "
                "give a smaller crop or a larger size"
            )
        if stereo and self.rotate:
            raise InputError(
                "augmentation: rotate would misalign the rows of a stereo pair; set"
                " augmentation.rotate=0"
            )


def augment(sample: Sample, rng: np.random.Generator, augmentation: Augmentation) -> Sample:
    """Augments one sample; its images and its depth stay aligned.

    Args:
        sample: as `Reader.stored` returns it: images uint8 or float32 in [0, 1].
        rng: the same state gives the same result.
        augmentation: what may be done.

    Returns:
        A sample in the same types, of `augmentation.crop`'s size where there is one.

    Raises:
        InputError: the crop is larger than the frame, or the sample is a pair to be rotated.
    """
    augmentation.check(sample["image"].shape[:2], "right" in sample)
    # Every number is always drawn, so that no setting changes the effect of another.
    turn, flip, *place = rng.random(4)
    jitter = rng.random(3)
    shift, power, brightness = rng.uniform((0, 0.8, 0.5), (1, 1.2, 2.0)).tolist()
    gains = brightness * rng.uniform(0.8, 1.2, 3)
    swap, gray = rng.random(2)
    order = rng.permutation(3)
    maps = {key: array for key, array in sample.items() if key not in CAMERA_KEYS}
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
    images = [key for key in IMAGE_KEYS if key in maps]
    if shift < augmentation.color_shift:
        maps |= {key: _shift_color(maps[key], power, gains) for key in images}
    if augmentation.color_jitter:
        factors = 1 + augmentation.color_jitter * (2 * jitter - 1)
        maps |= {key: _jitter_color(maps[key], *factors) for key in images}
    if swap < augmentation.swap:
        maps |= {key: maps[key][..., order] for key in images}
    if gray < augmentation.gray:
        maps |= {key: _make_gray(maps[key]) for key in images}
    return sample | maps


def zoom(sample: Sample, rng: np.random.Generator, largest: float) -> Sample:
    """Cuts a random part out of a sample, 1 / `largest` of its sides or more, as stored.

    Resized to the size of the whole, it is the picture of a camera that has come nearer, so depth
    is divided by the factor, and the focal length of the whole stays. Of a stereo pair depth stays
    and the focal length grows, which is what resizing the part does (`data.pipeline.resize`).

    Args:
        sample: as `Reader.stored` returns it.
        rng: the same state gives the same part.
        largest: 1 or more; the factor is drawn uniformly from 1 to this.
    """
    height, width = sample["image"].shape[:2]
    factor, *place = rng.random(3)
    factor = 1 + (largest - 1) * factor
    part = round(height / factor), round(width / factor)
    top, left, h, w = _window((height, width), part, place)
    maps = {
        key: array if key in CAMERA_KEYS else array[top : top + h, left : left + w]
        for key, array in sample.items()
    }
    if "right" not in maps and "depth" in maps:
        maps["depth"] = maps["depth"] * np.float32(w / width)
        if "focal_length" in maps:  # in pixels of the part, which resizing enlarges
            shrunk = np.array([w / width, h / height], np.float32)
            maps["focal_length"] = maps["focal_length"] * shrunk
    return maps


def _window(size, crop, place) -> tuple[int, int, int, int]:
    """Returns top, left, height and width of the crop; `place` in [0, 1) both ways, or None."""
    (height, width), (h, w) = size, crop or size
    if place is None:
        return (height - h) // 2, (width - w) // 2, h, w
    return int(place[0] * (height - h + 1)), int(place[1] * (width - w + 1)), h, w


def _rotate(maps: Sample, angle: float, window: tuple[int, int, int, int]) -> Sample:
    # A rotation about the optical axis moves points parallel to the image plane, so camera z, the
    # depth, does not change. (A rotation about the middle is nearly that, with square pixels.)
    # Depth takes the nearest pixel: a mean over an edge would be a surface that does not exist.
    # Outside the frame, the image is black and depth is not measured.
    top, left, height, width = window
    y, x = ((side - 1) / 2 for side in maps["image"].shape[:2])
    cos, sin = math.cos(angle), math.sin(angle)
    # Maps a pixel of the crop to the pixel of the frame that it shows.
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
        # Mirrored, the right camera is the left one, and its depth is not known.
        maps |= {"image": maps["right"], "right": maps["image"]}
        maps["depth"] = np.zeros_like(maps["depth"])
    return maps


_GRAY = np.array([0.2989, 0.587, 0.114])  # ITU-R BT.601


def _make_gray(image: np.ndarray) -> np.ndarray:
    # A matrix with three equal rows; OpenCV rounds uint8.
    return cv2.transform(np.ascontiguousarray(image), np.tile(_GRAY, (3, 1)))


def _jitter_color(
    image: np.ndarray, brightness: float, contrast: float, saturation: float
) -> np.ndarray:
    """Multiplies the picture, its distance from its mean gray, and its distance from gray."""
    # One matrix and one offset do all three: mixing with gray is linear in the channels.
    matrix = saturation * np.eye(3) + (1 - saturation) * np.tile(_GRAY, (3, 1))
    mean = float(cv2.transform(np.ascontiguousarray(image), _GRAY[None]).mean())
    offset = np.full((3, 1), (1 - contrast) * brightness * mean)
    mixed = cv2.transform(
        np.ascontiguousarray(image), np.hstack([contrast * brightness * matrix, offset])
    )
    return mixed if image.dtype == np.uint8 else np.clip(mixed, 0, 1)


def _shift_color(image: np.ndarray, power: float, gains: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8:
        return np.clip(image**power * gains.astype(image.dtype), 0, 1)
    # uint8 has 256 values: look the result of each up, for each channel.
    values = np.linspace(0, 1, 256)[:, None, None]
    table = np.rint(255 * np.clip(values**power * gains, 0, 1)).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(image), table)
