"""An exported network as the ROS 2 package runs it: found, checked, and with the suite's depth."""

import ctypes
import importlib
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

import dummy_network
from keras_depth_ros import engine
from keras_depth_ros.letterbox import FITS, Placement, resize, resize_depth
from keras_depth_ros.network import PROVIDERS, Network

from keras_depth import images
from keras_depth.predict.estimator import DepthEstimator

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("size", [(24, 32), (48, 64), (96, 128), (20, 90), (90, 20), (48, 32)])
def test_pictures_are_resized_as_in_training(size):
    assert np.array_equal(resize(PICTURE, size), images.resize(PICTURE, size))


@pytest.mark.parametrize("batch", [None, 1, 3])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_depth_is_the_suites(tmp_path, dtype, layout, batch):
    folder = dummy_network.write(tmp_path, (12, 16), dtype, layout, batch)
    depth = Network(str(folder))(PICTURE)
    assert depth.dtype == np.float32 and depth.shape == (12, 16)
    expected = DepthEstimator.load(folder)(PICTURE, resize=False)
    np.testing.assert_allclose(depth, expected, rtol=1e-6)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(48, 64), (30, 80), (81, 33), (1, 50)])
@pytest.mark.parametrize("full_size", [True, False])
def test_pictures_of_another_shape_are_the_suites(tmp_path, fit, size, full_size):
    folder = dummy_network.write(tmp_path, (12, 16))
    picture = RNG.integers(1, 256, (*size, 3), np.uint8)
    depth = Network(str(folder), fit=fit)(picture, full_size)
    expected = DepthEstimator.load(folder, fit=fit)(picture, resize=full_size)
    assert depth.dtype == np.float32 and depth.shape == expected.shape
    # This network takes the black around a letterbox for none, which the node mixes with nothing.
    inside = tuple(slice(side // 8, side - side // 8) for side in depth.shape)
    np.testing.assert_allclose(depth[inside], expected[inside], rtol=1e-5)


def test_the_fit_and_the_camera_of_the_export(tmp_path):
    folder = dummy_network.write(tmp_path, (12, 16))
    network = Network(str(folder))
    assert network.focal_length is None and network.place((20, 50)).fills  # older exports
    file = folder / "export.json"
    details = json.loads(file.read_text())
    camera = {"focal_length": [16, 25]}
    file.write_text(json.dumps({**details, "fit": "letterbox", "camera": camera}))
    network = Network(str(folder))
    assert network.focal_length == 20 and not network.place((20, 50)).fills
    assert network.place((24, 64)).focal_length(40, 40) == 10  # a quarter
    with pytest.raises(ValueError, match="fit 'box'; give one of stretch, letterbox, crop"):
        Network(str(folder), fit="box")
    file.write_text(json.dumps({**details, "camera": {"focal_length": [16, 0]}}))
    with pytest.raises(ValueError, match="damaged .camera.; copy the exported folder again"):
        Network(str(folder))


def test_none_is_not_mixed_with_depth_of_another_shape():
    placement = Placement((12, 64), (12, 16), "letterbox")  # 4 rows, from row 4 on
    depth = np.zeros((12, 16), np.float32)
    depth[:, 8:] = 7
    restored = placement.restore(depth, (12, 64))
    assert set(np.unique(restored)) == {0, 7} and (restored > 0).sum() == 12 * 32
    depth[:, :8] = np.nan
    assert np.isnan(placement.restore(depth, (12, 64))).sum() == 12 * 32


def test_the_highest_version_runs(tmp_path, monkeypatch):
    for number, size in ((9, (12, 16)), (10, (6, 8))):
        dummy_network.write(tmp_path / "net" / str(number), size)
    (tmp_path / "net" / "11").mkdir()  # an export that was stopped
    network = Network(str(tmp_path / "net"))
    assert network.input_size == (6, 8) and network.name == "dummy"
    assert network.runtime.startswith("ONNX Runtime ")
    assert network.runtime.split(", ")[1] in PROVIDERS
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Network("~/net/9").input_size == (12, 16)


def test_none_is_not_mixed_with_depth():
    depth = np.float32([[0, 7], [0, 7]])
    assert resize_depth(depth, (2, 4)).tolist() == [[0, 0, 7, 7]] * 2
    assert resize_depth(depth[:, ::-1], (2, 6)).tolist() == [[7, 7, 7, 0, 0, 0]] * 2
    depth = RNG.uniform(1, 9, (24, 32)).astype(np.float32)
    smooth = resize_depth(depth, (48, 64))
    np.testing.assert_array_equal(smooth, cv2.resize(depth, (64, 48)))
    depth[:8, :8], depth[8:16, :8], depth[16:, :8] = 0, np.nan, np.inf
    for size in ((48, 64), (24, 32), (50, 61), (7, 9), (12, 100)):
        resized = resize_depth(depth, size)
        nearest = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        known = (nearest > 0) & np.isfinite(nearest)
        np.testing.assert_array_equal(resized[~known], nearest[~known])
        assert resized[known].min() >= 1 and resized[known].max() <= 9
    np.testing.assert_allclose(resize_depth(depth, (48, 64))[:, 18:], smooth[:, 18:])


def remove(folder, name):
    (folder / name).unlink()


def edit(folder, **changes):
    """Changes what export.json says; parts of `input` and `output` alone may be given."""
    details = json.loads((folder / "export.json").read_text())
    for name in ("input", "output"):
        if changes.get(name):
            changes[name] = {**details[name], **changes[name]}
    (folder / "export.json").write_text(json.dumps({**details, **changes}))


BROKEN = {
    "no export.json": (
        lambda folder: remove(folder, "export.json"),
        "net: no export.json in it or in a version of it, such as net/1; give OUTPUT/NAME of",
    ),
    "not JSON": (
        lambda folder: (folder / "export.json").write_text("{"),
        "export.json: damaged; copy the exported folder again",
    ),
    "not of ours": (
        lambda folder: (folder / "export.json").write_text("[1]"),
        "export.json: damaged; copy the exported folder again",
    ),
    "no input": (
        lambda folder: edit(folder, input=None),
        "export.json: damaged; copy the exported folder again",
    ),
    "another format": (
        lambda folder: edit(folder, format="saved_model"),
        "export.json: a network exported as saved_model; export it with --format onnx",
    ),
    "no checksum": (
        lambda folder: edit(folder, files={}),
        "export.json: no SHA-256 of model.onnx; export the network again",
    ),
    "no model": (
        lambda folder: remove(folder, "model.onnx"),
        "model.onnx: no such file; copy the exported folder again",
    ),
    "another model": (
        lambda folder: (folder / "model.onnx").write_bytes(b"cut"),
        "model.onnx: not the file that was exported (its SHA-256 differs); copy the exported",
    ),
    "no ONNX": (
        lambda folder: no_onnx(folder),
        "model.onnx: onnxruntime cannot load it (",
    ),
    "another shape": (
        lambda folder: edit(folder, input={"shape": [None, 5, 5, 3]}),
        "dummy: ONNX Runtime ",
    ),
}


def no_onnx(folder):
    import hashlib

    (folder / "model.onnx").write_bytes(b"no network")
    edit(folder, files={"model.onnx": {"sha256": hashlib.sha256(b"no network").hexdigest()}})


LIES = [
    ({"name": 5}, "damaged; copy"),
    ({"input": {"layout": "CHWN"}}, "an input of layout 'CHWN' and dtype 'uint8', which no"),
    ({"input": {"dtype": "float16"}}, "an input of layout 'NHWC' and dtype 'float16', which no"),
    ({"input": {"layout": ["NHWC"], "dtype": None}}, "layout ['NHWC'] and dtype None, which no"),
    *(
        ({"input": {"shape": shape}}, f"from pictures of shape {shape} to depth of [None, 12, 16,")
        for shape in (
            [None, None, None, 3],
            [None, 12, 3],
            [None, 12, 16.0, 3],
            [None, 12, True, 3],
            [None, 3, 12, 16],
            [None, 12, 16, 4],
            [None, 0, 16, 3],
            [-1, 12, 16, 3],
            ["N", 12, 16, 3],
            [10**9, 12, 16, 3],
            [None, 100000, 100000, 3],
            "1234",
            5,
        )
    ),
    ({"output": {"shape": [None, 12, 16]}}, "16, 3] to depth of [None, 12, 16], which no export"),
    ({"output": {"shape": None}}, "to depth of None, which no export has; copy the exported"),
]


@pytest.mark.parametrize("changes, sentence", LIES)
def test_an_export_json_that_lies(tmp_path, changes, sentence):
    folder = dummy_network.write(tmp_path)
    edit(folder, **changes)
    with pytest.raises(ValueError) as raised:
        Network(str(folder))
    assert str(raised.value).startswith(f"{folder / 'export.json'}: ")
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("what", BROKEN)
def test_networks_that_cannot_run(tmp_path, what):
    damage, sentence = BROKEN[what]
    folder = dummy_network.write(tmp_path / "net")
    damage(folder)
    with pytest.raises(ValueError) as raised:
        Network(str(folder))
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "path, sentence",
    [
        ("", "no network; set the parameter model to a folder of keras-depth export"),
        ("nowhere", "nowhere: no such folder; give that of keras-depth export --format onnx"),
        ("file", "file: no such folder; give that of keras-depth export --format onnx"),
    ],
)
def test_no_network(tmp_path, monkeypatch, path, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=sentence):
        Network(path)


def test_no_onnxruntime(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match="run: python3 -m pip install onnxruntime"):
        Network(str(dummy_network.write(tmp_path)))


def test_an_onnxruntime_that_is_broken(tmp_path, monkeypatch):
    folder = dummy_network.write(tmp_path / "net")
    monkeypatch.syspath_prepend(tmp_path)
    for raised, kind, message in (
        ("ImportError('libcudnn.so.9: cannot open')", ValueError, "libcudnn.so.9: cannot open"),
        ("AttributeError('_ARRAY_API not found')", ValueError, "_ARRAY_API not found"),
        ("ImportError('initialization failed') from KeyboardInterrupt()", KeyboardInterrupt, ""),
    ):
        monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
        (tmp_path / "onnxruntime").mkdir(exist_ok=True)
        (tmp_path / "onnxruntime" / "__init__.py").write_text(f"raise {raised}")
        importlib.invalidate_caches()
        with pytest.raises(kind) as error:
            Network(str(folder))
        assert kind is KeyboardInterrupt or f"cannot be loaded ({message}); install" in str(
            error.value
        )


class StandIn:
    """TensorRT and libcudart for `engine.py`: names and calls are theirs, the memory the CPU's."""

    Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    __version__, __spec__ = "10.3.0", object()

    def __init__(self, old):
        self.blocks, self.old = [], old

    def Runtime(self, logger):
        return SimpleNamespace(deserialize_cuda_engine=self.load)

    def load(self, content):
        if content != b"engine":
            return None
        names = ["image", "depth"]
        self.context = SimpleNamespace(execute_v2=self.execute)
        loaded = SimpleNamespace(create_execution_context=lambda: self.context)
        if self.old:
            loaded.num_bindings, loaded.get_binding_name = 2, names.__getitem__
        else:
            loaded.num_io_tensors, loaded.get_tensor_name = 2, names.__getitem__
        return loaded

    def execute(self, places):
        image, depth = (self.view(place) for place in places)
        depth[:] = image.reshape(-1, 3).mean(axis=1)
        return True

    def view(self, place):
        (block,) = [block for block in self.blocks if ctypes.addressof(block) == place]
        return np.frombuffer(block, np.float32)

    def cudaMalloc(self, place, size):
        self.blocks.append(ctypes.create_string_buffer(size.value))
        place._obj.value = ctypes.addressof(self.blocks[-1])
        return 0

    def cudaMemcpy(self, to, source, size, kind):
        ctypes.memmove(to, source, size.value)
        return 0 if kind in (1, 2) else 1

    def cudaFree(self, place):
        return 0


@pytest.mark.parametrize("old", [False, True])
def test_an_engine(tmp_path, monkeypatch, old):
    """By a stand-in: there is no TensorRT here."""
    stand_in = StandIn(old)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in)
    monkeypatch.setattr(engine.ctypes, "CDLL", lambda name: stand_in)
    folder = dummy_network.write(tmp_path, dtype="float32", batch=1)
    (folder / "model.engine").write_bytes(b"engine")
    network = Network(str(folder))
    assert network.runtime == "TensorRT 10.3.0, model.engine"
    remove(folder, "model.engine")
    np.testing.assert_allclose(network(PICTURE), Network(str(folder))(PICTURE), rtol=1e-5)
    (folder / "model.engine").write_bytes(b"another GPU's")
    with pytest.raises(ValueError, match="TensorRT 10.3.0 cannot load it; build it again on this"):
        Network(str(folder))


