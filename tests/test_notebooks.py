"""The notebooks: one a paper, all of one form, executed, small enough to be read on a code host.

`make notebooks` runs them as they stand; `make test-slow` with fewer steps of training, one as it
stands, and all with a data set.
"""

import base64
import dataclasses
import json
import os
import re
from pathlib import Path
from unittest.mock import patch

import matplotlib.pyplot as plt
import nbclient
import nbformat
import pytest
from traitlets.config import Config

from keras_depth import models, published, recipes
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.export import parity
from tests.helpers import docs_world, tiny
from tests.helpers.architectures import smallest_side
from tests.helpers.exporting import run_in_this_process
from tests.helpers.write_nyu import write_layout

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HEADINGS = [
    "Setup",
    "The idea in pictures",
    "The network",
    "The key step in numbers",
    "Training",
    "Evaluation",
    "The paper's table beside ours",
    "Export",
]
WITHOUT_DATA = ("The network", "The key step in numbers")
SMALL = 700_000  # bytes of a notebook
SMALL_PICTURE = 120_000  # bytes
UNSET = re.compile(r"^DATA = None(?=  # )", re.MULTILINE)
ABSOLUTE = re.compile(r"(?<![\w.:/])/(bin|dev|etc|home|mnt|opt|root|tmp|usr|var|work|Users)\b|C:\\")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def cells(content, kind):
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def outputs(content):
    return [output for cell in cells(content, "code") for output in cell["outputs"]]


def texts(content):
    """What the outputs say, without pictures."""
    for output in outputs(content):
        parts = {"text": output.get("text", []), **output.get("data", {})}
        for kind, part in parts.items():
            if not kind.startswith("image/"):
                yield "".join(part)


def recipes_of(path, setup):
    """The recipes that a setup cell names: of rendered frames, and of the data set."""
    return re.findall(rf'"({path.stem.split("_", 1)[1]}/\w+)"', setup)


def test_one_a_paper():
    numbers, papers = zip(*(path.stem.split("_", 1) for path in NOTEBOOKS), strict=True)
    assert list(numbers) == ["1", "2", "3", "4", "5"]
    assert sorted(papers) == published.papers()


def test_the_same_nine_sections(notebook):
    path, content = notebook
    text = "\n".join("".join(cell["source"]) for cell in cells(content, "markdown"))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert re.findall(r"^#{2,} (.*)", text, re.MULTILINE) == HEADINGS
    first = "".join(content["cells"][0]["source"])
    name, *_ = models.list_architectures(path.stem.split("_", 1)[1])
    citation = models.get(name).citation
    title = re.match(r"[^:]+: (.+?)\. ", citation)[1]
    assert first.startswith("# ") and title in " ".join(first.split())


def test_one_path_to_set(notebook):
    path, content = notebook
    setup, *others = ["".join(cell["source"]) for cell in cells(content, "code")]
    assert len(UNSET.findall(setup)) == 1
    for other in others:
        assert not re.search(r"^DATA = ", other, re.MULTILINE)
        assert not re.search(r"\b(def|class|lambda)\b", other), "logic belongs into the package"
    assert len(named := recipes_of(path, setup)) == 2
    assert set(named) <= set(recipes.list_recipes())


def test_executed_and_clean(notebook):
    _, content = notebook
    code = cells(content, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code)
    for output in outputs(content):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", output["text"]
    for text in texts(content):
        assert not ABSOLUTE.search(text), text
        assert "\r" not in text and "Warning" not in text, text
    assert "these numbers say nothing about NYU Depth v2" in "".join(texts(content))
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert not any(cell["metadata"] for cell in content["cells"]), "times of the execution"


def test_small(notebook):
    path, content = notebook
    assert path.stat().st_size < SMALL
    for output in outputs(content):
        for kind, data in output.get("data", {}).items():
            if kind.startswith("image/"):
                assert len(base64.b64decode("".join(data))) < SMALL_PICTURE


