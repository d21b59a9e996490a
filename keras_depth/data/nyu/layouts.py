"""Reads the layouts in which NYU Depth v2 is distributed: finds the frames, and loads one.

The table in `nyu/__init__.py` says what each stores.
"""

import re
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import cv2
import h5py
import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from keras_depth import depth_png
from keras_depth.data.nyu import kinect
from keras_depth.data.prepared import tfrecords
from keras_depth.data.reader import read_bytes, read_picture
from keras_depth.data.text_files import is_heading, rows
from keras_depth.errors import InputError, check_installed
from keras_depth.images import Picture, decode_picture
from keras_depth.listing import Folders, check_links, ending, look, names, walk

_LISTS = Path(__file__).parent
# Parts of one scene are 0001a, 0001b, ...; DenseDepth's names end in _out.
_SCENE = re.compile(r"([a-z_]+_[0-9]{1,4})[a-z]?(?:_out.*)?")


def scene_of(file: str | Path) -> str:
    """Returns the scene of a training file, after its folder; all parts of it are one scene."""
    path = PurePath(file)
    for name in (path.parent.name, path.stem):
        if scene := _SCENE.fullmatch(name):
            return scene[1]
    return path.parent.name


class Layout(ABC):
    """Describes one layout on disk.

    frames: split -> frames, in a fixed order; a frame is the argument of `load`.
    missing: split -> a file of each incomplete frame: the missing file itself if a list names the
        frame, otherwise the file whose partner, image or depth, is missing.
    missing_word: says which of the two.
    empty: split -> its list or folder, which is there and names or holds no frame.
    remark: what the description must add.
    """

    title = ""
    sought = ""
    remark = ""
    path: Path
    frames: dict[str, list[Any]]
    missing: dict[str, list[str]] = {}
    missing_word = "missing"
    empty: dict[str, str] = {}

    @abstractmethod
    def __init__(self, path: Path, raw: bool = False): ...

    @staticmethod
    @abstractmethod
    def find(path: Path) -> Path | None:
        """Returns the folder or file of this layout, at or under `path`; None if there is none."""

    @abstractmethod
    def load(self, frame: Any) -> tuple[Picture, np.ndarray]:
        """Returns the picture, and (h, w) metres, 0 = not measured."""

    @abstractmethod
    def name(self, frame: Any) -> str:
        """Returns the name of a frame in messages: its file."""

    def key(self, frame: Any) -> str:
        """Returns the frame's path under `path`, without its ending."""
        return Path(self.name(frame)).relative_to(self.path).with_suffix("").as_posix()

    def scene(self, frame: Any) -> str:
        """Returns the scene of a training frame."""
        return scene_of(self.name(frame))

    def check_part(self, split: str) -> None:
        """Raises InputError if a split's list or folder is there, and empty.

        Other frames must not be taken instead, as where a layout has no such split.
        """
        if split in self.empty:
            raise InputError(
                f"{self.empty[split]}: there is no {split} frame in it; restore it, or remove it"
            )

    def unlisted(self) -> str:
        """Says which folders are of no official training scene; "" if all are."""
        frames = self.frames.get("unlisted", [])
        if not frames:
            return ""
        folders = sorted({str(Path(self.name(frame)).parent) for frame in frames})
        return (
            f"{len(frames)} frames are in {len(folders)} folders that are not named as official"
            f" training scenes are, such as kitchen_0003, first {folders[0]}"
        )


_BLOCK = 25  # frames


