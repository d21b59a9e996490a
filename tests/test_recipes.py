"""Recipes: every shipped one is complete and buildable, overrides are checked."""

import dataclasses
import re

import pytest
import yaml

from keras_depth import files, losses, models, protocols, published, recipes
from keras_depth.data import DATA_SETS
from keras_depth.data.augment import Augmentation
from keras_depth.errors import InputError
from keras_depth.train import __main__ as train
from keras_depth.train.optimizers import make_optimizer

ROWS = [name for name in recipes.list_recipes() if recipes.load(name).published]
OPTIDEPTHNET = [
    f"optidepthnet/{encoder}{base}"
    for encoder in ("vgg", "resnet50", "resnet152")
    for base in ("", "_base")
]


def published_rows(paper):
    path = files.resource_folder("published") / f"{paper}.yaml"
    return {row["row"]: row for row in yaml.safe_load(path.read_text())["rows"]}


def test_the_twelve_rows_of_table_one():
    rows = [recipes.load(name).published["row"] for name in ROWS if "jetson_fcnn" in name]
    assert rows == list(range(5, 17)) == list(published_rows("jetson_fcnn"))


def test_the_four_rows_of_optidepthnet():
    """ResNet152 has no row: the paper gives no accuracy for it."""
    rows = {recipes.load(name).published.get("row"): name for name in OPTIDEPTHNET}
    assert sorted(filter(None, rows)) == [4, 5, 6, 7] == list(published_rows("optidepthnet"))
    assert "resnet152" in rows[None]


@pytest.mark.parametrize("name", recipes.list_recipes())
def test_every_recipe_is_complete(name):
    """Everything it names exists and takes the arguments it gives."""
    recipe = recipes.load(name)
    architecture = models.get(recipe.architecture)
    assert not set(recipe.options) - set(architecture.options)
    Augmentation(**recipe.augmentation)
    arguments = dict(recipe.loss)
    losses.get(arguments.pop("name"), **arguments)
    protocols.get(recipe.protocol)
    make_optimizer(recipe, steps=100)
    sides = architecture.sides(**recipe.options)
    assert all(side % sides.multiple == 0 for side in recipe.size)
    assert min(recipe.size) >= sides.smallest
    assert name.split("/")[0] == architecture.paper


@pytest.mark.parametrize("name", ROWS)
def test_a_row_matches_the_published_table(name):
    recipe = recipes.load(name)
    assert recipe.published["paper"] == name.split("/")[0]
    row = published_rows(recipe.published["paper"])[recipe.published["row"]]
    assert recipe.architecture == row["architecture"]
    assert list(recipe.size) == row["size"]
    depth = "L1" if recipe.loss.get("weights") == "none" else "batch-loss"
    assert row.get("crop", []) in ([], list(recipe.augmentation.get("crop", [])))
    kinds = {
        "msfnet": f"{depth} + gradient + SSIM + auxiliary",
        "berhu": "BerHu",
        "adaptive_berhu": "adaptive BerHu",
        "mse_rel": "MSE+REL",
        "stereo": "left-right consistency",
        "structural": "depth + gradient + SSIM",
    }
    assert kinds[recipe.loss["name"]] == row["loss"]
    title = (files.resource_folder("training") / f"{name}.yaml").read_text().splitlines()[0]
    printed = re.search(rf"row {row['row']}: .* REL (0\.\d+), .*delta1 (0\.\d+)", title)
    assert [float(number) for number in printed.groups()] == [
        row["metrics"][key] for key in ("abs_rel", "delta1")
    ]


def test_the_seven_rows_of_msfnet():
    rows = {r.published["row"]: r for r in map(recipes.load, ROWS) if "msfnet" in r.architecture}
    assert sorted(rows) == list(range(1, 8)) == list(published_rows("msfnet"))
    # In the ablation each arm changes only what it is named after.
    alike = [
        dataclasses.replace(
            rows[row],
            architecture="",
            loss={**rows[row].loss, "weights": ""},
            published={},
        )
        for row in range(3, 8)
    ]
    assert all(recipe == alike[0] for recipe in alike)
    assert [(rows[row].architecture, rows[row].loss["weights"]) for row in range(3, 8)] == [
        ("msfnet_baseline", "none"),
        ("msfnet_usf", "none"),
        ("msfnet_usf_cbam", "none"),
        ("msfnet", "none"),
        ("msfnet", "samples"),
    ]
    assert rows[1].loss == rows[7].loss and rows[1].encoding == "inverse"
    kitti = rows[2]
    assert (kitti.loss["depth"], kitti.loss["auxiliary"], kitti.encoding) == (1, 1, "metric")
    assert published.row("msfnet", 2).protocol == kitti.protocol == "msfnet_kitti"


