"""The benchmark command: its table, its file, and one sentence for everything that is wrong."""

import json
import sys

import keras
import pytest
import tensorflow as tf

from keras_depth import command
from keras_depth.benchmark import __main__ as benchmark
from keras_depth.benchmark import compare_runtimes, measure, timing

LITE = ["--arch", "lite_basic_interl_t"]


def call(arguments):
    """Runs the command in this process; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            command.run(benchmark.main)
    return exit.value.code


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Of a network that is small, and named as one of the registry."""
    folder = tmp_path_factory.mktemp("runs") / "lite"
    folder.mkdir()
    image = keras.Input((8, 12, 3))
    depth = keras.layers.Conv2D(1, 3, padding="same")(keras.layers.BatchNormalization()(image))
    keras.Model(image, depth, name="lite_basic_interl_t").save(folder / "model.keras")
    return folder


def test_table_and_file(run_folder, tmp_path, capsys):
    file = tmp_path / "new" / "lite.json"
    arguments = [run_folder, "--batch", 2, "--repeats", 3, "--training", "--json", file]
    assert call(arguments) == 0
    printed = capsys.readouterr().out
    values = json.loads(file.read_text())
    assert printed == measure.report(values) + "\n"
    assert "lite_basic_interl_t\n" in printed and "8x12, batch 2\n" in printed
    assert "40 (34 trainable)\n" in printed, "3 * 9 + 1, and 4 * 3 of batch norm"
    assert "0.000 GMAC\n" in printed and values["macs"] == 8 * 12 * 27
    for kind in ("inference", "training"):
        times = values[kind]
        assert 0 < times["percentile_10"] <= times["median"] <= times["percentile_90"]
        assert times["images_per_second"] == pytest.approx(2000 / times["median"])
    assert values["training"]["loss"] == "mse_rel" and " mse_rel, Adam\n" in printed
    assert "medians of 3 calls" in printed
    assert values["peak_memory"] is None or values["peak_memory"] > 100e6
    assert all(count >= 1 for count in values["threads"].values())
    assert f"TensorFlow {tf.__version__}, Keras {keras.__version__}" in printed


def test_a_keras_file(run_folder, capsys):
    assert call([run_folder / "model.keras", "--repeats", 1]) == 0
    assert "8x12, batch 1\n" in capsys.readouterr().out


def test_random_weights_at_a_size_with_an_option(capsys):
    vgg = ["--arch", "optidepthnet_vgg", "--option", "separable=T", "--size", "128x128"]
    assert call([*vgg, "--repeats", 1]) == 0
    printed = capsys.readouterr().out
    assert "128x128, batch 1\n" in printed and "9,162,766 (9,162,766 trainable)\n" in printed
    assert "0.641 GMAC\n" in printed, "5.129 at 256x512, eight times the size"


REFUSED = {
    "several networks": ([*LITE, "--arch", "msfnet"], "several networks are compared in runtimes"),
    "unknown runtime": ([*LITE, "--runtime", "tensorrt"], "unknown runtime 'tensorrt'"),
    "training by a runtime": ([*LITE, "--runtime", "litert", "--training"], "cannot be trained"),
    "nothing to measure": ([], "give RUN or --arch, one of the two"),
    "two things to measure": (["RUN", *LITE], "give RUN or --arch, one of the two"),
    "size of a run": (["RUN", "--size", "32x48"], "leave out --size and --option"),
    "option of a run": (["RUN", "--option", "lite=true"], "leave out --size and --option"),
    "no run": (["missing"], "missing: no such file or folder, and no preset"),
    "empty folder": (["empty"], "empty: this folder holds no model.keras"),
    "damaged": (["cut.keras"], "cut.keras: damaged, or no Keras model"),
    "no fixed size": (["any_size.keras"], "a depth network takes one picture"),
    "loss of no architecture": (["own.keras", "--training"], "leave out --training"),
    "unknown network": (["--arch", "lite_basic_interl"], "did you mean 'lite_basic_interl_t'"),
    "unknown option": ([*LITE, "--option", "drop=0"], "did you mean 'dropout'"),
    "option of another kind": ([*LITE, "--option", "dropout=much"], "cannot take --option"),
    "option without value": ([*LITE, "--option", "dropout"], "write it as KEY=VALUE"),
    "no size": ([*LITE, "--size", "240"], "'240': give height x width, for example 240x320"),
    "size it cannot take": ([*LITE, "--size", "30x48"], "multiples of 16, got (30, 48, 3)"),
    "no batch": ([*LITE, "--batch", "0"], "'0': give a whole number, 1 or more"),
    "no repeats": ([*LITE, "--repeats", "few"], "'few': give a whole number, 1 or more"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, monkeypatch, capsys, run_folder, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.keras").write_bytes((run_folder / "model.keras").read_bytes()[:1000])
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(1, 1)(image), name="own").save("own.keras")
    any_size = keras.Input((None, None, 3))
    keras.Model(any_size, keras.layers.Conv2D(1, 1)(any_size)).save("any_size.keras")
    arguments = [str(run_folder) if word == "RUN" else word for word in arguments]
    assert call(arguments) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error


def test_a_runtime(run_folder, tmp_path, capsys):
    file = tmp_path / "runtimes.json"
    arguments = [run_folder, "--runtime", "litert", "--batch", 2, "--repeats", 3, "--json", file]
    assert call(arguments) == 0
    printed, values = capsys.readouterr().out, json.loads(file.read_text())
    assert printed == compare_runtimes.report(values) + "\n"
    assert values["batch"] == 2 and [row["runtime"] for row in values["rows"]] == ["litert"]


def test_a_batch_that_does_not_fit(run_folder, monkeypatch, capsys):
    def full(model, batch):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(timing, "inference", full)
    assert call([run_folder, "--batch", 64]) == 2
    assert "error: a batch of 64 does not fit into memory; lower --batch" in capsys.readouterr().err
