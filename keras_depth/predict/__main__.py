"""Depth for pictures, videos and cameras.

examples:
    python -m keras_depth.predict RUN room.jpg pictures/ --output out
    python -m keras_depth.predict RUN room.jpg --output out --format ply \\
        --intrinsics 518.9,519.5,325.6,253.7
    python -m keras_depth.predict RUN --camera 0 --output out

Still pictures get, by --format:
    png    NAME_depth.png  16 bit, millimetres, 0 = none
    npy    NAME_depth.npy  float32 metres
    color  NAME_color.png  near bright, far dark, with a bar in metres
    ply    NAME_cloud.ply  colored points, metres
Videos and cameras get the same for each frame (NAME_000000_depth.png ...), and one NAME_color.mp4
instead of colored pictures; its colors mean the same metres in every frame.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from keras_depth import command, depth_png, geometry
from keras_depth.errors import InputError, unknown_name
from keras_depth.files import make_folder
from keras_depth.predict import camera, image_sources, loading
from keras_depth.predict.camera import Ratio
from keras_depth.predict.image_sources import ImageSource
from keras_depth.predict.writers import FORMATS, Writer

if TYPE_CHECKING:  # it would load TensorFlow before the arguments are read
    from keras_depth.predict.estimator import DepthEstimator


@dataclass
class Summary:
    """The times and the depths of a run, for the line at its end."""

    milliseconds: list[float] = field(default_factory=list)
    metres: list[np.ndarray] = field(default_factory=list)  # min, median, max of each picture
    clipped: int = 0  # pixels too far for 16 bits
    ratios: set[Ratio] = field(default_factory=set)  # that were printed

    def add(self, depth: np.ndarray, seconds: float) -> None:
        self.milliseconds.append(1000 * seconds)
        values = depth[geometry.measured(depth)]
        if values.size:
            self.metres.append(np.percentile(values, (0, 50, 100)))

    def say(self, ratio: Ratio | None) -> None:
        """Prints by what metres are multiplied, once for pictures of a size."""
        if ratio and ratio not in self.ratios:
            tqdm.write(str(ratio))
            self.ratios.add(ratio)

    def __str__(self) -> str:
        count = len(self.milliseconds)
        text = f"{count} picture{'s' * (count != 1)}"
        first, *others = self.milliseconds
        if others:
            text += f", {np.median(others):.1f} ms each (median after the first)"
        else:
            text += f", {first:.1f} ms with the network's set-up"
        if self.metres:
            low, middle, high = np.transpose(self.metres)
            text += f", {low.min():.2f} / {np.median(middle):.2f} / {high.max():.2f} m"
            text += " (min / median / max)"
        if self.clipped:
            far = f"{depth_png.farthest()} m"
            text += f"; {self.clipped} pixels beyond {far} are {far} in the PNG files"
        return text


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    found = image_sources.find(arguments.inputs)
    check_outputs(found, arguments)

    loading.load_runtime(arguments.run)
    from keras_depth.predict.estimator import DepthEstimator

    estimator = DepthEstimator.load(arguments.run, arguments.encoding, arguments.fit)
    if arguments.focal_baseline and not estimator.stereo:
        raise InputError(
            f"{arguments.run}: the network writes metres, not disparity; leave out --focal-baseline"
        )
    writer = Writer(
        arguments.output,
        arguments.format,
        color_range=arguments.range,
        intrinsics=arguments.intrinsics,
        fov=arguments.fov,
    )
    summary, errors = Summary(), []
    known = None if any(source.is_video for source in found) else len(found)
    with tqdm(total=known, unit="picture", disable=None) as bar:  # None: only on a terminal
        for source in found:
            try:
                predict(source, estimator, writer, arguments, summary, bar.update)
            except InputError as error:
                errors.append(error)
    summary.clipped = writer.clipped
    if summary.milliseconds:
        print(f"{arguments.output}: {summary}")
    for folder in filter(os.path.isdir, arguments.inputs):
        if sentence := image_sources.say_passed_over(Path(folder)):
            print(f"warning: {sentence}", file=sys.stderr)
    for message in errors:
        print(f"error: {message}", file=sys.stderr)
    if errors:
        return 2
    loading.suggest_next(arguments.run)
    return 0


def predict(
    source: ImageSource,
    estimator: DepthEstimator,
    writer: Writer,
    arguments: argparse.Namespace,
    summary: Summary,
    progress: Callable[[], object],
) -> None:
    """Estimates and writes the depth of one source's pictures."""
    before = len(summary.milliseconds)
    with image_sources.frames(source) as (pictures, rate):
        output = writer.video(source.name, rate) if source.is_video else writer.still(source.name)
        with output as write:
            try:
                for image in islice(pictures, arguments.frames):
                    given = {"intrinsics": arguments.intrinsics, "fov": arguments.fov}
                    if any(given.values()):
                        summary.say(estimator.camera_ratio(image.shape[:2], **given))
                    start = time.perf_counter()
                    depth = estimator(image, focal_baseline=arguments.focal_baseline, **given)
                    summary.add(depth, time.perf_counter() - start)
                    write(image, depth)
                    progress()
            except KeyboardInterrupt:  # the way to stop a camera: its video is finished, not lost
                if not source.is_camera or len(summary.milliseconds) == before:
                    raise


