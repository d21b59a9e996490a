"""Runs commands in this process."""

import sys

import pytest

from keras_depth import command


def call(module, arguments) -> int:
    """Runs a command's module as if it had been typed; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            command.run(module.main)
    return exit.value.code
