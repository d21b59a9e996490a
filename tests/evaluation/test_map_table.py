"""The table of docs/robot.md says what its maps say, and they are drawn; here of few frames."""

import json
import sys
from pathlib import Path

import cv2
import pytest

from evaluation import map_table
from keras_depth.data.rendered.walks import Walks
from tests.helpers.write_tum import write_tum

COUNT = 6  # frames


@pytest.mark.slow
def test_true_depth_of_a_walk_and_a_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walk = Walks(COUNT, size=(120, 160), split="test")
    samples = [walk.stored(i) for i in range(COUNT)]
    write_tum(tmp_path / "kitchen", samples, walk.times, walk.poses)
    camera = ",".join(str(number) for number in walk.intrinsics)
    words = ["--walks", "1", "--recording", "kitchen", "--intrinsics", camera, "--output", "maps"]
    words += ["--set", "data.units_per_metre=5000", "--options", f"frames={COUNT}", "every=2"]
    monkeypatch.setattr(sys, "argv", ["map_table.py", *words])
    map_table.main()
    *_, first, second = Path("maps/table.md").read_text().splitlines()
    for line, name in ((first, "walks:0"), (second, "kitchen")):
        [path] = Path("maps").glob(f"truth-{name.replace(':', '')}-*/map.json")
        said = json.loads(path.read_text())
        assert said["frames"] == COUNT and said["every"] == 2 and not said["keyframe_scale"]
        ape = 100 * said["errors"]["ape_se3_metres"]["rmse"]
        assert line.startswith(f"| truth | {name} | 0 | {ape:.1f} | ")
    assert cv2.imread("maps/map.jpg") is not None
    # A map that is there is not made again.
    said["lost"] = [{"frame": 3, "time": 0.1}]
    path.write_text(json.dumps(said))
    map_table.main()
    assert Path("maps/table.md").read_text().splitlines()[-1].startswith("| truth | kitchen | 1 |")
    # With other options it is another map.
    words[-1] = "every=3"
    monkeypatch.setattr(sys, "argv", ["map_table.py", *words])
    map_table.main()
    assert Path("maps/table.md").read_text().splitlines()[-1].startswith("| truth | kitchen | 0 |")
