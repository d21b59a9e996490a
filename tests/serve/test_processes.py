"""Several processes with a network each: the example of docs/serving.md, run as a program."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers.docs_blocks import blocks
from tests.helpers.exporting import bright_is_far


@pytest.mark.slow
def test_spawned_processes_estimate_depth(tmp_path):
    (program,) = [text for _, text in blocks("docs/serving.md") if "multiprocessing" in text]
    (tmp_path / "depths.py").write_text(program)
    (tmp_path / "runs" / "rooms").mkdir(parents=True)
    bright_is_far().save(tmp_path / "runs" / "rooms" / "model.keras")
    cv2.imwrite(str(tmp_path / "room.jpg"), np.full((32, 48, 3), 51, np.uint8))
    done = subprocess.run(
        [sys.executable, "depths.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == pytest.approx([2.0, 2.0], rel=1e-3)
