import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_depth.files import sha256
from keras_depth.presets.half_precision import halve


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halved")
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(64, 5, bias_initializer="random_normal")(image)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(x), name="halved")
    model.layers[2].moving_variance.assign(np.full(64, 1e6))  # float16 ends at 65,504
    model.save(folder / "whole.keras")
    halve(folder / "whole.keras", folder / "half.keras")
    return folder


def test_keras_reads_it_as_any_other(files):
    whole, half = (keras.saving.load_model(files / f"{n}.keras") for n in ("whole", "half"))
    image = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(half(image), whole(image), rtol=2e-3, atol=1e-5)
    for one, other in zip(half.weights, whole.weights, strict=True):
        assert one.dtype == "float32"
        exact = other if other.ndim == 1 else keras.ops.cast(other, "float16")
        np.testing.assert_array_equal(one, keras.ops.cast(exact, "float32"))


def test_kernels_take_half_the_bytes(files):
    with zipfile.ZipFile(files / "half.keras") as archive, archive.open("model.weights.h5") as file:
        kinds: dict[bool, set[str]] = {True: set(), False: set()}

        def note(name, item):
            if isinstance(item, h5py.Dataset):
                kinds[item.ndim > 1].add(item.dtype.name)

        h5py.File(file).visititems(note)
    assert kinds == {True: {"float16"}, False: {"float32"}}


def test_the_same_network_gives_the_same_file(files):
    halve(files / "whole.keras", files / "again.keras")
    assert sha256(files / "again.keras") == sha256(files / "half.keras")
