"""A paper's tables beside this code's: what is planned, what is kept, what the report says."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_depth import models, published, recipes
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.reproduce import plan as planning
from keras_depth.reproduce import report, row, settings, tables
from tests.helpers.write_nyu import write_layout

# Multiplications by the facts that the networks were rebuilt from, 10^9; of jetson_fcnn with a 3x3
# head, to which the paper's 5x5 adds up to 0.7 %.
GMAC = {
    "jetson_fcnn": {5: 43.99, 6: 138.45, 8: 61.13, 9: 15.37, 10: 12.04, 13: 59.71, 14: 15.08}
    | {12: 18.03, 15: 35.57, 16: 8.89},
    "optidepthnet": {4: 22.490, 5: 11.331, 6: 14.974, 7: 2.183},
    "irv2_unet": {4: 21.54},
    "mobile_unet": {1: 58.12, 2: 35.43},
    "msfnet": {1: 54.5, 2: 149.7, 3: 43.2, 4: 54.5, 5: 54.5, 6: 54.5, 7: 54.5},
}
AGREEMENT = {
    "optidepthnet": {4: "agrees, cut off", 5: "nearly: -0.06%", 6: "agrees", 7: "agrees, cut off"},
    "irv2_unet": {1: "agrees", 2: "agrees, cut off", 3: "agrees", 4: "agrees, cut off"},
}
# Of each paper the row that trains fastest.
CHEAPEST = {"jetson_fcnn": 16, "optidepthnet": 7, "irv2_unet": 3, "mobile_unet": 2, "msfnet": 3}


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "keras_depth.reproduce", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def cells(text, heading):
    """The first table under a heading: the row's number -> what stands over a column -> cell."""
    section = text[text.index(heading) :]
    head, _, *lines = section[section.index("\n| row") :].strip().split("\n\n")[0].splitlines()
    names, *rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in (head, *lines)
    ]
    return {int(row[0]): dict(zip(names, row, strict=True)) for row in rows if row[0]}


@pytest.mark.parametrize("paper", published.papers())
def test_without_data_rows_are_trained_on_rendered_frames(paper, tmp_path):
    for plan in planning.plan(paper, tmp_path):
        assert plan.rendered and plan.recipe.data["name"] in ("synthetic", "drives")
        assert plan.recipe.architecture == plan.row.architecture == plan.paper_recipe.architecture
        assert plan.recipe.loss["name"] == plan.paper_recipe.loss["name"]
        assert plan.recipe.weights == "none" and plan.recipe.protocol == plan.row.protocol
        assert plan.paper_recipe.published == {"paper": paper, "row": plan.row.row}


def test_what_sets_rows_apart_stays(tmp_path):
    losses = {p.row.row: p.recipe.loss for p in planning.plan("jetson_fcnn", tmp_path)}
    assert losses[5]["name"] == "berhu" and losses[7] == {"name": "adaptive_berhu", "preset": "run"}
    ablation = {p.row.row: p.recipe for p in planning.plan("msfnet", tmp_path)}
    assert [ablation[row].loss["weights"] for row in (3, 6, 7)] == ["none", "none", "samples"]
    assert ablation[2].data["name"] == "drives" and ablation[1].data["name"] == "synthetic"
    grey = {p.row.row: p.recipe for p in planning.plan("mobile_unet", tmp_path)}
    assert grey[4].augmentation["grey"] == 0.5 and grey[3].options["scaling"] == "torch"


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


def test_a_folder_of_something_else_is_refused(tmp_path):
    settings.prepare_folder(tmp_path / "out", "msfnet")
    settings.prepare_folder(tmp_path / "out", "msfnet")
    with pytest.raises(InputError, match="out: holds msfnet's results"):
        settings.prepare_folder(tmp_path / "out", "irv2_unet")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="own: holds something else"):
        settings.prepare_folder(tmp_path / "own", "msfnet")


