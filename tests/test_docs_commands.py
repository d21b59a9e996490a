"""Every command of the documentation is run, or has a rule below that says why it is not.

The commands run as they stand, in a home folder of small data sets (docs_world.py), page by page
and in order, since they build on each other; one that has run is not run again. What is added to
make them short is in `smaller`.
"""

import argparse
import functools
import gc
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from keras_depth import command, models, presets, recipes
from keras_depth.export import parity
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.train import __main__ as train
from keras_depth.train.start import names_network
from tests.helpers import docs_world, serving, tiny
from tests.helpers.architectures import smallest_side
from tests.helpers.docs_blocks import (
    ARCHITECTURE,
    OTHER,
    PAGES,
    ROOT,
    SHELL,
    blocks,
    commands,
    examples,
    inline_commands,
    module_and_words,
    statements,
)
from tests.helpers.exporting import run_in_this_process

MAKEFILE = (ROOT / "Makefile").read_text()
PRESET = "mobile_interl_nyu"
ROOMS = "runs/rooms"  # the run that `make train` makes, and that most commands are about


class World(NamedTuple):
    """Where the commands run.

    work: the working folder, in the home folder of docs_world.py.
    done: what has run there.
    servers: the running server, if the page has started one.
    """

    work: Path
    done: set[str]
    servers: list[serving.Server]


# What is added, and what may come of it ------------------------------------------------------


def smaller(module: str, words: list[str]) -> list[str]:
    """Returns what is added to a command so that it takes seconds; of an option the last counts."""
    if module == "keras_depth.train":
        return _short_training(words)
    if module == "keras_depth.benchmark":
        size = ["--size", "64x64"] if "--arch" in words else []  # a run keeps its own
        return [*size, "--repeats", "2"]
    if module == "keras_depth.fit":
        return ["--size", "64x64"] if "--arch" in words else []
    if module == "keras_depth.data":
        return ["--frames", "4"]
    if module == "keras_depth.reproduce":
        return ["--rows", "16"]  # the fastest
    if module == "keras_depth.export" and "int8" in words and {"onnx", "tensorrt"} & set(words):
        return ["--budget", "100"]  # no search, which takes minutes
    small = ["--intrinsics", "50,50,31.5,23.5"]  # of the small pictures here
    if module == "keras_depth.map":
        return ["--frames", "4", *small]
    if module == "keras_depth.predict" and "--intrinsics" in words:
        return small
    return []


def _short_training(words: list[str]) -> list[str]:
    """Two steps of one frame; if `runs/rooms` is not involved, no weights and small pictures."""
    recipe = train.prepare(train.parse(words)).recipe
    settings = {"steps": 2, "batch_size": 1, "data.frames": 4, "data.validation_frames": 2}
    if ROOMS not in words:  # other pages say of this one which size it takes
        side = smallest_side(recipe.architecture)
        settings["size"] = [side, side]
        if not names_network(recipe.weights):
            settings["weights"] = "none"  # ImageNet's would be downloaded
    if recipe.augmentation.get("crop"):
        settings["augmentation.crop"] = "null"  # it may be larger than such a picture
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def expected(module: str, words: list[str]) -> int:
    """Returns the exit code that is right."""
    if module == "keras_depth.data":
        return int(_folder(words) in docs_world.FINDINGS)
    return 0


def _folder(words: list[str]) -> str:
    return Path(words[words.index("--data-dir") + 1]).name if "--data-dir" in words else ""


# Rules: how each kind of command is tested ---------------------------------------------------


class Rule(NamedTuple):
    """Commands that begin so, why they are not simply run, and what is tested of them."""

    pattern: str
    why: str
    check: Callable[[str, World], None] | None = None


def _target(statement: str, world: World) -> None:
    target = statement.split()[1]
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"the Makefile has no {target}"


def _extras(statement: str, world: World) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"\[(\w+)\]", statement):
        assert extra in project["optional-dependencies"], f"pyproject.toml has no extra {extra}"


def _environment(statement: str, world: World) -> None:
    assert "VENV := .venv\n" in MAKEFILE


