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
_OFF_CENTER = 0.25  # of a picture's side: where a principal point is so far off, it is warned of


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    sequence = find_sequence(arguments)
    assert sequence.intrinsics
    truth = find_truth(arguments, sequence)
    check_output(arguments.output, sequence)
    options = mapping.Options(
        arguments.every, arguments.voxel, arguments.far, arguments.keyframe_scale
    )
    mapper = mapping.Mapper(load_depth(arguments, sequence), sequence.intrinsics, options)
    make_folder(arguments.output)
    reference = None
    if truth and sequence.measured:
        reference = Reference(truth, sequence.intrinsics, arguments.voxel, arguments.far)
    errors: list[InputError] = []
    stopped = run(mapper, reference, sequence, arguments.frames, errors)
    results.write_map(arguments.output, mapper)
    scores = None
    try:
        scores = results.score(mapper, truth, reference) if truth else None
    except InputError as error:
        errors.append(error)
    except KeyboardInterrupt:  # the map is kept
        stopped = True
    results.write_report(arguments.output, mapper, scores, about(arguments, sequence, stopped))
    return say(arguments, mapper, truth, scores, errors, stopped)


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
    checked = False
    try:
        with bar, sequence.open() as frames:
            for frame in islice(frames, count):
                if frame.image is not None and not checked:
                    check_camera(frame.image, frame.name, sequence)
                    checked = True
                try:
                    lost = mapper.add(frame) is None
                except InputError as error:
                    lost = True
                    errors.append(error)
                if reference and (mapper.fused or lost and not frame.number % mapper.options.every):
                    reference.add(frame, mapper.fused)
                bar.set_postfix(lost=len(mapper.lost), refresh=False)
                bar.update()
    except InputError as error:
        if not checked:
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
        InputError: there is no such input, nothing says its camera, an option is not for it, or it
            lacks depth that is asked for.
    """
    settings = dict(arguments.set)
    for key in settings:
        check_choice("setting", key, [f"data.{name}" for name in sequences.folder_options()])
    options = {key.removeprefix("data."): value for key, value in settings.items()}
    true = arguments.run == TRUTH
    for option, value in (
        ("--encoding", arguments.encoding),
        ("--focal-baseline", arguments.focal_baseline),
    ):
        if true and value:
            raise InputError(f"{TRUTH}: {option} is for networks; leave it out")
    asked = sequences.Asked(
        true, arguments.intrinsics, options, arguments.topic, arguments.depth_topic
    )
    sequence = sequences.find(arguments.input, asked)
    if true and not sequence.measured:
        raise InputError(
            f"{sequence.name}: has no depth of its own; give a network in the place of truth"
        )
    if sequence.intrinsics is None:
        example = ",".join(f"{value:g}" for value in geometry.NYU)
        raise InputError(
            f"{sequence.name}: nothing says its camera; give --intrinsics FX,FY,CX,CY in pixels of"
            f" the input pictures (NYU Depth v2 at 640x480 has {example})"
        )
    return sequence


def load_depth(arguments: argparse.Namespace, sequence: sequences.Sequence) -> mapping.Depth:
    """Returns what gives the depth of a frame: the network, or the recording itself.

    The network's metres are those of the sequence's camera, where the network's own is known.
    """
    if arguments.run == TRUTH:
        return true_depth
    loading.load_runtime(arguments.run)
    from keras_depth.predict.estimator import DepthEstimator
    from keras_depth.predict.scaling import for_camera

    estimator = DepthEstimator.load(arguments.run, arguments.encoding)
    given = arguments.focal_baseline
    if given and not estimator.stereo:
        raise InputError(
            f"{arguments.run}: the network writes metres, not disparity; leave out --focal-baseline"
        )
    if estimator.stereo and not (given or estimator.focal_baseline):
        raise InputError(
            f"{arguments.run}: the network writes disparity, and nothing says what it comes to in"
            " metres; give --focal-baseline, the focal length of the pictures in pixels times the"
            " baseline of its training in metres"
        )
    # At the size the network computes: points between its pixels would be made up.
    camera = None if given else sequence.intrinsics  # `given` holds a focal length too
    estimate = for_camera(estimator, camera, resize=False, focal_baseline=given)
    return lambda frame: estimate(frame.image)


def true_depth(frame: sequences.Frame) -> np.ndarray:
    assert frame.depth is not None  # `find_sequence` has seen to it
    return frame.depth


def check_camera(image: np.ndarray, name: str, sequence: sequences.Sequence) -> None:
    """Raises InputError unless the camera can be that of the first picture; may warn."""
    assert sequence.intrinsics
    height, width = image.shape[:2]
    if sequence.camera:
        sequence.camera.check_size(Path(name), (height, width))
    _, _, x, y = sequence.intrinsics
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"{sequence.name}: the principal point x={x:g}, y={y:g} is outside the pictures of"
            f" {height}x{width} (height x width); give the intrinsics in pixels of these pictures"
        )
    if max(abs((x + 0.5) / width - 0.5), abs((y + 0.5) / height - 0.5)) > _OFF_CENTER:
        print(
            f"warning: {sequence.name}: the principal point x={x:g}, y={y:g} is far from the middle"
            f" of the pictures of {height}x{width} (height x width); are the intrinsics of pictures"
            " of this size?",
            file=sys.stderr,
        )


def find_truth(
    arguments: argparse.Namespace, sequence: sequences.Sequence
) -> trajectories.Trajectory | None:
    """Returns the true poses, if there are any.

    Raises:
        InputError: the file that was given holds none, or too few.
    """
    if not arguments.ground_truth:
        return sequence.truth
    truth = trajectories.read(arguments.ground_truth)
    if len(truth) < trajectories.FEWEST:
        raise InputError(
            f"{arguments.ground_truth}: holds {len(truth)} poses; to compare a path takes"
            f" {trajectories.FEWEST} or more"
        )
    return truth


def check_output(folder: Path, sequence: sequences.Sequence) -> None:
    """Raises InputError if the output folder is the input's own, or in it."""
    if sequence.folder and folder.resolve().is_relative_to(sequence.folder.resolve()):
        raise InputError(
            f"--output {folder}: in the input, {sequence.folder}; give a folder outside it"
        )


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
    truth: trajectories.Trajectory | None,
    scores: results.Scores | None,
    errors: Sequence[InputError],
    stopped: bool,
) -> int:
    """Prints what came of it; returns the exit code."""
    print(f"{arguments.output}: {results.summarize(mapper)}")
    if scores:
        print(f"against the truth: {scores}")
    for sentence in results.find_warnings(mapper, truth):
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
    parser.add_argument(
        "run",
        metavar="RUN",
        help="run folder, .keras file, exported network or preset; or `truth`: the recording's own"
        " depth",
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="a video, a folder of pictures or a recording with depth, a bag, or walks:SEED, which"
        " is rendered",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if missing")
    add_map_options(parser)
    add_input_options(parser)
    add_network_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.keyframe_scale is None:
        arguments.keyframe_scale = arguments.run != TRUTH
    return arguments


def add_map_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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


def add_input_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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
        "--set",
        type=command.setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of a folder's recording, such as data.units_per_metre=1000 (repeatable)",
    )
    add("--topic", help="a bag's topic of pictures (default: the only one there is)")
    add("--depth-topic", help="a bag's topic of depth, for truth (default: the only one there is)")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--encoding", help="how it writes depth, for networks of another suite")
    add(
        "--focal-baseline",
        type=command.positive,
        metavar="F",
        help="for one trained on stereo pairs: the focal length of these pictures in pixels times"
        " the baseline of its training in metres (default: the training's camera, or one with the"
        " same field of view)",
    )


if __name__ == "__main__":
    command.run(main)
