"""Finds the CameraInfo that goes with a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from keras_depth.bag.frames import Stamped, matrices, stamp, stamped
from keras_depth.bag.reading import Bag, open_bag


class Cameras:
    """The CameraInfos of a topic, read as far as the pictures that they are asked for.

    Args:
        first: the first.
        infos: all of them, in the order of the recording.
    """

    def __init__(self, first: Stamped, infos: Iterator[Stamped]):
        self._infos = infos
        self._latest, self._next = first, next(infos, None)

    def of(self, picture: Stamped) -> Stamped:
        """Returns the latest CameraInfo by its stamp; the first, where none is as early.

        That of the picture's own stamp is in the recording before the picture or after it.
        """
        while self._next and self._next.stamp <= picture.stamp:
            self._latest, self._next = self._next, next(self._infos, None)
        return self._latest


@contextmanager
def open_cameras(bag: Bag, topic: str) -> Iterator[Cameras]:
    """Opens the CameraInfos of a topic, beside whatever else is read from the bag.

    Raises:
        InputError: the bag is damaged.
    """
    with open_bag(*bag.paths) as beside:  # rosbags reads one place of a file at a time
        yield Cameras(stamp(*bag.first(topic)), stamped(beside, topic))


def same_camera(one: Any, other: Any) -> bool:
    """Tells whether two CameraInfo messages say the same of pixels."""
    sizes = (one.height, one.width) == (other.height, other.width)
    return sizes and all(map(np.array_equal, matrices(one), matrices(other)))
