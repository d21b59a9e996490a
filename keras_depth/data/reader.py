"""What a reader is, and the decoding of picture files that all readers share.

A reader is a plain Python sequence of samples, in NumPy alone and safe to index from several
threads. It converts the data set's units to metres, and nobody after it does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from keras_depth.errors import InputError

# {"image": float32 (H, W, 3) RGB in [0, 1], "depth": float32 (H, W, 1) metres, 0 = not measured}
Sample = dict[str, np.ndarray]


class Reader(Protocol):
    """A sequence of samples; `reader[i]` raises IndexError past the end, InputError on bad files.

    description: one line: layout, split, number of frames, folder.
    """

    description: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def name(self, index: int) -> str:
        """Returns what messages and reports call frame `index`: its file, as far as it has one."""
        ...


class Subset:
    """Some frames of a reader, as a reader.

    Args:
        reader: where the frames are.
        indices: which of them, in order.
    """

    def __init__(self, reader: Reader, indices: Sequence[int]):
        self._reader = reader
        self._indices = list(indices)
        self.description = f"{len(self._indices)} of {reader.description}"

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._reader[self._indices[index]]

    def name(self, index: int) -> str:
        return self._reader.name(self._indices[index])


def make_sample(rgb: np.ndarray, depth: np.ndarray, name: str) -> Sample:
    """Builds a sample from decoded arrays, and refuses what no sample may hold.

    Args:
        rgb: uint8 (H, W, 3), RGB.
        depth: any float type, (H, W), metres, 0 = not measured.
        name: the file, for messages.

    Raises:
        InputError: sizes differ, or the depth holds NaN, infinity or negative values.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InputError(
            f"{name}: the picture is {rgb.dtype} {rgb.shape}, not uint8 (height, width, 3); "
            "restore the file"
        )
    if rgb.shape[:2] != depth.shape:
        raise InputError(
            f"{name}: the picture is {rgb.shape[:2]} but its depth {depth.shape} (rows, columns); "
            "restore the pair"
        )
    depth = np.asarray(depth, np.float32)
    if not np.isfinite(depth).all() or (depth < 0).any():
        raise InputError(
            f"{name}: the depth holds NaN, infinity or negative metres; restore the file, or "
            "write 0 where nothing was measured"
        )
    return {"image": rgb.astype(np.float32) / np.float32(255), "depth": depth[..., None]}


def read_bytes(path: Path) -> bytes:
    """Returns a file's content; InputError names a file that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore the file") from None


def decode_rgb(data: bytes, name: str) -> np.ndarray:
    """Decodes a JPEG or PNG picture to uint8 (H, W, 3), RGB."""
    # The orientation tag is left alone: the depth map beside the picture has none.
    image = _decode(data, name, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_depth(data: bytes, name: str) -> np.ndarray:
    """Decodes a grey depth picture to (H, W) in the integer type it is stored in.

    The default flags of OpenCV would silently cut 16 bits to 8, i.e. 25 cm steps.
    """
    depth = _decode(data, name, cv2.IMREAD_UNCHANGED)
    if depth.ndim != 2:
        raise InputError(
            f"{name}: a depth map has one channel, this picture has {depth.shape[2]}; "
            "it may be a colour-mapped view: use the file with the measured values"
        )
    return depth


def decode_depth16(data: bytes, name: str, units_per_metre: float) -> np.ndarray:
    """Decodes a 16-bit depth picture to float32 (H, W) metres."""
    depth = decode_depth(data, name)
    if depth.dtype != np.uint16:
        raise InputError(
            f"{name}: the depth is stored as {depth.dtype}, where this layout has uint16; "
            "an 8-bit copy has lost the metres: restore the file"
        )
    return depth.astype(np.float32) / np.float32(units_per_metre)


def _decode(data: bytes, name: str, flags: int) -> np.ndarray:
    if _is_cut_short(data):
        raise InputError(f"{name}: the file is cut short ({len(data)} bytes); copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{name}: not a picture that can be decoded; restore the file")
    return image


def _is_cut_short(data: bytes) -> bool:
    # OpenCV fills the missing part of a truncated picture with grey and says nothing.
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-32:]
    if data.startswith(b"\xff\xd8"):
        # The end marker cannot occur within coded data, but a thumbnail in the header has one.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda") or b"\xff\xda" not in data
    return False
