"""python -m keras_depth.calibrate: metres for a camera, from a tape measure or RGB-D frames."""

import argparse
from pathlib import Path

from keras_depth.calibrate.boxes import parse_box, read_boxes
from keras_depth.command import load_tensorflow, program, run, setting, suggest
from keras_depth.predict import camera
from keras_depth.predict.loading import resolve

_DESCRIPTION = """\
Calibrates a trained network to your camera: scale, or scale and shift where that is clearly better,
from distances that you measured. They are written into the run, or into a new version of the
exported network, so that predict, serve, a TensorRT engine and the ROS node all give the same
metres. Calibrating again replaces the former calibration."""

_EXAMPLES = """\
examples:
  # a wall is 2.35 m and a chair 1.10 m from the camera: a box of pixels in each picture
  python -m keras_depth.calibrate exported/onnx/lite \\
      --measure wall.jpg:300,200,340,240=2.35 --measure chair.jpg:200,260,260,300=1.10
  # the same in a file, with the header picture,x0,y0,x1,y1,metres
  python -m keras_depth.calibrate runs/lite --measures measures.csv
  # a few frames of a depth camera: rgb/ and depth/, 16 bits in millimetres
  python -m keras_depth.calibrate runs/lite --frames recording --data-option units_per_metre=1000

Measure along the line of sight of the picture's center (depth), not to the side. Three or more
measures, near and far, check each other: one that contradicts the others is named, and nothing is
written."""


def main() -> None:
    arguments = _parse()
    source = resolve(arguments.run, "run", "exported")
    boxes = [*arguments.measure]
    if arguments.measures:
        boxes += read_boxes(arguments.measures)
    load_tensorflow()
    from keras_depth.calibrate import calibrator
    from keras_depth.data import open_reader

    frames = None
    if arguments.frames:
        options = {"stereo": False, **dict(arguments.data_option)}
        frames = open_reader("folder", arguments.frames, None, **options)
    result = calibrator.calibrate(
        source.path,
        boxes,
        frames,
        intrinsics=arguments.intrinsics,
        fov=arguments.fov,
        encoding=arguments.encoding,
        keep_all=arguments.keep_all,
    )
    print(*calibrator.describe(result), sep="\n")
    for written in calibrator.write(source, result):
        print(f"written: {written}")
    picture = frames.name(0) if frames else boxes[0].picture
    suggest("predict", arguments.run, picture, "--output", "out")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("calibrate"),
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder or exported network")
    add(
        "--measure",
        type=parse_box,
        action="append",
        default=[],
        metavar="PICTURE:X0,Y0,X1,Y1=METRES",
        help="a box in a picture, in its pixels, and the depth there (repeatable)",
    )
    add("--measures", type=Path, metavar="FILE", help="CSV file of boxes")
    add("--frames", type=Path, metavar="DIR", help="RGB-D frames, as --data folder reads them")
    add(
        "--data-option",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of --frames, for example units_per_metre=1000 (repeatable)",
    )
    camera.add_arguments(
        parser,
        "the camera of the pictures, in their pixels: it is written down, so that another camera's"
        " metres can be scaled from it (default: not known)",
    )
    add("--keep-all", action="store_true", help="use measures that contradict the others, too")
    add("--encoding", help="how the network writes depth, for a network of another suite")
    arguments = parser.parse_args()
    if not (arguments.measure or arguments.measures or arguments.frames):
        parser.error("give what you measured: --measure, --measures or --frames")
    if arguments.data_option and not arguments.frames:
        parser.error("--data-option is for --frames")
    return arguments


if __name__ == "__main__":
    run(main)
