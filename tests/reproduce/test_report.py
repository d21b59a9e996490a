"""A report names a damaged result."""

import pytest

from keras_depth.errors import InputError
from keras_depth.reproduce import plan as planning
from keras_depth.reproduce import report


def test_a_damaged_result_is_named(tmp_path):
    plans = planning.plan("irv2_unet", tmp_path)
    (tmp_path / "row01").mkdir()
    (tmp_path / "row01" / "time.json").write_text("")
    with pytest.raises(InputError, match="time.json: damaged"):
        report.write(plans, tmp_path, "command")
