"""Evaluation protocols as data: which pixels of a frame are scored, and how.

The same prediction gives different numbers under different protocols, so a number without its
protocol says little: `line` is printed over every table.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from keras_depth.errors import InputError, unknown_name


@dataclass(frozen=True)
class Protocol:
    """What is scored.

    Attributes:
        name: what commands and reports call it.
        description: one line for people.
        source: where its constants come from.
        resize: the truth is brought to this fraction of its size first, by nearest pixel.
        frame: height and width that `crop` refers to.
        crop: top, bottom, left, right, as in a slice of `frame`; None: the whole frame. A map of
            another size is cropped at the same fractions, rounded down to whole pixels.
        min_depth, max_depth: a pixel is scored where min_depth < truth < max_depth, metres.
        clip_prediction: lowest and highest prediction, metres; None: as predicted.
        reduction: what the source averages over, "image" or "pixel" (see `metrics`).
    """

    name: str
    description: str
    source: str
    resize: float = 1.0
    frame: tuple[float, float] = (480, 640)
    crop: tuple[float, float, float, float] | None = None
    min_depth: float = 0.0
    max_depth: float = math.inf
    clip_prediction: tuple[float, float] | None = None
    reduction: str = "image"

    def line(self) -> str:
        """Returns the protocol in one line of text."""
        parts = []
        if self.resize != 1:
            parts.append(f"truth resized by {self.resize:.4g}")
        if self.crop is None:
            parts.append("no crop")
        else:
            top, bottom, left, right = self.crop
            height, width = self.frame
            parts.append(f"crop {top}:{bottom}, {left}:{right} of {height}x{width}")
        if math.isinf(self.max_depth):
            parts.append(f"depth > {self.min_depth:g} m")
        else:
            parts.append(f"{self.min_depth:g} < depth < {self.max_depth:g} m")
        if self.clip_prediction is not None:
            low, high = self.clip_prediction
            parts.append(f"prediction clipped to {low:g}..{high:g} m")
        parts.append("alignment none")
        parts.append("mean of images" if self.reduction == "image" else "pooled pixels")
        return f"{self.name}: {'; '.join(parts)}"


_PROTOCOLS = {
    protocol.name: protocol
    for protocol in [
        Protocol(
            name="full",
            description="every measured pixel; for rendered rooms and your own data",
            source="this package",
        ),
        Protocol(
            name="nyu_eigen",
            description="NYU's 654 test images as most papers since BTS score them",
            source="BTS, AdaBins, ZoeDepth",
            crop=(45, 471, 41, 601),
            min_depth=1e-3,
            max_depth=10.0,
            clip_prediction=(1e-3, 10.0),
        ),
        Protocol(
            # Its evaluation masks nothing: it scores depth maps whose holes were filled. On raw
            # maps a hole is 0, and is not scored here. It also averages the flipped image's
            # prediction, which is the caller's to do.
            name="nyu_densedepth",
            description="NYU's 654 test images, filled depth, as DenseDepth scores them",
            source="DenseDepth",
            crop=(20, 460, 24, 616),
            clip_prediction=(0.1, 10.0),
            reduction="pixel",
        ),
        Protocol(
            # Its evaluation also scores pixels of truth 0 where the prediction is above 0, which
            # has no meaning; not so here.
            name="nyu_fastdepth",
            description="NYU at the size FastDepth sees, its centre alone",
            source="FastDepth, sparse-to-dense",
            resize=250 / 480,
            frame=(250, 333),
            crop=(11, 239, 14, 318),
        ),
        Protocol(
            name="ecmr2019",
            description="the centre that Bokovoy et al. trained and scored on",
            source="Bokovoy et al. 2019, the authors' notebooks",
            crop=(48, 432, 64, 576),
            reduction="pixel",
        ),
    ]
}


def names() -> list[str]:
    """Returns the names that `get` knows."""
    return list(_PROTOCOLS)


def get(name: str) -> Protocol:
    """Returns the protocol `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _PROTOCOLS:
        raise unknown_name("protocol", name, _PROTOCOLS)
    return _PROTOCOLS[name]


def apply(
    protocol: Protocol, truth: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Brings one frame's truth and prediction to what the protocol scores.

    The prediction is resized (bilinear) to the truth, both are cropped, the truth is masked, and
    the prediction is clipped.

    Args:
        protocol: see `get`.
        truth: (H, W) or (H, W, 1), metres, 0 = not measured.
        prediction: (h, w) or (h, w, 1), metres, of any size.

    Returns:
        y_true: float32 (h', w', 2), metres and valid (0 or 1), 0 metres where not valid.
        y_pred: float32 (h', w', 1), metres.

    Raises:
        InputError: an array is not one depth map, or the crop leaves no pixel of it.
    """
    truth, prediction = _depth_map("truth", truth), _depth_map("prediction", prediction)
    if protocol.resize != 1:
        height, width = (max(1, round(side * protocol.resize)) for side in truth.shape)
        # Nearest, for a mean of a measured depth and a hole is neither.
        truth = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    if prediction.shape != truth.shape:
        prediction = cv2.resize(prediction, truth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if protocol.crop is not None:
        (height, width), (frame_height, frame_width) = truth.shape, protocol.frame
        top, bottom, left, right = protocol.crop
        window = (
            slice(int(top * height / frame_height), int(bottom * height / frame_height)),
            slice(int(left * width / frame_width), int(right * width / frame_width)),
        )
        if truth[window].size == 0:
            raise InputError(
                f"protocol {protocol.name!r} leaves no pixel of a depth map of {height}x{width}:"
                " score larger maps, or use the protocol 'full'"
            )
        truth, prediction = truth[window], prediction[window]
    valid = (truth > protocol.min_depth) & (truth < protocol.max_depth)
    if protocol.clip_prediction is not None:
        prediction = np.clip(prediction, *protocol.clip_prediction)
    y_true = np.stack([np.where(valid, truth, 0), valid], axis=-1).astype(np.float32)
    return y_true, prediction[..., None]


def _depth_map(which, array):
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{which} of shape {array.shape} and type {array.dtype} is not a depth map:"
            " give numbers in metres of shape (height, width) or (height, width, 1)"
        )
    return array.astype(np.float32)
