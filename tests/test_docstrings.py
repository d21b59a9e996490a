"""What a docstring of the package writes as `a.b` exists."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import keras_depth

PACKAGE = Path(keras_depth.__file__).parent
DOTTED = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)+)(?:\([^`]*\))?`")
WRITTEN = {"html", "json", "jsonl", "keras", "md", "onnx", "tflite", "yaml"}  # a user's files


@pytest.fixture(scope="module")
def known():
    """Every name of the package, with as much of its path before it as a text may give."""
    names = {path.name for path in PACKAGE.rglob("*.py")}
    for info in pkgutil.walk_packages([str(PACKAGE)], "keras_depth."):
        module = importlib.import_module(info.name)
        names |= suffixes(info.name)
        for name, value in vars(module).items():
            names |= suffixes(f"{info.name}.{name}")
            if isinstance(value, type):
                attributes = {*dir(value), *getattr(value, "__annotations__", {})}
                names |= {f"{name}.{attribute}" for attribute in attributes}
    return names


def suffixes(path):
    parts = path.split(".")
    return {".".join(parts[start:]) for start in range(len(parts))}


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_names_in_docstrings_exist(file, known):
    tree = ast.parse(file.read_text())
    nodes = list(ast.walk(tree))
    variables = {node.arg for node in nodes if isinstance(node, ast.arg)}
    variables |= {node.id for node in nodes if isinstance(node, ast.Name)}
    for node in nodes:
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        for name in DOTTED.findall(ast.get_docstring(node) or ""):
            first = name.split(".")[0]
            if first in ("keras", "tf"):
                library = {"keras": "keras", "tf": "tensorflow"}[first]
                pkgutil.resolve_name(name.replace(first, library, 1))
            elif name not in known and name.split(".")[-1] not in WRITTEN:
                assert first in variables, f"{name} does not exist"
