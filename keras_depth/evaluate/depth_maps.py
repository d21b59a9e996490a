"""Reads other programs' depth maps to score them, and writes true depth for other scorers."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from tqdm import tqdm

from keras_depth import depth_png
from keras_depth.data.reader import Reader, read_bytes
from keras_depth.errors import InputError
from keras_depth.files import make_folder, write_bytes
from keras_depth.listing import Folders, ending, look

_ENDINGS = (".npy", ".png")
_UNITS = (1, 100, depth_png.KITTI, depth_png.MILLIMETRES, 5000)  # in a metre; 5000 is TUM's
_NEAR_UNIT = 0.08  # of a logarithm; the nearest two units are 1.36 apart
_SAME_SIDES = 0.05  # the same


class DepthMaps(Sequence):
    """Reads one depth map for every frame of a reader from files.

    `depth_maps[i]`: float32 (h, w), metres, of frame i.

    Args:
        path: a folder, or a .npy file of (N, h, w) in the frames' order. The folder holds KEY.npy
            or KEY.png for frame i, where KEY is `reader.key(i)`, or that with "_" for "/", or
            either with "_depth" behind it; or what `predict` writes, NAME_depth.png, where NAME is
            the last part of the key and no other frame's. If no file is named by a key, it holds
            the frame's number i from 0, with any number of leading zeros. .npy: floating metres,
            (h, w) or (h, w, 1). PNG: 16 bit, one channel.
        reader: the frames.
        png_units: units of a PNG per metre, such as 256 (KITTI's) or 1000 (millimetres). None: what
            the file names, as those of this package do, or 256.

    Raises:
        InputError: a frame has no file or two, or a file holds no such depth map.
    """

    def __init__(self, path: str | Path, reader: Reader, png_units: float | None = None):
        self.path = Path(path)
        self._asked = png_units
        self._files: list[Path] = []
        if png_units is not None and not 0 < png_units < np.inf:
            raise InputError(f"{png_units:g} units per metre: give a number above 0, such as 256")
        if not self.path.exists():
            raise InputError(f"{path}: no such file or folder; give depth maps, .npy or 16-bit PNG")
        self._units: set[float | None] = set()  # that the PNGs name; None: that they do not
        if self.path.is_dir():
            self._files = _find(self.path, reader)
            self._units = _read_units([f for f in self._files if ending(f) == ".png"], png_units)
        else:
            self._stack = _open_stack(self.path, reader)

    def __len__(self) -> int:
        return len(self._files or self._stack)

    def __getitem__(self, index):
        name = self.name(index)
        if not self._files:
            return _checked(self._stack[index], name)
        file = self._files[index]
        if ending(file) == ".npy":
            return _checked(_load(file), name)
        return depth_png.decode(read_bytes(file), name, depth_png.KITTI, self._asked)

    def name(self, index: int) -> str:
        """Returns the file of a map, for messages."""
        return str(self._files[index]) if self._files else f"{self.path}[{index}]"

    def describe_units(self, ratios: Sequence[float]) -> str:
        """Says in which unit the maps are, how that is known, and what speaks against it.

        Args:
            ratios: `median_ratio` of each frame.
        """
        if not self._units:
            return "metres (.npy)" + _doubt_units(ratios, 1)
        named = " and ".join(f"1/{units:g} m" for units in sorted(filter(None, self._units)))
        if self._asked:
            contradicts = named and self._units != {self._asked}
            known = "as --png-units says" + (f"; the files say {named}" if contradicts else "")
            return f"1/{self._asked:g} m ({known})" + _doubt_units(ratios, self._asked)
        if named:
            return f"{named} (as the files say)" + _doubt_units(
                ratios, max(filter(None, self._units))
            )
        known = "KITTI's, because the files do not say; if they are of others, give --png-units"
        return f"1/{depth_png.KITTI} m ({known})" + _doubt_units(ratios, depth_png.KITTI)


_HEAD = 4096  # bytes, in which the unit stands


def _read_units(files: Sequence[Path], asked: float | None) -> set[float | None]:
    """Returns the units that PNG files name, None for those that name none.

    Raises:
        InputError: some name one and others do not, so that nobody knows what these are.
    """
    units: dict[float | None, Path] = {}
    for file in files:
        with file.open("rb") as content:
            units.setdefault(depth_png.stored_units(content.read(_HEAD)), file)
    if None in units and len(units) > 1 and not asked:
        raise InputError(
            f"{units[None]}: does not name its unit, where other maps beside it do; write them all"
            " by one program, or give --png-units for all of them"
        )
    return set(units)


def median_ratio(depth: np.ndarray, truth: np.ndarray) -> float:
    """Returns the median of a map by that of its truth, where that was measured; or NaN."""
    resized = cv2.resize(depth, truth.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    truth = truth.reshape(resized.shape)
    both = (truth > 0) & (resized > 0)
    return float(np.median(resized[both]) / np.median(truth[both])) if both.any() else math.nan


def _doubt_units(ratios: Sequence[float], units: float) -> str:
    """Returns a clause that names the unit which would bring the maps to their truth, or ""."""
    known = [ratio for ratio in ratios if ratio > 0]
    ratio = float(np.median(known)) if known else 1.0
    for other in _UNITS:
        if other != units and abs(math.log(ratio * units / other)) < _NEAR_UNIT:
            return (
                f"; but their median is {ratio:.3g} times the true depth's, as if they were of"
                f" 1/{other:g} m"
            )
    return ""


def check_sides(depth: np.ndarray, truth: np.ndarray, name: str) -> None:
    """Raises InputError if a map lies on its side against its truth."""
    (height, width), (rows, columns) = truth.shape[:2], depth.shape
    lies = abs(math.log(height * rows / (width * columns))) < _SAME_SIDES
    if lies and abs(math.log(height / width)) > 2 * _SAME_SIDES:
        raise InputError(
            f"{name}: the map is {depth.shape} but its truth {truth.shape[:2]} (rows, columns), so"
            " one of them is turned by 90 degrees; turn the map back"
        )


def write_ground_truth(reader: Reader, folder: str | Path) -> None:
    """Writes the true depth of every frame, as `DepthMaps` reads it.

    A frame's file is FOLDER/KEY.png, where KEY is `reader.key(i)`: 16 bit, metres * 256 (KITTI's
    convention, rounded to steps of 3.9 mm), 0 = not measured. It is written whole or not at all.

    Raises:
        InputError: a frame has no depth, or depth that 16 bits cannot hold, or the folder cannot be
            written.
    """
    for index in tqdm(range(len(reader)), unit="frame", desc="write"):
        depth = reader.stored(index)["depth"]
        name = reader.name(index)
        if not depth.any():
            raise InputError(
                f"{name}: no pixel was measured, so there is no true depth to write; choose other"
                " depth (--data-option depth=...) or another split"
            )
        farthest = depth_png.farthest(depth_png.KITTI)
        if depth.max() > farthest:
            raise InputError(
                f"{name}: a depth of {depth.max():.3f} m, where 16 bits of 1/256 m end at"
                f" {farthest:.3f} m; read the depth of this data set from its own files"
            )
        file = Path(folder) / f"{reader.key(index)}.png"
        make_folder(file.parent)
        write_bytes(file, depth_png.encode(depth, depth_png.KITTI))


def _find(folder: Path, reader: Reader) -> list[Path]:
    keys = [reader.key(index) for index in range(len(reader))]
    last_parts = Counter(PurePosixPath(key).name for key in keys)
    there = Folders()
    found = [_only([folder / stem for stem in _stems(key, last_parts)], there) for key in keys]
    if not any(found):
        found = _by_number(folder, reader) or found
    missing = [key for key, file in zip(keys, found, strict=True) if file is None]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of the {len(keys)} frames have no depth map here, first"
            f" {missing[0]}; write {missing[0]}.npy or .png, and so on ('_' for '/' will do, and"
            " the NAME_depth.png of predict)"
        )
    return [file for file in found if file]


def _stems(key: str, last_parts: Counter[str]) -> list[str]:
    """Returns how the name of a frame's file may begin."""
    stems = [key, key.replace("/", "_")]
    stems += [f"{stem}_depth" for stem in stems]
    name = PurePosixPath(key).name
    return stems if last_parts[name] > 1 else [*stems, f"{name}_depth"]


