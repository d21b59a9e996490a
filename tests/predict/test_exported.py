"""Exported networks that are not as they were written: one sentence each."""

import shutil
import sys

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.export import litert, onnx, saved_model
from keras_depth.predict.exported import MODEL_FILES
from keras_depth.predict.loading import load_exported
from tests.helpers.exporting import write_tiny

SIZE = (8, 12)
WRITERS = {"saved_model": saved_model.write, "onnx": onnx.write, "litert": litert.write}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The same network in each format."""
    folder = tmp_path_factory.mktemp("exported")
    write_tiny(folder, WRITERS, 2, SIZE)
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


@pytest.mark.parametrize("format", WRITERS)
def test_metres(exported, format):
    network = load_exported(exported / format)
    assert (network.name, network.input_size, network.batch) == ("mine", SIZE, 2)
    assert network.version == 1, "its folder has no number"
    depth = network(np.full((2, *SIZE, 3), 51, np.uint8))
    assert depth.dtype == np.float32 and depth.shape == (2, *SIZE, 1)
    np.testing.assert_allclose(depth, 1.2, rtol=1e-6)


def test_the_version_is_the_number_of_the_folder(copy, monkeypatch):
    (copy / "onnx").rename(copy / "12")
    assert load_exported(copy / "12").version == 12
    monkeypatch.chdir(copy / "12")
    assert load_exported(".").version == 12


@pytest.mark.parametrize("format", WRITERS)
def test_other_pictures(exported, format):
    network = load_exported(exported / format)
    for images in (np.zeros((1, *SIZE, 3), np.uint8), np.zeros((2, *SIZE, 3), np.float32)):
        with pytest.raises(InputError, match=r"it takes uint8 \(2, 8, 12, 3\)"):
            network(images)


@pytest.mark.parametrize("format", WRITERS)
def test_a_damaged_network(copy, format):
    file = copy / format / MODEL_FILES[format]
    file.write_bytes(b"no network")
    with pytest.raises(InputError, match=file.name):
        load_exported(copy / format)
    file.unlink()
    with pytest.raises(InputError, match=f"{file.name} is missing; export the network again"):
        load_exported(copy / format)


def test_damaged_details(copy):
    file = copy / "onnx" / "export.json"
    for text, message in (
        ("{", "damaged; export the network again"),
        ("{}", "damaged; export the network again"),
        (file.read_text().replace('"onnx"', '"later"'), "or by a later version of it"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            load_exported(copy / "onnx")


@pytest.mark.parametrize("format, module", [("onnx", "onnxruntime"), ("litert", "ai_edge_litert")])
def test_a_runtime_that_is_not_installed(exported, format, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'keras_depth\[{format}\]'"):
        load_exported(exported / format)
