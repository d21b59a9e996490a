"""Reads videos and cameras frame by frame, and writes videos; says where frames are missing.

OpenCV itself says nothing of a file that ends early, of damaged frames, or of a full disk.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from keras_depth import images
from keras_depth.errors import InputError
from keras_depth.files import printable, replacing
from keras_depth.predict import containers

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".3gp", ".wmv")
# Videos that are not read: most do not say how many frames there are, or where their file ends.
OTHERS = (".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".flv", ".ogv", ".asf", ".3g2")
_RATES = (0.1, 1000)  # frames a second; at 1000, milliseconds stand for an unknown rate
_USUAL_RATE = 30.0
_FEW = 2  # frames; headers count some too many
_SOUND = 0.5  # seconds by which it may be longer than the pictures
_DAMAGED = 100  # frames in a row that cannot be decoded: then the video has ended


@contextmanager
def read(origin: Path | int, name: str) -> Iterator[tuple[Iterable[np.ndarray], float]]:
    """Opens a video by its path, or a camera by its number.

    Yields:
        Its frames, each uint8 RGB (H, W, 3), and how many of them there are in a second.

    Raises:
        InputError: it cannot be opened, has lost its start, or gives no frame. At the end of the
            block: the video is cut short or damaged, or the camera has stopped.
    """
    _silence()
    is_camera = isinstance(origin, int)
    capture = cv2.VideoCapture(origin if isinstance(origin, int) else _for_opencv(origin))
    try:
        if not capture.isOpened():
            remedy = (
                "check that it is plugged in and that no other program uses it"
                if is_camera
                else "it is damaged or no video that OpenCV knows; convert it to mp4 (H.264)"
            )
            raise InputError(f"{name}: cannot be opened; {remedy}")
        if not isinstance(origin, int) and not containers.recognize(origin):
            raise InputError(
                f"{name}: does not begin as a video does: its start is missing or damaged; copy it"
                " again"
            )
        frames = _Frames(capture, name, patience=0 if is_camera else _DAMAGED)
        yield frames, _rate(capture, name)
        if not frames.ended:
            return
        if isinstance(origin, int):
            raise InputError(
                f"{name}: stopped after {frames.count} frames, which are kept; check its cable"
            )
        if frames.are_missing(origin):
            of_all = f" of its {frames.expected}" if frames.count < frames.expected else ""
            raise InputError(
                f"{name}: cut short or damaged: {frames.count}{of_all} frames can be read, and are"
                " kept; copy it again"
            )
    finally:
        capture.release()


def count(path: Path) -> int | None:
    """Returns how many frames the header of a video promises; None: it does not say."""
    _silence()
    capture = cv2.VideoCapture(_for_opencv(path))
    try:
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    return frames if frames > 0 else None


def _rate(capture: cv2.VideoCapture, name: str) -> float:
    """Returns how many frames a video or camera has in a second."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    if _RATES[0] <= rate < _RATES[1]:
        return rate
    warnings.warn(
        f"{name}: gives no plausible number of frames a second ({rate:g}); {_USUAL_RATE:g}"
        " is taken",
        stacklevel=2,
    )
    return _USUAL_RATE


class _Frames:
    """The frames of an open video or camera, RGB.

    Attributes:
        count: of those read so far.
        ended: whether no more came.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, patience: int):
        self.count = 0
        self.ended = False
        self._capture = capture
        self._name = name
        self._patience = patience
        self._gaps = False  # frames came after some that could not be decoded
        self._interval = 1000 / max(capture.get(cv2.CAP_PROP_FPS), 1e-3)  # milliseconds
        self._time = 0.0  # of the last frame
        self._on_time = 0  # frames that came an interval after the one before

    def __iter__(self) -> Iterator[np.ndarray]:
        failed = 0
        while failed <= self._patience:
            came, frame = self._capture.read()
            if not came:
                failed += 1
                continue
            self._gaps |= failed > 0
            before, self._time = self._time, self._capture.get(cv2.CAP_PROP_POS_MSEC)
            late = self._time - before - self._interval
            self._on_time += abs(late) <= 1 + self._interval / 10
            failed, self.count = 0, self.count + 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        self.ended = True
        if not self.count:
            remedy = "copy it again" if self._patience else "check its cable"
            raise InputError(f"{self._name}: opened, but gave no frame; {remedy}")

    @property
    def expected(self) -> int:
        """How many frames the header promises; below 1: it does not say."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def are_missing(self, path: Path) -> bool:
        """Returns whether the video, read to its end, lacks its end or more than a few frames."""
        if containers.is_cut(path):
            return True
        few, missing = max(_FEW, self.expected / 100), self.expected - self.count
        if missing <= few:
            return False
        container = containers.recognize(path)
        if container == "mp4":
            # A trimmed video holds, and counts, frames that its edit list hides.
            return self._gaps or containers.has_hole(path, missing / self.expected)
        if container == "avi":
            return True
        # Others have no count. OpenCV takes duration times rate, which is wrong where the rate
        # varies, and too many where the sound is longer.
        if self._on_time <= self.count / 2:
            return False
        due = self._time / self._interval + 1  # frames until the last one
        sound = max(few, 1000 * _SOUND / self._interval)
        return due - self.count > few or self.expected - due > sound


@contextmanager
def write(path: Path, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields a function that adds a frame, uint8 RGB (H, W, 3), to a new mp4 file.

    Args:
        path: the file. It is replaced at the end of the block, if all frames are in the new one.
        rate: frames a second.

    Raises:
        InputError: the file cannot be written, or the disk is full.
    """
    _silence()
    _for_opencv(path)
    writer, count = cv2.VideoWriter(), 0
    with replacing(path) as partial:

        def add(frame: np.ndarray) -> None:
            nonlocal count
            if not writer.isOpened():
                size = (frame.shape[1], frame.shape[0])
                codec = cv2.VideoWriter.fourcc(*"mp4v")
                if not writer.open(str(partial), codec, rate, size):
                    _fill(partial)
                    raise InputError(f"{path}: OpenCV cannot write it; leave out --format color")
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            count += 1

        try:
            yield add
        finally:
            writer.release()
        if containers.is_cut(partial) or not _holds(partial, count):
            _fill(partial)
            raise InputError(f"{path}: OpenCV did not write all of its frames; run it again")


def _holds(path: Path, count: int) -> bool:
    """Returns whether a video has so many frames, of which the first and the last are there."""
    capture = cv2.VideoCapture(str(path))
    try:
        if capture.get(cv2.CAP_PROP_FRAME_COUNT) != count or not capture.grab():
            return False
        return count == 1 or (capture.set(cv2.CAP_PROP_POS_FRAMES, count - 1) and capture.grab())
    finally:
        capture.release()


def _fill(path: Path) -> None:
    """Adds to a file that OpenCV could not write: the OSError says why, such as a full disk."""
    with path.open("ab") as file:
        file.write(bytes(1 << 16))


def _for_opencv(path: Path) -> str:
    """Returns a path as OpenCV takes it, whose process would end at bytes that are not UTF-8."""
    if printable(str(path)) != str(path):
        raise InputError(f"{path}: OpenCV opens no video whose path is not UTF-8; rename it")
    return str(path)


def _silence() -> None:
    images.silence_opencv()
    # Nor should its FFmpeg comment on a bad video.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