def _board(statement: str, world: World) -> None:
    """Files that are copied were written by a command before, and scripts take their options."""
    if copied := re.match(r"scp -r (\S+) ", statement):
        assert (world.work / copied[1]).is_dir(), f"nothing has written {copied[1]}"
    for script, arguments in re.findall(r"python3 (tftrt|run)\.py([^'\"&]*)", statement):
        source = (ROOT / f"keras_depth/export/{script}.py").read_text()
        assert all(f'"{word}"' in source for word in arguments.split() if word.startswith("--"))


def _kit(statement: str, world: World) -> None:
    """Runs the run.py of an export, by a Python that has what it needs."""
    words = [sys.executable, *statement.split()[1:]]
    assert subprocess.run(words, cwd=world.work, stdout=subprocess.DEVNULL).returncode == 0


def _sources(statement: str, world: World) -> None:
    for name in re.findall(r"\S+\.cu\b", statement):
        assert (ROOT / "custom_ops" / "interleave" / name).is_file()


def _launched(statement: str, world: World) -> None:
    """The launch file has the arguments that it is given."""
    if not statement.startswith("ros2 launch keras_depth_ros "):
        return
    launch = ROOT / "ros2/keras_depth_ros/launch" / statement.split()[3]
    known = {each.get("name") for each in ElementTree.parse(launch).getroot().findall("arg")}
    given = set(re.findall(r"(\w+):=", statement))
    assert given and given <= known, given - known


def _configuration(statement: str, world: World) -> None:
    from keras_depth.data.prepared.builder import PreparedConfig

    PreparedConfig(**json.loads(re.search(r"--config '(.*?)'", statement)[1]))
    assert importlib.util.find_spec(re.search(r"--imports (\S+)", statement)[1])


def _parsed(statement: str, world: World) -> None:
    """Every option is one of the command's, with a value that it takes."""
    module, words = module_and_words(statement)
    parsed(module, words)


def _script(statement: str, world: World) -> None:
    """The same of a script, and what it reads was written by a command before."""
    _parsed(statement, world)
    for word in module_and_words(statement)[1]:
        assert word.startswith("-") or (world.work / word).exists(), f"nothing has written {word}"


def _container(statement: str, world: World) -> None:
    """What is mounted was exported under the name that is asked for; the ports are the page's."""
    folder, name = re.search(r'-v "\$PWD/(\S+):/models/(\w+)"', statement).groups()
    assert f" -e MODEL_NAME={name} tensorflow/serving" in statement
    versions = [each for each in (world.work / folder).glob("*") if each.name.isdigit()]
    assert versions, f"nothing has written {folder}"
    for version in versions:
        assert (version / "saved_model.pb").is_file()
        assert json.loads((version / "export.json").read_text())["name"] == name
    page = next(page for page in PAGES if statement in commands(page))
    said = re.search(r"REST is at port (\d+) .*gRPC at (\d+)", (ROOT / page).read_text())
    assert said.groups() == ("8501", "8500"), "TensorFlow Serving's own"
    assert set(re.findall(r"-p (\d+):(\d+)", statement)) == {(port, port) for port in said.groups()}


def _planned(statement: str, world: World) -> None:
    """All of a reproduction but its rows: data sets, recipes, the folder of the results."""
    module, words = module_and_words(statement)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_depth.reproduce.__main__.reproduce", lambda *_: [])
        assert run(module, words) == 0


def _sent(statement: str, world: World) -> None:
    """Sends a request to the server that the page has started."""
    assert world.servers, "no server was started on this page"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", _at_its_ports(statement, world)],
        cwd=world.work,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    target = re.search(r"> (\S+)$", statement)
    answer = (world.work / target[1]).read_bytes() if target else done.stdout
    assert answer and "error" not in done.stdout, done.stdout


def _served(statement: str, world: World) -> None:
    """Starts the server, at free ports; the page's requests go there, and its end stops it."""
    module, words = module_and_words(statement)
    parsed(module, words)
    folder = words[0] if words[0] in presets.list_presets() else world.work / words[0]
    server = serving.Server(folder, *words[1:])
    world.servers.append(server)
    server.wait()


