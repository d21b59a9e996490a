"""The README says what is so: its links, its counts, its names."""

import re
from pathlib import Path

import pytest

from keras_depth import architectures, data, protocols, recipes, resources, run_folder
from keras_depth.data import kitti_lists

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    "docs/protocols.md",
    "docs/prepare.md",
    "docs/serving.md",
    "docs/jetson.md",
    "evaluation/benchmarks/README.md",
    "evaluation/minmax.md",
    "custom_ops/interleave/README.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert ((ROOT / page).parent / link).exists(), link


def test_the_table_of_networks():
    text = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([\d,]+) \|", text, re.MULTILINE))
    assert rows == {
        name: f"{architectures.get(name).parameters[0]:,}"
        for name in architectures.list_architectures()
    }


def test_the_names_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    listed = (ROOT / "docs" / "protocols.md").read_text()
    for name in protocols.names():
        assert f"| `{name}` |" in listed
    for name in data.reader_names():
        assert re.search(rf"^\| .*`{name}`|--data {name} ", text, re.MULTILINE), name
    recipe = re.search(r"`training/(jetson_fcnn/\w+)\.yaml`", text)
    assert recipe and recipe[1] in recipes.list_recipes()
    assert (resources.folder("published") / "jetson_fcnn.yaml").exists()
    folder = run_folder.RunFolder("run")
    for path in (folder.recipe_file, folder.log_file, folder.best_file, folder.report_file):
        assert f"`{path.name}`" in text


def test_the_counts_of_kittis_lists():
    text = (ROOT / "README.md").read_text()
    for name in kitti_lists.names():
        assert f"`{name}`" in text
    for name, counts in re.findall(r"`(\w+)` \((\d[\d,]* / [\d, /]+)\)", text.replace("\n", " ")):
        found = [f"{len(kitti_lists.load(name, split)):,}" for split in kitti_lists.splits(name)]
        assert counts.split(" / ") == found