def _only(stems: Sequence[Path], there: Folders) -> Path | None:
    """Returns the file with one of these stems; None if there is none, InputError for several."""
    names = [f"{stem}{suffix}" for stem in dict.fromkeys(stems) for suffix in _ENDINGS]
    files = [file for name in names if (file := there.find(name))]
    if len(files) > 1:
        raise InputError(f"{files[0]} and {files[1]} are of the same frame; keep one")
    return Path(files[0]) if files else None


def _by_number(folder: Path, reader: Reader) -> list[Path | None]:
    """Returns the files named 0, 1, 2 ..., in this order; none if no file is named by a number."""
    files = [f for f in look(folder).files if ending(f) in _ENDINGS and f.stem.isdecimal()]
    numbered = {int(file.stem): file for file in files}
    if files and (len(files) != len(numbered) or set(numbered) != set(range(len(reader)))):
        raise InputError(
            f"{folder}: {len(files)} files named by numbers from {min(numbered)} to"
            f" {max(numbered)} do not fit {_frames(reader)}; number them from 0 in the list's"
            f" order, one each, or name them by the frames, such as {reader.key(0)}.npy"
        )
    return [numbered[number] for number in sorted(numbered)]


def _open_stack(path: Path, reader: Reader) -> np.ndarray:
    if ending(path) != ".npy":
        raise InputError(f"{path}: give a folder of depth maps, or one .npy file of all of them")
    stack = _load(path, mmap_mode="r")
    if stack.ndim != 3 or len(stack) != len(reader):
        raise InputError(
            f"{path}: holds an array of {stack.shape}, which does not fit {_frames(reader)}; write"
            f" ({len(reader)}, height, width), in the list's order"
        )
    return stack


def _frames(reader: Reader) -> str:
    missing = f" ({len(reader.missing)} more of the list are missing)" if reader.missing else ""
    return f"the {len(reader)} frames{missing} of {reader.description}"


def _load(path: Path, **options) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False, **options)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as a .npy array ({error}); write it again with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):  # numpy.savez, whatever the file's name
        raise InputError(f"{path}: is an archive of arrays; write one array with numpy.save")
    return array


def _checked(depth: np.ndarray, name: str) -> np.ndarray:
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[..., 0]
    if depth.ndim != 2 or not depth.size or depth.dtype.kind != "f":
        raise InputError(
            f"{name}: holds {depth.dtype} {depth.shape}, which is no depth map; write floating"
            " metres, (height, width)"
        )
    if not np.isfinite(depth).all() or (depth < 0).any():
        raise InputError(
            f"{name}: holds NaN, infinity or negative depth; write metres of 0 or more everywhere"
        )
    return np.asarray(depth, np.float32)
