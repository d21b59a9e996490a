"""The package as others have it: its names, its commands, and an installation elsewhere."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import venv
from pathlib import Path

import grimp
import keras
import pytest

import keras_depth
from keras_depth import __main__, build_ops, published, recipes
from keras_depth.errors import InputError

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "keras_depth"


def test_the_names_people_type():
    for name in keras_depth.__all__:
        assert name in dir(keras_depth) and getattr(keras_depth, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'create_modle'"):
        keras_depth.create_modle  # noqa: B018


LOADS = """
import json, sys
{imports}
import keras
model = keras.models.load_model(sys.argv[1])
print(json.dumps([type(model.layers[1]).__name__, *keras.saving.get_custom_objects()]))
"""


@pytest.mark.parametrize("imports", ["import keras, keras_depth", "import keras_depth.losses"])
def test_keras_finds_every_class(tmp_path, imports):
    """In either order of imports; the second imports Keras halfway through the losses."""
    for module in pkgutil.walk_packages(keras_depth.__path__, "keras_depth."):
        if module.name.split(".")[1] in ("layers", "losses", "metrics", "train"):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    ours = {
        name: cls
        for name, cls in keras.saving.get_custom_objects().items()
        # Exported networks hold export's own layer, and no .keras file does.
        if name.startswith("keras_depth>") and ".export." not in cls.__module__
    }
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras_depth.layers.Preprocessing("caffe")(image)).save(tmp_path / "m.keras")
    script = LOADS.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "m.keras"], text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    layer, *known = json.loads(done.stdout.splitlines()[-1])
    assert layer == "Preprocessing"
    assert ours.keys() <= set(known)


def test_no_module_imports_itself_in_a_circle():
    """Also by way of its own package, which the contracts of `make lint` leave out."""
    graph = grimp.build_graph("keras_depth", cache_dir=None)
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            assert not graph.chain_exists(importer=imported, imported=importer)


def test_a_package_that_an_extra_brings(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"run pip install 'keras_depth\[tfds\]'"):
        keras_depth.data.open_reader("prepared", tmp_path)


def test_import_is_light():
    script = "import keras_depth, sys; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_commands_are_listed(monkeypatch, capsys, arguments):
    assert called(monkeypatch, *arguments) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in __main__.COMMANDS)
    rooms = {path.parent.name for path in PACKAGE.glob("*/__main__.py")}
    assert rooms | {"build_ops", "list"} == set(__main__.COMMANDS)


@pytest.mark.filterwarnings("ignore:'keras_depth:RuntimeWarning")  # imported here already
def test_a_command_is_called_as_it_was_typed(monkeypatch, capsys):
    assert called(monkeypatch, "train", "--help") == 0
    assert capsys.readouterr().out.startswith("usage: keras-depth train [-h]")
    assert called(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"keras_depth {keras_depth.__version__}\n"
    assert called(monkeypatch, "trian", "--help") == 2
    assert "unknown command 'trian': did you mean 'train'?" in capsys.readouterr().err


def called(monkeypatch, *arguments):
    """Runs keras-depth in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/keras-depth", *arguments])
    with pytest.raises(SystemExit) as left:
        __main__.main()
    return left.value.code


CHECK = """
import keras_depth, pathlib
from keras_depth import files, published, recipes
site = pathlib.Path(keras_depth.__file__).parent
assert "site-packages" in str(site), site
for name in ("training", "published", "custom_ops"):
    assert files.resource_folder(name).is_relative_to(site), name
assert (files.resource_folder("custom_ops") / "interleave" / "interleave_cuda.cu").exists()
assert (files.resource_folder("training") / "fine_tune.yaml").exists()
assert (site / "py.typed").exists()
print(*keras_depth.list_architectures(), *recipes.list_recipes(), *published.papers())
"""


BUILT = """
from keras_depth.layers.interleave import custom_op_available, has_cuda_kernels, library_path
print(library_path(), has_cuda_kernels(library_path()), custom_op_available())
"""


@pytest.mark.slow
def test_install_and_use_elsewhere(tmp_path):
    """From the source archive, without extras."""
    source = tmp_path / "source"
    # A copy: building would leave its traces in the checkout.
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(source)], check=True)
    archive = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    subprocess.run([sys.executable, "-c", archive], cwd=source, check=True)
    venv.create(tmp_path / "env", with_pip=True)
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("PYTHONPATH", None)

    def run(program, *arguments):
        return subprocess.run(
            [tmp_path / "env" / "bin" / program, *arguments], cwd=work, env=environment,
            check=True, text=True, stdout=subprocess.PIPE,
        ).stdout  # fmt: skip

    run(
        "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        *(source / "dist").glob("*.tar.gz"),
    )
    carried = [*keras_depth.list_architectures(), *recipes.list_recipes(), *published.papers()]
    assert run("python", "-c", CHECK).split() == carried
    assert run("keras-depth", "--version").split() == ["keras_depth", keras_depth.__version__]
    built = run("keras-depth", "build_ops")
    library, cuda, available = run("python", "-c", BUILT).split()
    assert f"built {library} " in built and Path(library).is_relative_to(tmp_path / "cache")
    assert (cuda, available) == (str(bool(build_ops._find_nvcc())), "True")
    run(
        *("keras-depth", "train", "--arch", "lite_basic_interl_t", "--output", "rooms"),
        *("--set", "size=[32, 48]", "--batch-size", "2", "--epochs", "1"),
        *("--set", "data.frames=4", "--set", "data.validation_frames=2"),
    )
    assert "full: no crop" in run("keras-depth", "evaluate", "rooms")
    picture = work / "rooms" / "figures" / "samples.png"
    run("python", "-m", "keras_depth.predict", "rooms", str(picture), "--output", "out")
    assert (work / "out" / "samples_depth.png").exists()
