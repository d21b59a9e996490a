"""The documentation says what is so: its links, its counts, its names, its messages."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from keras_depth import (
    data,
    files,
    models,
    protocols,
    published,
    recipes,
    run_folder,
)
from keras_depth.data.kitti import lists as kitti_lists
from keras_depth.data.nyu import lists as nyu_lists
from keras_depth.encodings import ENCODINGS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
    "evaluation/benchmarks/README.md",
    "evaluation/minmax.md",
    "evaluation/trained/README.md",
    "evaluation/trained/mobile_interl_nyu/report.md",
    "evaluation/trained/mobile_unet/report.md",
    "evaluation/trained/optidepthnet/report.md",
    "docs/photos/README.md",
    "keras_depth/presets/mobile_interl_nyu/card.md",
    "custom_ops/interleave/README.md",
    "ros2/keras_depth_ros/README.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for link, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        target = (ROOT / page).parent / link if link else ROOT / page
        assert target.exists(), link
        if heading:
            assert heading in anchors(target.read_text()), f"{link}#{heading}"


def anchors(text):
    """Returns what a code host calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]


def test_every_page_is_reached():
    """From the README, by its links and theirs."""
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        links = (
            (page.parent / link).resolve()
            for page in new
            for link in re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text())
        )
        new = set(links) - reached
    assert {ROOT / page for page in PAGES} == reached


def test_the_table_of_networks():
    text = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([\d,]+) \|", text, re.MULTILINE))
    assert rows == {
        name: f"{models.get(name).parameters[0]:,}" for name in models.list_architectures()
    }


def test_the_names_exist():
    pages = {page: (ROOT / page).read_text() for page in PAGES}
    for name in protocols.PROTOCOLS:
        assert f"| `{name}` |" in pages["docs/protocols.md"]
    for name, data_set in data.DATA_SETS.items():
        assert re.search(rf"^\| .*`{name}`", pages["docs/data.md"], re.MULTILINE), name
        for option in data_set.options:
            assert f"`{option}`" in pages["docs/data.md"], (name, option)
    for name in ENCODINGS:
        assert f"| `{name}` |" in pages["docs/training.md"]
    for field in dataclasses.fields(recipes.Recipe):
        assert f"`{field.name}`" in pages["docs/training.md"]
    for name in re.findall(r"`training/(\w+/\w+)\.yaml`", "".join(pages.values())):
        # What the page adds is not there yet.
        assert name in recipes.list_recipes() or "docs/architecture.md" in [
            page for page, text in pages.items() if f"`training/{name}.yaml`" in text
        ]
    for paper in published.papers():
        assert f"| {paper} |" in pages["README.md"] and paper in pages["docs/training.md"]
    for path in re.findall(r"`(evaluation/published/\w+\.yaml)`", "".join(pages.values())):
        assert (ROOT / path).exists()
    assert (files.resource_folder("published") / "jetson_fcnn.yaml").exists()
    folder = run_folder.RunFolder("run")
    for path in vars(folder).values():
        if path != folder.path and path != folder.figures:
            name = f"{path.name}/" if path == folder.checkpoints else path.name
            assert f"`{name}`" in pages["docs/start.md"]


def test_the_counts_of_kittis_lists():
    text = (ROOT / "docs" / "data.md").read_text()
    for name in kitti_lists.LISTS:
        assert f"`{name}`" in text
    counted = re.findall(r"`(\w+)` \((\d[\d,]*(?: / [\d,]+)*)\)", text.replace("\n", " "))
    assert {name for name, _ in counted} == set(kitti_lists.LISTS)
    for name, counts in counted:
        found = [f"{len(kitti_lists.load(name, split)):,}" for split in kitti_lists.splits(name)]
        assert counts.split(" / ") == found


def test_the_counts_of_nyus_lists():
    text = (ROOT / "docs" / "data.md").read_text()
    for name in nyu_lists.LISTS:
        assert f"| `{name}` |" in text
    for name in ("wang", "wang_small"):
        counts = nyu_lists.sizes(name, 50_688).values()
        assert f"| `{name}` | {' / '.join(f'{count:,}' for count in counts)}" in text


# Their first argument is what an unknown name is called in the message.
NAMING = ("unknown_name", "check_choice", "check_keywords", "Registry")


def messages():
    """Yields the texts of the sources, each as a whole; what varies in it is a null."""
    for file in (ROOT / "keras_depth").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        documentation = [node.value for node in nodes if isinstance(node, ast.Expr)]
        for node in nodes:
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in NAMING and node.args:
                yield f"unknown {text_of(node.args[0])}"
            if node not in documentation and (text := text_of(node)):
                yield text
    yield (ROOT / "Makefile").read_text()


def text_of(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "\0" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_the_messages_are_the_sources_own():
    """Those of other programs are marked by whose they are."""
    said = list(messages())
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = [re.split(r" \| ", row) for row in re.findall(r"^\| (`.*)$", text, re.MULTILINE)]
    assert len(rows) > 90
    for cell, cause, *_ in rows:
        for message in re.findall(r"`([^`]+)`", cell):
            parts = [re.escape(part.strip()) for part in message.split("...") if part.strip()]
            known = any(re.search(".*".join(parts), each, re.DOTALL) for each in said)
            assert known != cause.startswith("TensorFlow"), message
