"""python -m keras_depth.export: a trained network becomes what a server or a board loads."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from keras_depth.command import count, load_tensorflow, program, run, size
from keras_depth.errors import InputError

_DESCRIPTION = """\
Writes a trained network as what a server or a board loads: RGB in, metres out. Preprocessing, the
network in its fast form and the way to metres are within it, in standard operators. It is then run
in a fresh process, compared with the Keras model on rendered rooms, and kept only if both agree."""

_EXAMPLES = """\
examples:
  # for TensorFlow Serving, python -m keras_depth.serve, and (frozen/) TensorFlow 2.5 or later
  python -m keras_depth.export runs/rooms --format saved_model --output exported
  # for ONNX Runtime, in half precision, channels first
  python -m keras_depth.export runs/rooms --format onnx --precision fp16 --layout NCHW
  # for the CPU of a small board, in 8 bits, scaled by pictures like those it will see
  python -m keras_depth.export runs/rooms --format litert --precision int8 --calibration photos
  # a camera's pictures in, depth of their size out
  python -m keras_depth.export runs/rooms --format onnx --size 480x640 --output-size input

| --format    | --precision      | pictures at once | is written                                   |
|-------------|------------------|------------------|----------------------------------------------|
| saved_model | fp32             | any              | and frozen/, without variables               |
| onnx        | fp32, fp16       | any              |                                              |
| litert      | fp32, fp16, int8 | 1                |                                              |
| tftrt       | fp32, fp16, int8 | 1                | engines; without TensorRT: a folder for the  |
|             |                  |                  | board, and the command there                 |
| tensorrt    | fp32, fp16       | 1                | an engine; without TensorRT: ONNX, and the   |
|             |                  |                  | commands that build it                       |

--batch asks for another number. int8 takes its scales from the pictures of --calibration."""

PRECISIONS = {
    "saved_model": ("fp32",),
    "onnx": ("fp32", "fp16"),
    "litert": ("fp32", "fp16", "int8"),
    "tftrt": ("fp32", "fp16", "int8"),
    "tensorrt": ("fp32", "fp16"),
}
_OPEN_BATCH = ("saved_model", "onnx")


def main() -> int:
    arguments = _parser().parse_args()
    _check(arguments)
    load_tensorflow()
    from keras_depth.export import exporter

    request = exporter.Request(**_options(arguments))
    prepared = exporter.prepare(request)
    written = exporter.write(prepared, request)
    for folder, details in written:
        print(report(folder, details))
    if arguments.format == "tftrt":
        return _tftrt(written[0][0], arguments.precision)
    if arguments.format == "tensorrt":
        return _tensorrt([folder for folder, _ in written], prepared)
    return 0


def report(folder: Path, details: dict[str, Any]) -> str:
    """Returns what was written, and how it compares, a line for each thing."""
    from keras_depth.export.parity import Parity

    image, depth = details["input"], details["output"]
    parity, latency = Parity(**details["parity"]), details["latency"]
    size = sum(file["bytes"] for file in details["files"].values())
    lines = {
        "written": f"{folder}: {details['format']}, {details['precision']}, {size / 1e6:.1f} MB",
        "in": f"{image['name']}: {image['dtype']} {_shape(image)}, {image['units']}",
        "out": f"{depth['name']}: {depth['dtype']} {_shape(depth)}, {depth['units']}",
        "difference": f"{parity} of the depth",
        "time": f"{latency['milliseconds']:.1f} ms a call here, batch {latency['batch']}; peak"
        f" memory {latency['peak_memory'] / 1e6:,.0f} MB",
    }
    if "transposes" in details:
        lines["graph"] = (
            f"{details['nodes']} nodes of opset {details['opset']}, {details['transposes']} of them"
            " Transpose"
        )
    return "\n".join(f"{name:<12}{text}" for name, text in lines.items())


def _shape(tensor: dict[str, Any]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in tensor["shape"]) + ")"


def _tftrt(folder: Path, precision: str) -> int:
    """Converts by TF-TRT where that is possible; else says where, and how."""
    from keras_depth.export import tftrt

    settings = ["--precision", precision.upper(), "--pictures", "pictures.npz"]
    command = ["tftrt.py", "saved_model", *settings, "--output", "converted"]
    reason = tftrt.unavailable()
    if reason:
        raise InputError(
            f"nothing was converted. {reason} Copy {folder} to that machine, and there, in that"
            f" folder:\n\n    python3 {' '.join(command)}\n"
        )
    return subprocess.run([sys.executable, *command], cwd=folder).returncode


def _tensorrt(folders: list[Path], prepared: Any) -> int:
    """Builds the engine where TensorRT is, and else writes and prints how to."""
    from keras_depth.export import exporter, tensorrt
    from keras_depth.export.parity import Parity
    from keras_depth.files import write_text
    from keras_depth.predict import exported as runtimes

    whole, half = folders[0], (folders[1] if len(folders) > 1 else None)
    built = tensorrt.build(whole, half, prepared.images, prepared.depth)
    if built is None:
        text = tensorrt.recipe(whole, half)
        write_text(whole / "BUILD.txt", text + "\n")
        print(f"\nno TensorRT here, so no engine was built (see {whole / 'BUILD.txt'}).\n{text}")
        return 0
    exporter.write_details(whole, {**runtimes.read_details(whole), "engine": built})
    time = "not timed" if built["milliseconds"] is None else f"{built['milliseconds']} ms"
    print(f"engine      {whole / tensorrt.ENGINE}: TensorRT {built['tensorrt']}, {time}")
    if not built["parity"]:
        return 0
    far = Parity(**built["parity"])
    print(f"            difference {far} of the depth")
    return 0 if far.holds else 1


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of a Request."""
    options = vars(arguments).copy()
    options["products"] = options.pop("resize") == "products"
    options["dtype"] = options.pop("input")
    folder = arguments.run if arguments.run.is_dir() else arguments.run.parent
    options["output"] = arguments.output or folder / "exported" / arguments.format
    if arguments.batch is None and arguments.format not in _OPEN_BATCH:
        options["batch"] = 1
    if arguments.input is None:
        # TensorRT takes uint8 from 8.5 on: JetPack 5.1.
        options["dtype"] = "float32" if arguments.format == "tensorrt" else "uint8"
    return options