# They take the networks by their names; of each network: tests/train, tests/reproduce.
BY_STAND_INS = ("keras_depth.train", "keras_depth.reproduce")


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Under each network's name is a tiny one, which is built and trained in a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name in models.list_architectures():
            tiny.stand_in(patch, name)
        yield


def _run(statement: str, world: World) -> None:
    module, words = module_and_words(statement)
    words += smaller(module, words)
    with _stand_ins() if module in BY_STAND_INS else nullcontext():
        code = run(module, words)
    assert code == expected(module, words), f"{statement}: left with {code}"
    if module == "keras_depth.data":
        name = words[words.index("--data") + 1]
        reports = (world.work / "data_check").glob(f"{name}*/report.json")
        report = max(reports, key=lambda file: file.stat().st_mtime)
        for finding in json.loads(report.read_text())["findings"]:
            assert re.search(docs_world.FINDINGS[_folder(words)], finding), finding


RULES = [
    Rule(
        r"make (op|train|test|test-slow|test-ros|notebooks|lint)$",
        "hours; `make train` is run, smaller",
        _target,
    ),
    Rule(r"source \.venv/bin/activate$", "of a shell alone", _environment),
    Rule(r"pip install ", "changes the environment; tests/test_package.py installs", _extras),
    Rule(r"python3 \S+/run\.py ", "", _kit),
    Rule(r"(scp|ssh) ", "there is no board", _board),
    Rule(r"(sudo apt |python3 -m pip |mkdir -p ws/|colcon )", "there is no robot"),
    Rule(r"ros2 ", "there is no ROS 2 but for `make test-ros`, which runs the node", _launched),
    Rule(r"docker run ", "there is no container engine", _container),
    Rule(r"nvcc |\./interleave_benchmark$", "there is no GPU", _sources),
    Rule(r"tfds build ", "Beam is no dependency", _configuration),
    Rule(r"python evaluation/minmax\.py ", "minutes; tests/evaluation runs it", _script),
    Rule(r"python evaluation/(map_table|draw_boards|benchmarks/fit)\.py ", "minutes", _parsed),
    Rule(r"python evaluation/benchmarks/int8\.py table ", "minutes", _parsed),
    Rule(
        r"python evaluation/(draw_kitti_lists|ramp|trained/average|benchmarks/int8)\.py ", "", _run
    ),
    Rule(r"python -m keras_depth\.predict .*--camera ", "there is no camera", _parsed),
    Rule(
        r"python -m keras_depth\.serve ", "does not end: it is started, used and stopped", _served
    ),
    Rule(r"(printf|curl) ", "goes to that server", _sent),
    Rule(
        r"python -m keras_depth\.reproduce .*--(data-dir|rows) ",
        "a network takes minutes; tests/reproduce trains rows, on a data set too",
        _planned,
    ),
    Rule(r"python -m keras_depth", "", _run),
]


def rule_of(statement: str) -> Rule:
    for rule in RULES:
        if re.match(rule.pattern, statement):
            return rule
    raise AssertionError(f"{statement}: say in RULES how this is tested")


# Running -------------------------------------------------------------------------------------


def main_of(module: str) -> Callable:
    """Returns the function of a command: of a module, or of a file, which has the ending .py."""
    if module.endswith(".py"):
        specification = importlib.util.spec_from_file_location("script", ROOT / module)
        script = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(script)
        return script.main
    package = importlib.util.find_spec(module).submodule_search_locations is not None
    return importlib.import_module(f"{module}.__main__" if package else module).main