@pytest.mark.parametrize(
    ("row", "steps", "epochs"),
    [("row1_nyu", 20 * 3168, 20), ("row2_kitti", 20 * 2825, 20), ("row7_batch_loss", 40 * 49, 40)],
)
def test_msfnet_s_rate_falls_every_five_epochs(row, steps, epochs):
    """To 5 % each time, or by the given factor."""
    for factor in (0.05, 0.95):
        recipe = recipes.load(f"msfnet/{row}", [f"schedule.factor={factor}"])
        assert recipe.epochs == epochs
        optimizer = make_optimizer(recipe, steps)
        assert (optimizer.l2, optimizer.epsilon) == (5e-5, 1e-8)
        for epoch in range(epochs):
            optimizer.iterations.assign(epoch * steps // epochs + 1)
            expected = 1e-4 * factor ** (epoch // 5)
            assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)


def test_optidepthnet_trains_all_its_networks_alike():
    same = {"architecture": "", "published": {}}
    loaded = [dataclasses.replace(recipes.load(name), **same) for name in OPTIDEPTHNET]
    assert all(recipe == loaded[0] for recipe in loaded)
    optimizer = make_optimizer(loaded[0], loaded[0].steps)
    rates = {14100: 1e-4, 14101: 5e-5, 18801: 2.5e-5}  # of 23,500 steps
    for step, rate in rates.items():
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert optimizer.epsilon == 1e-8


@pytest.mark.parametrize("name", models.list_architectures())
def test_a_network_without_data_trains_on_rendered_frames(name):
    recipe = train.prepare(train.parse(["--arch", name])).recipe
    assert DATA_SETS[recipe.data["name"]].rendered and recipe.architecture == name
    assert not set(recipe.options) - set(models.get(name).options)


def test_pairs_of_your_own_have_a_recipe():
    assert recipes.usual("optidepthnet_vgg", "folder") == "optidepthnet/pairs"
    recipe = train.prepare(train.parse(["--arch", "optidepthnet_vgg", "--data", "folder"])).recipe
    assert recipe == recipes.load("optidepthnet/pairs") and recipe.protocol == "full"
    # The larger networks follow their row on KITTI, but for its list.
    other = train.prepare(
        train.parse(["--arch", "optidepthnet_resnet50", "--data", "folder"])
    ).recipe
    assert other.data == {"name": "folder", "stereo": True} and other.size == (256, 512)


@pytest.mark.parametrize(("network", "stereo"), [("optidepthnet_vgg", True), ("msfnet", False)])
def test_only_a_network_of_disparity_gets_pairs(network, stereo):
    own = {"data": {"name": "drives", "frames": 1}, "size": (128, 128)}
    recipe = recipes.load("optidepthnet/pairs", architecture=network, **own)
    assert recipes.open_data(recipe, "train").stereo == stereo
    own["data"]["stereo"] = not stereo
    recipe = recipes.load("optidepthnet/pairs", architecture=network, **own)
    assert recipes.open_data(recipe, "train").stereo != stereo, "unless the recipe says so"


@pytest.mark.parametrize(
    ("network", "data", "row"),
    [
        ("msfnet_usf", "drives", "drives"),
        ("msfnet_usf", "rooms", "rooms"),
        ("msfnet", "nyu", "row1_nyu"),
        ("msfnet", "kitti", "row2_kitti"),
        ("msfnet_usf", "nyu", "row4_usf"),
    ],
)
def test_a_paper_of_several_data_sets(network, data, row):
    assert recipes.usual(network, data) == f"msfnet/{row}"
    recipe = train.prepare(train.parse(["--arch", network, "--data", data])).recipe
    assert recipe == recipes.load(f"msfnet/{row}", architecture=network)


@pytest.mark.parametrize(
    ("arguments", "epochs", "steps"),
    [
        ([], 4, 50),
        (["--epochs", "3"], 3, 0),
        (["--set", "epochs=3"], 3, 0),
        (["--set", "steps=70"], 4, 70),
        (["--epochs", "3", "--set", "steps=70"], 3, 70),
        (["--set", "steps=70", "--set", "epochs=3"], 3, 70),
        (["--set", "steps=0"], 4, 0),
        (["--batch-size", "2", "--set", "loss.alpha2=3"], 4, 50),
    ],
)
def test_epochs_replace_the_recipe_s_steps(tmp_path, arguments, epochs, steps):
    """Unless steps are set too; otherwise the recipe's own steps would silently win."""
    assert recipes.load("jetson_fcnn/rooms").steps == 0
    path = tmp_path / "mine.yaml"
    path.write_text(recipes.load("jetson_fcnn/rooms", ["steps=50"]).to_yaml())
    recipe = train.prepare(train.parse(["--recipe", str(path), *arguments])).recipe
    assert (recipe.epochs, recipe.steps) == (epochs, steps)


@pytest.mark.parametrize("name", models.list_architectures())
def test_every_architecture_has_its_recipe(name):
    architecture = models.get(name)
    assert recipes.load(f"{architecture.paper}/{architecture.recipe}").architecture == name


def test_overrides():
    recipe = recipes.load(
        "jetson_fcnn/rooms",
        ["loss.alpha2=3", "epochs=5", "size=[64, 96]", "schedule={name: constant}"],
        seed=7,
    )
    assert recipe.loss == {"name": "mse_rel", "alpha1": 1.0, "alpha2": 3}
    assert (recipe.epochs, recipe.size, recipe.seed) == (5, (64, 96), 7)
    assert recipe.schedule == {"name": "constant"}
    small = recipes.load("jetson_fcnn/rooms", ["optimizer.learning_rate=1e-4"])
    assert small.optimizer["learning_rate"] == 1e-4


@pytest.mark.parametrize(
    ("overrides", "data"),
    [
        ([], {"name": "kitti", "list": "optidepthnet_kitti", "stereo": True}),
        (["data.list=all"], {"name": "kitti", "list": "all", "stereo": True}),
        (["data.name=drives"], {"name": "drives", "stereo": True}),
        (["data.dir=there", "data.name=prepared"], {"name": "prepared", "dir": "there"}),
        (["data.name=nyu", "data.frames=5"], {"name": "nyu", "frames": 5}),
        # A misspelled option stays, to be refused by its name.
        (["data.name=nyu", "data.lists=all"], {"name": "nyu", "lists": "all"}),
    ],
)
def test_options_that_another_data_set_does_not_take_are_dropped(overrides, data):
    assert recipes.load("optidepthnet/vgg", overrides).data == data


@pytest.mark.parametrize(
    ("name", "overrides", "changes", "protocol"),
    [
        ("optidepthnet/vgg", [], {}, "kitti_eigen_garg"),
        ("optidepthnet/vgg", ["data.list=stereo2015"], {}, "kitti_stereo2015"),
        ("optidepthnet/vgg", ["data.name=nyu"], {}, "nyu_eigen"),
        ("optidepthnet/vgg", ["data.name=drives"], {}, "full"),
        ("optidepthnet/vgg", [], {"data": {"name": "folder"}}, "full"),
        ("row05_basic_deconv", ["data.dir=there", "data.frames=5"], {}, "ecmr2019"),
        ("row05_basic_deconv", ["data.list=wang"], {}, "wang_relative"),
        ("row05_basic_deconv", ["data.name=kitti", "protocol=full"], {}, "full"),
        ("row05_basic_deconv", ["data.name=kitti"], {"protocol": "ecmr2019"}, "ecmr2019"),
    ],
)
def test_other_frames_are_scored_by_their_usual_protocol(name, overrides, changes, protocol):
    assert recipes.load(name, overrides, **changes).protocol == protocol


def test_options_of_a_data_set_without_any():
    recipe = recipes.load(
        "jetson_fcnn/rooms", ["data.name=prepared", "data.lists=all", "data.dir=here"]
    )
    with pytest.raises(InputError, match="unknown option of prepared 'lists': there are none"):
        recipes.open_data(recipe, "train")


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
        (["steps=-1"], r"steps must be a whole number of 1 or more \(seed, steps: 0 or more\)"),
        (["steps=0.5"], "steps must be a whole number"),
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
        recipes.load("jetson_fcnn/rooms", overrides)


WHOLE = "{architecture: basic_deconv, data: {name: nyu}, size: [32, 32], loss: {name: mse}, "


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="unknown recipe 'room': did you mean"):
        recipes.load("room")
    with pytest.raises(InputError, match="recipe rooms: there are irv2_unet/rooms, jetson_fcnn/ro"):
        recipes.load("rooms")
    with pytest.raises(InputError, match="missing.yaml: no such file"):
        recipes.load(str(tmp_path / "missing.yaml"))
    for text, message in [
        ("{", "not a YAML file"),
        ("seed: 2011-09-31", "not a YAML file .day is out of range for month.; correct it"),
        ("seed: 1\nseed: 2", "not a YAML file .'seed' is given twice.; correct it"),
        ("- 1", "a recipe must be `key: value` lines"),
        ("architecture: basic_deconv", "the recipe lacks 'data'"),
        (WHOLE + "published: {paper: irv2_unet}}", "'published' needs `paper` and `row`"),
        (WHOLE + "published: {paper: irv2_unet, row: 9}}", "its table has no row 9"),
        (WHOLE + "published: {paper: irv2, row: 1}}", "unknown paper 'irv2'"),
        (WHOLE + "published: {papers: irv2_unet, row: 1}}", "did you mean 'paper'"),
        (
            "arch: basic_deconv",
            "unknown recipe key in bad.yaml 'arch': did you mean 'architecture'",
        ),
    ]:
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            recipes.load(str(tmp_path / "bad.yaml"))


