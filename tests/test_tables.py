"""The papers' tables: every file has what reports and recipes take from it."""

import json

import jsonschema
import pytest

from keras_depth import architectures, metrics, protocols, recipes, resources, tables
from keras_depth.errors import InputError


def test_papers_have_their_tables():
    assert set(tables.papers()) <= set(architectures.CITATIONS)


@pytest.mark.parametrize("paper", tables.papers())
def test_the_schema(paper):
    schema = json.loads((resources.folder("published") / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tables.table(paper), schema, jsonschema.Draft202012Validator)


ROWS = {  # of each paper's tables: its own, and what it quotes
    "irv2_unet": (4, 9),
    "jetson_fcnn": (12, 4),
    "mobile_unet": (5, 0),
    "msfnet": (7, 21),
    "optidepthnet": (4, 3),
}


@pytest.mark.parametrize("paper", tables.papers())
def test_the_digits(paper):
    """What a slip of the pen would break."""
    content = tables.table(paper)
    quoted = content.get("quoted", [])
    assert (len(content["rows"]), len(quoted)) == ROWS[paper]
    for metrics_ in (*(row["metrics"] for row in content["rows"]), *quoted):
        shares = [metrics_[key] for key in ("delta1", "delta2", "delta3") if key in metrics_]
        assert shares == sorted(shares) and all(0 < share < 1 for share in shares)
    for row in content["rows"]:
        count = architectures.get(row["architecture"]).parameters[0]
        if "parameters" in row:
            assert row["parameters"] == pytest.approx(count / 1e6, abs=0.06)


def test_ratios_that_contradictions_speak_of():
    quoted = {row["name"]: row["parameters"] for row in tables.table("optidepthnet")["quoted"]}
    own = {row.row: row.parameters for row in tables.rows("optidepthnet")}
    assert quoted["Kuznietsov et al."] / own[5] == pytest.approx(2.66, abs=0.005)
    assert own[6] / own[7] == pytest.approx(8.83, abs=0.005)
    assert [tables.row("mobile_unet", n).loss_value for n in (2, 3)] == [None, 45.3805]


def test_the_schema_refuses():
    schema = json.loads((resources.folder("published") / "schema.json").read_text())
    content = tables.table("irv2_unet")
    content["rows"][0]["metrics"]["rell"] = 0.1
    with pytest.raises(jsonschema.ValidationError, match="rell"):
        jsonschema.validate(content, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("paper", tables.papers())
def test_every_row(paper):
    content = tables.table(paper)
    assert content["paper"] == paper and protocols.get(content["protocol"])
    numbers = [entry["row"] for entry in content["rows"]]
    assert len(set(numbers)) == len(numbers)
    for entry in content["rows"]:
        row = tables.row(paper, entry["row"])
        assert architectures.get(entry["architecture"]).paper == paper
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


@pytest.mark.parametrize("name", [n for n in recipes.list_recipes() if recipes.load(n).published])
def test_a_recipe_s_row_is_there(name):
    recipe = recipes.load(name)
    row = tables.row(**recipe.published)
    assert row.paper == name.split("/")[0]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("paper", tables.papers())
def test_as_markdown(paper):
    content = tables.table(paper)
    text = tables.to_markdown(paper, {"rooms": {"rel": 0.12345, "d1": 0.777}})
    columns, _, *lines = text.splitlines()
    for line, entry in zip(lines, content["rows"], strict=False):
        row = dict(zip(cells(columns), cells(line), strict=True))
        assert row["row"] == str(entry["row"]) and row["network"] == f"`{entry['architecture']}`"
        for name, value in entry["metrics"].items():
            assert float(row[name]) == value
    here = dict(zip(cells(columns), cells(lines[len(content["rows"])]), strict=True))
    assert here["name"] == "here: rooms" and here["rel"] == "0.123"
    assert "0.777" not in text, "a metric that the paper does not have"
    assert content["reproducible"] in text
    assert all(entry.get("note", "") in text for entry in content["rows"])


def test_unknown_ones():
    with pytest.raises(InputError, match="unknown paper 'irv2': did you mean 'irv2_unet'"):
        tables.row("irv2", 1)
    with pytest.raises(
        InputError, match="irv2_unet: its table has no row 9 of its own; known are 1"
    ):
        tables.row("irv2_unet", 9)
