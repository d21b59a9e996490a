"""The two networks with a frozen encoder, SqueezeNet 1.1, and its weights from PyTorch."""

import sys

import keras
import numpy as np
import pytest

from keras_depth import losses
from keras_depth.errors import InputError
from keras_depth.models import create_model
from keras_depth.models.backbones import squeezenet as squeezenet_file
from keras_depth.models.backbones.squeezenet import squeezenet

SMALL = (64, 96, 3)


def picture(shape=SMALL, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, *shape)).astype("float32")


@pytest.mark.parametrize(
    ("name", "bridge", "joined", "size"),
    [
        ("mobilenet_v2_unet", 1280, (1376, 672, 344, 176), (240, 320)),
        ("squeezenet_unet", 512, (768, 384, 192), (239, 319)),
    ],
)
def test_widths(name, bridge, joined, size):
    model = create_model(name, (480, 640, 3))
    assert model.get_layer("bridge").output.shape[-1] == bridge
    widths = [
        layer.output.shape[-1]
        for layer in model.layers
        if layer.name.startswith("up") and layer.name.endswith("concat")
    ]
    assert tuple(widths) == joined
    assert model.get_layer("head").output.shape[1:3] == size
    assert model.output_shape == (None, 240, 320, 1)


@pytest.mark.parametrize("name", ["mobilenet_v2_unet", "squeezenet_unet"])
def test_sizes_that_do_not_double(name):
    """240 / 32 is not whole: maps are brought to the size of the encoder's."""
    model = create_model(name, (240, 320, 3))
    assert model.output_shape == (None, 120, 160, 1)
    assert model(picture((240, 320, 3))).shape == (1, 120, 160, 1)
    with pytest.raises(InputError, match="multiples of 16, got \\(228, 304, 3\\)"):
        create_model(name, (228, 304, 3))


def test_the_skips_of_mobilenet_v2():
    model = create_model("mobilenet_v2_unet", (480, 640, 3))
    skips = [model.get_layer(f"up{block}_concat").input[1].shape[1:] for block in (1, 2, 3, 4)]
    assert skips == [(30, 40, 96), (60, 80, 32), (120, 160, 24), (240, 320, 16)]


@pytest.mark.parametrize("name", ["mobilenet_v2_unet", "squeezenet_unet"])
def test_a_frozen_encoder_stays_as_it_is(name, tmp_path):
    """Its batch statistics too, after training and after loading."""
    model = create_model(name, SMALL)
    model.save(tmp_path / "model.keras")
    for network in (model, keras.saving.load_model(tmp_path / "model.keras")):
        frozen = [v for layer in network.layers if not layer.trainable for v in layer.variables]
        frozen = [variable for variable in frozen if variable.dtype == "float32"]
        before = [variable.numpy() for variable in frozen]
        head = network.get_layer("head").kernel.numpy()
        network.compile("sgd", losses.get("mse"))
        y_true = np.ones((2, 32, 48, 2), "float32")
        network.fit(picture(batch=2), y_true, verbose=0)
        for variable, value in zip(frozen, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)
        assert not np.array_equal(network.get_layer("head").kernel, head)
        assert len(frozen) >= 50


def test_an_encoder_that_is_trained():
    """Its batch statistics follow within a hundred steps, not keras.applications' thousands."""
    model = create_model("mobilenet_v2_unet", SMALL, frozen=False)
    assert all(layer.trainable for layer in model.layers)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 52 and {layer.momentum for layer in norms} == {0.98}


def test_scaling():
    """MobileNetV2 takes -1..1, SqueezeNet ImageNet's mean and deviation; "none", what is given."""
    image = picture()
    means, deviations = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {"tf": 2 * image - 1, "torch": (image - means) / deviations}
    for name, mode in (("mobilenet_v2_unet", "tf"), ("squeezenet_unet", "torch")):
        layer = create_model(name, SMALL).get_layer("preprocessing")
        np.testing.assert_allclose(layer(image), expected[mode], rtol=1e-5, atol=1e-6)
        raw = create_model(name, SMALL, scaling="none")
        assert "preprocessing" not in [layer.name for layer in raw.layers]
        assert create_model(name, SMALL, scaling="torch").get_layer("preprocessing").mode == "torch"
    with pytest.raises(InputError, match="unknown scaling of squeezenet_unet 'imagnet'"):
        create_model("squeezenet_unet", SMALL, scaling="imagnet")
    with pytest.raises(InputError, match="unknown scaling of mobilenet_v2_unet 'caffe'"):
        create_model("mobilenet_v2_unet", SMALL, scaling="caffe")
    with pytest.raises(InputError, match="unknown option of mobilenet_v2_unet 'padding'"):
        create_model("mobilenet_v2_unet", SMALL, padding="same")
    with pytest.raises(InputError, match="unknown padding of squeezenet_unet 'vali'"):
        create_model("squeezenet_unet", SMALL, padding="vali")


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
        InputError, match=r"a.pth: not a file of tensors .*\(invalid magic number\)"
    ):
        create_model("squeezenet_unet", SMALL, weights=file)
    pytorch[file.name] = {k: v for k, v in state_dict().items() if k != "features.4.squeeze.bias"}
    with pytest.raises(InputError, match="a.pth: features.4.squeeze.bias is missing, but"):
        create_model("squeezenet_unet", SMALL, weights=file)
    pytorch[file.name] = {**state_dict(), "features.0.weight": np.zeros((96, 3, 7, 7), "float32")}
    with pytest.raises(InputError, match=r"features.0.weight has the shape \(7, 7, 3, 96\)"):
        create_model("squeezenet_unet", SMALL, weights=file)
    with pytest.raises(InputError, match="give 'imagenet' for mobilenet_v2"):
        create_model("mobilenet_v2_unet", SMALL, weights=file)
    with pytest.raises(InputError, match="keras.applications has no SqueezeNet: give the path of"):
        create_model("squeezenet_unet", SMALL, weights="imagenet")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'keras_depth\[torch\]'"):
        create_model("squeezenet_unet", SMALL, weights=file)


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