def test_frames_are_limited_and_spread():
    recipe = recipes.load(
        "jetson_fcnn/rooms", ["data.frames=6", "data.validation_frames=3", "size=[16, 32]"]
    )
    assert len(recipes.open_data(recipe, "train")) == 6
    validation = recipes.open_data(recipe, "validation")
    assert len(validation) == 3
    assert validation[0]["image"].shape == (16, 32, 3)


@pytest.mark.parametrize("alias", list(recipes.ALIASES))
def test_names_of_other_programs(tmp_path, alias):
    """Each is taken, in a file too, and says what it is called here."""
    message = f"recipe key '{alias}' is here 'optimizer.learning_rate'; use that name"
    with pytest.warns(UserWarning, match=message):
        recipe = recipes.load("jetson_fcnn/rooms", [f"{alias}=2e-4"])
    assert recipe.optimizer["learning_rate"] == 2e-4 and "lr" not in recipe.optimizer
    values = yaml.safe_load(recipes.load("jetson_fcnn/rooms").to_yaml())
    del values["optimizer"]["learning_rate"]
    *sections, last = alias.split(".")
    (values["optimizer"] if sections else values)[last] = 3e-4
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.warns(UserWarning, match=message):
        assert recipes.load(str(file)).optimizer == {**recipe.optimizer, "learning_rate": 3e-4}