class Labelled(Layout):
    """The official file of 1,449 labelled frames."""

    title = "labelled"
    sought = "nyu_depth_v2_labeled.mat"

    def __init__(self, path: Path, raw: bool = False):
        self.path, self._key = path, "rawDepths" if raw else "depths"
        self.remark = ", depth as measured" if raw else ""
        try:
            # One open file for all threads: h5py locks it.
            self._file = h5py.File(path, "r")
        except OSError:
            raise InputError(
                f"{path}: not a MATLAB v7.3 (HDF5) file, or cut short; download it again"
            ) from None
        for key in ("images", self._key):
            if key not in self._file:
                raise InputError(f"{path}: has no {key!r}; give nyu_depth_v2_labeled.mat itself")
        count = len(self._file["images"])
        test = _test_indices(path.parent)
        self.frames = {
            "train": [i for i in range(count) if i not in test],
            "test": [i for i in range(count) if i in test],
        }

    @staticmethod
    def find(path: Path) -> Path | None:
        if path.is_file():
            return path if ending(path) == ".mat" else None
        files = look(path).files
        return next((f for f in files if ending(f) == ".mat" and "labeled" in f.name.lower()), None)

    def load(self, frame: int) -> tuple[Picture, np.ndarray]:
        try:
            image, depth = self._file["images"][frame], self._file[self._key][frame]
        except OSError:
            raise InputError(
                f"{self.name(frame)}: cannot be read; download the file again"
            ) from None
        # MATLAB stores columns first: every axis comes reversed.
        return Picture(image.transpose(2, 1, 0)), depth.T

    def name(self, frame: int) -> str:
        return f"{self.path}[{frame}]"

    def key(self, frame: int) -> str:
        return f"{frame:05d}"  # its 0-based index, as other layouts name the test frames

    def scene(self, frame: int) -> str:
        if "scenes" not in self._file:
            # Copies leave it out. The file is in the order of the scenes, so frames in a row stand
            # for one; the first and the last of a block may share theirs with its neighbors.
            return f"frames {frame // _BLOCK * _BLOCK} and following"
        # A cell array: each cell refers to a string, stored as character codes.
        letters = self._file[self._file["scenes"][0, frame]][...]
        return scene_of(f"{''.join(map(chr, letters.ravel()))}/{frame}")


class DenseDepth(Layout):
    """DenseDepth's pictures and csv files, in a folder or a zip archive."""

    title = "DenseDepth"
    sought = "nyu2_train.csv or nyu2_test.csv, in a folder or zip"

    def __init__(self, path: Path, raw: bool = False):
        self.path, self._lock = path, threading.Lock()
        self._zip = _open_zip(path) if path.is_file() else None
        there = self._zip.namelist() if self._zip else names(path)
        # List the archive, or each folder: asking for 100,000 files one by one takes minutes.
        folders = Folders(_by_folder(path, there) if self._zip else {})
        self.frames, self.missing, self.empty = {}, {}, {}
        for split, name in _csv_names(there).items():
            self.frames[split], self.missing[split] = [], []
            listed = self._rows(name)
            if twice := [row for row, count in Counter(listed).items() if count > 1]:
                self.remark += f"; {name} lists {len(twice)} frames twice, first {twice[0][0]}"
            for place, row in enumerate(listed):
                found = [folders.find(f"{path}/{file}") for file in row]
                if found == [None, None] and place == 0 and _names_columns(listed, name):
                    continue
                if None in found:
                    self.missing[split].append(f"{path}/{row[found.index(None)]}")
                else:
                    rgb, depth = (str(file).removeprefix(f"{path}/") for file in found)
                    self.frames[split].append((rgb, depth))
            if not self.frames[split] and not self.missing[split]:
                self.empty[split] = f"{path}/{name}"

    @staticmethod
    def find(path: Path) -> Path | None:
        if path.is_file():
            return path if ending(path) == ".zip" else None
        for folder in (path, path / "data", path / "nyu_data", path / "nyu_data" / "data"):
            if folder.is_dir() and _csv_names(names(folder)):
                return folder
        archives = (p for p in look(path).files if ending(p) == ".zip" and zipfile.is_zipfile(p))
        return next((p for p in archives if _csv_names(_open_zip(p).namelist())), None)

    def _rows(self, name: str) -> list[tuple[str, str]]:
        """Returns (picture, depth) of each row, from the csv's folder on."""
        pairs = []
        for place, (line, row) in enumerate(rows(self._read(name), f"{self.path}/{name}")):
            if place == 0 and is_heading(row):
                continue
            where = f"{self.path}/{name}, line {line}"
            if len(row) != 2:
                raise InputError(f"{where}: has {len(row)} columns, not picture,depth; restore it")
            pair = []
            for entry in row:
                parts = PurePosixPath(entry).parts
                if not parts or parts[0] == "/" or ".." in parts or "\\" in entry:
                    raise InputError(
                        f"{where}: {entry!r} is not a path within the data set; correct it"
                    )
                # Rows start with the csv's own folder.
                parts = parts[1:] if parts[0] == "data" else parts
                pair.append(str(PurePosixPath(name).parent.joinpath(*parts)))
            pairs.append((pair[0], pair[1]))
        return pairs

    def _read(self, name: str) -> bytes:
        if self._zip is None:
            return read_bytes(self.path / name)
        try:
            with self._lock:
                return self._zip.read(name)
        # RuntimeError: encrypted, or a compression that Python lacks.
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise InputError(f"{self.path}/{name}: {error}; download the archive again") from None

    def load(self, frame: tuple[str, str]) -> tuple[Picture, np.ndarray]:
        rgb, depth = (self._read(name) for name in frame)
        name = f"{self.path}/{frame[1]}"
        stored = depth_png.decode_units(depth, name)
        scales = {np.dtype(np.uint8): 10 / 255, np.dtype(np.uint16): 1 / 1000}
        if stored.dtype not in scales:
            raise InputError(f"{name}: depth of type {stored.dtype}; this layout has 8 or 16 bits")
        metres = stored.astype(np.float32) * np.float32(scales[stored.dtype])
        return decode_picture(rgb, self.name(frame)), metres

    def name(self, frame: tuple[str, str]) -> str:
        return f"{self.path}/{frame[0]}"


