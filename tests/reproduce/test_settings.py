"""A row with results refuses other settings, and a folder another paper."""

import pytest

from keras_depth.errors import InputError
from keras_depth.reproduce import plan as planning
from keras_depth.reproduce import settings


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
        ({"steps": 2, "folders": {"nyu": tmp_path}}, "data \\(stored 'rooms', now 'nyu'\\)"),
        ({"runs": {1: tmp_path}}, "run \\(stored None"),
    ):
        with pytest.raises(InputError, match=sentence):
            settings.check(plans(**changed))
    (tmp_path / "row01" / "settings.json").write_text("{")
    with pytest.raises(InputError, match="settings.json: damaged .*; restore it, or delete it"):
        settings.check(plans(steps=2))