def check_outputs(found: Sequence[ImageSource], arguments: argparse.Namespace) -> None:
    """Makes the output folder.

    Raises:
        InputError: a result would overwrite an input or another result, or the folder cannot be
            written.
    """
    folder = arguments.output
    if any(Path(text).resolve() == folder.resolve() for text in arguments.inputs):
        raise InputError(
            f"--output {folder}: also an input, so that the next run would take these results for"
            " pictures; give another folder"
        )
    by_name: dict[str, ImageSource] = {}
    for source in found:
        if source.name in by_name:
            raise InputError(
                f"{by_name[source.name]} and {source}: both would be written as {source.name}_*;"
                " rename one, or run them with an --output each"
            )
        by_name[source.name] = source
    for source in found:
        # The name of a film's frame: walk_000000.
        film = by_name.get(re.sub("_[0-9]{6,}$", "", source.name))
        if film and film.is_video and not source.is_video:
            raise InputError(
                f"{film} and {source}: both would be written as {source.name}_*; rename one, or run"
                " them with an --output each"
            )
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--output {folder}: cannot be written; give another folder")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the arguments; None: those of the command line."""
    parser = argparse.ArgumentParser(
        prog=command.program("predict"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="run folder, .keras file, exported network or preset"
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="pictures, videos, folders of them, or camera:0"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if missing")
    parser.add_argument(
        "--format",
        type=_formats,
        default=("png", "color"),
        metavar="FORMAT,...",
        help=f"of {', '.join(FORMATS)} (default: png,color)",
    )
    parser.add_argument(
        "--range",
        type=_range,
        metavar="NEAR,FAR",
        help="metres of the brightest and the darkest color (default: the 1st to 99th percentile,"
        " of each picture, and of a video's or a camera's first 2 seconds)",
    )
    camera.add_arguments(
        parser,
        "of the camera, in pixels of the input pictures: metres are scaled to it; ply needs it, or"
        " --fov",
        " (default: as the network says; docs/start.md has the three)",
    )
    parser.add_argument(
        "--camera", type=_camera, metavar="N", help="the same as the input camera:N"
    )
    parser.add_argument(
        "--frames",
        type=command.count,
        metavar="N",
        help="stop a video or a camera after N pictures"
        " (default: videos at their end, cameras at Ctrl-C)",
    )
    parser.add_argument(
        "--encoding", help="how the network writes depth, for networks of another suite: metric ..."
    )
    parser.add_argument(
        "--focal-baseline",
        type=command.positive,
        metavar="F",
        help="for networks trained on stereo pairs: the focal length of these pictures in pixels"
        " times the baseline of that training in metres (default: the camera of that training)",
    )
    arguments = parser.parse_intermixed_args(argv)
    if arguments.camera is not None:
        arguments.inputs.append(f"camera:{arguments.camera}")
    if not arguments.inputs:
        parser.error("give pictures, folders, videos or --camera 0")
    given = "--intrinsics" if arguments.intrinsics else "--fov" if arguments.fov else None
    if given and arguments.focal_baseline:
        parser.error(f"--focal-baseline holds a focal length too; leave out {given}")
    if "ply" in arguments.format and not given:
        example = ",".join(f"{value:g}" for value in geometry.NYU)
        parser.error(
            "a point cloud (ply) needs --intrinsics FX,FY,CX,CY in pixels of the input pictures, or"
            f" --fov DEGREES; NYU Depth v2 at 640x480 has {example}"
        )
    return arguments


def _formats(text: str) -> tuple[str, ...]:
    names = text.split(",")
    if "colour" in names:
        print("warning: --format colour is now spelled color", file=sys.stderr)
        names = ["color" if name == "colour" else name for name in names]
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(str(unknown_name("format", name, FORMATS)))
    return tuple(names)


def _range(text: str) -> tuple[float, float]:
    near, far = command.numbers(text, 2)
    if not 0 <= near < far:
        raise argparse.ArgumentTypeError(f"{text!r}: give NEAR,FAR in metres, 0 <= NEAR < FAR")
    return near, far


def _camera(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a camera's number, a whole number from 0")
    return int(text)


if __name__ == "__main__":
    command.run(main)