@pytest.mark.parametrize("name", ["mine.yaml", "mine.YAML", "mine.Yml"])
@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16, or no text at all; save"),
        ("latin-1", "not a text"),
    ],
)
def test_a_recipe_as_other_programs_save_it(tmp_path, name, encoding, message):
    path, text = tmp_path / name, recipes.load("jetson_fcnn/rooms").to_yaml()
    path.write_bytes(f"{text}# caf\u00e9\n".replace("\n", "\r\n").encode(encoding))
    if not message:
        assert recipes.load(str(path)) == recipes.load("jetson_fcnn/rooms")
        return
    with pytest.raises(InputError, match=f"^{path}: {message}"):
        recipes.load(str(path))


def test_fit_and_canonical_focal_length():
    recipe = recipes.load("jetson_fcnn/rooms")
    assert (recipe.fit, recipe.canonical_focal_length) == ("stretch", None)
    changes = ["fit=letterbox", "canonical_focal_length=260"]
    recipe = recipes.load("jetson_fcnn/rooms", changes)
    assert (recipe.fit, recipe.canonical_focal_length) == ("letterbox", 260.0)
    assert recipes.load("jetson_fcnn/rooms", ["canonical_focal_length=null"]).fit == "stretch"
    with pytest.raises(
        InputError, match="unknown value of fit in rooms.yaml 'leterbox'.*letterbox"
    ):
        recipes.load("jetson_fcnn/rooms", ["fit=leterbox"])
    for value in (0, -3, "'far'", "true", ".inf"):
        with pytest.raises(InputError, match="canonical_focal_length must be a number above 0, or"):
            recipes.load("jetson_fcnn/rooms", [f"canonical_focal_length={value}"])
