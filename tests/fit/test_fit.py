"""The fit command: its text, its file, what RUN may be, and one sentence for what is wrong."""

import json

import keras
import pytest

from keras_depth.fit import __main__ as fit
from keras_depth.fit import this_machine
from tests.fit.test_this_machine import TINY
from tests.helpers.commands import call
from tests.helpers.tiny import stand_in

NANO = ["--board", "nano"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Of a network that is small, and named as one of the registry."""
    folder = tmp_path_factory.mktemp("runs") / "lite"
    folder.mkdir()
    image = keras.Input((8, 12, 3))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="wide")(image)
    depth = keras.layers.Conv2D(1, 1, name="head")(x)
    keras.Model(image, depth, name="lite_basic_interl_t").save(folder / "model.keras")
    return folder


def test_text_and_file(run_folder, tmp_path, capsys):
    file = tmp_path / "new" / "fit.json"
    arguments = [run_folder, *NANO, "--precision", "fp16", "--batch", 2, "--json", file]
    assert call(fit, arguments) == 0
    printed, error = capsys.readouterr()
    macs = 2 * 8 * 12 * (27 * 16 + 16)
    assert "lite_basic_interl_t, 8x12, batch 2: 0.000 GMAC, 0.00 M weights" in printed
    assert "Jetson Nano 4 GB, MAXN\n" in printed and "236 (fp32), 472 (fp16) billion" in printed
    assert "has no 8-bit arithmetic" in printed and "4 GiB on the board" in printed
    assert "next: python -m keras_depth.export" in error
    values = json.loads(file.read_text())
    assert values["macs"] == macs and values["precision"] == "fp16" and values["batch"] == 2
    times = values["precisions"]["fp16"]["milliseconds"]
    assert 0 < times["low"] < times["typical"] < times["high"]
    assert f"{times['low']:.2f} to {times['high']:.2f} ms in fp16" in printed
    assert times["low"] == pytest.approx(
        sum(
            max(one["compute_milliseconds"], one["memory_milliseconds"]) for one in values["layers"]
        )
    )
    assert sum(one["macs"] for one in values["layers"]) == macs
    assert "https://" in values["sources"]["giga_operations"]


def test_this_machine(run_folder, monkeypatch, capsys):
    monkeypatch.setattr(this_machine, "CASES", tuple(TINY.values()))
    monkeypatch.setattr(this_machine, "_SECONDS", 0)
    assert call(fit, [run_folder / "model.keras", "--board", "this"]) == 0
    assert " cores, " in capsys.readouterr().out


@pytest.mark.parametrize("changed", [{}, {"parameters": 1}, {"architecture": None}])
def test_an_exported_network(tmp_path, monkeypatch, capsys, changed):
    stand_in(monkeypatch, "lite_basic_interl_t")
    model = {"architecture": "lite_basic_interl_t", "size": [16, 32], "parameters": 165} | changed
    details = {"format": "onnx", "name": "lite", "input": {"shape": [1, 16, 32, 3]}, "output": {}}
    (tmp_path / "export.json").write_text(json.dumps(details | {"model": model}))
    code = call(fit, [tmp_path, *NANO])
    printed, error = capsys.readouterr()
    if changed:
        assert code == 2 and "give the run folder or the .keras file it was exported" in error
    else:
        assert code == 0 and "lite_basic_interl_t, 16x32, batch 1" in printed
        assert "next: python -m keras_depth.serve" in error


@pytest.mark.slow
def test_a_preset(capsys):
    assert call(fit, ["mobile_interl_nyu", "--board", "raspberry_pi_5"]) == 0
    printed = capsys.readouterr().out
    assert "mobile_interl, 240x320, batch 1: 0.794 GMAC, 3.6" in printed


REFUSED = {
    "no board": (["RUN"], "the following arguments are required: --board"),
    "unknown board": (["RUN", "--board", "nanno"], "unknown board 'nanno': did you mean 'nano'?"),
    "no peak": (["RUN", *NANO, "--precision", "int8"], "choose one of fp32, fp16"),
    "unknown precision": (["RUN", *NANO, "--precision", "int4"], "invalid choice: 'int4'"),
    "nothing": (NANO, "give RUN or --arch, one of the two"),
    "two things": (["RUN", "--arch", "msfnet", *NANO], "give RUN or --arch, one of the two"),
    "size of a run": (["RUN", "--size", "16x16", *NANO], "a trained network keeps its size"),
    "no run": (["missing", *NANO], "missing: no such file or folder, and no preset"),
    "unknown network": (["--arch", "msfnett", *NANO], "did you mean 'msfnet'"),
    "size it cannot take": (["--arch", "mobile_interl", "--size", "30x48", *NANO], "multiples of"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(monkeypatch, tmp_path, capsys, run_folder, arguments, message):
    monkeypatch.chdir(tmp_path)
    arguments = [str(run_folder) if word == "RUN" else word for word in arguments]
    assert call(fit, arguments) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1] and "Traceback" not in error
