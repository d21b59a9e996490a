"""The scripts of evaluation/ start, and say what they are for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "evaluation").rglob("*.py"))


@pytest.mark.slow  # each loads TensorFlow anew
@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script):
    command = [sys.executable, script, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    documentation = (ROOT / script).read_text().split('"""')[1]
    assert documentation.splitlines()[0] in " ".join(done.stdout.split())
