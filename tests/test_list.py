"""The command that shows what there is."""

import sys

from keras_depth import list as list_command
from keras_depth import models, presets


def test_shows_presets_and_networks(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["list"])
    assert list_command.main() == 0
    printed = capsys.readouterr().out
    first, second = printed.split("Networks: for `train --arch`")
    for name in presets.list_presets():
        (line,) = (line for line in first.splitlines() if line.startswith(f"| {name} "))
        assert presets.read_card(presets.find(name))["architecture"] in line
        assert "abs_rel 0." in line and "MB" in line
    for name in models.list_architectures():
        (line,) = (line for line in second.splitlines() if line.startswith(f"| {name} "))
        assert f"{models.get(name).parameters[0]:,}" in line
