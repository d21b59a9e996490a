"""The notebooks: one a paper, all of one form, executed, small enough to be read on a code host.

`make notebooks` runs them.
"""

import base64
import json
import re
from pathlib import Path

import pytest

from keras_depth import architectures, recipes, tables

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
SMALL = 700_000  # bytes of a notebook
SMALL_PICTURE = 120_000  # bytes
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


def test_one_a_paper():
    numbers, papers = zip(*(path.stem.split("_", 1) for path in NOTEBOOKS), strict=True)
    assert list(numbers) == ["1", "2", "3", "4", "5"]
    assert sorted(papers) == tables.papers()


def test_the_same_nine_sections(notebook):
    path, content = notebook
    text = "\n".join("".join(cell["source"]) for cell in cells(content, "markdown"))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert re.findall(r"^#{2,} (.*)", text, re.MULTILINE) == HEADINGS
    first = "".join(content["cells"][0]["source"])
    citation = architectures.CITATIONS[path.stem.split("_", 1)[1]]
    title = re.match(r"[^:]+: (.+?)\. ", citation)[1]
    assert first.startswith("# ") and title in " ".join(first.split())


def test_one_path_to_set(notebook):
    path, content = notebook
    setup, *others = ["".join(cell["source"]) for cell in cells(content, "code")]
    assert len(re.findall(r"^DATA = None  # ", setup, re.MULTILINE)) == 1
    for other in others:
        assert not re.search(r"^DATA = ", other, re.MULTILINE)
        assert not re.search(r"\b(def|class|lambda)\b", other), "logic belongs into the package"
    named = re.findall(rf'"({path.stem.split("_", 1)[1]}/\w+)"', setup)
    assert len(named) == 2 and set(named) <= set(recipes.list_recipes())


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
