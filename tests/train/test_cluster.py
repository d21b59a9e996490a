"""What TF_CONFIG says; `test_loop.py` trains on two machines."""

import json

import pytest
import tensorflow as tf

from keras_depth.errors import InputError
from keras_depth.train import cluster

ONE, TWO = ["a:1"], ["a:1", "b:1"]


def config(jobs, job=None, index=0):
    task = {} if job is None else {"task": {"type": job, "index": index}}
    return json.dumps({"cluster": jobs, **task})


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{}", "null", '{"cluster": {}}', '{"task": {"type": "worker", "index": 0}}'),
        config({"worker": ONE}),
        config({"worker": ONE}, "worker"),
        config({"chief": ONE}, "chief"),
        config({"chief": ONE, "worker": []}, "chief"),
        config({"master": ONE}, "master"),
        '{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}',
        config({"worker": ONE, "evaluator": ["e:1"], "ps": ["p:1"]}, "worker"),
    ],
)
def test_one_machine_trains_as_without(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster.find() is None and cluster.is_chief()
    assert cluster.make_strategy() is tf.distribute.get_strategy()


@pytest.mark.parametrize(
    ("jobs", "job", "index", "chief"),
    [
        ({"worker": TWO}, "worker", 0, True),
        ({"worker": TWO}, "worker", "1", False),
        ({"worker": ONE, "chief": ["c:1"]}, "worker", 0, False),
        ({"worker": ONE, "chief": ["c:1"]}, "chief", 0, True),
        ({"worker": TWO, "ps": ["p:1"]}, "worker", 0, True),
    ],
)
def test_one_of_several_machines(monkeypatch, jobs, job, index, chief):
    monkeypatch.setenv("TF_CONFIG", config(jobs, job, index))
    found = cluster.find()
    assert (found.job, found.index) == (job, int(index)) and "ps" not in found.jobs
    assert cluster.is_chief() == chief


def test_a_master_is_the_chief(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config({"worker": ONE, "master": ["c:1"]}, "master"))
    assert cluster.find() == cluster.Cluster({"chief": ["c:1"], "worker": ONE}, "chief", 0)
    assert cluster.is_chief()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{cluster: a}", "^TF_CONFIG is not JSON .*; unset it to train on this machine alone, or"),
        ("[1]", "holds no cluster of the form"),
        ('{"cluster": "a:1"}', "holds no cluster of the form"),
        ('{"cluster": {}, "task": 0.5}', "holds no task of the form"),
        (config({"worker": "a:1"}), "names no list of host:port as worker"),
        (config({"worker": [1, 2]}), "names no list of host:port as worker"),
        (config({"chief": TWO}, "chief"), "names several machines as chief"),
        (config({"worker": TWO}), "several machines, but no task"),
        (config({"worker": TWO}, "chief"), "the task 'chief', and its cluster has no such job"),
        (config({"worker": TWO}, "worker", 2), "index 2 of worker, and its cluster has 2"),
        (config({"worker": ONE}, "worker", 1), "index 1 of worker, and its cluster has 1"),
        (config({"worker": TWO}, "worker", "x"), "index x of worker"),
        (config({"worker": TWO, "ps": ONE}, "ps"), "the task 'ps', which has no part in this"),
        (config({"worker": ONE, "evaluator": ONE}, "evaluator"), "first of them validates"),
        (config({"chief": ONE}, "evaluator"), "first of them validates"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=message):
        cluster.find()


def test_a_machine_that_cannot_join(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config({"worker": ["localhost:1", "nobody"]}, "worker"))
    with pytest.raises(
        InputError, match="this machine, localhost:1, cannot join the others .*check"
    ):
        cluster.make_strategy()