class FastDepth(Layout):
    """FastDepth's HDF5 files, one a frame."""

    title = "FastDepth"
    sought = "train/<scene>/*.h5 or val/official/*.h5"

    def __init__(self, path: Path, raw: bool = False):
        self.path = path
        parts = {"train": "train", "test": "val"}
        self.frames = {split: sorted(_h5_files(path / part)) for split, part in parts.items()}
        self.empty = {
            split: f"{path / part}"
            for split, part in parts.items()
            if not self.frames[split] and (path / part).is_dir()
        }

    @staticmethod
    def find(path: Path) -> Path | None:
        for root in (path, path / "nyudepthv2"):
            if any(next(_h5_files(root / part), None) for part in ("train", "val")):
                return root
        return None

    def load(self, frame: Path) -> tuple[Picture, np.ndarray]:
        try:
            with h5py.File(frame, "r") as file:
                rgb, depth = file["rgb"][...], file["depth"][...]
        except KeyError as error:
            raise InputError(f"{frame}: has no rgb or no depth ({error}); restore it") from None
        except OSError:
            raise InputError(f"{frame}: not an HDF5 file, or cut short; restore it") from None
        if rgb.ndim != 3 or rgb.shape[0] != 3:
            raise InputError(f"{frame}: rgb is {rgb.shape}, not (3, height, width); restore it")
        return Picture(cv2.merge(list(rgb))), depth

    def name(self, frame: Path) -> str:
        return str(frame)