def run(module: str, words: list[str]) -> int:
    """Runs a command in this process, in which TensorFlow has started already."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as left:
        patch.setattr(sys, "argv", [module, *words])
        command.run(main_of(module))
    gc.collect()  # a network is a cycle of references
    return left.value.code


class Seen(Exception):
    """A parser, and what it made of the arguments; None where it was not asked."""


def stopped(module: str, words: list[str], parse: bool) -> Seen:
    """Runs a command until it reads its arguments."""

    def stop(original):
        def read(parser, *arguments):
            raise Seen(parser, original(parser, *arguments) if parse else None)

        return read

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Seen) as seen:
        patch.setattr(sys, "argv", [module, *words])
        for name in ("parse_args", "parse_intermixed_args"):
            method = getattr(argparse.ArgumentParser, name)
            patch.setattr(argparse.ArgumentParser, name, stop(method))
        main_of(module)()
    return seen.value


def parsed(module: str, words: list[str]) -> argparse.Namespace:
    return stopped(module, words, parse=True).args[1]


def _at_its_ports(text: str, world: World) -> str:
    """A page names the server's usual ports, which may be taken."""
    for server in world.servers:
        text = text.replace("localhost:8080", f"127.0.0.1:{server.port}")
        text = text.replace("localhost:8081", f"127.0.0.1:{server.grpc_port}")
    return text


def _program(page: str, text: str, world: World, names: dict) -> None:
    exec(compile(_at_its_ports(text, world), f"{page}, a program", "exec"), names)


@contextmanager
def servers(world: World) -> Iterator[None]:
    try:
        yield
    finally:
        while world.servers:
            with world.servers.pop():
                pass  # leaving stops it


def _load_preset_once(patch: pytest.MonkeyPatch) -> None:
    """Of the commands that estimate with the preset the first builds and traces its network."""
    load = DepthEstimator.load

    @functools.cache
    def load_preset(encoding: str | None, fit: str | None) -> DepthEstimator:
        return load(PRESET, encoding, fit)

    def load_once(
        path: str | Path, encoding: str | None = None, fit: str | None = None
    ) -> DepthEstimator:
        if Path(path).name == PRESET:
            return load_preset(encoding, fit)
        return load(path, encoding, fit)

    patch.setattr(DepthEstimator, "load", load_once)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    """The home folder, and in it the run that `make train` makes, by its line of the Makefile."""
    home = tmp_path_factory.mktemp("home")
    work = home / "work"
    work.mkdir()
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", caches)  # where the op is built already
        patch.setenv("PYTHONPATH", str(ROOT))  # for the processes that commands start
        patch.chdir(work)
        # Exports are compared in a fresh process in test_export.py, and by the worked example here.
        patch.setattr(parity, "run_alone", run_in_this_process)
        _load_preset_once(patch)
        docs_world.build(home, work)
        world = World(work, set(), [])
        line = re.search(r"^train:.*\n\t\$\(RUN\) (.*)$", MAKEFILE, re.MULTILINE)[1]
        _run(f"python {line}", world)
        yield world


# The tests -----------------------------------------------------------------------------------

# What programs that do not stand on their own are given.
GIVEN = {"docs/jetson.md": {"image": np.zeros((1, 96, 128, 3), np.uint8)}}


@pytest.mark.parametrize("page", [*PAGES, ARCHITECTURE])
def test_every_block_is_of_a_known_kind(page):
    for language, text in blocks(page):
        assert language in (*SHELL, "python", *OTHER), f"{page}: a block of {language!r}"
        if language == "yaml":
            assert list(yaml.safe_load_all(text))
    if page != ARCHITECTURE:
        for statement in commands(page):
            assert rule_of(statement)


@pytest.mark.parametrize("page", [*PAGES, ARCHITECTURE])
def test_the_commands_in_sentences_have_such_options(page):
    for statement in inline_commands(page):
        module, words = module_and_words(statement)
        known = stopped(module, words, parse=False).args[0]._option_string_actions
        for word in words:
            assert not word.startswith("--") or word.split("=")[0] in known, statement
        if module.endswith(".py"):  # such stand there whole
            parsed(module, words)


HELPFUL = sorted(
    str(path.relative_to(ROOT))
    for folder in ("keras_depth", "evaluation")
    for path in (ROOT / folder).rglob("*.py")
    if " epilog=" in path.read_text()
)


