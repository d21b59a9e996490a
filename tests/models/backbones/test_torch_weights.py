"""PyTorch's files that cannot be read: one sentence each, and none of PyTorch's own advice."""

import pickle
import sys
import traceback
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from keras_depth.errors import InputError
from keras_depth.models.backbones import torch_weights

ADVICE = (
    "Weights only load failed. Re-running `torch.load` with `weights_only` set to `False` will"
    " likely succeed, but it can result in arbitrary code execution.\nPlease file an issue"
)


@pytest.fixture
def load(monkeypatch):
    """PyTorch's `load`, which refuses each file as PyTorch does; or returns what `state` holds."""
    state = []

    def load(path, map_location, weights_only):
        assert weights_only
        if not state:
            raise pickle.UnpicklingError(ADVICE)
        return state[0]

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load, __spec__="PyTorch's"))
    return state


def archive(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, b"0123456789" * 100)

    return write


def cut_short(path):
    archive("archive/data.pkl", "archive/data/0")(path)
    path.write_bytes(path.read_bytes()[:900])


def damaged(path):
    archive("archive/data.pkl", "archive/data/0")(path)
    content = bytearray(path.read_bytes())
    content[500] ^= 255
    path.write_bytes(content)


FILES = {
    "empty": (lambda path: path.touch(), "it is empty"),
    "text": (lambda path: path.write_text("<html>404"), "it is in another format, or damaged"),
    "cut short": (cut_short, "it is cut short"),
    "damaged": (damaged, "it is damaged"),
    "old format": (
        lambda path: path.write_bytes(pickle.dumps({"a": print}, 2)),
        "it is damaged, or holds objects other than tensors",
    ),
    "a pickled network": (
        archive("archive/data.pkl", "archive/data/0"),
        "it holds objects other than tensors",
    ),
    "TorchScript": (
        archive("net/code/net.py", "net/constants.pkl", "net/data.pkl"),
        "it is a TorchScript archive, which holds a program",
    ),
    "another archive": (archive("a.txt"), "it is an archive of something else"),
}


@pytest.mark.parametrize(("write", "reason"), FILES.values(), ids=FILES)
def test_files_that_pytorch_refuses(write, reason, tmp_path, load):
    file = tmp_path / "a.pth"
    write(file)
    with pytest.raises(InputError) as caught:
        torch_weights.read(file, "senet154.pth")
    assert str(caught.value) == (
        f"weights {file}: not a file of tensors that PyTorch can read ({reason}); download"
        " senet154.pth again"
    )
    assert "weights_only" not in "".join(traceback.format_exception(caught.value)).lower()


def tensor():
    return SimpleNamespace(numpy=lambda: np.zeros(3))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"a": tensor(), "epoch": 3}, "'epoch' in it is of type int"),
        ({"state_dict": {"a": tensor()}}, "'state_dict' in it is of type dict"),
        ([tensor()], "it holds a list, not tensors by name"),
    ],
)
def test_files_of_other_objects(state, reason, tmp_path, load):
    file = tmp_path / "a.pth"
    file.write_bytes(b"?")
    load.append(state)
    with pytest.raises(InputError) as caught:
        torch_weights.read(file, "senet154.pth")
    assert f"({reason}); download" in str(caught.value)