class Tfds(Layout):
    """Prepared records: tfrecord is indexed by its records' headers, array_record by its own.

    The records' checksums are not verified.
    """

    title = "tfds"
    sought = "nyu_depth_v2/<version>/dataset_info.json"

    def __init__(self, path: Path, raw: bool = False):
        check_installed("tfds", "tensorflow_datasets")
        import tensorflow_datasets as tfds

        self.path = path
        try:
            builder = tfds.builder_from_directory(path)
        except Exception as error:  # tfds raises errors of many types
            raise InputError(
                f"{path}: dataset_info.json or features.json is damaged ({error}); prepare the data"
                " set again"
            ) from error
        self._features = builder.info.features
        self._sources: dict[str, Any] = {}
        self.frames = {}
        for split, part in {"train": "train", "test": "validation"}.items():
            info = builder.info.splits.get(part)
            if info is None:
                continue
            if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
                self._sources[split] = builder.as_data_source(part)
                self.frames[split] = [(split, k) for k in range(info.num_examples)]
            elif builder.info.file_format == tfds.core.FileFormat.TFRECORD:
                files = [Path(file) for file in info.filepaths]
                self.frames[split] = [frame for file in files for frame in tfrecords.index(file)]
            else:
                raise InputError(
                    f"{path}: prepared as {builder.info.file_format.value}; prepare it as tfrecord "
                    "or array_record"
                )

    @staticmethod
    def find(path: Path) -> Path | None:
        if not path.is_dir():
            return None
        # The last of several versions.
        infos = [*path.glob("nyu_depth_v2/*/dataset_info.json"), *path.glob("*/dataset_info.json"),
                 *path.glob("dataset_info.json")]  # fmt: skip
        infos = [i for i in infos if re.search(rb'"name": *"nyu_depth_v2"', read_bytes(i))]
        return max(infos).parent if infos else None

    def load(self, frame: tuple) -> tuple[Picture, np.ndarray]:
        try:
            example = self._example(frame)
        except InputError:
            raise
        except Exception as error:  # parsers and decoders raise errors of many types
            raise InputError(
                f"{self.name(frame)}: damaged record ({type(error).__name__}); prepare "
                "the data set again"
            ) from error
        return Picture(example["image"]), example["depth"].astype(np.float32)

    def _example(self, frame: tuple) -> dict[str, np.ndarray]:
        if frame[0] in self._sources:
            return self._sources[frame[0]][frame[1]]
        return self._features.deserialize_example_np(tfrecords.read(tfrecords.Record(*frame)))

    def name(self, frame: tuple) -> str:
        return (
            f"{self.path}/{frame[0]}[{frame[1]}]" if len(frame) == 2 else f"{frame[0]}@{frame[1]}"
        )

    def key(self, frame: tuple) -> str:
        if len(frame) == 2:
            return f"{frame[0]}/{frame[1]:06d}"
        return f"{frame[0].name}/{frame[1]:012d}"

    def scene(self, frame: tuple) -> str:
        raise InputError(
            f"{self.path}: the tfds layout does not store which scene a frame is of, so none can "
            "be held out; leave data.hold_out at 0, or use another layout"
        )


class Bts(Layout):
    """BTS' synchronized image and depth files."""

    title = "BTS"
    sought = "<scene>/rgb_*.jpg with <scene>/sync_depth_*.png"
    missing_word = "missing a partner"

    def __init__(self, path: Path, raw: bool = False):
        self.path = path
        train, test = set(_listed("train_scenes.csv")), _test_indices(None)
        self.frames = {"train": [], "test": [], "unlisted": []}
        self.missing = {split: [] for split in self.frames}
        for folder, files in _folders(path):
            color = {m[1]: file for file in files if (m := _RGB.fullmatch(file.name))}
            depth = {m[1]: file for file in files if (m := _SYNC_DEPTH.fullmatch(file.name))}
            scene = _SCENE.fullmatch(folder.name)
            for number in sorted(color.keys() | depth.keys()):
                # Test frames are in folders named by room type, under their labelled index.
                if scene:
                    split = "train" if scene[1] in train else "unlisted"
                else:
                    split = "test" if int(number) in test else "unlisted"
                pair = [kind[number] for kind in (color, depth) if number in kind]
                if len(pair) == 2:
                    self.frames[split].append(tuple(pair))
                else:
                    self.missing[split].append(str(pair[0]))

    @staticmethod
    def find(path: Path) -> Path | None:
        return path if _holds(path, "sync_depth_*.[pP][nN][gG]") else None

    def load(self, frame: tuple[Path, Path]) -> tuple[Picture, np.ndarray]:
        rgb, depth = frame
        return (
            read_picture(rgb),
            depth_png.decode(read_bytes(depth), str(depth), depth_png.MILLIMETRES),
        )

    def name(self, frame: tuple[Path, Path]) -> str:
        return str(frame[0])


