"""Maps walks with several networks, and writes the table and the picture of docs/robot.md.

    python evaluation/map_table.py --networks mobile_interl_nyu runs/rooms --output runs/maps \\
        --recording ~/sequence_kitchen --intrinsics 292.5,292.5,159.75,119.75 \\
        --set data.units_per_metre=1000

Each map is made by `keras-depth map` in a folder of its own, and not again where that is there;
after training a network anew, give another --output. `--options no-keyframe-scale` is the other
half of the table of keyframe scale.
The recording's map is drawn in colors of height: its pictures are another's.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from keras_depth.files import make_folder, write_figure, write_text
from keras_depth.map import drawing, trajectories
from keras_depth.map.trajectories import Trajectory
from keras_depth.markdown import table

HEADINGS = ("depth", "walk", "lost", "APE SE3, cm", "APE Sim3, cm", "scale", "accuracy, cm",
            "completeness, cm", "F-score 5 cm", "F-score 10 cm")  # fmt: skip
WALK = "walks:0"  # that is drawn


def main() -> None:
    arguments = parse()
    make_folder(arguments.output)
    walks = [f"walks:{seed}" for seed in range(arguments.walks)]
    inputs = walks + ([str(arguments.recording)] if arguments.recording else [])
    rows = []
    for network in ["truth", *arguments.networks]:
        for name in inputs:
            folder = make_map(network, name, arguments)
            rows.append(row(json.loads((folder / "map.json").read_text())))
    text = "\n".join(table(HEADINGS, rows, align="ll" + 8 * "r")) + "\n"
    write_text(arguments.output / "table.md", text)
    print(text)
    draw(arguments, [WALK, *inputs[len(walks) :]])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=[], help="what `map` takes as RUN")
    parser.add_argument("--walks", type=int, default=5, help="rendered walks (default: 5)")
    parser.add_argument("--recording", type=Path, help="a recording with depth and poses")
    parser.add_argument("--intrinsics", help="its camera")
    parser.add_argument("--set", action="append", default=[], help="options of its reader")
    parser.add_argument("--options", nargs="*", default=[], help="more for `map`, without --")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def folder_of(network: str, name: str, arguments: argparse.Namespace) -> Path:
    """Returns the folder of a map: another one wherever anything that makes the map differs."""
    paths = [os.path.abspath(each) if os.path.exists(each) else each for each in (network, name)]
    what = json.dumps([*paths, *options_of(name, arguments)])
    names = f"{Path(network).name}-{Path(name).name.replace(':', '')}"
    return arguments.output / f"{names}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def options_of(name: str, arguments: argparse.Namespace) -> list[str]:
    """Returns the options of the command that maps an input."""
    options = [f"--{option}" for option in arguments.options]
    if name == str(arguments.recording):
        options += ["--intrinsics", arguments.intrinsics] if arguments.intrinsics else []
        options += [word for setting in arguments.set for word in ("--set", setting)]
    return options


def make_map(network: str, name: str, arguments: argparse.Namespace) -> Path:
    """Makes a map by the command; returns its folder."""
    folder = folder_of(network, name, arguments)
    command = [sys.executable, "-m", "keras_depth.map", network, name, "--output", str(folder)]
    if not (folder / "map.json").is_file():
        subprocess.run(command + options_of(name, arguments), check=True)
    return folder


def row(result: dict) -> list[str]:
    errors = result["errors"]
    of_map = errors["map"]
    metres = (
        errors["ape_se3_metres"]["rmse"],
        errors["ape_sim3_metres"]["rmse"],
        of_map["accuracy_mean_metres"],
        of_map["completeness_mean_metres"],
    )
    se3, sim3, accuracy, completeness = (f"{100 * value:.1f}" for value in metres)
    scores = [f"{value:.2f}" for value in of_map["f_score"].values()]
    names = Path(result["network"]).name, Path(result["input"]).name
    lost, scale = str(len(result["lost"])), f"{errors['sim3_scale']:.2f}"
    return [*names, lost, se3, sim3, scale, accuracy, completeness, *scores]


def draw(arguments: argparse.Namespace, names: list[str]) -> None:
    """Draws the maps of each input beside each other."""
    networks = ["truth", *arguments.networks]
    figure = Figure((4 * len(networks), 4.4 * len(names)), dpi=75, layout="constrained")
    panels = figure.subplots(len(names), len(networks), squeeze=False)
    for axes, name in zip(panels, names, strict=True):
        for panel, network in zip(axes, networks, strict=True):
            folder = folder_of(network, name, arguments)
            points, colors = read_ply(folder / "cloud.ply")
            path = trajectories.read(folder / "trajectory.txt")
            if name == str(arguments.recording):
                colors = color_heights(points, path)
            drawing.draw_map(panel, points, colors, path)
            depth = "true depth" if network == "truth" else Path(network).name
            panel.set_title(f"{Path(name).name}, {depth}", fontsize=10)
    write_figure(figure, arguments.output / "map.jpg")


def color_heights(points: np.ndarray, path: Trajectory) -> np.ndarray:
    up = drawing.find_up(points, -path.poses[:, :3, 1].mean(axis=0))
    heights = points @ up
    low, high = np.percentile(heights, (2, 98))
    return colormaps["viridis"](np.clip((heights - low) / (high - low), 0, 1), bytes=True)[:, :3]


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a cloud that `map` wrote."""
    vertices = path.read_bytes().split(b"end_header\n", 1)[1]
    found = np.frombuffer(vertices, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    return found["xyz"], found["rgb"]


if __name__ == "__main__":
    main()