def test_a_row_with_results_takes_no_other_settings(tmp_path):
    def plans(**changed):
        return planning.plan("irv2_unet", tmp_path, **changed)[:1]

    settings.write(*plans(steps=2))
    settings.check(plans(steps=3))  # nothing came of it
    (tmp_path / "row01" / "run" / "checkpoints").mkdir(parents=True)
    settings.check(plans(steps=2))
    for changed, sentence in (
        (
            {"steps": 3},
            r"row01: holds results of other settings: steps \(stored 2, now 3\); repeat the",
        ),
        ({"steps": 2, "changes": ["seed=1"]}, r"set \(stored \[\], now \['seed=1'\]\)"),
        ({"steps": 2, "folders": {"nyu": tmp_path}}, "data \\(stored 'synthetic', now 'nyu'\\)"),
        ({"runs": {1: tmp_path}}, "run \\(stored None"),
    ):
        with pytest.raises(InputError, match=sentence):
            settings.check(plans(**changed))
    (tmp_path / "row01" / "settings.json").write_text("{")
    with pytest.raises(InputError, match="settings.json: damaged .*; restore it, or delete it"):
        settings.check(plans(steps=2))


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["irv2"], "unknown paper 'irv2': did you mean 'irv2_unet'"),
        (["msfnet", "--data-dir", "."], "the data sets kitti and nyu; write it as kitti=."),
        (["msfnet", "--data-dir", "kiti=."], "unknown data set of msfnet 'kiti'"),
        (["irv2_unet", "--data-dir", "nowhere"], "nowhere: no such folder"),
        (["irv2_unet", "--run", "9=."], "no row 9 of its own"),
        (["irv2_unet", "--run", "1=nowhere"], "nowhere: no such run folder"),
        (["irv2_unet", "--steps", "many"], "'many': give a whole number"),
        (["irv2_unet", "--rows", ""], "--rows : write it as 5 or 5,7-9"),
        (["irv2_unet", "--rows", "2", "--run", "1=."], "row 1 is not among those of --rows"),
        (["irv2_unet", "--data-dir", ".", "--data-dir", "nyu=."], "nyu is given twice"),
        (["irv2_unet", "--set", "los.depth=1"], "did you mean 'loss'"),
    ],
)
def test_bad_arguments(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command(*arguments)
    assert done.returncode == 2 and sentence in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not any(tmp_path.iterdir())


def test_a_row_from_nothing_to_its_report(tmp_path):
    """Of mobile_unet, whose networks are the smallest; again, which does nothing twice."""
    small = ["size=[64, 64]", "data={name: synthetic, frames: 8, validation_frames: 2}"]
    settings = [part for change in (*small, "batch_size=2") for part in ("--set", change)]
    arguments = ["mobile_unet", "--rows", 2, "--steps", 2, "--output", tmp_path / "out", *settings]
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "report.md").read_text()
    for heading in re.findall(r"^#+ .*", text, re.MULTILINE):
        ours = "What can be reproduced" in heading or "quotes" in heading
        assert ours or "rendered rooms" in heading, heading
    assert "| 2 | SqueezeNet" in text and "**here, rendered rooms, 2 steps**" in text
    counts = cells(text, "## Parameters")
    assert len(counts) == 5 and counts[2]["parameters"] == "4,083,201"
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 and 'src="figures' not in page
    assert not re.search(r'(src|href)="https?:', page), "needs nothing beside it"

    made = {file: file.stat().st_mtime for file in (tmp_path / "out" / "row02").rglob("*.json*")}
    assert any(file.name == "time.json" for file in made)
    again = command(*arguments)
    assert again.returncode == 0, again.stderr
    assert made == {file: file.stat().st_mtime for file in made}

    run = tmp_path / "out" / "row02" / "run"
    for changed, sentence in (
        ([*arguments[:4], 3, *arguments[5:]], "steps (stored 2, now 3)"),
        ([*arguments, "--run", f"2={run}"], f"run (stored None, now '{run}')"),
    ):
        other = command(*changed)
        assert other.returncode == 2 and sentence in other.stderr


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    """A labelled NYU of three training and two test frames, rendered."""
    folder = tmp_path_factory.mktemp("nyu")
    write_layout(Rooms(3, (64, 64)), folder, "labelled", Rooms(2, (64, 64), split="test"), scenes=3)
    return folder


SMALL = ("size=[64, 64]", "batch_size=1", "weights=none", "augmentation.crop=null")


def test_a_row_on_a_data_set(nyu, tmp_path):
    """Scored under both protocols; a later report of other settings says the same of it."""
    real = {"folders": {"nyu": nyu}, "steps": 2, "changes": SMALL}
    plans = planning.plan("jetson_fcnn", tmp_path / "out", **real)
    row.train(plans[-1])
    row.score(plans[-1])
    for each in ("paper", "standard"):
        scores = json.loads((tmp_path / "out/row16" / each / "report.json").read_text())
        assert not scores["synthetic"] and len(scores["frames"]) == 2
    texts = []
    for plan in (plans, planning.plan("jetson_fcnn", tmp_path / "out", steps=0)):
        report.write(plan, tmp_path / "out", "command")
        texts.append((tmp_path / "out" / "report.md").read_text())
    assert texts[0] == texts[1]
    headings = re.findall(r"^#+ .*", texts[0], re.MULTILINE)
    assert headings[0] == "# jetson_fcnn, published and here: errors on NYU Depth v2"
    assert not any("rendered" in heading for heading in headings)
    assert "**here, NYU Depth v2, 2 steps**" in texts[0] and "Rendered frames" not in texts[0]
    assert "NYU Depth v2 of 64x64, batch 1, 2 steps." in texts[0] and "`batch_size=1`" in texts[0]

    run = tmp_path / "out/row16/run"
    (*_, given) = planning.plan("jetson_fcnn", tmp_path / "given", runs={16: run})
    row.train(given)
    assert not (given.folder / "run").exists(), "it is trained already"
    row.score(given)
    scores = [
        json.loads((tmp_path / name / "row16/paper/report.json").read_text())["scores"]
        for name in ("out", "given")
    ]
    assert scores[0] == scores[1]