class Raw(Layout):
    """The recordings as published; depth is projected into the image."""

    title = "raw"
    sought = "<scene>/r-*.ppm with <scene>/d-*.pgm"
    missing_word = "missing a partner"
    remark = ", depth as measured and projected into the picture"

    def __init__(self, path: Path, raw: bool = False):
        self.path = path
        train = set(_listed("train_scenes.csv"))
        self.frames = {"train": [], "unlisted": []}
        self.missing = {split: [] for split in self.frames}
        for folder, files in _folders(path):
            pairs, alone = kinect.pair(file.name for file in files)
            scene = _SCENE.fullmatch(folder.name)
            split = "train" if scene and scene[1] in train else "unlisted"
            self.frames[split] += [(str(folder), rgb, depth) for rgb, depth in pairs]
            self.missing[split] += [str(Path(folder, name)) for name in alone]

    @staticmethod
    def find(path: Path) -> Path | None:
        held = _holds(path, "d-*.[pP][gG][mM]") and _holds(path, "r-*.[pP][pP][mM]")
        return path if held else None

    def load(self, frame: tuple[str, str, str]) -> tuple[Picture, np.ndarray]:
        rgb, depth = (Path(frame[0], name) for name in frame[1:])
        picture = read_picture(rgb).rgb
        if picture.shape[:2] != kinect.SIZE:
            raise InputError(
                f"{rgb}: the picture is {picture.shape[:2]}, where the Kinect's is {kinect.SIZE} "
                "(rows, columns); restore the file"
            )
        disparity = kinect.decode_disparity(read_bytes(depth), str(depth))
        aligned, metres = kinect.align(picture, disparity)
        return Picture(aligned), metres

    def name(self, frame: tuple[str, str, str]) -> str:
        return str(Path(frame[0], frame[2]))  # a picture may serve two depth files


_RGB = re.compile(r"rgb_([0-9]+)\.(?i:jpg|png)")
_SYNC_DEPTH = re.compile(r"sync_depth_([0-9]+)\.(?i:png)")

LAYOUTS: tuple[type[Layout], ...] = (Labelled, DenseDepth, FastDepth, Tfds, Bts, Raw)


def _holds(path: Path, pattern: str) -> bool:
    """Tells whether files of this name are in the folder, or up to three levels below."""
    # What else is there is no concern of ours: folders that may not be read are passed over.
    return any(next(path.glob(f"{'*/' * level}{pattern}"), None) for level in range(4))


def _folders(path: Path) -> list[tuple[Path, list[Path]]]:
    """Returns all folders and the files in each, in alphabetic order of the folders."""
    found = []
    for folder, listing in walk(path):
        # A lost file is one without partner; a lost folder would be frames less.
        check_links(link for link in listing.lost if not ending(link))
        found.append((folder, listing.files))
    return sorted(found, key=lambda each: str(each[0]))


def _h5_files(path: Path) -> Iterator[Path]:
    """Yields the .h5 files of the scenes in a folder."""
    check_links([path])
    if not path.is_dir():
        return
    for folder, listing in walk(path, levels=1):
        check_links(listing.lost)
        if folder != path:
            yield from (file for file in listing.files if ending(file) == ".h5")


def _by_folder(path: Path, archived: list[str]) -> dict[str, frozenset[str]]:
    """Returns the names in each folder of an archive."""
    found: dict[str, set[str]] = {}
    for name in archived:
        folder, _, file = f"{path}/{name}".rpartition("/")
        found.setdefault(folder, set()).add(file)
    return {folder: frozenset(each) for folder, each in found.items()}


def _listed(name: str) -> list[str]:
    """Returns the one column of a list of this folder, without its heading."""
    return (_LISTS / name).read_text().split()[1:]


def _test_indices(folder: Path | None) -> set[int]:
    """Returns the 0-based test indices: of the folder's splits.mat, otherwise the official ones."""
    path = folder and folder / "splits.mat"
    if not path or not path.exists():
        return {int(index) for index in _listed("labelled_test.csv")}
    try:
        one_based = scipy.io.loadmat(path)["testNdxs"]
    except (MatReadError, ValueError, KeyError, NotImplementedError, OSError):
        raise InputError(
            f"{path}: not the official split file with 'testNdxs'; restore or remove it"
        ) from None
    return {int(index) - 1 for index in one_based.ravel()}


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile):
        raise InputError(f"{path}: not a zip archive, or cut short; download it again") from None


def _names_columns(listed: list[tuple[str, str]], name: str) -> bool:
    """Tells whether the first row of a csv file is alone in being in no folder, as image.png is."""
    bare = [PurePosixPath(picture).parent == PurePosixPath(name).parent for picture, _ in listed]
    return bare[0] and not any(bare[1:]) and len(bare) > 1


def _csv_names(names: list[str]) -> dict[str, str]:
    """Returns split -> name of its csv, for those among `names`."""
    files = {"train": "nyu2_train.csv", "test": "nyu2_test.csv"}
    by_name = {name.rsplit("/", 1)[-1].lower(): name for name in names}
    return {split: by_name[file] for split, file in files.items() if file in by_name}
