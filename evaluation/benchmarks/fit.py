"""Tests whether measured times of all networks lie within what `keras-depth fit --board this` says.

    python evaluation/benchmarks/fit.py --output runs/fit

Exports each network with random weights to ONNX, times it in ONNX Runtime, and measures this
machine's peaks and the efficiency of single layers before, half-way and after, as other work on the
machine comes and goes. No network takes part in the measurement that the prediction comes from.
Leaves with 1 if a time lies outside. Writes a file a network into the folder, as `run.py --bench`
writes it, for `evaluation/draw_boards.py`.

    python evaluation/benchmarks/fit.py --tx2

Compares the times that the paper jetson_fcnn published of its networks on a Jetson TX2 instead.
"""

import argparse
import dataclasses
import datetime
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_depth.command import count, load_tensorflow, run
from keras_depth.files import make_folder, write_text
from keras_depth.markdown import table

# Networks that take seconds a picture at their own size.
SMALLER = dict.fromkeys(("msfnet", "msfnet_baseline", "msfnet_usf", "msfnet_usf_cbam"), (128, 160))
WARM_UP = 2
HEADINGS = ("network", "input", "GMAC", "at least, ms", "typically, ms", "measured, ms",
            "at most, ms", "measured / typically", "inside")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arch", nargs="+", help="networks (all)")
    parser.add_argument("--repeats", type=count, default=10, help="timed calls of each (10)")
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add("--output", type=Path, help="folder of the measured times")
    add("--tx2", action="store_true", help="compare published times on a Jetson TX2")
    arguments = parser.parse_args()
    if arguments.output:
        make_folder(arguments.output)
    load_tensorflow()
    from keras_depth import models

    if arguments.tx2:
        return judge_tx2(analyze)
    with tempfile.TemporaryDirectory() as scratch:
        networks = [
            export(name, Path(scratch) / name) for name in arguments.arch or models.ARCHITECTURES
        ]
        return judge(networks, arguments.output, arguments.repeats)


def export(name, folder):
    """Writes a network as ONNX; returns its layers and the file."""
    import keras

    from keras_depth.export import onnx
    from keras_depth.fit import layers
    from keras_depth.models import create_model

    shape = (*SMALLER[name], 3) if name in SMALLER else None
    exported = layers.to_exported(create_model(name, shape))
    folder.mkdir()
    onnx.write(exported, folder)
    network = layers.analyze_exported(exported)
    keras.backend.clear_session()
    return network, folder / "model.onnx"


def analyze(name, size):
    """Returns the layers of a network at a size."""
    import keras

    from keras_depth.fit import layers
    from keras_depth.models import create_model

    network = layers.analyze(create_model(name, (*size, 3)))
    keras.backend.clear_session()
    return network


def judge_tx2(analyze):
    """Prints published times and their bounds; returns 1 if one is outside in both precisions."""
    from keras_depth import published
    from keras_depth.fit import boards, roofline

    board = boards.read_boards()["tx2"]
    rows, outside, networks = [], 0, {}
    for row in published.rows("jetson_fcnn"):
        key = row.architecture, row.input_size
        if key not in networks:
            networks[key] = analyze(*key)
        network, seconds = networks[key], row.seconds["tx2"]
        fits = [roofline.fit(network, board, precision) for precision in ("fp32", "fp16")]
        inside = [fit.low <= seconds <= fit.high for fit in fits]
        outside += not any(inside)
        bounds = [1e3 * each for fit in fits for each in (fit.low, fit.typical, fit.high)]
        rows.append(
            [
                row.row,
                f"`{row.architecture}`",
                "x".join(map(str, row.input_size)),
                f"{network.macs / 1e9:.1f}",
                f"{1e3 * seconds:.0f}",
                *(f"{each:.0f}" for each in bounds),
                ", ".join("yes" if each else "no" for each in inside),
            ]
        )
    header = ("row", "network", "input", "GMAC", "published, ms")
    header += tuple(f"{precision} {bound}" for precision in ("fp32", "fp16")
                    for bound in ("at least", "typically", "at most"))  # fmt: skip
    print("\n".join(table((*header, "inside: fp32, fp16"), rows, "rllrrrrrrrrl")))
    return 1 if outside else 0


