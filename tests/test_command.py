"""How a command ends: one sentence for what a user can mend, a traceback for our own faults."""

import argparse
import errno
import shlex
import subprocess
import sys
import warnings

import pytest
import tensorflow as tf
import yaml

from keras_depth import command
from keras_depth.errors import InputError


def end(error, capsys):
    """Runs a command that ends with an error; returns its exit code and what it says."""

    def main():
        raise error

    with pytest.raises(SystemExit) as left:
        command.run(main)
    return left.value.code, capsys.readouterr().err


FULL = "/disk/run/variables: No space left on device [Op:SaveV2]"
SENTENCES = {
    "bad input": (InputError("a.png: missing"), "error: a.png: missing"),
    "full disk": (
        OSError(errno.ENOSPC, "No space left on device", "/disk/log.jsonl"),
        "error: /disk/log.jsonl: No space left on device",
    ),
    "no path": (OSError(errno.EIO, "Input/output error"), "error: this machine: Input/output"),
    "a library's own": (OSError("cannot identify image file"), "error: this machine: cannot ident"),
    "TensorFlow's full disk": (
        tf.errors.ResourceExhaustedError(None, None, f"{FULL}\nmore"),
        f"error: {FULL}\n",
    ),
    "TensorFlow's missing file": (
        tf.errors.NotFoundError(None, None, "/disk/saved_model.pb; No such file or directory"),
        "error: /disk/saved_model.pb; No such file",
    ),
    "a damaged file": (
        tf.errors.DataLossError(None, None, "corrupted record at 0 in /disk/a.tfrecord"),
        "error: corrupted record at 0 in /disk/a.tfrecord",
    ),
    "a name that is no UTF-8": (
        UnicodeEncodeError("utf-8", "/disk/caf\udce9", 9, 10, "surrogates not allowed"),
        r"error: /disk/caf\udce9: a name that is not UTF-8, which TensorFlow cannot open; rename",
    ),
}


@pytest.mark.parametrize(("error", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_one_sentence(error, sentence, capsys):
    code, said = end(error, capsys)
    assert code == 2 and said.startswith(sentence) and said.count("\n") == 1


def test_a_reader_that_has_enough():
    """As `head` ends."""
    code = "import sys; from keras_depth import command; command.run(lambda: print('a\\n' * 99999))"
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} | head -1",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("a\n", "")


def test_the_next_command_can_be_typed(capsys):
    command.suggest("predict", "my run", "caf\udce9", "it's")
    line = capsys.readouterr().out.removeprefix("next: ")
    words = ["python", "-m", "keras_depth.predict", "my run", b"caf\xe9", "it's"]
    typed = subprocess.run(["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True).stdout
    assert typed.splitlines() == [w if isinstance(w, bytes) else w.encode() for w in words]


def test_ctrl_c(capsys):
    assert end(KeyboardInterrupt(), capsys) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "error", [ValueError("ours"), tf.errors.InvalidArgumentError(None, None, "a graph's")]
)
def test_our_own_faults_keep_their_traceback(error):
    def main():
        raise error

    with pytest.raises(type(error)):
        command.run(main)


def test_a_warning_is_a_sentence(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", None)
    with pytest.raises(SystemExit):
        command.run(lambda: None)
    said = warnings.formatwarning("frames are missing", UserWarning, "reader.py", 3)
    assert said == "warning: frames are missing\n"
    said = warnings.formatwarning("old", DeprecationWarning, "keras.py", 5)
    assert said.startswith("keras.py:5: DeprecationWarning: old")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("0360", 360), ("-007", -7), ("0", 0), ("0x10", 16), ("2011-09-26_x", None)],
)
def test_yaml_values(text, value):
    assert command.parse_yaml(text) == (text if value is None else value)


@pytest.mark.parametrize(
    "text",
    [
        "2011-09-31",
        "0b_",
        "!!int x",
        "!!float x",
        "!!timestamp x",
        "[" * 9000,
        "{a: 1, a: 3}",
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_none(text):
    with pytest.raises(yaml.YAMLError):
        command.parse_yaml(text)
    with pytest.raises(argparse.ArgumentTypeError, match="is not a YAML value"):
        command.setting(f"key={text}")


def test_what_is_printed_survives_any_terminal(capsys):
    def main():
        print("caf\udce9 δ1", file=sys.stdout)

    with pytest.raises(SystemExit) as left:
        command.run(main)
    assert left.value.code == 0 and r"caf\udce9 δ1" in capsys.readouterr().out