def test_links_lead_somewhere(notebook):
    _, content = notebook
    for cell in cells(content, "markdown"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", "".join(cell["source"])):
            assert (FOLDER / link).exists(), link


# Running them ---------------------------------------------------------------------------------

# Kernels that start at once may choose the same free port; these talk by files of their folder.
BY_FILES = Config({"KernelManager": {"transport": "ipc"}})


def execute(content, work, monkeypatch):
    """Runs a notebook in a folder, and keeps what the cells put out in it."""
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    nbclient.execute(content, config=BY_FILES, timeout=900, kernel_name="python3")
    assert not list(work.glob("kernel-ipc*")), "the kernel is gone"


# The one whose training takes least; `make notebooks` sets the variable, for all of them.
WHOLE = "3_mobile_unet"
ALL_WHOLE = "KERAS_DEPTH_WHOLE_NOTEBOOKS"
# In place of what a setup cell says, which is the training of minutes.
SHORTER = {"frames": 8, "validation_frames": 4, "epochs": 1}
STAND_INS = """
import pytest

from keras_depth.export import parity
from tests.helpers import exporting, tiny

parity.run_alone = exporting.run_in_this_process
for name in {names}:
    tiny.stand_in(pytest.MonkeyPatch(), name)
"""
TRAINING = "train(recipe, run)\n"
TINY_TRAINING = f"tiny.stand_in(pytest.MonkeyPatch(), recipe.architecture)\n{TRAINING}"


def shorten(code):
    """Makes the training a few steps of a tiny network, in cells that show the paper's before.

    Networks that the notebook does not name, but in a table of all the paper's, are tiny too. What
    is exported is compared without a process of its own.
    """
    setup, *others = [cell.source for cell in code]
    for name, number in SHORTER.items():
        setup, found = re.subn(rf'(?<=\b{name}=)\d+(?=")', str(number), setup)
        assert found == 1, f"the setup cell sets {name} once"
    named = re.findall(r'"(\w+)"', "\n".join([setup, *others]))
    names = [name for name in models.list_architectures() if name not in named]
    code[0].source = setup + STAND_INS.format(names=names)
    (training,) = [cell for cell in code if cell.source.startswith(TRAINING)]
    training.source = training.source.replace(TRAINING, TINY_TRAINING)


@pytest.mark.slow
def test_runs_on_rendered_frames(notebook, tmp_path, monkeypatch):
    """As it stands, or with a shorter training; the outputs in the repository stay as they are."""
    path, _ = notebook
    content = nbformat.read(path, as_version=4)
    code = cells(content, "code")
    for cell in code:
        cell.outputs = []
    if path.stem != WHOLE and ALL_WHOLE not in os.environ:
        shorten(code)
    execute(content, tmp_path / "work", monkeypatch)
    assert all(cell.outputs for cell in code)
    assert "these numbers say nothing about NYU Depth v2" in "".join(texts(content))


# With a data set ------------------------------------------------------------------------------

# Where a notebook takes any layout, one of them.
LAYOUTS = {
    "1_jetson_fcnn": "labelled",
    "3_mobile_unet": "densedepth",
    "4_irv2_unet": "fastdepth",
    "5_msfnet": "bts",
}


def smaller(recipe):
    """Returns two steps of a recipe, of one frame of the smallest size, with no weights."""
    side = smallest_side(recipe.architecture)
    return dataclasses.replace(
        recipe,
        **{"size": (side, side), "steps": 2, "batch_size": 1, "weights": "none", "options": {}},
        data={**recipe.data, "frames": 4, "validation_frames": 2},
        augmentation={**recipe.augmentation, "crop": None},
    )


@pytest.fixture
def data_set(notebook, tmp_path, monkeypatch):
    """The folder of the data set that a notebook names, written as it is handed around."""
    stem, folder = notebook[0].stem, tmp_path / "data set"
    if stem in LAYOUTS:
        # Of fewer than eight the list `wang` has no frame to validate on, or to test.
        rooms = Rooms(8, (480, 640)), Rooms(2, (480, 640), split="test")
        return write_layout(rooms[0], folder, LAYOUTS[stem], rooms[1], scenes=4)
    lists = [("optidepthnet_kitti", split) for split in ("train", "validation")]
    monkeypatch.setattr(docs_world, "_LISTS", lists)
    docs_world._kitti(folder, docs_world._drive(tmp_path / "one_drive"))
    return folder


def _cells_about_data(content):
    heading = ""
    for cell in content["cells"]:
        if found := re.search(r"^## (.*)", "".join(cell["source"]), re.MULTILINE):
            heading = found[1]
        if cell["cell_type"] == "code" and heading not in WITHOUT_DATA:
            yield cell


@pytest.mark.slow
def test_runs_on_a_data_set(notebook, data_set, tmp_path, monkeypatch, capsys):
    """One line set, the rest as it stands but for the recipe's size; what is trained is tiny.

    In this process, and without the two sections that do not depend on the data: the test above
    runs them, and the recipe's network, in a notebook's own process.
    """
    path, content = notebook
    setup, *others = ["".join(cell["source"]) for cell in _cells_about_data(content)]
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(parity, "run_alone", run_in_this_process)
    names = {}
    with patch.dict(os.environ):  # cells set variables
        exec(UNSET.sub(f"DATA = {json.dumps(str(data_set))}", setup), names)
        names["recipe"] = smaller(names["recipe"])
        for cell in others:
            if cell.startswith(TRAINING):
                tiny.stand_in(monkeypatch, names["recipe"].architecture)
            exec(cell, names)
    plt.close("all")
    said = capsys.readouterr().out
    assert f"frames from {data_set}" in said or f"stereo pairs from {data_set}" in said
    assert "these numbers say nothing" not in said
    assert [each.name for each in (work / "runs").iterdir()] == [path.stem]
    assert list(work.glob("runs/*/exported/*/1"))