def judge(networks, output, repeats):
    """Predicts and times networks, and prints both; returns 1 if a time lies outside, else 0."""
    from keras_depth.fit import roofline, this_machine

    boards, times = [this_machine.measure()], []
    for number, (network, file) in enumerate(networks):
        times.append(time_network(file, network.size, repeats))
        if number == len(networks) // 2:
            boards.append(this_machine.measure())
    board = merge([*boards, this_machine.measure()])
    print(f"{board.title}: {board.peaks['fp32'] / 1e9:.1f} billion operations/s,", end=" ")
    print(f"{board.bandwidth / 1e9:.1f} GB/s")
    for kind, share in board.efficiency.items():
        print(f"- {kind}: {share.low:.2f} of the roofline at least, {share.typical:.2f} typically")
    print()
    rows, outside = [], []
    for (network, _), seconds in zip(networks, times, strict=True):
        fit = roofline.fit(network, board, "fp32")
        measured = float(np.median(seconds))
        if not fit.low <= measured <= fit.high:
            outside.append(network.name)
        rows.append(
            [
                f"`{network.name}`",
                f"{network.size[0]}x{network.size[1]}",
                f"{network.macs / 1e9:.2f}",
                *(f"{1e3 * each:.1f}" for each in (fit.low, fit.typical, measured, fit.high)),
                f"{measured / fit.typical:.2f}",
                "no" if network.name in outside else "yes",
            ]
        )
        result = to_bench(network, seconds, board.title)
        write_text(output / f"{network.name}.json", json.dumps(result, indent=2) + "\n")
    print("\n".join(table(HEADINGS, rows, "llrrrrrrl")))
    print(f"\n{len(rows) - len(outside)} of {len(rows)} inside; outside: {outside or 'none'}")
    return 1 if outside else 0


def merge(boards):
    """Returns one board of several measurements of it: the best peaks, the worst efficiencies."""
    from keras_depth.fit.boards import Efficiency

    first = boards[0]
    peak = max(board.peaks["fp32"] for board in boards)
    bandwidth = max(board.bandwidth for board in boards)
    efficiency = {}
    for kind in first.efficiency:
        # Shares of the roofline of one measurement become shares of the common one.
        shares = [
            (board.efficiency[kind], board.peaks["fp32"] / peak, board.bandwidth / bandwidth)
            for board in boards
        ]
        low = min(share.low * min(ratios) for share, *ratios in shares)
        typical = np.exp(np.mean([np.log(share.typical * min(r)) for share, *r in shares]))
        efficiency[kind] = Efficiency(low, float(typical))
    return dataclasses.replace(
        first, peaks={"fp32": peak}, bandwidth=bandwidth, efficiency=efficiency
    )


def time_network(file, size, repeats):
    """Returns the seconds of calls of an ONNX file on noise, in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    seconds = []
    for _ in range(WARM_UP + repeats):
        start = time.perf_counter()
        session.run(None, {"image": image})
        seconds.append(time.perf_counter() - start)
    return np.array(seconds[WARM_UP:])


def to_bench(network, seconds, board):
    """Returns the times of a network as `run.py --bench` writes them."""
    import onnxruntime

    from keras_depth.fit.this_machine import cores

    milliseconds = 1e3 * seconds
    return {
        "format": 1,
        "network": network.name,
        "architecture": network.name.partition("-")[0],
        "parameters": network.weights,
        "input": list(network.size),
        "precision": "fp32",
        "backend": "onnxruntime-cpu",
        "backend_version": onnxruntime.__version__,
        "board": board,
        "machine": platform.machine(),
        "threads": cores(),
        "warm_up": WARM_UP,
        "runs": len(seconds),
        "milliseconds": {
            "median": float(np.median(milliseconds)),
            "p95": float(np.percentile(milliseconds, 95)),
            "min": float(milliseconds.min()),
            "mean": float(milliseconds.mean()),
        },
        "clocks": None,
        "power_watts": None,
        "temperature_celsius": None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "check": None,
    }


if __name__ == "__main__":
    run(main)
