"""Evaluation protocols as data: which pixels of a frame are scored, and how.

The same prediction gives different numbers under different protocols, so a number without its
protocol says little: reports print `Protocol.line` above every table. `evaluate.scorer` applies
protocols to frames.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_depth.errors import InputError, check_choice, shown, unknown_name
from keras_depth.registry import Registry

# Name in `metrics.DepthMetric` -> text in reports, see `Protocol.reduction_text`.
REDUCTIONS = {
    "image": "mean of images",
    "pixel": "pooled pixels",
    "root_last": "mean of images, root last",
    "batch": "mean of batches of {batch} images",
}
_CHOICES = {
    "flip": ("none", "mean", "ramp"),
    "resize_as": ("depth", "disparity"),
    "alignment": ("none", "median"),
    "reduction": tuple(REDUCTIONS),
}
_NUMBERS = {  # setting -> how many numbers it has, and how they are written
    **dict.fromkeys(("resize", "scale", "min_depth", "max_depth"), (1, "a number")),
    "frame": (2, "[height, width]"),
    "crop": (4, "[top, bottom, left, right], or none"),
    "clip_prediction": (2, "[low, high], or none"),
}


def _checked(key: str, value: Any) -> Any:
    """Returns a setting's value; raises InputError if it is not of the setting's kind."""
    if key in _CHOICES:
        check_choice(f"value of protocol setting {key}:", value, _CHOICES[key])
        return value
    if key not in _NUMBERS:
        raise unknown_name("protocol setting", key, [*_CHOICES, *_NUMBERS])
    count, form = _NUMBERS[key]
    none = value is None or (isinstance(value, str) and value == "none")
    if none and form.endswith("none"):
        return None
    numbers = value if isinstance(value, list | tuple) else [value]
    if len(numbers) != count or not all(_is_number(number) for number in numbers):
        raise InputError(f"protocol setting {key}: {shown(value)} is not {form}")
    return value if count == 1 else tuple(numbers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


@dataclass(frozen=True)
class Protocol:
    """Says which pixels of a frame are scored, and how.

    Attributes:
        name: the name in commands and reports.
        description: one line for people.
        source: the papers or the code that its constants come from.
        resize: the ground truth is first resized by this factor, 1 at most, taking nearest
            pixels.
        frame: the height and width that `crop` refers to; (1, 1) for a crop in fractions of both.
        crop: top, bottom, left, right, as in a slice of `frame`; None: the whole frame. A map of
            another size is cropped at the same fractions, rounded down to whole pixels.
        min_depth, max_depth: a pixel is scored where min_depth < ground truth < max_depth, metres.
        flip: how the prediction of the mirrored image, mirrored back, is combined with the other:
            "none", not at all; "mean", the mean of both depths; "ramp", monodepth's blend of
            disparities: the mirrored image's at the left border, the other at the right border,
            their mean between.
        resize_as: what is interpolated where prediction and ground truth differ in size: "depth",
            or "disparity", which is 1 / depth.
        scale: a factor for the prediction.
        alignment: "none"; or "median": the prediction of each image is multiplied by
            median(ground truth) / median(prediction) over its scored pixels.
        clip_prediction: lowest and highest prediction, metres; None: no clipping.
        reduction: what the source averages over, a key of `REDUCTIONS` (see `metrics`).
        batch: images of a batch, for the reduction "batch".
        extra: names of `metrics.MAP_METRICS` that the source reports too.
        warning: what a reader of its numbers must know.
        changed: the settings that differ from those of the protocol of this name (see `vary`).

    Raises:
        InputError: the numbers contradict each other.
    """

    name: str
    description: str
    source: str
    resize: float = 1.0
    frame: tuple[float, float] = (480, 640)
    crop: tuple[float, float, float, float] | None = None
    min_depth: float = 0.0
    max_depth: float = math.inf
    flip: str = "none"
    resize_as: str = "depth"
    scale: float = 1.0
    alignment: str = "none"
    clip_prediction: tuple[float, float] | None = None
    reduction: str = "image"
    batch: int = 8
    extra: tuple[str, ...] = ()
    warning: str = ""
    changed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in (*_CHOICES, *_NUMBERS):
            _checked(key, getattr(self, key))
        if not all(0 < side < math.inf for side in self.frame):
            raise InputError(
                f"protocol {self.name}: frame {_listed(self.frame)} is no size; give"
                " [height, width], above 0"
            )
        if self.crop is not None:
            (height, width), (top, bottom, left, right) = self.frame, self.crop
            if self.frame != (1, 1) and any(number % 1 for number in (*self.frame, *self.crop)):
                raise InputError(
                    f"protocol {self.name}: crop {_listed(self.crop)} is not in whole pixels of"
                    f" frame {_listed(self.frame)}; give pixels, or frame=[1, 1] for fractions"
                )
            if not (0 <= top < bottom <= height and 0 <= left < right <= width):
                raise InputError(
                    f"protocol {self.name}: crop {_listed(self.crop)} is not top, bottom, left,"
                    f" right within frame {_listed(self.frame)}; give a crop and its frame"
                )
        if not 0 <= self.min_depth < self.max_depth:
            raise InputError(
                f"protocol {self.name}: no depth is above min_depth {self.min_depth:g} and below"
                f" max_depth {self.max_depth:g}; give 0 <= min_depth < max_depth"
            )
        low, high = self.clip_prediction or (0, math.inf)
        if not 0 <= low < high:
            raise InputError(
                f"protocol {self.name}: clip_prediction {_listed((low, high))} is not a lower and"
                " a higher number of metres; give [low, high], 0 or more"
            )
        if not 0 < self.scale < math.inf:
            raise InputError(f"protocol {self.name}: scale must be a number above 0")
        if not 0 < self.resize <= 1:  # nearest pixels would only repeat what was measured once
            raise InputError(
                f"protocol {self.name}: resize must be a number above 0, and 1 at most"
            )

    def line(self) -> str:
        """Returns the protocol in one line of text, with every setting that changes a number."""
        parts = []
        if self.resize != 1:
            parts.append(f"truth resized by {self.resize:.4g}")
        if self.crop is None:
            parts.append("no crop")
        else:
            top, bottom, left, right = (f"{value:.10g}" for value in self.crop)
            height, width = self.frame
            of = "the size" if self.frame == (1, 1) else f"{height:g}x{width:g}"
            parts.append(f"crop {top}:{bottom}, {left}:{right} of {of}")
        if math.isinf(self.max_depth):
            parts.append(f"depth > {self.min_depth:g} m")
        else:
            parts.append(f"{self.min_depth:g} < depth < {self.max_depth:g} m")
        parts.append(f"flip {self.flip}")
        parts.append(f"resized as {self.resize_as}")
        if self.scale != 1:
            parts.append(f"prediction times {self.scale:g}")
        parts.append(f"alignment {self.alignment}")
        if self.clip_prediction is not None:
            low, high = self.clip_prediction
            parts.append(f"prediction clipped to {low:g}..{high:g} m")
        parts.append(self.reduction_text(self.reduction))
        if self.warning:
            parts.append(f"beware: {self.warning}")
        changes = f" (changed: {', '.join(self.changed)})" if self.changed else ""
        return f"{self.name}{changes}: {'; '.join(parts)}"

    def reduction_text(self, reduction: str) -> str:
        """Returns what a key of `REDUCTIONS` means under this protocol, for reports."""
        return REDUCTIONS[reduction].format(batch=self.batch)


_GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
_EIGEN = (0.3324324, 0.91351351, 0.0359477, 0.96405229)

_ALL = [
    Protocol(
        name="full",
        description="every measured pixel; for rendered frames and your own data",
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
        # DenseDepth's code masks nothing: it scores depth maps whose holes were filled. On raw
        # maps a hole is 0, and is not scored here.
        name="nyu_densedepth",
        description="NYU's 654 test images, filled depth, as DenseDepth scores them",
        source="DenseDepth",
        crop=(20, 460, 24, 616),
        flip="mean",
        clip_prediction=(0.1, 10.0),
        reduction="pixel",
    ),
    Protocol(
        # FastDepth's code also scores unmeasured pixels where the prediction is above 0, which has
        # no meaning. They are not scored here.
        name="nyu_fastdepth",
        description="the center of NYU's test images at FastDepth's size",
        source="FastDepth, sparse-to-dense",
        resize=250 / 480,
        frame=(250, 333),
        crop=(11, 239, 14, 318),
    ),
    Protocol(
        name="ecmr2019",
        description="the center that Bokovoy et al. trained and scored on",
        source="Bokovoy et al. 2019, the authors' notebooks",
        crop=(48, 432, 64, 576),
        reduction="pixel",
    ),
    Protocol(
        name="msfnet_nyu",
        description="NYU's 654 test images at half size, their center of 228x304",
        source="Pei 2021 (MSFNet) names Hu et al. 2019, whose evaluation this is",
        resize=0.5,
        frame=(240, 320),
        crop=(6, 234, 8, 312),
        reduction="root_last",
    ),
    Protocol(
        name="das2024",
        description="the first 654 of NYU's labelled images, as Das et al. score them",
        source="Das, Das, Sadaf 2024, the authors' evaluate.py",
        crop=(20, 461, 24, 617),  # one row and one column more than DenseDepth's
        scale=0.75,
        extra=("r2_pooled",),
        warning="the authors' code, not their paper, has the 0.75, for networks that write 10 m"
        " as 1; r2_pooled leaves out images outside 0..1; compare these numbers with no others",
    ),
    Protocol(
        # Wang et al.'s code also masks nothing, and scores depth that was halved by interpolation.
        name="wang_relative",
        description="NYU at half size, as Wang et al. score a part of the training frames",
        source="D. Wang et al. (MobileNetV2 and SqueezeNet), the authors' data.py and utils.py",
        resize=0.5,
        reduction="batch",
        warning="its RMS is rms_rel here, a relative error without unit; holes are left out and"
        " truth is of the nearest pixels, where the authors' code scores holes as 0.1 m and"
        " interpolates; compare these numbers with no others",
    ),
    Protocol(
        name="kitti_eigen_garg",
        description="the 697 Eigen test images, Garg's crop, to 80 m",
        source="monodepth, monodepth2",
        frame=(1, 1),
        crop=_GARG,
        min_depth=1e-3,
        max_depth=80.0,
        resize_as="disparity",
        clip_prediction=(1e-3, 80.0),
    ),
    Protocol(
        name="kitti_eigen_garg_50m",
        description="the 697 Eigen test images, Garg's crop, to 50 m",
        source="monodepth, with its --max_depth 50 and the lower bound left as it is",
        frame=(1, 1),
        crop=_GARG,
        min_depth=1e-3,
        max_depth=50.0,
        resize_as="disparity",
        clip_prediction=(1e-3, 50.0),
    ),
    Protocol(
        name="kitti_eigen_eigen",
        description="the 697 Eigen test images, Eigen's own crop, to 80 m",
        source="monodepth, with its --eigen_crop",
        frame=(1, 1),
        crop=_EIGEN,
        min_depth=1e-3,
        max_depth=80.0,
        resize_as="disparity",
        clip_prediction=(1e-3, 80.0),
    ),
    Protocol(
        name="kitti_eigen_benchmark",
        description="the 652 Eigen test images that have annotated depth, uncropped",
        source="monodepth2",
        resize_as="disparity",
        clip_prediction=(1e-3, 80.0),
    ),
    Protocol(
        name="kitti_stereo2015",
        description="the 200 training pairs of KITTI stereo 2015, uncropped",
        source="monodepth",
        resize_as="disparity",
        clip_prediction=(1e-3, 80.0),
    ),
    Protocol(
        name="msfnet_kitti",
        description="the 697 Eigen test images, uncropped, to 80 m",
        source="Pei 2021 (MSFNet) names no crop; averages as in msfnet_nyu",
        min_depth=1e-3,
        max_depth=80.0,
        reduction="root_last",
    ),
]
PROTOCOLS = Registry("protocol", {protocol.name: protocol for protocol in _ALL})


def get(name: str, changes: Mapping[str, Any] | None = None) -> Protocol:
    """Returns a protocol of `PROTOCOLS`, with other settings where `changes` has them.

    Raises:
        InputError: an unknown name, or changes that `vary` refuses.

    Example:
        >>> get("kitti_eigen_garg", {"alignment": "median"}).changed
        ('alignment',)
    """
    return vary(PROTOCOLS[name], {} if changes is None else changes)


def vary(protocol: Protocol, changes: Mapping[str, Any]) -> Protocol:
    """Returns the protocol with other settings. Its `line` names those that differ.

    Args:
        protocol: see `get`.
        changes: setting -> value. Settings are the attributes from `resize` to `reduction`; `crop`
            and `clip_prediction` may be None.

    Raises:
        InputError: an unknown setting (the message names the nearest), or a value that the setting
            cannot have.
    """
    if not isinstance(protocol, Protocol):
        raise InputError(f"protocol {shown(protocol)}: give what `protocols.get(name)` returns")
    if not isinstance(changes, Mapping):
        raise InputError(
            f"protocol settings {shown(changes)}: give a dictionary, such as"
            " {'alignment': 'median'}"
        )
    values = {key: _checked(key, value) for key, value in changes.items()}
    varied = dataclasses.replace(protocol, **values)
    named = PROTOCOLS.get(protocol.name, protocol)
    keys = dict.fromkeys([*protocol.changed, *values])
    changed = tuple(key for key in keys if getattr(varied, key) != getattr(named, key))
    return dataclasses.replace(varied, changed=changed)


def _listed(numbers: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{number:.10g}' for number in numbers)}]"
