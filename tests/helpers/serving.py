"""What the tests of serving share: tiny networks whose depth is known, and a running server."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.helpers.ports import hold_port

SIZE = (8, 12)


def export(folder: Path, dtype="uint8", batch=None, size=SIZE) -> None:
    """Writes a network as keras_depth.export does: 10 m times the mean of R, G and B, half size."""
    height, width = size
    scale = 255.0 if dtype == "uint8" else 1.0

    class Mean(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((batch, height, width, 3), dtype, "image")])
        def __call__(self, image):
            small = tf.nn.avg_pool2d(tf.cast(image, tf.float32) / scale, 2, 2, "VALID")
            return {"depth": 10 * tf.reduce_mean(small, -1, keepdims=True)}

    network = Mean()
    tf.saved_model.save(network, str(folder), signatures={"serving_default": network.__call__})
    details = {
        "format": "saved_model",
        "name": folder.parent.name,
        "precision": "fp32",
        "input": {
            "name": "image",
            "dtype": dtype,
            "shape": [batch, height, width, 3],
            "layout": "NHWC",
            "units": "RGB, 0 to 255" if dtype == "uint8" else "RGB, 0 to 1",
        },
        "output": {
            "name": "depth",
            "dtype": "float32",
            "shape": [batch, height // 2, width // 2, 1],
            "units": "metres",
        },
    }
    (folder / "export.json").write_text(json.dumps(details))


def depth_of(images: np.ndarray) -> np.ndarray:
    """Returns what `export`'s network makes of uint8 (B, H, W, 3): (B, H/2, W/2, 1), metres."""
    batch, height, width, _ = images.shape
    blocks = images.reshape(batch, height // 2, 2, width // 2, 2, 3)
    return 10 * blocks.mean((2, 4, 5))[..., None] / 255


class Server:
    """`python -m keras_depth.serve` in a process of its own, at ports held for it."""

    def __init__(self, folder: Path, *arguments: str):
        self._held = [hold_port(), hold_port()]
        self.port, self.grpc_port = (held.getsockname()[1] for held in self._held)
        command = [sys.executable, "-m", "keras_depth.serve", str(folder)]
        command += ["--port", str(self.port), "--grpc-port", str(self.grpc_port), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.communicate()
        for held in self._held:
            held.close()

    def wait(self, seconds: float = 300) -> None:
        """Waits until it is ready."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.get("/v2/health/ready")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise AssertionError("".join(self.process.communicate()))

    def get(self, path: str):
        return self.send(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, path: str, body, headers=None):
        """Posts JSON, or bytes as they are: status, body, headers."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        return self.send(urllib.request.Request(url, data, headers or {}))

    def send(self, request: urllib.request.Request):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers
