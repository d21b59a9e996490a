"""Checks that a stereo pair is not swapped or mismatched, and that its scale is right."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.data.reader import Sample
from keras_depth.images import to_uint8

_WIDTH = 640  # pixels; wider images are matched at this width
_MAX_DISPARITY = 0.15  # the largest disparity to search, as a part of the width
# Real pairs (KITTI, Middlebury 2003) match in about 0.8 of their pixels; swapped in 0.2.
_MATCHED = 0.4


class PairMatch(NamedTuple):
    """Holds the result of block matching for a pair.

    same: both images are the same.
    matched: the share of pixels found farther left in the right image.
    swapped: the same with left and right exchanged.
    ratio: the median of (focal_baseline / disparity) / depth; None without depth.
    """

    same: bool
    matched: float
    swapped: float
    ratio: float | None


def match_pair(sample: Sample) -> PairMatch:
    """Matches the images of a stereo sample (semi-global matching, Hirschmueller, 2008)."""
    left, right = to_uint8(sample["image"]), to_uint8(sample["right"])
    if np.array_equal(left, right):
        return PairMatch(True, 0.0, 0.0, None)
    height, width = left.shape[:2]
    scale = min(1.0, _WIDTH / width)
    size = (round(width * scale), round(height * scale))
    left, right = (_gray(picture, size) for picture in (left, right))
    disparity = _disparity(left, right)
    depth = cv2.resize(sample["depth"], size, interpolation=cv2.INTER_NEAREST)
    both = (disparity > 0) & (depth > 0)
    ratio = None
    if both.sum() >= 50:
        metres = sample["focal_baseline"] * scale / disparity[both]
        ratio = float(np.median(metres / depth[both]))
    swapped = float((_disparity(right, left) > 0).mean())
    return PairMatch(False, float((disparity > 0).mean()), swapped, ratio)


def _gray(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _disparity(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns float32 (H, W) pixels; 0 or less where there is no certain match."""
    block = 5
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=16 * max(1, round(_MAX_DISPARITY * left.shape[1] / 16)),
        blockSize=block,
        P1=8 * block**2,  # as OpenCV's documentation recommends for one channel
        P2=32 * block**2,
        disp12MaxDiff=1,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
    )
    return matcher.compute(left, right).astype(np.float32) / 16


def find_stereo_faults(pairs: list[PairMatch]) -> list[str]:
    """Says that left and right are swapped, equal or mismatched, or that their scale is wrong."""
    if not pairs:
        return []
    if any(pair.same for pair in pairs):
        count = sum(pair.same for pair in pairs)
        return [f"left and right are the same picture in {count} of {len(pairs)} pairs"]
    matched, swapped = np.median([pair[1:3] for pair in pairs], axis=0)
    shares = f"{matched:.0%} of the pixels match as stored, {swapped:.0%} exchanged"
    if swapped > max(_MATCHED, 2 * matched):
        return [f"left and right look swapped: {shares}"]
    if matched < _MATCHED:
        return [
            f"left and right hardly match: {shares}; they may be of different frames, or not"
            " rectified"
        ]
    ratios = [pair.ratio for pair in pairs if pair.ratio is not None]
    if ratios and not 0.8 < np.median(ratios) < 1.25:
        return [
            f"focal_baseline / disparity is {np.median(ratios):.2f} times the depth: the focal"
            " length may be of pictures of another size, or the baseline in another unit"
        ]
    return []
