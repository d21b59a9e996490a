"""The papers' tables: every file has what reports and recipes take from it."""

import json
import math
import re
from collections import Counter

import jsonschema
import numpy as np
import pytest

from keras_depth import files, metrics, models, protocols, published, recipes
from keras_depth.data.nyu import lists as nyu_lists
from keras_depth.errors import InputError

# Of each paper of this suite: how many rows its tables have, quoted ones among them.
ROWS = {
    "jetson_fcnn": {"I": 16},
    "optidepthnet": {1: 7},
    "irv2_unet": {2: 4, 3: 9},
    "mobile_unet": {1: 2, 2: 3},
    "msfnet": {"I": 14, "II": 9, "III": 5},
}


def test_papers_have_their_tables():
    assert (
        set(ROWS)
        <= set(published.papers())
        <= {entry.paper for entry in models.ARCHITECTURES.values()}
    )


@pytest.mark.parametrize("paper", ROWS)
def test_no_row_is_missing(paper):
    content = published.read(paper)
    rows = [*content["rows"], *content.get("quoted", [])]
    assert Counter(entry["table"] for entry in rows) == ROWS[paper]


@pytest.mark.parametrize("paper", published.papers())
def test_the_schema(paper):
    schema = json.loads((files.resource_folder("published") / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(published.read(paper), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "change, words",
    [({"metrics": {"rell": 0.1}}, "rell"), ({"loss_value": "about 45"}, "about 45")],
)
def test_the_schema_refuses(change, words):
    schema = json.loads((files.resource_folder("published") / "schema.json").read_text())
    content = published.read("irv2_unet")
    content["rows"][0] |= change
    with pytest.raises(jsonschema.ValidationError, match=words):
        jsonschema.validate(content, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("paper", published.papers())
def test_every_row(paper):
    content = published.read(paper)
    assert content["paper"] == paper and protocols.get(content["protocol"])
    numbers = [entry["row"] for entry in content["rows"]]
    assert len(set(numbers)) == len(numbers)
    for entry in content["rows"]:
        row = published.row(paper, entry["row"])
        assert models.get(entry["architecture"]).paper == paper
        assert row.name and row.reproducible and "\n" not in row.reproducible
        assert all(metrics.describe(key) for key in row.metrics)
        recipe = recipes.load(row.recipe)
        assert recipe.published == {"paper": paper, "row": row.row}
        assert recipe.architecture == row.architecture
        assert recipe.size == row.size and tuple(recipe.augmentation.get("crop", ())) in (
            (),
            row.crop,
            (row.size[0] * 4 // 5, row.size[1] * 4 // 5),  # jetson_fcnn's, in training alone
        )
        assert row.reference in numbers


@pytest.mark.parametrize("paper", published.papers())
def test_wider_thresholds_hold_more(paper):
    content = published.read(paper)
    for scores in [*(entry["metrics"] for entry in content["rows"]), *content.get("quoted", [])]:
        shares = [scores[key] for key in ("delta1", "delta2", "delta3") if key in scores]
        assert shares == sorted(shares), scores


def said(paper):
    """What a paper's file says of its contradictions, in one line."""
    return " ".join(" ".join(published.read(paper)["contradictions"]).split())


def parameters(name):
    return models.get(name).parameters[0]


def test_ratios_of_parameters():
    content = published.read("optidepthnet")
    printed = {row["row"]: row["parameters"] for row in content["rows"] + content["quoted"]}
    text = said("optidepthnet")
    assert f"{printed[1]:.2f} / {printed[5]:.2f} = {printed[1] / printed[5]:.2f}" in text
    assert f"{printed[6]} / {printed[7]} is {printed[6] / printed[7]:.2f}" in text
    of_vgg = parameters("monodepth_vgg") / parameters("optidepthnet_vgg")
    of_resnet50 = parameters("monodepth_resnet50") / parameters("optidepthnet_resnet50")
    assert f"of the networks here {of_vgg:.2f};" in text
    assert f"{math.floor(10 * of_resnet50) / 10} of ResNet50" in text, "cut off"


def test_the_counts_of_frames():
    test = nyu_lists.sizes("wang", 50_688)["test"]
    small = nyu_lists.sizes("wang_small", 50_688)
    text = said("mobile_unet")
    assert f" {test} (Table 2: {small['test']}, or the {small['validation']} for valid" in text
    assert f"are {sum(small.values()):,}." in text
    text = said("irv2_unet")
    assert f"{int(0.7 * 32_054):,} are trained on" in text
    own, official = map(int, re.search(r"; (\d+) of them .* and (\d+) official", text).groups())
    assert own + official == 654


@pytest.mark.parametrize("low, high", [(0.7, 10), (0.7, 7.5), (1, 4)])
def test_a_perfect_fit_of_each_picture_s_range(low, high):
    """Of depths spread evenly, with 0 m for the nearest and 7.5 m for the farthest."""
    true = np.linspace(low, high, 100_001)
    here = 7.5 * (true - low) / (high - low)
    rel = np.mean(np.abs(here - true) / true)
    rmse = np.sqrt(np.mean((here - true) ** 2))
    delta1 = np.mean((here < 1.25 * true) & (true < 1.25 * here))
    numbers = re.search(
        rf"(?:abs_rel )?([\d.]+), (?:rmse )?([\d.]+), (?:delta1 )?([\d.]+) from {low} to {high} m",
        said("irv2_unet"),
    ).groups()
    assert [float(each) for each in numbers] == pytest.approx([rel, rmse, delta1], abs=6e-4)


def test_papers_quote_the_same():
    """Of Eigen and Laina one paper prints the squares of what another has."""
    squares = {row["name"]: row["mse"] for row in published.read("jetson_fcnn")["quoted"]}
    roots = {row["name"]: row["rmse"] for row in published.read("msfnet")["quoted"][:4]}
    assert squares["Eigen"] == round(roots["Eigen 2014"] ** 2, 3)
    assert squares["Laina"] == round(roots["Laina 2016"] ** 2, 3)


def test_rows_that_would_be_one_network():
    cbam, eda = (published.row("msfnet", row).metrics["abs_rel"] for row in (5, 6))
    assert f"abs_rel {cbam} and {eda}" in said("msfnet")


@pytest.mark.parametrize("name", [n for n in recipes.list_recipes() if recipes.load(n).published])
def test_a_recipe_s_row_is_there(name):
    recipe = recipes.load(name)
    row = published.row(**recipe.published)
    assert row.paper == name.split("/")[0]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("paper", published.papers())
def test_as_markdown(paper):
    content = published.read(paper)
    text = published.to_markdown(paper, {"rooms": {"abs_rel": 0.12345, "d1": 0.777}})
    columns, _, *lines = text.splitlines()
    for line, entry in zip(lines, content["rows"], strict=False):
        row = dict(zip(cells(columns), cells(line), strict=True))
        assert row["row"] == str(entry["row"]) and row["model"] == f"`{entry['architecture']}`"
        for name, value in entry["metrics"].items():
            assert float(row[name]) == value
        if "loss_value" in entry:
            assert float(row["loss, value"]) == entry["loss_value"]
    assert ("loss, value" in columns) == any("loss_value" in entry for entry in content["rows"])
    here = dict(zip(cells(columns), cells(lines[len(content["rows"])]), strict=True))
    assert here["name"] == "here: rooms" and here["abs_rel"] == "0.123"
    assert "0.777" not in text, "a metric that the paper does not have"
    assert content["reproducible"] in text
    assert all(entry.get("note", "") in text for entry in content["rows"])


def test_values_of_the_loss():
    assert published.row("mobile_unet", 3).loss_value == 45.3805
    assert published.row("mobile_unet", 1).loss_value is None
    text = published.to_markdown("mobile_unet")
    assert "| 0.9214 | 45.3805 |" in text and "| 0.968 |  |" in text


def test_numbers_as_text():
    assert [published.number(value) for value in (0.5, 0.12, 8.7)] == ["0.500", "0.120", "8.700"]
    assert published.number(0.1495) == "0.1495" and published.number(45.3805) == "45.3805"


def test_unknown_ones():
    with pytest.raises(InputError, match="unknown paper 'irv2': did you mean 'irv2_unet'"):
        published.row("irv2", 1)
    with pytest.raises(
        InputError, match="irv2_unet: its table has no row 9 of its own; known are 1"
    ):
        published.row("irv2_unet", 9)