def test_frames_of_the_training_are_said_to_be_such(nyu, tmp_path):
    """The first labelled images, which irv2_unet's table is of, are training images too."""
    plans = planning.plan("irv2_unet", tmp_path, folders={"nyu": nyu}, steps=1, changes=SMALL)
    vgg = next(plan for plan in plans if plan.row.architecture == "vgg19_unet")
    row.train(vgg)
    row.score(vgg)
    report.write(plans, tmp_path, "command")
    assert "it was trained on 3 of the 5 frames" in (tmp_path / "report.md").read_text()

    file = vgg.folder / "run" / "model.keras"  # alone, it does not say on what
    (given,) = (
        plan
        for plan in planning.plan(
            "irv2_unet", tmp_path / "given", folders={"nyu": nyu}, runs={vgg.row.row: file}
        )
        if plan.run
    )
    row.train(given)
    row.score(given)
    report.write([given], tmp_path / "given", "command")
    text = (tmp_path / "given" / "report.md").read_text()
    assert "NYU Depth v2; whether it was trained on them is not known" in text


def test_a_row_that_nothing_can_score_fails(nyu, tmp_path):
    """A folder of no run: `run` says so, and the report why there is no score."""
    plans = planning.plan(
        "jetson_fcnn", tmp_path / "out", folders={"nyu": nyu}, runs={16: tmp_path}
    )
    row.train(plans[-1])
    with pytest.raises(InputError, match="this folder holds no model.keras"):
        row.score(plans[-1])
    report.write(plans, tmp_path / "out", "command")
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.count("not scored: ") == 2 and "nothing trained yet" in text


def test_a_damaged_result_is_named(tmp_path):
    plans = planning.plan("irv2_unet", tmp_path)
    (tmp_path / "row01").mkdir()
    (tmp_path / "row01" / "time.json").write_text("")
    with pytest.raises(InputError, match="time.json: damaged"):
        report.write(plans, tmp_path, "command")


@pytest.mark.slow
def test_a_reproduction_that_is_killed_goes_on(tmp_path):
    """Killed alone, as by a system short of memory: the process that trains ends with it."""
    small = ["size=[64, 64]", "data={name: synthetic, frames: 8, validation_frames: 2}"]
    settings = [part for change in (*small, "batch_size=2") for part in ("--set", change)]
    arguments = ["mobile_unet", "--rows", 2, "--steps", 40, "--output", tmp_path, *settings]
    words = [sys.executable, "-m", "keras_depth.reproduce", *map(str, arguments)]
    log = tmp_path / "row02" / "run" / "log.jsonl"
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 1)
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
        children = [int(line) for line in found.stdout.split()]
        process.kill()
    assert children
    _wait_for(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children))
    steps = len(log.read_text().splitlines())
    assert steps < 40
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()][-1] == 40
    assert "**here, rendered rooms, 40 steps**" in (tmp_path / "report.md").read_text()


def _wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("paper", published.papers())
def test_every_row_is_counted_and_one_trained(paper, tmp_path):
    row = CHEAPEST[paper]
    changes = ["--set", "data.frames=8", "--set", "data.validation_frames=2"]
    done = command(paper, "--rows", row, "--steps", 3, "--output", tmp_path / "out", *changes)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "report.md").read_text()
    rows = cells(text, "## Parameters")
    assert set(rows) == {each.row for each in published.rows(paper)}
    for each in published.rows(paper):
        network = recipes.load(each.recipe)
        counted = rows[each.row]
        if not network.options:
            known = models.get(each.architecture).parameters[0]
            assert counted["parameters"] == f"{known:,}"
        assert counted.get("", "") == AGREEMENT.get(paper, {}).get(each.row, "")
        assert counted["input, h x w"] == "{}x{}".format(*each.input_size)
        if each.row in GMAC[paper]:
            assert float(counted["GMAC"]) == pytest.approx(GMAC[paper][each.row], rel=0.008)
    report_file = tmp_path / "out" / f"row{row:02}" / "paper" / "report.json"
    assert json.loads(report_file.read_text())["synthetic"]
    assert "**here, rendered" in text and "## Times" in text


def test_agreement_with_what_is_printed():
    agrees = tables.agreement
    assert agrees(None, 5) == "" and agrees(31.15, 31_159_265) == "agrees, cut off"
    assert agrees(22.37, 22_370_305) == "agrees" and agrees(3.59, 3_589_870) == "agrees, rounded"
    assert agrees(30.36, 30_343_150) == "nearly: -0.06%" and agrees(10, 5_000_000) == "-50.00%"
