"""The scripts of evaluation/ start, and say what they are for."""

import os
import runpy
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "evaluation").rglob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script, monkeypatch, capsys):
    """In this process: a fresh one loads TensorFlow anew."""
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    # As Python starts a script: its own folder comes first.
    monkeypatch.setattr(sys, "path", [str((ROOT / script).parent), *sys.path])
    # Some set variables for what they start.
    with patch.dict(os.environ), pytest.raises(SystemExit) as left:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert left.value.code == 0
    documentation = (ROOT / script).read_text().split('"""')[1]
    assert documentation.splitlines()[0] in " ".join(capsys.readouterr().out.split())
