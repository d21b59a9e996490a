"""`pip install .` into a clean environment, and every command from another folder."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from keras_depth import list_architectures, published, recipes

REPOSITORY = Path(__file__).resolve().parent.parent

CHECK = """
import keras_depth, pathlib
from keras_depth import recipes, files, tables
site = pathlib.Path(keras_depth.__file__).parent
assert "site-packages" in str(site), site
for name in ("training", "published", "custom_ops"):
    assert files.resource_folder(name).is_relative_to(site), name
assert (files.resource_folder("custom_ops") / "interleave" / "interleave_cuda.cu").exists()
print(*keras_depth.list_architectures(), *recipes.list_recipes(), *published.papers())
"""


@pytest.mark.slow
def test_install_and_use_elsewhere(tmp_path):
    source = tmp_path / "source"
    # A copy: building would leave its traces in the checkout.
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(source)], check=True)
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("PYTHONPATH", None)

    def run(*arguments):
        return subprocess.run(
            [python, *arguments], cwd=work, env=environment, check=True, text=True,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip

    run("-m", "pip", "install", "--quiet", str(source))
    carried = [*list_architectures(), *recipes.list_recipes(), *published.papers()]
    assert run("-c", CHECK).split() == carried
    assert "built" in run("-m", "keras_depth.build_ops")
    run(
        *("-m", "keras_depth.train", "--arch", "lite_basic_interl_t", "--output", "rooms"),
        *("--set", "size=[32, 48]", "--batch-size", "2", "--epochs", "1"),
        *("--set", "data.frames=4", "--set", "data.validation_frames=2"),
    )
    assert "full: no crop" in run("-m", "keras_depth.evaluate", "rooms")
    picture = work / "rooms" / "figures" / "samples.png"
    run("-m", "keras_depth.predict", "rooms", str(picture), "--output", "out")
    assert (work / "out" / "samples_depth.png").exists()
