"""A row is trained and scored on a data set, and its report says on what."""

import json
import re

import pytest

from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.reproduce import plan as planning
from keras_depth.reproduce import report, row
from tests.helpers.write_nyu import write_layout


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    """A labelled NYU of three training and two test frames, rendered."""
    folder = tmp_path_factory.mktemp("nyu")
    write_layout(Rooms(3, (64, 64)), folder, "labelled", Rooms(2, (64, 64), split="test"), scenes=3)
    return folder


SMALL = ("size=[64, 64]", "batch_size=1", "weights=none", "augmentation.crop=null")


@pytest.mark.slow
def test_a_row_on_a_data_set(nyu, tmp_path):
    """Scored under both protocols; a later report of other settings says the same of it."""
    real = {"folders": {"nyu": nyu}, "steps": 2, "changes": SMALL}
    plans = planning.plan("jetson_fcnn", tmp_path / "out", **real)
    row.train(plans[-1])
    row.score(plans[-1])
    for each in ("paper", "standard"):
        scores = json.loads((tmp_path / "out/row16" / each / "report.json").read_text())
        assert not scores["rendered"] and len(scores["frames"]) == 2
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


@pytest.mark.slow
def test_identical_rows_are_counted_and_timed_once(tmp_path, monkeypatch):
    """Of msfnet's rows 1, 6 and 7 differ in their loss alone; row 3 is compared with itself."""
    built, called = [], []

    def build(name, shape, **_):
        built.append((name, shape))
        return lambda: called.append(name)

    monkeypatch.setattr(row, "create_model", build)
    monkeypatch.setattr(row, "_count", lambda model: {"macs": len(built)})
    monkeypatch.setattr(row.reparameterize, "reparameterize_model", lambda model: model)
    monkeypatch.setattr(row.timing, "inference", lambda model, batch: model)
    plans = planning.plan("msfnet", tmp_path, steps=0)
    counts = {each.row.row: row.count(each, plans) for each in plans}
    assert counts[1] == counts[6] == counts[7] and len(built) == 5
    assert (tmp_path / "row07" / "counts.json").exists()

    built.clear()
    by_row = {each.row.row: each for each in plans}
    times = {n: row.measure_time(by_row[n], by_row[3], plans) for n in (7, 1, 6, 3)}
    assert times[1] == times[6] == times[7] and times[7]["reference"] == 3
    assert built == [("msfnet_baseline", (228, 304, 3)), ("msfnet", (228, 304, 3))] + built[:1]
    assert times[3]["range"] == [1, 1] and times[3]["seconds"] == times[3]["reference_seconds"]
    assert called.count("msfnet_baseline") == 2 * called.count("msfnet")
    # Another size, option or architecture is another network.
    row.measure_time(by_row[2], by_row[3], plans)
    assert built[-1] == ("msfnet", (385, 513, 3))
    jetson = planning.plan("jetson_fcnn", tmp_path)
    assert len({each.network for each in jetson}) == len(jetson)
    unet = {each.row.row: each.network for each in planning.plan("mobile_unet", tmp_path)}
    assert unet[4] == unet[5] and len(set(unet.values())) == 4


@pytest.mark.slow
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
