"""Backbones of keras.applications: ImageNet's weights from a file, or not to be had."""

import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.models import create_model, get

SMALL = (64, 64, 3)
# Keras' own builder of the encoder, and a network that takes all or a part of it.
BUILDERS = {
    "mobile_interl": keras.applications.MobileNetV2,
    "mobilenet_v2_unet": keras.applications.MobileNetV2,
    "lite_basic_interl_t": keras.applications.ResNet50,
}


def weights_file(folder, build, **options):
    """Writes weights as Keras publishes them, and returns the network that they are of."""
    backbone = build(weights=None, include_top=False, input_shape=SMALL, **options)
    rng = np.random.default_rng(0)
    backbone.set_weights([rng.uniform(0.1, 1, w.shape) for w in backbone.get_weights()])
    path = folder / "encoder.h5"
    backbone.save(folder / "model.h5")
    # Published files are what such a file has under "model_weights".
    with h5py.File(folder / "model.h5") as model, h5py.File(path, "w") as file:
        for key, value in model["model_weights"].attrs.items():
            file.attrs[key] = value
        for group in model["model_weights"].values():
            model.copy(group, file)
    return backbone, path


@pytest.mark.parametrize("name", BUILDERS)
def test_weights_of_the_encoder_alone(name, tmp_path):
    backbone, path = weights_file(tmp_path, BUILDERS[name])
    model = create_model(name, SMALL, weights=path)
    loaded = [layer for layer in get(name).encoder_layers(model) if layer.weights]
    assert len(loaded) > 30
    for layer in loaded:
        for actual, expected in zip(
            layer.get_weights(), backbone.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(actual, expected)


def test_weights_of_another_encoder(tmp_path):
    _, path = weights_file(tmp_path, keras.applications.MobileNetV2)
    with pytest.raises(InputError, match="encoder.h5: not those of resnet50 without its classifi"):
        create_model("lite_basic_interl_t", SMALL, weights=path)
    _, path = weights_file(tmp_path, keras.applications.MobileNetV2, alpha=0.35)
    with pytest.raises(InputError, match="encoder.h5: not those of mobilenet_v2 without its clas"):
        create_model("mobile_interl", SMALL, weights=path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="encoder.h5: not those of mobilenet_v2"):
        create_model("mobile_interl", SMALL, weights=path)
    with pytest.raises(InputError, match="gone.h5: no such file; check its path"):
        create_model("mobile_interl", SMALL, weights=tmp_path / "gone.h5")
    with pytest.raises(InputError, match="it is trained from nothing"):
        create_model("monodepth_vgg", weights=path)


def test_the_real_weights_of_mobilenet_v2(samples):
    (path,) = (samples / "real" / "weights").glob("mobilenet_v2*.h5")
    model = create_model("mobile_interl", SMALL, weights=path)
    kernel = model.get_layer("Conv1").get_weights()[0]
    assert kernel.shape == (3, 3, 3, 32) and 0.1 < kernel.std() < 0.5
    variances = model.get_layer("bn_Conv1").get_weights()[3]
    assert (variances > 0).all() and len(np.unique(variances)) == 32, "no fresh batch norm"


@pytest.mark.parametrize(
    "name, encoder, file",
    [
        ("basic_deconv", "ResNet50", "resnet50_weights"),
        ("mobilenet_v2_unet", "MobileNetV2", "mobilenet_v2_weights"),
    ],
)
def test_imagenet_weights_that_cannot_be_downloaded(tmp_path, name, encoder, file):
    dead = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "keras_depth.train", "--arch", name]
        + ["--weights", "imagenet", "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_HOME": str(tmp_path), "https_proxy": dead, "HTTPS_PROXY": dead},
    )
    assert done.returncode == 2
    assert f"error: ImageNet weights of {encoder} could not be downloaded" in done.stderr
    assert f"copy {file}" in done.stderr
    assert "--weights none" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
