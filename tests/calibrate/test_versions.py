"""Exported networks: the next version's graph holds scale and shift, in every format."""

import json
import shutil

import numpy as np
import pytest

from keras_depth.calibrate import __main__ as calibrate
from keras_depth.calibrate import versions
from keras_depth.errors import InputError
from keras_depth.export import exporter, parity
from keras_depth.export.request import Request
from keras_depth.predict.calibration import Calibration
from keras_depth.predict.exported import Exported, read_details
from tests.helpers.commands import call
from tests.helpers.exporting import SIZE, bright_is_far, run_in_this_process

FORMATS = {
    "saved_model": {},
    "onnx": {"precision": "fp16", "layout": "NCHW"},
    "tensorrt": {"precision": "fp16", "batch": 1, "dtype": "float32"},
    "litert": {"batch": 1},
    "tftrt": {"batch": 1},
}


def export(run, output, format):
    """Exports; returns the folders of the versions, that of the network first."""
    return [one.folder for one in exporter.export(Request(run, format, output, **FORMATS[format]))]


def pictures(folder):
    exported = Exported(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (exported.batch or 2, *SIZE, 3), np.uint8)
    pixels[:, :8] = 0  # none
    return pixels if exported.dtype == "uint8" else pixels.astype(np.float32) / 255


@pytest.fixture(scope="module")
def onnx_export(tmp_path_factory):
    """The folder of an export's versions; one for all, since it takes seconds."""
    folder = tmp_path_factory.mktemp("exported")
    bright_is_far().save(folder / "model.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "run_alone", run_in_this_process)
        (first,) = export(folder / "model.keras", folder / "out", "onnx")
    return first.parent


@pytest.fixture
def exported(onnx_export, tmp_path):
    """The first version, in a folder of the test's own."""
    return shutil.copytree(onnx_export, tmp_path / "out" / onnx_export.name) / "1"


@pytest.mark.parametrize(
    "format",
    [
        pytest.param(format, marks=[] if format in ("onnx", "litert") else pytest.mark.slow)
        for format in FORMATS
    ],
)
def test_the_next_version_is_calibrated(run, tmp_path, here, format):
    """With a shift, then anew with a scale alone, which replaces it."""
    first = export(run, tmp_path / "out", format)
    assert len(first) == (2 if format in ("saved_model", "tensorrt") else 1)
    (first[0] / "model.engine").write_bytes(b"of the old graph")
    given = [pictures(folder) for folder in first]
    depth = [Exported(folder)(given[i]) for i, folder in enumerate(first)]
    assert (depth[0] == 0).any() and depth[0].max() > 4
    second = versions.write(first[0], Calibration(1.3, -0.5, (50.0, 51.0), 3, {"after": 0.01}))
    third = versions.write(second[0], Calibration(0.8, 0.0, None, 4))
    for i, plain in enumerate(depth):
        assert second[i] == first[i].parent / "2" and third[i] == first[i].parent / "3"
        metres = Exported(second[i])(given[i])
        expected = np.where(plain > 0, np.maximum(1.3 * plain - 0.5, 0), 0)
        np.testing.assert_allclose(metres, expected, atol=1e-4)
        seen = metres > 0  # what was nearer than 0 is lost
        anew = Exported(third[i])(given[i])
        np.testing.assert_allclose(anew[seen], 0.8 * plain[seen], rtol=1e-4)
        details = read_details(second[i])
        assert details["calibration"]["scale"] == 1.3 and details["calibration"]["shift"] == -0.5
        assert details["calibration"]["parity"]["max_rel"] < 1e-4
        assert details["camera"] == {"focal_length": [50.0, 51.0]}
        assert details["parity"] == read_details(first[i])["parity"]
        assert read_details(third[i])["camera"] is None
        assert (second[i] / "model.engine").exists() is False
        for name, file in details["files"].items():
            assert (second[i] / name).stat().st_size == file["bytes"]
    assert (second[0] / "BUILD.txt").exists() == (format == "tensorrt")


def test_the_file_that_run_py_checks_itself_by_is_calibrated(exported, here):
    details = read_details(exported)
    image = pictures(exported)
    np.savez_compressed(exported / "check.npz", image=image, depth=Exported(exported)(image))
    details["kit"] = {"run": "run.py", "check": "check.npz"}
    (exported / "export.json").write_text(json.dumps(details))
    (second,) = versions.write(exported, Calibration(1.5))
    stored = np.load(second / "check.npz")
    np.testing.assert_allclose(Exported(second)(stored["image"]), stored["depth"], rtol=1e-3)


def test_the_command_writes_the_next_version(exported, here, measure, capsys):
    assert call(calibrate, [exported.parent, *measure(1.3)]) == 0
    assert f"written: {exported.parent / '2'}" in capsys.readouterr().out
    assert call(calibrate, [exported.parent, *measure(1.1)]) == 0  # measured with version 2
    assert read_details(exported.parent / "3")["calibration"]["scale"] == pytest.approx(
        1.1, rel=1e-2
    )
    assert call(calibrate, [exported.parent, *measure(1.3, far=3.0)]) == 2
    assert [each.name for each in sorted(exported.parent.iterdir())] == ["1", "2", "3"]


def test_a_version_that_computes_something_else_is_not_kept(exported, here, monkeypatch):
    monkeypatch.setattr(versions, "_calibrate", lambda depth, scale, shift: 2 * depth)
    with pytest.raises(InputError, match="its calibrated version differs .* was not kept"):
        versions.write(exported, Calibration(1.5))
    assert [each.name for each in exported.parent.iterdir()] == ["1"]


def test_a_folder_that_has_no_place_for_a_next_version(exported, tmp_path):
    shutil.move(exported, tmp_path / "board")
    with pytest.raises(InputError, match="its next version has no place; move it to NAME/1"):
        versions.write(tmp_path / "board", Calibration(1.5))


def test_an_export_of_a_relative_network_is_refused(exported, here, measure, capsys):
    details = read_details(exported)
    details["model"]["encoding"] = "minmax"
    (exported / "export.json").write_text(json.dumps(details))
    assert call(calibrate, [exported, *measure(1.3)]) == 2
    assert "so that no scale holds for another picture" in capsys.readouterr().err


@pytest.mark.slow
def test_in_a_fresh_process(exported):
    (second,) = versions.write(exported, Calibration(1.5, 0.25))
    assert read_details(second)["calibration"]["parity"]["max_rel"] < 1e-4
