"""Depth for the pictures of a ROS bag.

examples:
    python -m keras_depth.bag RUN walk walk_depth
    python -m keras_depth.bag RUN walk.bag walk_depth.bag --topic /camera/color/image_raw
    python -m keras_depth.bag truth walk recordings --format folder

OUT is, by --format:
    bag     a copy of IN, in its format: every message as it is, and beside those of the camera
            /CAMERA/depth/image and /CAMERA/depth/camera_info, with the header of the picture
    folder  a data set for `train --data folder`: rgb/, depth/ and camera.yaml
RUN may be `truth` for a folder: the depth that the bag holds is written.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from keras_depth import command
from keras_depth.bag.ros_images import DEPTH_ENCODINGS
from keras_depth.errors import check_installed
from keras_depth.predict import loading

if TYPE_CHECKING:  # it needs the extra
    from keras_depth.bag.reading import Bag

_TRUTH = "truth"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    check_installed("bag", "rosbags")
    from keras_depth.bag import reading, writing

    if arguments.run != _TRUTH:
        loading.resolve(arguments.run)
    writing.check_new(arguments.output, arguments.inputs)
    with reading.open_bag(*arguments.inputs) as bag:
        if arguments.format == "folder":
            write_folder(bag, arguments)
        else:
            write_bag(bag, arguments)
    return 0


def write_bag(bag: Bag, arguments: argparse.Namespace) -> None:
    """Writes a copy of the bag with depth, and says what was done."""
    from keras_depth.bag import depth_bag, writing

    writing.check_output(bag, arguments.output)
    chosen = depth_bag.choose_topics(bag, arguments.topic)
    estimate = load(arguments.run, arguments.full_size, bag, chosen.pictures)
    with progress_bar(bag, chosen.pictures, arguments.frames) as bar:
        summary = depth_bag.add_depth(
            bag,
            chosen,
            estimate,
            arguments.output,
            encoding=arguments.encoding,
            max_depth=arguments.max_depth,
            frames=arguments.frames,
            progress=bar.update,
        )
    print(f"{arguments.output}: {chosen.depth} ({arguments.encoding}): {summary}")
    if chosen.info:  # a map needs the camera
        topic = ("--topic", chosen.pictures) if arguments.topic else ()
        command.suggest("map", arguments.run, arguments.output, *topic, "--output", "map")


def write_folder(bag: Bag, arguments: argparse.Namespace) -> None:
    """Writes the pictures and their depth as a data set, and says what was done."""
    from keras_depth.bag import folder, topics

    pictures = topics.choose_pictures(bag, arguments.topic)
    depth: str | Callable[[np.ndarray], np.ndarray]
    if arguments.run == _TRUTH:
        depth = topics.choose_depth(bag, pictures, arguments.depth_topic)
    else:
        depth = load(arguments.run, True, bag, pictures)
    with progress_bar(bag, pictures, arguments.frames) as bar:
        summary = folder.write_folder(
            bag,
            pictures,
            depth,
            arguments.output,
            limit=arguments.frames,
            max_depth=arguments.max_depth,
            progress=bar.update,
        )
    print(f"{arguments.output}: {summary}")
    command.suggest("data", "--data", "folder", "--data-dir", arguments.output)


def load(run: str, full_size: bool, bag: Bag, topic: str) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a network as a function from a picture to its depth, of the picture's size or not.

    Metres are those of the pictures' camera, where the bag and the network say theirs.
    """
    from keras_depth.bag import frames

    loading.load_runtime(run)
    from keras_depth.predict.estimator import DepthEstimator
    from keras_depth.predict.scaling import for_camera

    estimator = DepthEstimator.load(run)
    return for_camera(estimator, frames.intrinsics(bag, topic), resize=full_size)


def progress_bar(bag: Bag, topic: str, frames: int | None) -> tqdm:
    """Returns the bar of a bag's pictures, which is shown on a terminal alone."""
    count = bag.topics[topic].messages
    return tqdm(total=min(count, frames or count), unit="picture", disable=None)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the arguments; None: those of the command line."""
    parser = argparse.ArgumentParser(
        prog=command.program("bag"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run", metavar="RUN", help="run folder, .keras file, exported network, preset, or truth"
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="IN",
        help="folder of a ROS 2 bag, its .mcap or .db3 file, or ROS 1 .bag files, the parts of one",
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="what is written; new")
    parser.add_argument(
        "--format", choices=("bag", "folder"), default="bag", help="of OUT (default: %(default)s)"
    )
    parser.add_argument("--topic", help="of the pictures (default: the only one there is)")
    parser.add_argument(
        "--depth-topic",
        metavar="TOPIC",
        help="of truth (default: the only depth in the frame of the pictures)",
    )
    parser.add_argument(
        "--encoding",
        choices=DEPTH_ENCODINGS,
        help=f"of the depth in a bag: metres, or millimetres (default: {DEPTH_ENCODINGS[0]})",
    )
    parser.add_argument(
        "--full-size",
        action="store_true",
        help="depth of the pictures' size, as in a folder (default: the network's)",
    )
    parser.add_argument(
        "--max-depth",
        type=command.positive,
        default=math.inf,
        metavar="M",
        help="metres; what is farther is +inf in 32FC1, else no depth (default: all is written)",
    )
    parser.add_argument(
        "--frames",
        type=command.count,
        metavar="N",
        help="stop after N pictures (default: at the end)",
    )
    arguments = parser.parse_args(argv)
    _check(parser, arguments)
    arguments.encoding = arguments.encoding or DEPTH_ENCODINGS[0]
    return arguments


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Ends the command, saying why, if two arguments do not go together."""
    truth, folder = arguments.run == _TRUTH, arguments.format == "folder"
    if truth and not folder:
        parser.error("truth is the depth that IN holds already; give a network or --format folder")
    if arguments.depth_topic and not truth:
        parser.error("--depth-topic goes with truth, the depth that IN holds")
    if arguments.encoding and folder:
        parser.error("--encoding is of depth in a bag; a folder holds PNG files of millimetres")


if __name__ == "__main__":
    command.run(main)
