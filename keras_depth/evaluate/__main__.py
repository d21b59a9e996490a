"""python -m keras_depth.evaluate: scores a network, or other programs' depth, under a protocol."""

import argparse
from pathlib import Path

from keras_depth import depth_png
from keras_depth.command import load_tensorflow, program, run, setting
from keras_depth.data import Reader
from keras_depth.errors import InputError

_EXAMPLES = """\
examples:
  # on the held-out frames of its own recipe
  python -m keras_depth.evaluate runs/lite_basic_interl_t-synthetic
  # on NYU Depth v2, in any of its layouts, as most papers score it
  python -m keras_depth.evaluate runs/lite --data nyu --data-dir ~/nyu --protocol nyu_eigen
  # on KITTI's annotated depth, predictions aligned to it as without a metric scale
  python -m keras_depth.evaluate runs/lite --data kitti --data-dir ~/kitti \\
      --data-option list=eigen_benchmark --data-option depth=annotated --set alignment=median
  # what any program predicted, .npy or 16-bit PNG
  python -m keras_depth.evaluate --predictions maps --data kitti --data-dir ~/kitti
  # true depth as files, named as --predictions wants them
  python -m keras_depth.evaluate --ground-truth truth --data kitti --data-dir ~/kitti"""


def main() -> int:
    arguments = _parser().parse_args()
    _check(arguments)
    load_tensorflow()
    from keras_depth.evaluate import evaluator

    options = dict(arguments.data_option)
    if arguments.ground_truth:
        frames = (arguments.data, arguments.data_dir, arguments.split, options)
        print(_write(evaluator.open_frames(*frames), arguments.ground_truth))
        return 0
    how = {
        "data": arguments.data,
        "data_dir": arguments.data_dir,
        "split": arguments.split,
        "data_options": options,
        "protocol": arguments.protocol,
        "changes": dict(arguments.set),
        "output": arguments.output,
    }
    if arguments.predictions:
        report, folder = evaluator.evaluate_predictions(
            arguments.predictions, png_units=arguments.png_units or depth_png.KITTI, **how
        )
    else:
        report, folder = evaluator.evaluate_run(arguments.run, **how)
    print(report.summary())
    print(f"report: {folder / 'report.md'}")
    return 0


def _write(reader: Reader, folder: Path) -> str:
    from keras_depth.evaluate.depth_maps import write_ground_truth

    write_ground_truth(reader, folder)
    return f"{folder}: depth of {reader.description}; 16-bit PNG, metres * 256"


def _check(arguments: argparse.Namespace) -> None:
    given = [arguments.run, arguments.predictions, arguments.ground_truth]
    if sum(path is not None for path in given) != 1:
        raise InputError(
            "give one of RUN, --predictions and --ground-truth; --help shows an example of each"
        )
    if arguments.run is None and arguments.data is None:
        raise InputError("files alone name no frames; give --data and its --data-dir")
    if arguments.ground_truth and (arguments.protocol or arguments.set or arguments.output):
        raise InputError("--ground-truth scores nothing: leave out --protocol, --set and --output")
    if arguments.png_units is not None and arguments.predictions is None:
        raise InputError("--png-units is the unit of --predictions; leave it out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("evaluate"),
        description="Scores a trained network, or depth maps of any program, on frames with known"
        " depth.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "run",
        nargs="?",
        type=Path,
        metavar="RUN",
        help="run folder, .keras file or exported network",
    )
    add(
        "--predictions",
        type=Path,
        metavar="PATH",
        help="in place of RUN: a folder of depth maps, or one .npy file of (frames, height, width)",
    )
    add(
        "--png-units",
        type=float,
        metavar="N",
        help="units of a predicted PNG per metre (256, KITTI's; 1000 for millimetres)",
    )
    add(
        "--ground-truth",
        type=Path,
        metavar="DIR",
        help="in place of RUN: write each frame's true depth there, 16-bit PNG, metres * 256",
    )
    add("--data", metavar="NAME", help="synthetic, drives, nyu, kitti ... (the run's own)")
    add("--data-dir", type=Path, metavar="DIR", help="folder of the data set")
    add(
        "--data-option",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the data set, for example list=eigen_benchmark (repeatable)",
    )
    add(
        "--split",
        metavar="NAME",
        help="train, validation or test (test; of a run's own data set without test frames,"
        " validation)",
    )
    add("--protocol", metavar="NAME", help="how to score, for example nyu_eigen")
    add(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the protocol, for example alignment=median (repeatable)",
    )
    add("--output", type=Path, metavar="DIR", help="folder of the report")
    return parser


if __name__ == "__main__":
    run(main)