@pytest.mark.parametrize("file", HELPFUL)
def test_the_examples_of_a_command_s_help(file, tmp_path, monkeypatch):
    """They are commands of this package, with options and values that these take."""
    monkeypatch.chdir(tmp_path)
    found = examples(stopped(file, [], parse=False).args[0].epilog)
    assert found
    for statement in found:
        module, words = module_and_words(statement)
        for given in re.findall(r" --run \d+=(\S+)", statement):
            Path(given).mkdir(parents=True)  # it must be there
        parsed(module, words)
        if module == "keras_depth.train":
            if ROOMS in words:
                tiny.stand_in(monkeypatch, "lite_basic_interl_t")
                tiny.write_run(Path(ROOMS), recipes.load("jetson_fcnn/rooms"))
            train.prepare(train.parse(words))


def test_a_command_without_a_rule_is_refused():
    with pytest.raises(AssertionError, match="say in RULES how this is tested"):
        rule_of("kubectl apply -f depth.yaml")


def test_statements():
    block = "a 'b\nc # d' |  # why\n    e --f \\\n  --g    # it's so\n# h\ni \"# j\"  # k\n"
    assert list(statements(block)) == [
        "a 'b\nc # d' |  # why\n    e --f    --g",
        'i "# j"',
    ]


def test_examples():
    text = "examples:\n  # a\n  python -m keras_depth.train \\\n  --arch b\n\nAs python -m c does"
    assert examples(text) == ["python -m keras_depth.train --arch b"]
    assert examples("example: python evaluation/d.py") == ["python evaluation/d.py"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(page, world):
    names = dict(GIVEN.get(page, {}))
    with servers(world):
        for language, text in blocks(page):
            if language == "python":
                _program(page, text, world, names)
            for statement in statements(text) if language in SHELL else ():
                rule = rule_of(statement)
                # A server, and what is sent to it, is each page's own.
                if rule.check and (statement not in world.done or rule.check in (_served, _sent)):
                    rule.check(statement, world)
                    world.done.add(statement)


def _changed_lines(blocks: list[tuple[str, str]]) -> int:
    count = 0
    for language, text in blocks:
        for line in text.splitlines():
            if language == "diff":
                added = line[:1] in "+-" and not line.startswith(("+++", "---"))
                count += added and bool(line[1:].strip())
            elif language in ("python", "yaml"):
                count += bool(line.strip())
    return count


def _copy_of_the_repository(folder: Path) -> None:
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


@pytest.mark.slow
def test_the_worked_example(tmp_path):
    """The page's files and changes in a copy of the repository, and its commands there."""
    page, found = (ROOT / ARCHITECTURE).read_text(), blocks(ARCHITECTURE)
    assert _changed_lines(found) < 60
    _copy_of_the_repository(tmp_path)
    new = re.findall(r"^## [^\n]*: `(\S+)`\n\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [Path(name).suffix for name, _ in new] == [".py", ".yaml"]
    for name, text in new:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    # Of a repository around it git would apply nothing here.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    changes = "".join(text for language, text in found if language == "diff")
    apply = ["git", "apply", "-"]
    subprocess.run(apply, input=changes, text=True, cwd=tmp_path, env=environment, check=True)
    environment["PYTHONPATH"] = str(tmp_path)
    small = ["--set", "steps=2", "--set", "batch_size=1"]
    small += ["--set", "data.frames=4", "--set", "data.validation_frames=2"]
    added = {"keras_depth.train": small, "keras_depth.benchmark": ["--repeats", "2"]}
    all_statements = [
        ("ruff", ["check", "keras_depth"]),
        ("ruff", ["format", "--check", "keras_depth"]),
        *map(module_and_words, (s for lang, t in found if lang in SHELL for s in statements(t))),
    ]
    for module, words in all_statements:
        done = subprocess.run(
            [sys.executable, "-m", module, *words, *added.get(module, [])],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{module} {words}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "runs/tiny_unet-rooms/exported/onnx/tiny_unet/1/model.onnx").is_file()
