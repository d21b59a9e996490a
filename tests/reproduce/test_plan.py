"""Rows are planned on their data sets, or on rendered frames."""

import pytest

from keras_depth import published, recipes
from keras_depth.errors import InputError
from keras_depth.reproduce import plan as planning


@pytest.mark.parametrize("paper", published.papers())
def test_without_data_rows_are_trained_on_rendered_frames(paper, tmp_path):
    for plan in planning.plan(paper, tmp_path):
        assert plan.rendered and plan.recipe.data["name"] in ("rooms", "drives")
        assert plan.recipe.architecture == plan.row.architecture == plan.paper_recipe.architecture
        assert plan.recipe.loss["name"] == plan.paper_recipe.loss["name"]
        assert plan.recipe.weights == "none" and plan.recipe.protocol == plan.row.protocol
        assert plan.paper_recipe.published == {"paper": paper, "row": plan.row.row}


def test_what_sets_rows_apart_stays(tmp_path):
    losses = {p.row.row: p.recipe.loss for p in planning.plan("jetson_fcnn", tmp_path)}
    assert losses[5]["name"] == "berhu" and losses[7] == {"name": "adaptive_berhu", "preset": "run"}
    ablation = {p.row.row: p.recipe for p in planning.plan("msfnet", tmp_path)}
    assert [ablation[row].loss["weights"] for row in (3, 6, 7)] == ["none", "none", "samples"]
    assert ablation[2].data["name"] == "drives" and ablation[1].data["name"] == "rooms"
    grey = {p.row.row: p.recipe for p in planning.plan("mobile_unet", tmp_path)}
    assert grey[4].augmentation["gray"] == 0.5 and grey[3].options["scaling"] == "torch"


def test_with_data_rows_follow_their_own_recipes(tmp_path):
    plans = planning.plan(
        "msfnet", tmp_path, folders={"kitti": tmp_path}, steps=7, changes=["batch_size=2"]
    )
    by_row = {plan.row.row: plan for plan in plans}
    kitti = by_row[2]
    assert not kitti.rendered and kitti.recipe.data["dir"] == str(tmp_path)
    assert kitti.recipe.steps == 7 and kitti.recipe.batch_size == 2
    assert kitti.recipe.loss == recipes.load("msfnet/row2_kitti").loss
    assert kitti.standard == "kitti_eigen_garg" and by_row[1].standard == "nyu_eigen"
    assert by_row[1].rendered, "its data set was not given"


def test_a_run_is_scored_on_the_data_set_it_was_trained_on(tmp_path):
    recipe = recipes.load("jetson_fcnn/row16_lite_basic_interl_t_320x240", ["data.dir=there"])
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(recipe.to_yaml())
    by_row = {p.row.row: p for p in planning.plan("jetson_fcnn", tmp_path, runs={16: run})}
    assert by_row[16].recipe == recipe and not by_row[16].rendered and by_row[15].rendered
    assert by_row[16].settings == {"data": "nyu", "dir": "there", "run": str(run)}
    here = planning.plan("jetson_fcnn", tmp_path, runs={16: run}, folders={"nyu": tmp_path})[-1]
    assert here.recipe.data["dir"] == str(tmp_path) and here.run == run

    with pytest.raises(InputError, match="holds lite_basic_interl_t, but row 5 of jetson_fcnn is"):
        planning.plan("jetson_fcnn", tmp_path, runs={5: run})
    own = recipe.to_yaml().replace("name: nyu", "name: prepared")
    (run / "recipe.yaml").write_text(own)
    with pytest.raises(InputError, match="trained on prepared, but its row is scored on nyu; give"):
        planning.plan("jetson_fcnn", tmp_path, runs={16: run})


def test_chosen_rows():
    assert planning.choose("jetson_fcnn", "16,5-7") == [5, 6, 7, 16]
    with pytest.raises(InputError, match="no row 4 of its own; known are 5, 6"):
        planning.choose("jetson_fcnn", "4")
    for text in ("a", "5-", "7-5", ""):
        with pytest.raises(InputError, match="--rows"):
            planning.choose("jetson_fcnn", text)
