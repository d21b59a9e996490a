"""Maps what a moving camera sees: its path, and a colored cloud of points.

examples:
    python -m keras_depth.map RUN walk.mp4 --intrinsics 518.9,519.5,325.6,253.7 --output out
    python -m keras_depth.map RUN walk.mcap --output out
    python -m keras_depth.map mobile_interl_nyu walks:0 --output out
    python -m keras_depth.map truth ~/rgbd_dataset_freiburg1_desk --output out \\
        --intrinsics 517.3,516.5,318.6,255.3

Writes to DIR:
    trajectory.txt  poses, camera to world: time tx ty tz qx qy qz qw (TUM RGB-D benchmark)
    cloud.ply       colored points, metres, in the world of the first located camera
    above.png       both seen from above
    map.json        frames without a pose, times, and errors where the true poses are known
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_depth import __version__, command, geometry
from keras_depth.errors import InputError, check_choice
from keras_depth.files import make_folder
from keras_depth.map import mapping, results, sequences, trajectories
from keras_depth.map.map_error import Reference
from keras_depth.predict import loading

TRUTH = "truth"
_SAID = 5  # errors that are printed


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    sequence = find_sequence(arguments)
    truth = sequence.truth
    if arguments.ground_truth:
        truth = trajectories.read(arguments.ground_truth)
        check_truth(truth, arguments.ground_truth)
    check_output(arguments.output, sequence)
    assert sequence.intrinsics
    mapper = mapping.Mapper(
        load_depth(arguments),
        sequence.intrinsics,
        mapping.Options(arguments.every, arguments.voxel, arguments.far, arguments.keyframe_scale),
    )
    reference = None
    if truth and sequence.measured:
        reference = Reference(truth, sequence.intrinsics, arguments.voxel, arguments.far)
    errors: list[InputError] = []
    stopped = run(mapper, reference, sequence, arguments.frames, errors)
    scores = None
    if truth:
        try:
            scores = results.score(mapper, truth, reference)
        except InputError as error:
            errors.append(error)
    results.write(arguments.output, mapper, scores, about(arguments, sequence, stopped))
    return say(arguments, mapper, scores, errors, stopped)


def run(
    mapper: mapping.Mapper,
    reference: Reference | None,
    sequence: sequences.Sequence,
    count: int | None,
    errors: list[InputError],
) -> bool:
    """Maps the frames of a sequence; returns whether Ctrl-C stopped it.

    Args:
        mapper, reference: take the frames.
        count: frames at most.
        errors: gets those of frames that cannot be read, and of a video that is cut short.
    """
    total = min(filter(None, (sequence.count, count)), default=None)
    bar = tqdm(total=total, unit="frame", disable=None)  # None: only on a terminal
    try:
        with bar, sequence.open() as frames:
            for frame in islice(frames, count):
                if frame.number == 0:
                    check_intrinsics(frame, sequence)
                try:
                    mapper.add(frame)
                except InputError as error:
                    errors.append(error)
                if reference and frame.number % mapper.options.every == 0:
                    reference.add(frame)
                bar.set_postfix(lost=len(mapper.lost), refresh=False)
                bar.update()
    except InputError as error:
        if not mapper.frames:
            raise
        errors.append(error)
    except KeyboardInterrupt:  # what is mapped so far is written
        if not mapper.frames:
            raise
        return True
    return False


def find_sequence(arguments: argparse.Namespace) -> sequences.Sequence:
    """Finds the input, its camera known.

    Raises:
        InputError: there is no such input, nothing says its camera, or it lacks depth that is
            asked for.
    """
    settings = dict(arguments.set)
    for key in settings:
        check_choice("setting", key, [f"data.{name}" for name in sequences.folder_options()])
    sequence = sequences.find(
        arguments.input,
        {key.removeprefix("data."): value for key, value in settings.items()},
        arguments.run == TRUTH,
        sequences.Topics(arguments.topic, arguments.depth_topic),
    )
    if arguments.run == TRUTH and not sequence.measured:
        raise InputError(
            f"{sequence.name}: has no depth of its own; give a network in the place of truth"
        )
    intrinsics = arguments.intrinsics or sequence.intrinsics
    if intrinsics is None:
        example = ",".join(f"{value:g}" for value in geometry.NYU)
        raise InputError(
            f"{sequence.name}: nothing says its camera; give --intrinsics FX,FY,CX,CY in pixels of"
            f" the input pictures (NYU Depth v2 at 640x480 has {example})"
        )
    return dataclasses.replace(sequence, intrinsics=intrinsics)


def load_depth(arguments: argparse.Namespace) -> mapping.Depth:
    """Returns what gives the depth of a frame: the network, or the recording itself."""
    if arguments.run == TRUTH:
        return true_depth
    command.load_tensorflow()
    from keras_depth.predict.estimator import DepthEstimator

    estimator = DepthEstimator.load(arguments.run, arguments.encoding)
    # At the size the network computes: points between its pixels would be made up.
    return lambda frame: estimator(frame.image, resize=False)


def check_intrinsics(first: sequences.Frame, sequence: sequences.Sequence) -> None:
    """Raises InputError unless the intrinsics can be those of the first picture."""
    if first.image is None or sequence.intrinsics is None:
        return
    height, width = first.image.shape[:2]
    _, _, x, y = sequence.intrinsics
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"{sequence.name}: the principal point x={x:g}, y={y:g} is outside the pictures of"
            f" {height}x{width} (height x width); give the intrinsics in pixels of these pictures"
        )


def true_depth(frame: sequences.Frame) -> np.ndarray:
    assert frame.depth is not None  # `find_sequence` has seen to it
    return frame.depth


def check_truth(truth: trajectories.Trajectory, file: Path) -> None:
    """Raises InputError for a ground truth that nothing can be compared with."""
    if len(truth) < trajectories.FEWEST:
        raise InputError(
            f"{file}: holds {len(truth)} poses; to compare a path takes {trajectories.FEWEST} or"
            " more"
        )


def check_output(folder: Path, sequence: sequences.Sequence) -> None:
    """Makes the output folder.

    Raises:
        InputError: it is the input's own, or cannot be written.
    """
    if sequence.folder and sequence.folder.resolve() == folder.resolve():
        raise InputError(f"--output {folder}: also the input; give another folder")
    make_folder(folder)


def about(
    arguments: argparse.Namespace, sequence: sequences.Sequence, stopped: bool
) -> dict[str, Any]:
    """Returns what map.json says of the command."""
    return {
        "network": arguments.run,
        "input": sequence.name,
        "intrinsics": sequence.intrinsics._asdict() if sequence.intrinsics else None,
        "every": arguments.every,
        "voxel_metres": arguments.voxel,
        "far_metres": arguments.far,
        "keyframe_scale": arguments.keyframe_scale,
        "stopped": stopped,
        "keras_depth": __version__,
    }


def say(
    arguments: argparse.Namespace,
    mapper: mapping.Mapper,
    scores: results.Scores | None,
    errors: Sequence[InputError],
    stopped: bool,
) -> int:
    """Prints what came of it; returns the exit code."""
    print(f"{arguments.output}: {results.summarize(mapper)}")
    if scores:
        print(f"against the truth: {scores}")
    if sentence := results.say_lost(mapper):
        print(f"warning: {sentence}", file=sys.stderr)
    for message in errors[:_SAID]:
        print(f"error: {message}", file=sys.stderr)
    if len(errors) > _SAID:
        print(f"error: {len(errors) - _SAID} more frames like these", file=sys.stderr)
    if stopped:
        raise KeyboardInterrupt
    if errors:
        return 2
    if arguments.run != TRUTH:
        loading.suggest_next(arguments.run)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the arguments; None: those of the command line."""
    parser = argparse.ArgumentParser(
        prog=command.program("map"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "run",
        metavar="RUN",
        help="run folder, .keras file, exported network or preset; or `truth`: the recording's own"
        " depth",
    )
    add(
        "input",
        metavar="INPUT",
        help="a video, a folder of pictures or a recording with depth, a bag, or walks:SEED, which"
        " is rendered",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="made if missing")
    add(
        "--intrinsics",
        type=geometry.parse_intrinsics,
        metavar="FX,FY,CX,CY",
        help="of the camera, in pixels of the input pictures (default: camera.yaml of the folder,"
        " CameraInfo of the bag)",
    )
    add(
        "--ground-truth",
        type=Path,
        metavar="FILE",
        help="true poses in TUM's layout, to compare with (default: groundtruth.txt of the folder)",
    )
    add(
        "--every",
        type=command.count,
        default=4,
        metavar="N",
        help="fuse every N-th frame, and keyframes (default: %(default)s)",
    )
    add(
        "--voxel",
        type=command.positive,
        default=0.03,
        metavar="M",
        help="metres from point to point of the cloud (default: %(default)s)",
    )
    add(
        "--far",
        type=command.positive,
        default=6.0,
        metavar="M",
        help="leave out depth beyond, in metres (default: %(default)s)",
    )
    add("--frames", type=command.count, metavar="N", help="stop after N frames (default: all)")
    add(
        "--keyframe-scale",
        action=argparse.BooleanOptionalAction,
        help="find the path with the depth of each keyframe scaled to agree with the one before"
        " (default: yes, but not for truth)",
    )
    add(
        "--set",
        type=command.setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of a folder's recording, such as data.units_per_metre=1000 (repeatable)",
    )
    add("--topic", help="a bag's topic of pictures (default: the only one there is)")
    add("--depth-topic", help="a bag's topic of depth, for truth (default: the only one there is)")
    add("--encoding", help="how the network writes depth, for networks of another suite")
    arguments = parser.parse_args(argv)
    if arguments.keyframe_scale is None:
        arguments.keyframe_scale = arguments.run != TRUTH
    return arguments


if __name__ == "__main__":
    command.run(main)
