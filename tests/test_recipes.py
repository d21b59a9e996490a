"""Recipes: every shipped one is complete and buildable, overrides are checked."""

import pytest
import yaml

from keras_depth import architectures, losses, protocols, recipes, resources, trainer
from keras_depth.data.augment import Augmentation
from keras_depth.errors import InputError

ROWS = [name for name in recipes.list_recipes() if "/row" in name]


def published(paper):
    path = resources.folder("published") / f"{paper}.yaml"
    return {row["row"]: row for row in yaml.safe_load(path.read_text())["rows"]}


def test_the_twelve_rows_of_table_one():
    rows = [recipes.load(name).published["row"] for name in ROWS]
    assert rows == list(range(5, 17)) == list(published("jetson_fcnn"))


@pytest.mark.parametrize("name", recipes.list_recipes())
def test_every_recipe_is_complete(name):
    """Everything it names exists and takes the arguments it gives."""
    recipe = recipes.load(name)
    architecture = architectures.get(recipe.architecture)
    assert not set(recipe.options) - set(architecture.options)
    Augmentation(**recipe.augmentation)
    arguments = dict(recipe.loss)
    losses.get(arguments.pop("name"), **arguments)
    protocols.get(recipe.protocol)
    trainer.make_optimizer(recipe, total=100)
    assert all(side % architecture.multiple == 0 for side in recipe.size)
    assert name.split("/")[0] == architecture.paper


@pytest.mark.parametrize("name", ROWS)
def test_a_row_matches_the_published_table(name):
    recipe = recipes.load(name)
    row = published("jetson_fcnn")[recipe.published["row"]]
    assert recipe.architecture == row["architecture"]
    assert list(recipe.size) == row["size"]
    kinds = {"berhu": "BerHu", "adaptive_berhu": "adaptive BerHu", "mse_rel": "MSE+REL"}
    assert kinds[recipe.loss["name"]] == row["loss"]
    text = (resources.folder("training") / f"{name}.yaml").read_text()
    assert f"REL {row['metrics']['rel']:.3f}" in text.splitlines()[0]


@pytest.mark.parametrize("name", architectures.list_architectures())
def test_every_architecture_has_its_recipe(name):
    architecture = architectures.get(name)
    assert recipes.load(f"{architecture.paper}/{architecture.recipe}").architecture == name


def test_overrides():
    recipe = recipes.load(
        "rooms", ["loss.alpha2=3", "epochs=5", "size=[64, 96]", "schedule={name: constant}"], seed=7
    )
    assert recipe.loss == {"name": "mse_rel", "alpha1": 1.0, "alpha2": 3}
    assert (recipe.epochs, recipe.size, recipe.seed) == (5, (64, 96), 7)
    assert recipe.schedule == {"name": "constant"}
    small = recipes.load("rooms", ["optimizer.learning_rate=1e-4"])
    assert small.optimizer["learning_rate"] == 1e-4


def test_yaml_round_trip(tmp_path):
    recipe = recipes.load("row07_basic_sc_nonbt_adaptive_berhu", ["data.dir=/data/nyu"])
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert recipes.load(str(tmp_path / "recipe.yaml")) == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["epoch=5"], "unknown recipe key 'epoch': did you mean 'epochs'"),
        (["los.alpha2=3"], "unknown recipe key 'los': did you mean 'loss'"),
        (["epochs"], "write it as key=value"),
        (["epochs=many"], "epochs must be a whole number of 1 or more .*, got 'many'"),
        (["epochs=true"], "epochs must be a whole number"),
        (["batch_size=0"], "batch_size must be a whole number of 1 or more"),
        (["seed=-1"], "seed must be a whole number"),
        (["size=240"], r"size must be two whole numbers, \[height, width\], got 240"),
        (["size=[240, 0]"], "size must be two whole numbers"),
        (["loss=mse"], "loss must be a section"),
        (["epochs.more=1"], "'epochs' is one value, not a section"),
        (["loss.a.b=1"], "sections do not nest"),
        (["loss={alpha1: 1}"], "section 'loss' lacks its `name`"),
        (["size=[1"], "is not a YAML value"),
    ],
)
def test_bad_overrides(overrides, message):
    with pytest.raises(InputError, match=message):
        recipes.load("rooms", overrides)


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="unknown recipe 'room': did you mean"):
        recipes.load("room")
    with pytest.raises(InputError, match="missing.yaml: no such file"):
        recipes.load(str(tmp_path / "missing.yaml"))
    for text, message in [
        ("{", "not a YAML file"),
        ("- 1", "a recipe is a list of `key: value` lines"),
        ("architecture: basic_deconv", "the recipe lacks 'data'"),
        (
            "arch: basic_deconv",
            "unknown recipe key in bad.yaml 'arch': did you mean 'architecture'",
        ),
    ]:
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            recipes.load(str(tmp_path / "bad.yaml"))


def test_frames_are_limited_and_spread():
    recipe = recipes.load("rooms", ["data.frames=6", "data.validation_frames=3", "size=[16, 32]"])
    assert len(recipes.open_data(recipe, "train")) == 6
    validation = recipes.open_data(recipe, "validation")
    assert len(validation) == 3
    assert validation[0]["image"].shape == (16, 32, 3)
