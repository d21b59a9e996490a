"""The command from its arguments to its report, and again after it was killed."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_depth import models, published, recipes
from keras_depth.reproduce import __main__ as reproduce
from keras_depth.reproduce import row, run
from tests.helpers import tiny
from tests.helpers.commands import call

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
# Of each paper the row that is timed in the shortest time.
CHEAPEST = {"jetson_fcnn": 16, "optidepthnet": 7, "irv2_unet": 3, "mobile_unet": 2, "msfnet": 3}
# The other papers' rows are trained in the test above and in test_row.py.
TRAINED = ("optidepthnet", "msfnet")


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


@pytest.fixture
def here(monkeypatch):
    """Does rows in this process, and times tiny networks: `command` does neither."""
    measure = row._measure_time

    def measure_tiny(*plans):
        with pytest.MonkeyPatch.context() as patch:
            for plan in plans:
                tiny.stand_in(patch, plan.row.architecture)
            return measure(*plans)

    monkeypatch.setattr(run, "_run_in_process", lambda *row: run._do_row(*row) or 0)
    monkeypatch.setattr(row, "_measure_time", measure_tiny)


@pytest.mark.slow
def test_a_row_from_nothing_to_its_report(tmp_path, here, capsys):
    """Of mobile_unet, whose networks are the smallest: killed, resumed, and asked for again.

    What follows has nothing left to do, and needs no process.
    """
    small = ["size=[64, 64]", "data={name: rooms, frames: 8, validation_frames: 2}"]
    settings = [part for change in (*small, "batch_size=2") for part in ("--set", change)]
    arguments = ["mobile_unet", "--rows", 2, "--steps", 40, "--output", tmp_path / "out", *settings]
    log = tmp_path / "out" / "row02" / "run" / "log.jsonl"
    assert _kill_after_two_rows(log, arguments) < 40
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()][-1] == 40
    text = (tmp_path / "out" / "report.md").read_text()
    for heading in re.findall(r"^#+ .*", text, re.MULTILINE):
        ours = "What can be reproduced" in heading or "quotes" in heading
        assert ours or "rendered rooms" in heading, heading
    assert "| 2 | SqueezeNet" in text and "**here, rendered rooms, 40 steps**" in text
    counts = cells(text, "## Parameters")
    assert len(counts) == 5 and counts[2]["parameters"] == "4,083,201"
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 and 'src="figures' not in page
    assert not re.search(r'(src|href)="https?:', page), "needs nothing beside it"

    made = {file: file.stat().st_mtime for file in (tmp_path / "out" / "row02").rglob("*.json*")}
    assert any(file.name == "time.json" for file in made)
    assert call(reproduce, arguments) == 0
    assert made == {file: file.stat().st_mtime for file in made}, "nothing is done twice"

    trained = tmp_path / "out" / "row02" / "run"
    for changed, sentence in (
        ([*arguments[:4], 3, *arguments[5:]], "steps (stored 40, now 3)"),
        ([*arguments, "--run", f"2={trained}"], f"run (stored None, now '{trained}')"),
    ):
        assert call(reproduce, changed) == 2
        assert sentence in capsys.readouterr().err


def _kill_after_two_rows(log, arguments):
    """Kills the command alone, as a system short of memory does; returns the rows it has written.

    The process that trains ends with it.
    """
    words = [sys.executable, "-m", "keras_depth.reproduce", *map(str, arguments)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 1)
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
        children = [int(line) for line in found.stdout.split()]
        process.kill()
    assert children
    _wait_for(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children))
    return len(log.read_text().splitlines())


def _wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("here", "networks_are_freed")
@pytest.mark.parametrize("paper", published.papers())
def test_every_row_is_counted(paper, tmp_path):
    """And one is trained, where no other test trains one of the paper."""
    number, steps = CHEAPEST[paper], 2 if paper in TRAINED else 0
    changes = ["--set", "data.frames=8", "--set", "data.validation_frames=2"]
    changes += ["--set", "size=[128, 128]", "--set", "batch_size=1"]
    asked = ["--rows", number, "--steps", steps, "--output", tmp_path / "out", *changes]
    assert call(reproduce, [paper, *asked]) == 0
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
    assert "## Times" in text
    if steps:
        report_file = tmp_path / "out" / f"row{number:02}" / "paper" / "report.json"
        assert json.loads(report_file.read_text())["rendered"]
        assert "**here, rendered" in text
