"""Looks into the files of videos: how they begin, whether they end early or have empty parts.

OpenCV does not say. It also finds frames where the head, and so the rate, is lost.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"  # what a Matroska file consists of
_ASF = (b"0&\xb2u", b"6&\xb2u")  # the same of a WMV file: its header and its data
_BOXES = (
    *(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"udta", b"uuid", b"meta"),
    *(b"styp", b"sidx", b"moof", b"mfra", b"emsg", b"prft", b"ssix", b"junk"),
)
# How videos begin that OpenCV takes under any name: FLV, Ogg, MPEG.
_OTHERS = (b"FLV\x01", b"OggS", b"\0\0\x01\xba", b"\0\0\x01\xb3")
_BLOCKS = (2**9, 2**20)  # bytes that are read at once, at least and at most


def recognize(path: Path) -> str:
    """Returns "mp4", "avi", "matroska", "asf" or "other" by a file's first bytes; "": no video."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in _BOXES:
        return "mp4"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    if head[:4] == _EBML:
        return "matroska"
    if head[:4] == _ASF[0]:
        return "asf"
    return "other" if head.startswith(_OTHERS) else ""


def is_cut(path: Path) -> bool:
    """Returns whether a file ends before the last of its parts does."""
    parts = list(_parts(path))
    return bool(parts) and sum(parts[-1]) > path.stat().st_size


def has_hole(path: Path, share: float) -> bool:
    """Returns whether a part of an MP4 file is zeros, as in an unfinished download.

    Args:
        path: the file.
        share: of its frames that is missing. About as much of it is searched for, so that silence
            is no hole.
    """
    with path.open("rb") as file:
        for start, length in _parts(path):
            file.seek(start + 4)
            if file.read(4) != b"mdat":
                continue
            block = max(_BLOCKS[0], min(_BLOCKS[1], int(share * length / 4)))
            for _ in range(length // block):
                if not file.read(block).strip(b"\0"):
                    return True
    return False


def _parts(path: Path) -> Iterator[tuple[int, int]]:
    """Yields start and length, in bytes, of what a file consists of, while it says so."""
    measure = _MEASURES.get(recognize(path))
    place, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while measure and place < size:
            file.seek(place)
            length = measure(file.read(24).ljust(24, b"\0"))
            if not length:
                return
            yield place, length
            place += length


# Each of these takes 24 bytes, and returns how long the part is that they begin; 0: unknown.


def _measure_box(head: bytes) -> int:
    length, kind, long = struct.unpack(">I4sQ", head[:16])
    if kind not in _BOXES:  # what cameras append
        return 0
    return long if length == 1 else length


def _measure_riff(head: bytes) -> int:
    kind, length = struct.unpack("<4sI", head[:8])
    return 0 if kind != b"RIFF" or length in (0, 2**32 - 1) else 8 + length


def _measure_element(head: bytes) -> int:
    width = 9 - head[4].bit_length()  # of the length, in bytes: leading zeros tell it
    most = 2 ** (7 * width) - 1
    length = int.from_bytes(head[4 : 4 + width]) & most
    return 0 if head[:4] not in (_EBML, _SEGMENT) or length == most else 4 + width + length


def _measure_object(head: bytes) -> int:
    kind, length = struct.unpack("<4s12xQ", head)
    return length if kind in _ASF else 0


_MEASURES = {
    "mp4": _measure_box,
    "avi": _measure_riff,
    "matroska": _measure_element,
    "asf": _measure_object,
}
