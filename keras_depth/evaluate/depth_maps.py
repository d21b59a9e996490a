"""Reads other programs' depth maps to score them, and writes true depth for other scorers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_depth import depth_png
from keras_depth.data.reader import Reader, read_bytes
from keras_depth.errors import InputError
from keras_depth.files import make_folder, write_bytes

_ENDINGS = (".npy", ".png")


class DepthMaps(Sequence):
    """Reads one depth map for every frame of a reader from files.

    `depth_maps[i]`: float32 (h, w), metres, of frame i.

    Args:
        path: a folder, or a .npy file of (N, h, w) in the frames' order. The folder holds KEY.npy
            or KEY.png for frame i, where KEY is `reader.key(i)`, or that with "_" for "/". If no
            file is named by a key, it holds the frame's number i from 0, with any number of leading
            zeros. .npy: floating metres, (h, w) or (h, w, 1). PNG: 16 bit, one channel.
        reader: the frames.
        png_units: units of a PNG per metre; 256 (KITTI's) or 1000 (NYU's millimetres).

    Raises:
        InputError: a frame has no file or two, or a file holds no such depth map.
    """

    def __init__(self, path: str | Path, reader: Reader, png_units: float = depth_png.KITTI):
        self.path = Path(path)
        self._units = png_units
        self._files: list[Path] = []
        if not 0 < png_units < np.inf:
            raise InputError(f"{png_units:g} units per metre: give a number above 0, such as 256")
        if not self.path.exists():
            raise InputError(f"{path}: no such file or folder; give depth maps, .npy or 16-bit PNG")
        if self.path.is_dir():
            self._files = _find(self.path, reader)
        else:
            self._stack = _open_stack(self.path, reader)

    def __len__(self) -> int:
        return len(self._files or self._stack)

    def __getitem__(self, index):
        if not self._files:
            return _checked(self._stack[index], f"{self.path}[{index}]")
        file = self._files[index]
        if file.suffix == ".npy":
            return _checked(_load(file), str(file))
        return depth_png.decode(read_bytes(file), str(file), self._units)


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
    found = [_only([folder / key, folder / key.replace("/", "_")]) for key in keys]
    if not any(found):
        found = _by_number(folder, reader) or found
    missing = [key for key, file in zip(keys, found, strict=True) if file is None]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of the {len(keys)} frames have no depth map here, first"
            f" {missing[0]}; write {missing[0]}.npy or .png, and so on ('_' for '/' will do)"
        )
    return [file for file in found if file]


def _only(stems: Sequence[Path]) -> Path | None:
    """Returns the file with one of these stems; None if there is none, InputError for several."""
    files = [Path(f"{stem}{ending}") for stem in dict.fromkeys(stems) for ending in _ENDINGS]
    files = [file for file in files if file.is_file()]
    if len(files) > 1:
        raise InputError(f"{files[0]} and {files[1]} are of the same frame; keep one")
    return files[0] if files else None


def _by_number(folder: Path, reader: Reader) -> list[Path | None]:
    """Returns the files named 0, 1, 2 ..., in this order; none if no file is named by a number."""
    files = [path for path in folder.iterdir() if path.suffix in _ENDINGS and path.stem.isdecimal()]
    numbered = {int(file.stem): file for file in files}
    if files and (len(files) != len(numbered) or set(numbered) != set(range(len(reader)))):
        raise InputError(
            f"{folder}: {len(files)} files named by numbers from {min(numbered)} to"
            f" {max(numbered)} do not fit {_frames(reader)}; number them from 0 in the list's"
            f" order, one each, or name them by the frames, such as {reader.key(0)}.npy"
        )
    return [numbered[number] for number in sorted(numbered)]


def _open_stack(path: Path, reader: Reader) -> np.ndarray:
    if path.suffix != ".npy":
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
