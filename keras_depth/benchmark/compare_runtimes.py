"""The same networks by several runtimes, timed in turn, each in a process of its own."""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth.benchmark import macs, timing
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError
from keras_depth.export import exporter
from keras_depth.predict.estimator import encoding_of

FORMATS = {"tensorflow": "saved_model", "onnxruntime": "onnx", "litert": "litert"}
_CAMERA = 100.0  # focal length times baseline of a network that writes disparity: any will do


def run(
    models: dict[str, keras.Model], runtimes: list[str], batch: int, repeats: int
) -> list[dict[str, Any]]:
    """Exports networks in float32 and times them.

    Args:
        models: by name.
        runtimes: of `FORMATS`.
        batch: pictures at once.
        repeats: timed calls of each network by each runtime.

    Returns:
        For each network and runtime: "architecture", "runtime", "size", "parameters",
        "multiplications", "median" and "percentile_95" in milliseconds, "pictures_per_second",
        "peak_memory" in bytes.

    Raises:
        InputError: a runtime is not installed, or a network cannot be exported.
    """
    rows = []
    with ExitStack() as stack:
        workers: dict[str, Any] = {}
        for name, model in models.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            model.save(folder / "model.keras")
            for runtime in runtimes:
                exported = _export(folder, model, runtime, batch)
                workers[f"{name} {runtime}"] = stack.enter_context(_worker(exported, batch))
        seconds = timing.seconds(
            {key: partial(_call, worker) for key, worker in workers.items()}, repeats
        )
        for name, model in models.items():
            for runtime in runtimes:
                key = f"{name} {runtime}"
                median, high = np.percentile(1000 * seconds[key], (50, 95)).tolist()
                rows.append(
                    {
                        "architecture": name,
                        "runtime": runtime,
                        "size": list(model.inputs[0].shape[1:3]),
                        "parameters": model.count_params(),
                        "multiplications": macs.count(model),
                        "median": median,
                        "percentile_95": high,
                        "pictures_per_second": 1000 * batch / median,
                        "peak_memory": _finish(workers[key]),
                    }
                )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the rows as a Markdown table."""
    lines = [
        "| network | input | parameters | GMAC | runtime | median, ms | p95, ms | pictures a second"
        " | peak memory, MB |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        height, width = row["size"]
        cells = [
            f"`{row['architecture']}`",
            f"{height}x{width}",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['multiplications'] / 1e9:.2f}",
            row["runtime"],
            f"{row['median']:.1f}",
            f"{row['percentile_95']:.1f}",
            f"{row['pictures_per_second']:.1f}",
            f"{row['peak_memory'] / 1e6:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _export(folder: Path, model: keras.Model, runtime: str, batch: int) -> Path:
    format = FORMATS[runtime]
    request = exporter.Request(
        folder,
        format,
        folder / format,
        batch=batch,
        focal_baseline=_CAMERA if ENCODINGS[encoding_of(model)].stereo else None,
        limit=math.inf,  # random weights may make little of rounding, or much
    )
    return exporter.export(request)[0][0]


@contextmanager
def _worker(folder: Path, batch: int) -> Iterator[Any]:
    with subprocess.Popen(
        [sys.executable, "-m", "keras_depth.export.stopwatch", folder, str(batch)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _call(process: Any) -> None:
    process.stdin.write("\n")
    process.stdin.flush()
    if process.stdout.readline() != "done\n":
        raise InputError(
            "a network ended while it was timed: there may be too little memory for all of them at"
            " once; give fewer --arch, or a smaller --size or --batch"
        )


def _finish(process: Any) -> int:
    return int(process.communicate()[0])
