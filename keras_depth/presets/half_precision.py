"""Copies a network with its kernels in half precision, into half the bytes."""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from keras_depth.files import replacing

# A fixed date: the same network gives the same file, and so the same SHA-256.
_DATE = (1980, 1, 1, 0, 0, 0)


def halve(model_file: Path, target: Path) -> None:
    """Copies a .keras file with its kernels as float16; `keras.saving.load_model` reads it.

    Vectors, such as biases and batch statistics, stay in float32: they are few, and a variance may
    be beyond float16.

    Args:
        model_file: a .keras file.
        target: the copy.

    Raises:
        InputError: the copy cannot be written.
    """
    with (
        replacing(target) as path,
        zipfile.ZipFile(model_file) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in sorted(source.namelist()):
            data = source.read(name)
            copy.writestr(
                zipfile.ZipInfo(name, _DATE),
                _halve_weights(data) if name.endswith(".h5") else data,
                zipfile.ZIP_DEFLATED,
            )


def _halve_weights(weights: bytes) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as source, h5py.File(buffer, "w") as copy:
        copy.attrs.update(source.attrs)

        def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                kernel = values.dtype == np.float32 and values.ndim > 1
                copied = copy.create_dataset(name, data=values.astype("f2") if kernel else values)
            else:
                copied = copy.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(take)
    return buffer.getvalue()