def test_an_engine_without_tensorrt(tmp_path):
    folder = dummy_network.write(tmp_path)
    (folder / "model.engine").write_bytes(b"engine")
    assert Network(str(folder)).runtime.startswith("ONNX Runtime")


@pytest.mark.parametrize("raised", ["ImportError('libnvinfer.so.10: gone')", "OSError('gone')"])
def test_a_tensorrt_that_is_broken(tmp_path, monkeypatch, raised):
    """Is said, and model.onnx runs; said also where that cannot."""
    folder = dummy_network.write(tmp_path / "net")
    (folder / "model.engine").write_bytes(b"engine")
    (tmp_path / "tensorrt.py").write_text(f"raise {raised}")
    monkeypatch.syspath_prepend(tmp_path)
    said = []
    assert Network(str(folder), said.append).runtime.startswith("ONNX Runtime")
    (line,) = said
    assert line.startswith(f"{folder / 'model.engine'}: TensorRT cannot be loaded (")
    assert line.endswith("gone), so model.onnx runs instead; mend TensorRT, or remove the file")
    remove(folder, "model.onnx")
    with pytest.raises(ValueError, match="model.onnx: no such file"):
        Network(str(folder), said.append)
    assert said == [line, line]


def test_no_cuda_runtime(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", StandIn(old=False))

    def library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(engine.ctypes, "CDLL", library)
    folder = dummy_network.write(tmp_path, dtype="float32", batch=1)
    (folder / "model.engine").write_bytes(b"engine")
    with pytest.warns(UserWarning, match="the CUDA runtime cannot be loaded: libcudart.so: "):
        assert Network(str(folder)).runtime.startswith("ONNX Runtime")
