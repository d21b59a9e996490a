"""Presets: trained networks that come with the package, a folder each.

model.keras   the network, its kernels in half precision; `keras.saving.load_model` takes it too
recipe.yaml   what it was trained with
card.md       the model card: front matter (data, scores, the SHA-256 of model.keras), then text

A preset's folder is a run folder, so whatever takes a run takes a preset by its name.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_depth.command import parse_yaml
from keras_depth.errors import InputError, first_line
from keras_depth.files import replacing

_ROOT = Path(__file__).parent
MODEL, CARD = "model.keras", "card.md"


def list_presets() -> list[str]:
    """Returns the names of the presets that come with the package."""
    return sorted(card.parent.name for card in _ROOT.glob(f"*/{CARD}"))


def find(name: str | Path) -> Path | None:
    """Returns the folder of the preset of this name; None: there is none."""
    return _ROOT / str(name) if str(name) in list_presets() else None


def read_card(folder: Path) -> dict[str, Any]:
    """Reads the front matter of a preset's model card.

    Raises:
        InputError: there is no card, or its front matter is damaged.
    """
    card = folder / CARD
    if not card.is_file():
        raise InputError(f"{folder}: not a preset (it has no {CARD}); give one of {_names()}")
    _, matter, *_ = [*card.read_text(encoding="utf-8").split("---\n", 2), "", ""]
    try:
        values = parse_yaml(matter)
    except ValueError as error:
        raise InputError(f"{card}: damaged ({first_line(error)}); install it again") from error
    if not isinstance(values, dict) or "sha256" not in values:
        raise InputError(f"{card}: its front matter lacks `sha256`; install the preset again")
    return values


def check(folder: Path) -> None:
    """Checks that a preset's network is the one that its card describes.

    Raises:
        InputError: the file is missing, damaged, or of another version of the preset.
    """
    expected = read_card(folder)["sha256"]
    file = folder / MODEL
    found = digest(file) if file.is_file() else "none"
    if found != expected:
        raise InputError(
            f"{file}: its SHA-256 is {found:.12}, where {CARD} says {expected:.12}: damaged, or of"
            " another version; install the preset again"
        )


def digest(file: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def halve(model_file: Path, target: Path) -> None:
    """Copies a .keras file with its kernels in half precision.

    Vectors, such as biases and batch statistics, stay in float32: they are few, and a variance may
    be beyond float16. Keras reads such a file as any other.

    Args:
        model_file: a .keras file.
        target: the copy.
    """
    with (
        replacing(target) as path,
        zipfile.ZipFile(model_file) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in sorted(source.namelist()):
            data = source.read(name)
            # A fixed date: the same network gives the same file.
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            copy.writestr(info, _halved(data) if name.endswith(".h5") else data)


def _halved(weights: bytes) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as source, h5py.File(buffer, "w") as copy:
        for key, value in source.attrs.items():
            copy.attrs[key] = value

        def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                large = values.dtype == np.float32 and values.ndim > 1
                copied = copy.create_dataset(name, data=values.astype("f2") if large else values)
            else:
                copied = copy.require_group(name)
            for key, value in item.attrs.items():
                copied.attrs[key] = value

        source.visititems(take)
    return buffer.getvalue()


def _names() -> str:
    return ", ".join(list_presets()) or "none (this installation carries no preset)"
