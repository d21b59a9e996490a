"""Sums up what became of a bag's pictures, for the line at the end of the command."""

import math
import time
from array import array
from dataclasses import dataclass, field

import numpy as np

from keras_depth import geometry

_EVERY = 8  # row and column, of which the depths are taken


@dataclass
class Summary:
    """The times and the depths of a run.

    Attributes:
        count: of pictures.
        network: seconds that the network took, without its first picture.
    """

    count: int = 0
    network: float = 0.0
    _start: float = 0.0  # of the second picture
    _end: float = 0.0
    _nearest: float = math.inf
    _farthest: float = 0.0
    _medians: array = field(default_factory=lambda: array("f"))  # 4 bytes a picture

    def add(self, depth: np.ndarray, seconds: float) -> None:
        """Counts a picture whose depth, (h, w) metres, took so long; call it at once."""
        self.count += 1
        self._end = time.perf_counter()
        if self.count == 1:  # it has the network's set-up
            self._start = self._end
        else:
            self.network += seconds
        if (few := depth[::_EVERY, ::_EVERY][geometry.measured(depth[::_EVERY, ::_EVERY])]).size:
            self._nearest = min(self._nearest, few.min())
            self._farthest = max(self._farthest, few.max())
            self._medians.append(np.median(few))

    def __str__(self) -> str:
        text = f"{self.count} picture{'s' * (self.count != 1)}"
        if (others := self.count - 1) > 0:
            each = 1000 * (self._end - self._start) / others
            network = 1000 * self.network / others
            text += f", {each:.1f} ms each, {network:.1f} ms of them the depth"
        if self._medians:
            middle = np.median(self._medians)
            text += f", {self._nearest:.2f} / {middle:.2f} / {self._farthest:.2f} m"
            text += " (min / median / max)"
        return text
