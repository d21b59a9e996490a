"""run.py by TensorRT: calls that each version has, in an order that computes the network's depth.

No GPU and no TensorRT is here: see tests/helpers/recorded_tensorrt.py.
"""

import ctypes.util
import json
import shutil
import sys

import numpy as np
import pytest

from keras_depth.export import run
from tests.helpers.recorded_tensorrt import VERSIONS, make_tensorrt, write_cudart

# What the exporter writes for TensorRT, and what it writes for ONNX Runtime.
KINDS = {
    "float32 NCHW, two": ("tensorrt", {"batch": 2, "dtype": "float32", "layout": "NCHW"}),
    "uint8 NHWC, any": ("onnx", {}),
}


@pytest.fixture(scope="module")
def cudart(tmp_path_factory):
    return write_cudart(tmp_path_factory.mktemp("cudart"))


@pytest.fixture
def use(monkeypatch, cudart):
    """Function of a version: `import tensorrt` has it from then on."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(run.Cuda, "NAMES", (str(cudart),))

    def install(version):
        monkeypatch.setitem(sys.modules, "tensorrt", make_tensorrt(version))
        return sys.modules["tensorrt"]

    return install


@pytest.fixture
def copied(exported, tmp_path):
    """Function of a kind that returns an own copy of its folder."""

    def copy(kind):
        format, options = KINDS[kind]
        return shutil.copytree(exported(format, **options), tmp_path / "network")

    return copy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_network_by_each_version(version, kind, use, copied, tmp_path, capsys):
    """Builds an engine, keeps it, and computes the Keras model's depth: check.npz."""
    tensorrt, folder = use(version), copied(kind)
    if "uint8" in kind and not hasattr(tensorrt.DataType, "UINT8"):
        assert run.main(["--check"], folder) == 0
        assert "by onnxruntime-cpu" in capsys.readouterr().out
        assert run.main(["--check", "--backend", "tensorrt"], folder) == 2
        said = capsys.readouterr().err
        assert "uint8, which TensorRT has from 8.5 on; export it with --input float32" in said
        return
    assert run.main(["--check", "--bench", "--runs", "2"], folder) == 0
    printed, said = capsys.readouterr()
    assert f"lite_basic_interl_t, fp32, by tensorrt {version}" in printed
    assert "the limit of the mean is 0.01: passed" in printed and "builds an engine" in said
    report = json.loads(printed[printed.index("{") :])
    assert (report["backend"], report["backend_version"]) == ("tensorrt", version)
    assert report["batch"] == (2 if "two" in kind else 1)
    engine = folder / f"model-tensorrt{version}-sm87.engine"
    assert report["engine"] == engine.name
    assert engine.read_bytes().startswith(b"engine of")
    assert run.main(["--check"], folder) == 0
    assert "builds" not in capsys.readouterr().err, "it is loaded"


@pytest.mark.parametrize("version", VERSIONS)
def test_precisions_are_switches_up_to_10(version, use, copied):
    tensorrt, folder = use(version), copied("float32 NCHW, two")
    details = json.loads((folder / "export.json").read_text())
    for precision, names in {"int8": ["INT8", "FP16"], "fp16": ["FP16"]}.items():
        (folder / "export.json").write_text(json.dumps({**details, "precision": precision}))
        assert run.main(["--check"], folder) == 0
        if version == "11.1.0":
            assert tensorrt.built_with == []
        else:
            assert tensorrt.built_with == [getattr(tensorrt.BuilderFlag, one) for one in names]
        for engine in folder.glob("*.engine"):
            engine.unlink()


def test_eight_bits_for_onnxruntime_are_not_given_to_tensorrt(use, copied, capsys):
    use("10.3.0")
    folder = copied("uint8 NHWC, any")
    details = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**details, "precision": "int8"}))
    assert run.main(["--check"], folder) == 0
    assert "by onnxruntime-cpu" in capsys.readouterr().out
    assert run.main(["--check", "--backend", "tensorrt"], folder) == 2
    assert "not around 0; for TensorRT export with --format tensorrt" in capsys.readouterr().err


def test_pictures_by_tensorrt_and_by_onnxruntime(use, copied, tmp_path):
    use("10.3.0")
    folder, depths = copied("float32 NCHW, two"), []
    picture = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
    (tmp_path / "noise.png").write_bytes(run.encode_png(picture))
    for backend in ("tensorrt", "onnxruntime-cpu"):
        arguments = [str(tmp_path / "noise.png"), "--output", str(tmp_path / backend)]
        assert run.main([*arguments, "--format", "npy", "--backend", backend], folder) == 0
        depths.append(np.load(tmp_path / backend / "noise_depth.npy"))
    np.testing.assert_array_equal(*depths)
    assert depths[0].shape == (40, 60) and depths[0].std() > 0.1


def test_an_engine_of_another_tensorrt(use, copied, capsys):
    folder = copied("float32 NCHW, two")
    details = json.loads((folder / "export.json").read_text())
    details["engine"] = {"tensorrt": "8.6.1"}
    (folder / "export.json").write_text(json.dumps(details))
    (folder / "model.engine").write_bytes(b"engine of TensorRT 8.6.1")
    use("10.3.0")
    assert run.main(["--check"], folder) == 2
    assert capsys.readouterr().err == (
        f"run.py: {folder}/model.engine: TensorRT 10.3.0 cannot load it: TensorRT 8.6.1 built it,"
        " or it is damaged; delete it, and run.py builds it anew\n"
    )
    (folder / "model.engine").unlink()
    assert run.main(["--check"], folder) == 0


def test_a_model_that_tensorrt_cannot_read(use, copied, capsys):
    use("8.2.1")
    folder = copied("float32 NCHW, two")
    (folder / "model.onnx").write_bytes(b"no protocol buffer")
    assert run.main(["--check"], folder) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        f"run.py: {folder}/model.onnx: TensorRT 8.2.1 cannot read it (an operator that it does not"
        " know)"
    )
    assert not list(folder.glob("*.engine"))


def test_a_gpu_of_too_little_memory(use, copied, capsys):
    use("10.3.0")
    folder = copied("float32 NCHW, two")
    details = json.loads((folder / "export.json").read_text())
    details["output"]["shape"] = [2, 1024, 1024, 1]
    (folder / "export.json").write_text(json.dumps(details))
    assert run.main(["--check"], folder) == 2
    assert "run.py: CUDA's cudaMalloc fails: out of memory\n" in capsys.readouterr().err


def test_no_cuda(use, copied, monkeypatch, capsys):
    use("10.3.0")
    monkeypatch.setattr(run.Cuda, "NAMES", ("libcudart-of-nobody.so",))
    folder = copied("float32 NCHW, two")
    assert run.main(["--check", "--backend", "tensorrt"], folder) == 2
    assert "--backend tensorrt: there is no libcudart" in capsys.readouterr().err
    assert run.main(["--check"], folder) == 0
    assert "by onnxruntime-cpu" in capsys.readouterr().out, "the next that is here"
