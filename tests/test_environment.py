"""What a number depends on is asked once; what it must not depend on is kept out."""

import json
import os
import re
import subprocess
import sys
import warnings
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import keras
import pytest

from keras_depth import create_model
from keras_depth import environment as module
from keras_depth.environment import (
    choose_backend,
    describe,
    devices,
    environment,
    set_keras_defaults,
)
from keras_depth.errors import InputError
from tests.helpers.exporting import bright_is_far

PHOTOS = Path(__file__).parents[1] / "docs" / "photos" / "rgb"


@pytest.mark.parametrize("package", ["opencv-python", "opencv-python-headless"])
def test_either_opencv_is_recognised(monkeypatch, package):
    def version(name):
        if name.startswith("opencv") and name != package:
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(module, "version", version)
    found = environment.__wrapped__()["packages"]
    assert [name for name in found if name.startswith("opencv")] == [package]
    assert set(found.values()) == {"1.2.3"}


def test_it_is_asked_once(monkeypatch):
    first = environment()
    monkeypatch.setattr(module, "_commit", None)
    assert environment() is first


def test_descriptions():
    values = {
        "packages": {"tensorflow": "2.21.0", "keras": "3.15.0"},
        "devices": ["/device:CPU:0", "/device:GPU:0"],
    }
    assert describe(values) == "TensorFlow 2.21.0, Keras 3.15.0"
    assert devices(values) == "CPU:0, GPU:0"


@pytest.fixture
def keras_settings():
    """Keras's settings, as they were afterwards."""
    names = ("image_data_format", "floatx", "epsilon")
    before = {name: getattr(keras.config, name)() for name in names}
    yield keras.config
    for name, value in before.items():
        getattr(keras.config, f"set_{name}")(value)


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("image_data_format", "channels_first", "channels_last"),
        ("floatx", "float16", "float32"),
        ("epsilon", 1e-3, 1e-7),
    ],
)
def test_keras_settings_change_no_network(keras_settings, name, value, needed):
    getattr(keras_settings, f"set_{name}")(value)
    with pytest.warns(UserWarning, match=f"Keras's {name} is {value}; keras_depth needs {needed}"):
        model = create_model("lite_basic_interl_t", input_shape=(32, 64, 3))
    assert model.output_shape == (None, 32, 64, 1) and model.output.dtype == "float32"
    assert getattr(keras_settings, name)() == needed


@pytest.mark.parametrize("text", ['{"floatx": "bfloat16"}', "[]", '{"floatx": 16}'])
def test_settings_that_tensorflow_cannot_be_imported_with(tmp_path, monkeypatch, text):
    (tmp_path / "keras.json").write_text(text)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(InputError, match="keras.json: TensorFlow cannot be imported with"):
        choose_backend()
    for good in ("{", "{}", '{"floatx": "float64"}'):
        (tmp_path / "keras.json").write_text(good)
        choose_backend()


def test_another_backend_is_refused_from_python_too():
    for variables in ({"KERAS_BACKEND": "jax"}, {"KERAS_BACKEND": "torch"}):
        done = subprocess.run(
            [sys.executable, "-c", "import keras_depth; keras_depth.create_model"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        assert "InputError: KERAS_BACKEND=" in done.stderr


def test_mixed_precision_is_the_users_to_choose():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            set_keras_defaults()
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")


KERAS_JSON = json.dumps(
    {
        "image_data_format": "channels_first",
        "floatx": "float16",
        "epsilon": 1e-3,
        "backend": "jax",
    }
)
# Several together, because each case starts two commands.
INHERITED = {
    "of Matplotlib, the locale, threads and a home that is not there": {
        **{"MPLBACKEND": "Qt4Agg", "MATPLOTLIBRC": "HOME/matplotlibrc"},
        **{"LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8"},
        **{"OMP_NUM_THREADS": "abc", "KMP_AFFINITY": "x", "MKL_NUM_THREADS": "0"},
        **{"HOME": "/nowhere", "KERAS_BACKEND": ""},
    },
    "of Keras, a scheduler, a terminal without δ and a user without home": {
        **{"KERAS_HOME": "HOME/.keras", "TF_CONFIG": "{"},
        **{"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "HOME": None},
    },
}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return contact_sheet_and_depth(tmp_path_factory.mktemp("as it is"), {})


@pytest.mark.slow
@pytest.mark.parametrize("variables", INHERITED.values(), ids=INHERITED)
def test_what_a_process_inherits_changes_nothing(tmp_path, untouched, variables):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(KERAS_JSON)
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: black\nfont.size: 30\n")
    here = {key: value and value.replace("HOME", str(tmp_path)) for key, value in variables.items()}
    assert contact_sheet_and_depth(tmp_path, here) == untouched


def contact_sheet_and_depth(folder, variables):
    """Runs two commands; returns their sentences, their numbers and their pictures."""
    bright_is_far().save(folder / "net.keras")
    variables = {**os.environ, "XDG_CACHE_HOME": os.path.expanduser("~/.cache"), **variables}
    environment = {key: value for key, value in variables.items() if value is not None}
    said = []
    for command in (
        ["data", "--data", "rooms", "--frames", "4", "--output", "check"],
        ["predict", "net.keras", PHOTOS, "--output", "out", "--format", "npy,color"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", f"keras_depth.{command[0]}", *command[1:]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said.append(re.sub(r"[\d.]+ ms", "", done.stdout).replace(r"\u03b4", "δ"))
    files = sorted([*folder.glob("check/*.png"), *folder.glob("out/*")])
    assert len(files) == 5
    return said, {file.name: file.read_bytes() for file in files}
