"""Scores and times exported networks of several precisions: the table and picture of docs/int8.md.

    python evaluation/benchmarks/int8.py frames --data-dir ~/nyu --output runs/int8/frames
    keras-depth export mobile_interl_nyu --format onnx --precision int8 \\
        --calibration runs/int8/frames --budget 0.003 --output runs/int8/mixed
    python evaluation/benchmarks/int8.py table runs/int8/mixed --data-dir ~/nyu --output runs/int8

`frames` writes NYU's frames for `export --calibration`: as many of training as are held out from
it, which come last, so that those judge. `table` scores the networks on the official test frames,
which chose nothing, and times them in turns.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_depth import depth_png
from keras_depth.command import count, load_tensorflow, run
from keras_depth.files import make_folder, sha256, write_bytes, write_figure, write_text
from keras_depth.images import encode_png, to_uint8
from keras_depth.markdown import table
from keras_depth.predict.exported import MODEL_FILES, read_details
from keras_depth.predict.loading import resolve

HOLD_OUT = 0.05  # as the preset's recipe
HEADINGS = ("network", "layers in 8 bits", "REL", "delta1", "MB", "ms", "time / first")
WARM_UP = 3


def main() -> None:
    arguments = parse()
    load_tensorflow()
    arguments.act(arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    frames = commands.add_parser("frames", help="write the frames for --calibration")
    frames.set_defaults(act=write_frames)
    tabulate = commands.add_parser("table", help="score and time networks")
    tabulate.add_argument("networks", nargs="+", type=Path, help="folders of exports")
    tabulate.add_argument("--frames", type=count, help="of the test frames, evenly spread (all)")
    tabulate.add_argument("--repeats", type=count, default=50, help="timed calls of each (50)")
    tabulate.add_argument("--figure", type=Path, help="picture of the layers, of one with some")
    tabulate.set_defaults(act=write_table)
    for command in (frames, tabulate):
        command.add_argument("--data-dir", type=Path, required=True, help="folder of NYU's file")
        command.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def write_frames(arguments: argparse.Namespace) -> None:
    from keras_depth.data import open_reader
    from keras_depth.data.reader import spread

    held, seen = (
        open_reader("nyu", arguments.data_dir, split, hold_out=HOLD_OUT)
        for split in ("validation", "train")
    )
    samples = [seen[i] for i in spread(len(seen), len(held))] + list(held)
    for name in ("rgb", "depth"):
        make_folder(arguments.output / name)
    for number, sample in enumerate(samples):
        picture, depth = encode_png(to_uint8(sample["image"])), depth_png.encode(sample["depth"])
        write_bytes(arguments.output / "rgb" / f"{number:03}.png", picture)
        write_bytes(arguments.output / "depth" / f"{number:03}.png", depth)
    print(f"{len(samples)} frames in {arguments.output}, the last {len(held)} held out")


def write_table(arguments: argparse.Namespace) -> None:
    from keras_depth.predict.loading import load_exported

    networks = {path.name: load_exported(path) for path in arguments.networks}
    make_folder(arguments.output)
    all_scores = score(arguments.networks, arguments)
    times = time_in_turns(networks, arguments.repeats)
    first = next(iter(times.values()))
    rows = []
    for path in arguments.networks:
        exported, scores = networks[path.name], all_scores[path.name]
        layers = exported.details.get("quantization")
        sizes = [file["bytes"] for name, file in exported.details["files"].items()
                 if name.startswith("model.")]  # fmt: skip
        rows.append((
            f"{path.name}: {exported.details['format']}, {exported.details['precision']}",
            f"{layers['layers'] - len(layers['in_float'])} of {layers['layers']}" if layers else "",
            f"{scores['abs_rel']:.4f}",
            f"{scores['delta1']:.4f}",
            f"{sum(sizes) / 1e6:.1f}",
            f"{times[path.name]:.0f}",
            f"{times[path.name] / first:.2f}",
        ))  # fmt: skip
        if arguments.figure and layers and layers["sensitivity"]:
            draw(arguments.figure, layers["sensitivity"], layers["in_float"])
    text = "\n".join(table(HEADINGS, rows, align="lr" + 5 * "r")) + "\n"
    write_text(arguments.output / "table.md", text)
    print(text)


def score(paths: list[Path], arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Scores networks under nyu_eigen, frame by frame; scores of the same files are kept."""
    from keras_depth import protocols
    from keras_depth.data import open_reader
    from keras_depth.data.reader import spread
    from keras_depth.evaluate import scorer
    from keras_depth.predict.estimator import DepthEstimator

    file = arguments.output / "scores.json"
    scores = json.loads(file.read_text()) if file.is_file() else {}
    reader, protocol = open_reader("nyu", arguments.data_dir, "test"), protocols.get("nyu_eigen")
    frames = spread(len(reader), arguments.frames)
    asked = {p.name: {"frames": len(frames), "sha256": sha256_of(p)} for p in paths}
    estimators = {
        p.name: DepthEstimator.load(p)
        for p in paths
        if not asked[p.name].items() <= scores.get(p.name, {}).items()
    }
    if not estimators:
        return scores
    scorers = {name: scorer.Scorer(protocol) for name in estimators}
    for index in tqdm(frames, unit="frame"):
        sample = reader.stored(index)
        for name, estimator in estimators.items():
            scorers[name].add(sample, estimator(sample["image"], resize=False))
    for name, one in scorers.items():
        means = one.scores()["image"]
        scores[name] = {**asked[name], "abs_rel": means["abs_rel"], "delta1": means["delta1"]}
    write_text(file, json.dumps(scores, indent=1) + "\n")
    return scores


def sha256_of(path: Path) -> str:
    """Returns the checksum of an exported network's file."""
    folder = resolve(path, "exported").path
    return sha256(folder / MODEL_FILES[read_details(folder)["format"]])


def time_in_turns(networks: dict, repeats: int) -> dict[str, float]:
    """Times one call of each in turn, so that other load affects all alike: medians, ms."""
    images = {}
    for name, network in networks.items():
        noise = np.random.default_rng(0).integers(0, 256, (1, *network.input_size, 3), np.uint8)
        images[name] = noise if network.dtype == "uint8" else np.float32(noise / 255)
    times: dict[str, list[float]] = {name: [] for name in networks}
    for call in range(WARM_UP + repeats):
        for name, network in networks.items():
            start = time.perf_counter()
            network(images[name])
            if call >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(values)) for name, values in times.items()}


def draw(path: Path, sensitivity: dict[str, float], in_float: list[str]) -> None:
    """Draws how far each layer alone in 8 bits moves the depth, the worst first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    names = list(sensitivity)
    colors = ["tab:red" if name in in_float else "tab:blue" for name in names]
    axes.bar(range(len(names)), list(sensitivity.values()), color=colors)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=5)
    axes.set_ylabel("REL against the network in float")
    axes.set_title("One layer alone in 8 bits; red: kept in float", fontsize=10)
    axes.margins(x=0.01)
    write_figure(figure, path)


if __name__ == "__main__":
    run(main)
