"""The export command: what it writes, what it says, and one sentence for everything wrong."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest

from keras_depth.export import parity
from keras_depth.predict.loading import load_exported
from tests.helpers.exporting import SIZE, bright_is_far, call


def test_a_saved_model_from_the_command(run, tmp_path, capsys):
    """Loaded by a fresh process, which compares it; the served folder and its frozen twin."""
    output = tmp_path / "exported"
    assert call(run, "--format", "saved_model", "--output", output) == 0
    printed = capsys.readouterr().out
    first = output / "lite_basic_interl_t" / "1"
    frozen = output / "frozen" / "lite_basic_interl_t" / "1"
    for folder in (first, frozen):
        details = json.loads((folder / "export.json").read_text())
        assert details["format"] == "saved_model" and details["name"] == "lite_basic_interl_t"
        assert details["input"] == {
            "name": "image",
            "dtype": "uint8",
            "shape": [None, 32, 48, 3],
            "layout": "NHWC",
            "units": "RGB, 0 to 255",
        }
        assert details["output"]["shape"] == [None, 16, 24, 1]
        assert details["output"]["units"] == "metres"
        for name, file in details["files"].items():
            data = (folder / name).read_bytes()
            assert file == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert "saved_model.pb" in details["files"]
        model = (run / "model.keras").read_bytes()
        assert details["model"]["sha256"] == hashlib.sha256(model).hexdigest()
        assert {"tensorflow", "keras", "keras_depth"} <= set(details["versions"])
        assert details["parity"]["max_rel"] < 1e-5
        assert details["latency"]["milliseconds"] > 0
        assert details["latency"]["peak_memory"] > 100e6, "TensorFlow alone takes more"
        assert f"written     {folder}: saved_model, fp32" in printed
        assert "image: uint8 (any, 32, 48, 3), RGB, 0 to 255" in printed
        grey = np.full((2, *SIZE, 3), 51, np.uint8)
        np.testing.assert_allclose(load_exported(folder)(grey), 2.0, rtol=1e-5)
    assert "of the depth" in printed and "ms a call here" in printed
    assert "version " not in printed, "there is one"
    command = f"next: python -m keras_depth.serve {first.parent}"
    assert printed.splitlines()[-1] == command
    assert not [path for path in output.rglob(".partial*")]
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o755, "another user may serve it"


def test_a_second_precision_says_which_version_counts(run, tmp_path, here, capsys):
    arguments = [run, "--format", "onnx", "--output", tmp_path / "out"]
    assert call(*arguments) == 0 and call(*arguments, "--precision", "fp16") == 0
    printed = capsys.readouterr().out
    line = "version     2; a server loads it, the highest, instead of 1 (fp32)"
    assert printed.count("version ") == 1 and line in printed.splitlines()


def test_eight_bits_from_images(run, tmp_path, here, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, image in enumerate(parity.render_images((64, 96), 4)):
        cv2.imwrite(str(photos / f"{i}.png"), image)
    arguments = [run, "--format", "litert", "--precision", "int8", "--output", tmp_path / "out"]
    assert call(*arguments) == 2
    assert "give --calibration a folder" in capsys.readouterr().err
    (photos / "film.mp4").touch(), (photos / "phone.heic").touch(), (photos / "more").mkdir()
    with pytest.warns(UserWarning) as said:
        assert call(*arguments, "--calibration", photos) == 0
    assert [str(each.message) for each in said if "passed over" in str(each.message)] == [
        f"{photos}: passed over 2 files (1 .heic, 1 .mp4) and 1 folder (more); give folders by"
        " their names, and pictures as JPEG or PNG"
    ]
    exported = load_exported(tmp_path / "out" / "lite_basic_interl_t")
    assert exported.batch == 1
    assert 1e-4 < exported.details["parity"]["mean_rel"] < 0.05, "8 bits, scaled well"
    assert "the limit of the mean is 0.1" in capsys.readouterr().out


def test_the_folder_for_a_board(run, tmp_path, here, capsys):
    """Without TensorRT nothing is converted; what the board needs is in one folder."""
    output = tmp_path / "out"
    assert call(run, "--format", "tftrt", "--precision", "FP16", "--output", output) == 0
    folder = output / "lite_basic_interl_t" / "1"
    *_, reason, next_one = capsys.readouterr().out.splitlines()
    assert reason.startswith("nothing was converted. TensorFlow ") and "without TensorRT" in reason
    line = "python3 tftrt.py saved_model --precision FP16 --images check.npz"
    where = f"next, on the board, in a copy of {folder}:"
    assert next_one == f"{where} {line} --output converted"
    with np.load(folder / "check.npz") as images:
        depth = images["depth"]
        np.testing.assert_allclose(load_exported(folder)(images["image"]), depth, rtol=1e-4)
    done = subprocess.run(
        [sys.executable, *line.split()[1:], "--output", "converted"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "was built without TensorRT" in done.stderr, done.stderr
    assert not (folder / "converted").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--format", "saved_model", "--precision", "fp16"], "saved_model is written in fp32"),
        (["--format", "litert", "--opset", "17"], "--layout and --opset are for ONNX"),
        (["--format", "tftrt", "--opset", "11"], "--opset are for ONNX; leave them out of tftrt"),
        (["--format", "onnx", "--opset", "12"], "invalid choice: 12 (choose from 11, 13, 17)"),
        (["--format", "onnx", "--calibration", "photos"], "--calibration is for --precision int8"),
        (["--format", "onnx", "--focal-baseline", "20"], "writes no disparity"),
        (["--format", "onnx", "--focal-baseline", "0"], "0.0: give a number above 0"),
        (["--format", "onnx", "--encoding", "metres"], "encoding 'metres'"),
        (["--format", "litert", "--precision", "int8", "--calibration", "none"], "none: no such"),
    ],
)
def test_what_does_not_go_together(run, tmp_path, capsys, arguments, message):
    assert call(run, *arguments, "--output", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_network_of_no_known_encoding(tmp_path, here, capsys):
    bright_is_far("mine").save(tmp_path / "mine.keras")
    arguments = [tmp_path / "mine.keras", "--format", "onnx"]
    assert call(*arguments) == 2
    assert "--encoding metric" in capsys.readouterr().err
    assert call(*arguments, "--encoding", "metric") == 0
    assert (tmp_path / "exported" / "onnx" / "mine" / "1" / "model.onnx").exists()


def test_a_folder_that_cannot_be_written(run, tmp_path, here, capsys):
    (tmp_path / "file").write_text("")
    assert call(run, "--format", "onnx", "--output", tmp_path / "file") == 2
    assert "cannot be written" in capsys.readouterr().err
