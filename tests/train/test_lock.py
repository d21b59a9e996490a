"""One process at a time trains in a run folder."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from keras_depth.errors import InputError
from keras_depth.run_folder import RunFolder
from keras_depth.train import lock, loop
from tests.helpers.tiny import recipe

HOLDER = """
import sys, time
from pathlib import Path
from keras_depth.train import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("tiny_networks")
def test_a_second_process_says_who_holds_the_folder(holder, tmp_path):
    host = re.escape(socket.gethostname())
    message = (
        rf"run: process {holder.pid} on {host}, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC, trains in"
        " this folder; wait until it has ended, stop it, or give --output another folder"
    )
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match=message):
        loop.train(recipe(), folder)
    assert [file.name for file in folder.path.iterdir()] == [".lock"], "nothing was written"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock.hold(folder.path):
        assert str(os.getpid()) in (folder.path / ".lock").read_text()


def test_it_is_given_back_when_the_block_ends(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), lock.hold(tmp_path / "run"):
            with pytest.raises(InputError, match="trains in this folder"):
                with lock.hold(tmp_path / "run"):
                    pass
            raise KeyboardInterrupt


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process trains in this folder"):
            with lock.hold(tmp_path):
                pass


def test_a_disk_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="this disk has no locks .No locks available., so take"):
        with lock.hold(tmp_path / "run"):
            pass


def test_a_disk_that_refuses_to_write(tmp_path):
    (tmp_path / ".lock").symlink_to("/dev/full")
    with pytest.raises(InputError, match=".lock: cannot be written"):
        with lock.hold(tmp_path):
            pass
