"""The machines that train together, as the environment variable TF_CONFIG names them.

Schedulers set it on every machine, of a single one too, which trains as if it were not set.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_depth.errors import InputError, first_line

_EXAMPLE = (
    '{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_TRAINING = ("chief", "worker")  # the jobs whose machines train
_OTHERS = ("evaluator", "ps")  # which take no part, and need not stand in the cluster


@dataclass(frozen=True)
class Cluster:
    """Several machines, and the place of this one among them.

    Attributes:
        jobs: "chief" (at most one machine), "worker" -> addresses, `host:port`.
        job: this machine's.
        index: of this machine among those of its job.
    """

    jobs: dict[str, list[str]]
    job: str
    index: int


def find() -> Cluster | None:
    """Reads TF_CONFIG; None: this machine trains alone.

    Raises:
        InputError: it is not JSON or not of its form, or this machine is none of those that train.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        return None
    try:
        config = json.loads(text) or {}
    except json.JSONDecodeError as error:
        raise _refuse(f"is not JSON ({error})") from error
    cluster, task = _section(config, "cluster"), _section(config, "task")
    if "master" in cluster:  # TensorFlow 1's word
        cluster = {"chief": cluster["master"], **cluster}
        task = {**task, "type": "chief"} if task.get("type") == "master" else task
    jobs = {name: addresses for name in _TRAINING if (addresses := _addresses(cluster, name))}
    if len(jobs.get("chief", [])) > 1:
        raise _refuse("names several machines as chief")
    machines = sum(map(len, jobs.values()))
    if machines > 1 and not task:
        raise _refuse("names several machines, but no task, which says which of them this one is")
    alone = machines < 2 and task.get("type") is None
    job, index = ("", 0) if alone else _place(task, jobs, cluster)
    return Cluster(jobs, job, index) if machines > 1 else None


def _section(config: Any, name: str) -> dict[str, Any]:
    """Returns a part of TF_CONFIG; {}: it has none."""
    section = (config.get(name) or {}) if isinstance(config, dict) else None
    if not isinstance(section, dict):
        raise _refuse(f"holds no {name} of the form that TensorFlow reads")
    return section


def _addresses(cluster: dict[str, Any], job: str) -> list[str]:
    addresses = cluster.get(job) or []
    if not isinstance(addresses, list) or not all(isinstance(each, str) for each in addresses):
        raise _refuse(f"names no list of host:port as {job}")
    return addresses


def _place(
    task: dict[str, Any], jobs: dict[str, list[str]], cluster: dict[str, Any]
) -> tuple[str, int]:
    """Returns this machine's job and its index."""
    job, index = str(task.get("type")), str(task.get("index", 0))
    if not cluster:
        return job, 0
    if job not in jobs and job in (*cluster, *_OTHERS):
        raise InputError(
            f"TF_CONFIG gives this machine the task {job!r}, which has no part in this training:"
            " the workers share the batch, and the first of them validates; start train on the"
            " workers alone"
        )
    if job not in jobs:
        raise _refuse(f"gives this machine the task {job!r}, and its cluster has no such job")
    if not index.isdecimal() or int(index) >= len(jobs[job]):
        count = len(jobs[job])
        raise _refuse(f"gives this machine index {index} of {job}, and its cluster has {count}")
    return job, int(index)


def _refuse(problem: str) -> InputError:
    return InputError(
        f"TF_CONFIG {problem}; unset it to train on this machine alone, or write it as {_EXAMPLE}"
    )


def is_chief() -> bool:
    """Returns whether this machine writes the run folder; exactly one does."""
    cluster = find()
    return cluster is None or (cluster.job, cluster.index) == (next(iter(cluster.jobs)), 0)


def make_strategy() -> tf.distribute.Strategy:
    """Makes what distributes a step: over machines, over the GPUs of this one, or over nothing.

    Raises:
        InputError: TF_CONFIG is wrong, or this machine cannot take its place in the cluster.
    """
    cluster = find()
    if cluster is None:
        if len(tf.config.list_physical_devices("GPU")) > 1:
            return tf.distribute.MirroredStrategy()
        return tf.distribute.get_strategy()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.jobs),
        task_type=cluster.job,
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise InputError(
            f"TF_CONFIG: this machine, {cluster.jobs[cluster.job][cluster.index]}, cannot join the"
            f" others ({first_line(error)}); check the addresses, and that the ports are free"
        ) from error
