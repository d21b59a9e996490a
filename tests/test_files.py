"""Files that are written whole or not at all."""

import pytest

from keras_depth.errors import InputError
from keras_depth.files import replacing, write_bytes


def test_a_failed_write_leaves_the_old_file_and_no_half_one(tmp_path):
    file = tmp_path / "a.npy"
    write_bytes(file, b"old")
    with pytest.raises(InputError, match="a.npy: cannot be written .No space left"):
        with replacing(file) as partial:
            partial.write_text("half")
            raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == b"old"
