"""Times networks in several runtimes, each in a process of its own, in turn."""

import math
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth import markdown
from keras_depth.benchmark import macs
from keras_depth.benchmark.timing import threads
from keras_depth.encodings import ENCODINGS
from keras_depth.environment import devices, environment
from keras_depth.errors import InputError
from keras_depth.export import exporter, worker
from keras_depth.export.request import Request
from keras_depth.export.worker import Worker
from keras_depth.predict.keras_network import encoding_of

FORMATS = {"tensorflow": "saved_model", "onnxruntime": "onnx", "litert": "litert"}
_FOCAL_BASELINE = 100.0  # of networks that write disparity; no time depends on it


def compare(
    models: Mapping[str, keras.Model], runtimes: list[str], batch: int, repeats: int
) -> dict[str, Any]:
    """Exports networks in float32 and times them in several runtimes.

    Args:
        models: by name.
        runtimes: of `FORMATS`.
        batch: images at once.
        repeats: timed calls of each network in each runtime.

    Returns:
        What `report` prints and --json writes: "rows", and what their times depend on. A row has
        "architecture", "runtime", "size", "parameters", "macs", "median" and "percentile_95" in
        milliseconds, "images_per_second", and "peak_memory" in bytes.

    Raises:
        InputError: a runtime is not installed, or a network cannot be exported.
    """
    with ExitStack() as stack:
        workers = {
            (name, runtime): stack.enter_context(_start(stack, model, runtime, batch))
            for name, model in models.items()
            for runtime in runtimes
        }
        seconds = _time_in_turns(workers, repeats)
        peaks = {key: one.peak() for key, one in workers.items()}
    rows = [
        {
            "architecture": name,
            "runtime": runtime,
            **_describe(models[name]),
            **_statistics(seconds[name, runtime], batch),
            "peak_memory": peaks[name, runtime],
        }
        for name, runtime in workers
    ]
    return {
        "rows": rows,
        "precision": "fp32",
        "batch": batch,
        "repeats": repeats,
        "threads": threads(),
        "environment": environment(),
    }


def report(result: dict[str, Any]) -> str:
    """Returns the result of `compare` as a Markdown table and a line on the conditions."""
    lines = markdown.table(
        ("model", "input", "parameters", "GMAC", "runtime", "median, ms", "p95, ms", "images/s")
        + ("peak memory, MB",),
        [_cells(row) for row in result["rows"]],
        "llrrlrrrr",
    )
    conditions = (
        f"fp32, batch {result['batch']}, on {devices(result['environment'])} with"
        f" {result['threads']['within_operations']} threads; uint8 images in, metres out;"
        f" {result['repeats']} calls of each, in turn, each model in each runtime in a process of"
        " its own"
    )
    return "\n".join([*lines, "", conditions])


def _start(stack: ExitStack, model: keras.Model, runtime: str, batch: int) -> Any:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    model.save(folder / "model.keras")
    request = Request(
        folder,
        FORMATS[runtime],
        folder / "exported",
        batch=batch,
        focal_baseline=_FOCAL_BASELINE if ENCODINGS[encoding_of(model)].stereo else None,
        limit=math.inf,  # with random weights rounding may matter little or much
    )
    return worker.start(exporter.export(request)[0].folder, batch)


def _time_in_turns(workers: Mapping[Any, Worker], repeats: int) -> dict[Any, list[float]]:
    """Returns the seconds of each call; calls alternate, so that other load affects all alike."""
    seconds: dict[Any, list[float]] = {key: [] for key in workers}
    try:
        for _ in range(repeats):
            for key, one in workers.items():
                seconds[key] += one.time(1)
    except InputError as error:
        raise InputError(
            f"{error}. All networks are in memory at once; give fewer --arch, or a smaller --size"
            " or --batch"
        ) from error
    return seconds


def _describe(model: keras.Model) -> dict[str, Any]:
    return {
        "size": list(model.inputs[0].shape[1:3]),
        "parameters": macs.parameters(model)["all"],
        "macs": macs.count(model),
    }


def _statistics(seconds: list[float], batch: int) -> dict[str, float]:
    median, high = np.percentile(1000 * np.array(seconds), (50, 95)).tolist()
    return {
        "median": median,
        "percentile_95": high,
        "images_per_second": 1000 * batch / median,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    height, width = row["size"]
    return [
        f"`{row['architecture']}`",
        f"{height}x{width}",
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['macs'] / 1e9:.2f}",
        row["runtime"],
        f"{row['median']:.1f}",
        f"{row['percentile_95']:.1f}",
        f"{row['images_per_second']:.1f}",
        f"{row['peak_memory'] / 1e6:,.0f}",
    ]
