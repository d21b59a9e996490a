"""SqueezeNet 1.1, and its weights from PyTorch and from Caffe."""

import sys

import h5py
import keras
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.models import create_model
from keras_depth.models.backbones import squeezenet as squeezenet_file
from keras_depth.models.backbones.squeezenet import squeezenet

SMALL = (64, 96, 3)


def picture(shape=SMALL, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, *shape)).astype("float32")


def backbone(padding, size=(64, 96, 3)):
    image = keras.Input(size)
    return keras.Model(image, squeezenet(image, padding))


def test_squeezenet_has_its_published_count():
    model = backbone("valid", (480, 640, 3))
    assert model.count_params() == 722_496
    shapes = {name: tensor.shape[1:] for name, tensor in model.output.items()}
    assert shapes["conv1"] == (239, 319, 64) and shapes["fire3"] == (119, 159, 128)
    assert shapes["fire5"] == (59, 79, 256) and shapes["fire9"] == (29, 39, 512)


def test_the_first_map_of_both_paddings():
    """The unpadded one is the padded one without its last row and column."""
    valid, same = backbone("valid"), backbone("same")
    same.set_weights(valid.get_weights())
    image = picture()
    of_valid, of_same = valid(image), same(image)
    assert of_same["fire9"].shape == (1, 4, 6, 512) and of_valid["fire9"].shape == (1, 3, 5, 512)
    np.testing.assert_allclose(of_same["conv1"][:, :-1, :-1], of_valid["conv1"], atol=1e-6)
    model = create_model("squeezenet_unet", SMALL, padding="same")
    assert "depth" not in [layer.name for layer in model.layers], "nothing to resize at the end"


def state_dict(seed=0):
    """As torchvision names and shapes SqueezeNet 1.1's weights."""
    rng, state = np.random.default_rng(seed), {}
    model = backbone("valid")
    for layer, index in squeezenet_file._TORCHVISION.items():
        pieces = [""] if layer == "conv1" else ["squeeze", "expand1x1", "expand3x3"]
        for piece in pieces:
            kernel = model.get_layer(f"{layer}_{piece}" if piece else layer).kernel
            name = f"features.{index}.{piece}".rstrip(".")
            height, width, inner, outer = kernel.shape
            state[f"{name}.weight"] = rng.normal(0, 0.1, (outer, inner, height, width))
            state[f"{name}.bias"] = rng.normal(0, 0.1, outer)
    state["classifier.1.weight"] = np.zeros((1000, 512, 1, 1))
    return {key: value.astype("float32") for key, value in state.items()}


def test_weights_of_torchvision_s_shape(tmp_path, pytorch):
    file = tmp_path / "squeezenet.pth"
    file.touch()
    pytorch[file.name] = state = state_dict()
    model = create_model("squeezenet_unet", SMALL, weights=file)
    np.testing.assert_array_equal(
        model.get_layer("fire6_expand3x3").kernel,
        state["features.9.expand3x3.weight"].transpose(2, 3, 1, 0),
    )
    np.testing.assert_array_equal(model.get_layer("conv1").bias, state["features.0.bias"])
    assert not model.get_layer("fire6_expand3x3").trainable


def test_weights_that_do_not_fit(tmp_path, pytorch, monkeypatch):
    file = tmp_path / "a.pth"
    with pytest.raises(InputError, match="a.pth: no such file; give the path of torchvision's"):
        create_model("squeezenet_unet", SMALL, weights=file)
    file.write_bytes(b"?")
    with pytest.raises(
        InputError, match=r"a.pth: not a file of tensors .*\(it is in another format, or damaged\)"
    ):
        create_model("squeezenet_unet", SMALL, weights=file)
    pytorch[file.name] = {k: v for k, v in state_dict().items() if k != "features.4.squeeze.bias"}
    with pytest.raises(InputError, match="a.pth: features.4.squeeze.bias is missing, but"):
        create_model("squeezenet_unet", SMALL, weights=file)
    pytorch[file.name] = {**state_dict(), "features.0.weight": np.zeros((96, 3, 7, 7), "float32")}
    with pytest.raises(InputError, match=r"features.0.weight has the shape \(7, 7, 3, 96\)"):
        create_model("squeezenet_unet", SMALL, weights=file)
    with pytest.raises(InputError, match="give 'imagenet', or a .h5 file .* for mobilenet"):
        create_model("mobilenet_v2_unet", SMALL, weights=file)
    with pytest.raises(InputError, match="keras.applications has no SqueezeNet: give the path of"):
        create_model("squeezenet_unet", SMALL, weights="imagenet")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'keras_depth\[torch\]'"):
        create_model("squeezenet_unet", SMALL, weights=file)


