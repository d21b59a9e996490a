"""Backbones of keras.applications: ImageNet weights that cannot be downloaded."""

import os
import subprocess
import sys

import pytest


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
