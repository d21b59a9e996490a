"""Files that are written whole or not at all."""

from pathlib import Path

import pytest

from keras_depth.errors import InputError
from keras_depth.files import check_writable, make_folder, replacing, write_bytes


def test_a_failed_write_leaves_the_old_file_and_no_half_one(tmp_path):
    file = tmp_path / "a.npy"
    write_bytes(file, b"old")
    with pytest.raises(InputError, match="a.npy: cannot be written .No space left"):
        with replacing(file) as partial:
            partial.write_text("half")
            raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == b"old"


@pytest.mark.parametrize("check", [check_writable, make_folder])
def test_a_folder_that_cannot_be_written_is_found_at_once(tmp_path, check):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(InputError, match=f"{folder}: cannot be written .*; choose another fol"):
            check(folder)
    # Not even root may write there.
    with pytest.raises(InputError, match="/proc/a: cannot be written"):
        check(Path("/proc/a"))
    check(tmp_path / "new" / "folder")
    assert (tmp_path / "new").exists() == (check is make_folder)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "file"]
