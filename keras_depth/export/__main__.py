"""python -m keras_depth.export: writes a trained network as what a server or a board loads."""

import argparse
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from keras_depth.command import count, load_tensorflow, program, run, size, suggest
from keras_depth.export.request import ANY_BATCH, BUDGET, OPSETS, PRECISIONS, Request
from keras_depth.predict import camera
from keras_depth.predict.loading import resolve

if TYPE_CHECKING:
    from keras_depth.export import exporter

_DESCRIPTION = """\
Writes a trained network as what a server or a board loads: RGB in, metres out. It includes the
preprocessing, the network in its fast form and the decoding to metres, in standard operators. It is
then run in a fresh process, compared with the Keras model on rendered rooms, and kept only if both
agree."""

_EXAMPLES = """\
examples:
  # for TensorFlow Serving, python -m keras_depth.serve, and (frozen/) TensorFlow 2.5 or later
  python -m keras_depth.export runs/rooms --format saved_model --output exported
  # for ONNX Runtime, in half precision, channels first
  python -m keras_depth.export runs/rooms --format onnx --precision fp16 --layout NCHW
  # for the CPU of a small board, in 8 bits, with scales from images like those it will see
  python -m keras_depth.export runs/rooms --format litert --precision int8 --calibration photos
  # the same as ONNX, with as many layers in 8 bits as an error of depth of 1 % allows
  python -m keras_depth.export runs/rooms --format onnx --precision int8 --calibration photos
  # a camera's images in, depth of the same size out
  python -m keras_depth.export runs/rooms --format onnx --size 480x640 --output-size input

| --format    | --precision      | --batch | written                                               |
|-------------|------------------|---------|-------------------------------------------------------|
| saved_model | fp32             | any     | SavedModel, and without variables in frozen/          |
| onnx        | fp32, fp16, int8 | any     | ONNX                                                  |
| litert      | fp32, fp16, int8 | 1       | LiteRT                                                |
| tftrt       | fp32, fp16, int8 | 1       | engines; without TensorRT: a folder to copy to the    |
|             |                  |         | board, and the command to run there                   |
| tensorrt    | fp32, fp16, int8 | 1       | engine; without TensorRT: ONNX, and the commands that |
|             |                  |         | build the engine                                      |

--batch is shown with its default. int8 takes its scales from the images of --calibration. In onnx
and tensorrt half of them give scales and half judge: the layers that cost most stay float until REL
(the mean error relative to the depth) rises by no more than --budget, against the depth that is in
the folder, or else against the network in float."""


def main() -> int:
    request = _request(_parser().parse_args())
    load_tensorflow()
    from keras_depth.export import exporter

    prepared = exporter.prepare(request)
    if prepared.ratio:
        print(prepared.ratio)
    written = exporter.write(prepared, request)
    for one in written:
        print(exporter.describe(one))
    if request.format == "tftrt":
        return _convert_by_tftrt(written[0].folder, request.precision)
    if request.format == "tensorrt":
        return _build_engine(written, prepared)
    suggest("serve", written[0].folder.parent)
    return 0


def _convert_by_tftrt(folder: Path, precision: str) -> int:
    """Converts by TF-TRT where that is installed; else says where and how to."""
    from keras_depth.export import tftrt

    options = ["--precision", precision.upper(), "--images", "check.npz"]
    command = ["tftrt.py", "saved_model", *options, "--output", "converted"]
    reason = tftrt.unavailable()
    if reason:
        print(f"\nnothing was converted. {reason}")
        print(f"next, on the board, in a copy of {folder}: python3 {' '.join(command)}")
        return 0
    return subprocess.run([sys.executable, *command], cwd=folder).returncode


def _build_engine(written: list["exporter.Written"], prepared: "exporter.Prepared") -> int:
    """Builds the engine where TensorRT is installed; else writes and prints how to."""
    from keras_depth.export import export_json, tensorrt
    from keras_depth.files import write_text

    fp32, fp16 = written[0].folder, written[1].folder if len(written) > 1 else None
    engine = tensorrt.build(fp32, fp16, prepared.images, prepared.depth)
    if engine is None:
        text = tensorrt.build_instructions(fp32, fp16)
        write_text(fp32 / "BUILD.txt", text + "\n")
        print(f"\nno TensorRT here, so no engine was built (see {fp32 / 'BUILD.txt'}).\n{text}")
        return 0
    export_json.write(fp32, {**written[0].details, "engine": asdict(engine)})
    time = "not timed" if engine.milliseconds is None else f"{engine.milliseconds} ms"
    print(f"engine      {fp32 / tensorrt.ENGINE}: TensorRT {engine.tensorrt}, {time}")
    if engine.parity is None:
        return 0
    print(f"            difference {engine.parity}")
    return 0 if engine.parity.passed else 1


def _request(arguments: argparse.Namespace) -> Request:
    """Returns what the arguments ask for, with the defaults of the format."""
    options = vars(arguments)
    if arguments.output is None:
        results = resolve(arguments.run, "run", "keras", "preset").results
        options["output"] = results / "exported" / arguments.format
    if arguments.batch is None and arguments.format not in ANY_BATCH:
        options["batch"] = 1
    if arguments.dtype is None:
        # TensorRT takes uint8 from 8.5 on: JetPack 5.1.
        options["dtype"] = "float32" if arguments.format == "tensorrt" else "uint8"
    return Request(**options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("export"),
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder, .keras file or preset")
    add("--format", required=True, choices=PRECISIONS, metavar="FORMAT", help="see below")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of networks: DIR/<name>/1, then 2 ... (exported/FORMAT in the run folder)",
    )
    add("--precision", type=str.lower, default="fp32", help="fp32 (default), fp16 or int8")
    add(
        "--size",
        type=size,
        metavar="HxW",
        help="size of the images that come in, brought to the size the network was trained on"
        " within the graph (default: that size)",
    )
    add("--batch", type=count, metavar="N", help="fixed number of images at once")
    add(
        "--input",
        dest="dtype",
        choices=("uint8", "float32"),
        help="type of the images: 0 to 255 or 0 to 1 (uint8; for tensorrt float32)",
    )
    add(
        "--output-size",
        choices=("network", "input"),
        default="network",
        help="size of the depth: what the network computes (default), or that of the images",
    )
    add(
        "--resize",
        choices=("operator", "matmul"),
        default="operator",
        help="matmul: bilinear resizing as matrix products, which TF-TRT keeps in one engine",
    )
    add(
        "--layout", type=str.upper, choices=("NHWC", "NCHW"), default="NHWC", help="of ONNX's input"
    )
    add("--opset", type=int, choices=OPSETS, default=13, help="of ONNX (13; TensorRT 7.1: 11)")
    add(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="images from which int8 takes its scales; for onnx and tensorrt also recordings with"
        " depth, as the data set `folder` reads them",
    )
    add(
        "--budget",
        type=float,
        metavar="REL",
        help=f"of int8 in onnx and tensorrt: by how much REL may rise ({BUDGET})",
    )
    add("--limit", type=float, metavar="R", help="accepted difference, relative to the depth")
    add("--encoding", help="how the network writes depth, for a network of another suite")
    add(
        "--focal-baseline",
        type=float,
        metavar="F",
        help="for networks trained on stereo pairs: focal length in pixels of images of the"
        " network's size times the baseline in metres (default: that of the training)",
    )
    camera.add_arguments(
        parser,
        "your camera, in pixels of the images that come in: metres are scaled to it (default:"
        " metres stay those of the training frames' camera)",
        ", within the graph where --size has another shape, else by what runs it (default: as in"
        " the training)",
    )
    return parser


if __name__ == "__main__":
    run(main)