def caffe_file(path, seed=0):
    """Writes a file of keras-squeezenet's layout; returns its kernels and biases by layer."""
    rng, model, values = np.random.default_rng(seed), backbone("valid"), {}
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            if not layer.weights:
                continue
            fire, _, part = layer.name.partition("_")
            name = f"{fire}/{part.replace('squeeze', 'squeeze1x1')}".rstrip("/")
            arrays = [rng.normal(0, 0.1, w.shape).astype("float32") for w in layer.weights]
            keys = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group = file.create_group(name)
            group.attrs["weight_names"] = keys
            for key, array in zip(keys, arrays, strict=True):
                group[key.decode()] = array
            values[layer.name] = arrays
    return values


def test_weights_from_caffe_choose_their_scaling(tmp_path):
    values = caffe_file(tmp_path / "notop.h5")
    model = create_model("squeezenet_unet", SMALL, weights=tmp_path / "notop.h5")
    for layer, arrays in values.items():
        for actual, expected in zip(model.get_layer(layer).get_weights(), arrays, strict=True):
            np.testing.assert_array_equal(actual, expected)
    assert model.get_layer("preprocessing").mode == "caffe"
    means = np.array([103.939, 116.779, 123.68])
    scaled = model.get_layer("preprocessing")(picture())
    np.testing.assert_allclose(scaled, picture()[..., ::-1] * 255 - means, rtol=1e-4, atol=1e-3)
    asked = {"weights": tmp_path / "notop.h5", "scaling": "torch"}
    assert (
        create_model("squeezenet_unet", SMALL, **asked).get_layer("preprocessing").mode == "torch"
    )


def test_files_that_are_not_caffe_s(tmp_path):
    path = tmp_path / "other.h5"
    with pytest.raises(InputError, match="other.h5: no such file; give the path of squeezenet_we"):
        create_model("squeezenet_unet", SMALL, weights=path)
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    message = "other.h5: not SqueezeNet 1.1 without its classifier .*; give squeezenet_weights"
    with pytest.raises(InputError, match=message):
        create_model("squeezenet_unet", SMALL, weights=path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=message):
        create_model("squeezenet_unet", SMALL, weights=path)
    caffe_file(path)
    with h5py.File(path, "a") as file:
        del file["fire5/expand3x3"]
    with pytest.raises(InputError, match=message):
        create_model("squeezenet_unet", SMALL, weights=path)


def test_the_real_weights_from_caffe(samples):
    (path,) = (samples / "real" / "weights").glob("squeezenet*.h5")
    model = create_model("squeezenet_unet", SMALL, weights=path)
    kernel, bias = model.get_layer("conv1").get_weights()
    assert kernel.shape == (3, 3, 3, 64) and kernel.std() > 0.01 and np.any(bias)


def test_what_pytorch_computes(tmp_path):
    """Against PyTorch itself, where it is installed: its file, and the same maps."""
    torch = pytest.importorskip("torch")
    state = state_dict()
    file = tmp_path / "squeezenet.pth"
    torch.save({key: torch.from_numpy(value) for key, value in state.items()}, file)
    model = create_model("squeezenet_unet", SMALL, weights=file, scaling="none")
    image = picture()
    relu, convolution = torch.relu, torch.nn.functional.conv2d

    def take(x, name, **options):
        weight, bias = (torch.from_numpy(state[f"{name}.{key}"]) for key in ("weight", "bias"))
        return relu(convolution(x, weight, bias, **options))

    x = take(torch.from_numpy(image.transpose(0, 3, 1, 2)), "features.0", stride=2)
    for index in (3, 4, 6, 7, 9, 10, 11, 12):
        if index in (3, 6, 9):
            x = torch.nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        x = take(x, f"features.{index}.squeeze")
        both = (
            take(x, f"features.{index}.expand1x1"),
            take(x, f"features.{index}.expand3x3", padding=1),
        )
        x = torch.cat(both, 1)
    end = keras.Model(model.input, model.get_layer("fire9_concat").output)(image)
    np.testing.assert_allclose(end, x.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