def _check(arguments: argparse.Namespace) -> None:
    possible = PRECISIONS[arguments.format]
    if arguments.precision not in possible:
        raise InputError(
            f"--precision {arguments.precision}: {arguments.format} is written in"
            f" {', '.join(possible)}; --help has a table of them"
        )
    if arguments.focal_baseline is not None and not arguments.focal_baseline > 0:
        raise InputError(f"--focal-baseline {arguments.focal_baseline}: give a number above 0")
    if arguments.calibration and arguments.precision != "int8":
        raise InputError("--calibration is for --precision int8; leave it out")
    if arguments.format not in ("onnx", "tensorrt") and (
        arguments.layout != "NHWC" or arguments.opset != 13
    ):
        raise InputError(f"--layout and --opset are ONNX's; leave them out of {arguments.format}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("export"),
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder or .keras file")
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
        help="of the pictures that come in, resized within the graph to what the network was"
        " trained on (default: that size)",
    )
    add("--batch", type=count, metavar="N", help="pictures at once, always as many")
    add(
        "--input",
        choices=("uint8", "float32"),
        help="of the pictures: 0 to 255 or 0 to 1 (uint8; for tensorrt float32)",
    )
    add(
        "--output-size",
        choices=("network", "input"),
        default="network",
        help="depth of the size that the network computes (default), or of the pictures'",
    )
    add(
        "--resize",
        choices=("operator", "products"),
        default="operator",
        help="products: bilinear resizing as matrix products, which TF-TRT keeps in one engine",
    )
    add("--layout", type=str.upper, choices=("NHWC", "NCHW"), default="NHWC", help="ONNX's input")
    add("--opset", type=int, choices=(13, 17), default=13, help="of ONNX (13)")
    add("--calibration", type=Path, metavar="DIR", help="pictures that int8 takes its scales from")
    add("--limit", type=float, metavar="R", help="accepted difference, relative to the depth")
    add("--encoding", help="how the network writes depth, for networks of another suite")
    add(
        "--focal-baseline",
        type=float,
        metavar="F",
        help="for networks trained on stereo pairs: focal length in pixels of pictures of the"
        " network's size times the baseline in metres (default: of that training)",
    )
    return parser


if __name__ == "__main__":
    run(main)
