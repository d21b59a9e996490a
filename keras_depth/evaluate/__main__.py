"""python -m keras_depth.evaluate: scores a model, or other programs' depth, under a protocol."""

import argparse
import json
from pathlib import Path
from typing import Any

from keras_depth.command import load_tensorflow, program, run, setting, suggest
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError
from keras_depth.letterbox import FITS

_EXAMPLES = """\
examples:
  # on the held-out frames of its own recipe
  python -m keras_depth.evaluate runs/lite_basic_interl_t-rooms
  # on NYU Depth v2, in any of its layouts, as most papers score it
  python -m keras_depth.evaluate runs/lite --data nyu --data-dir ~/nyu --protocol nyu_eigen
  # on KITTI's annotated depth, each prediction aligned to it by the median, as for a model
  # without a metric scale
  python -m keras_depth.evaluate runs/lite --data kitti --data-dir ~/kitti \\
      --data-option list=eigen_benchmark --data-option depth=annotated --set alignment=median
  # depth maps of any program, .npy or 16-bit PNG
  python -m keras_depth.evaluate --predictions maps --data kitti --data-dir ~/kitti
  # write the true depth as files, named as --predictions expects them
  python -m keras_depth.evaluate --ground-truth truth --data kitti --data-dir ~/kitti"""


def main() -> int:
    arguments = _parser().parse_args()
    _check(arguments)
    load_tensorflow()
    from keras_depth.evaluate import evaluator
    from keras_depth.evaluate.depth_maps import write_ground_truth
    from keras_depth.evaluate.frames import Frames
    from keras_depth.predict import loading

    options, changes = _split(arguments)
    frames = Frames(arguments.data, arguments.data_dir, arguments.split, options)
    if arguments.ground_truth:
        reader = frames.open()
        write_ground_truth(reader, arguments.ground_truth)
        print(f"{arguments.ground_truth}: depth of {reader.description}; 16-bit PNG, metres * 256")
        split = ["--split", arguments.split] if arguments.split else []
        suggest("evaluate", "--predictions", arguments.ground_truth, *_frames(arguments), *split)
        return 0
    how = {
        "protocol": arguments.protocol,
        "changes": changes,
        "output": arguments.output,
    }
    if arguments.predictions:
        report, folder = evaluator.evaluate_depth_maps(
            arguments.predictions, frames, png_units=arguments.png_units, **how
        )
    else:
        report, folder = evaluator.evaluate_run(arguments.run, frames, fit=arguments.fit, **how)
    print(report.summary())
    print(f"report: {folder / 'report.md'}")
    if arguments.predictions:
        suggest("data", *_frames(arguments))
    else:
        loading.suggest_next(arguments.run)
    return 0


def _frames(arguments: argparse.Namespace) -> list[str]:
    """Returns the options that name the frames, for another command."""
    folder = ["--data-dir", str(arguments.data_dir)] if arguments.data_dir else []
    options = _split(arguments)[0].items()
    settings = [text for k, v in options for text in ("--set", f"data.{k}={json.dumps(v)}")]
    return ["--data", arguments.data, *folder, *settings]


def _split(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the options of the data set, and the changes of the protocol.

    `--set data.KEY=VALUE` is an option of the data set in every command, so messages say that.
    """
    data = {key: value for key, value in arguments.set if key.startswith("data.")}
    options = {key.removeprefix("data."): value for key, value in data.items()}
    changes = {key: value for key, value in arguments.set if key not in data}
    return options | dict(arguments.data_option), changes


def _check(arguments: argparse.Namespace) -> None:
    given = [arguments.run, arguments.predictions, arguments.ground_truth]
    if sum(path is not None for path in given) != 1:
        raise InputError(
            "give one of RUN, --predictions and --ground-truth; --help shows an example of each"
        )
    if arguments.run is None and arguments.data is None:
        raise InputError("nothing says which frames are meant; give --data and its --data-dir")
    changes = _split(arguments)[1]
    if arguments.ground_truth and (arguments.protocol or changes or arguments.output):
        raise InputError("--ground-truth scores nothing: leave out --protocol, --set and --output")
    if arguments.fit and arguments.run is None:
        raise InputError("--fit is how a network sees pictures; leave it out, or give RUN")
    if arguments.png_units is not None and arguments.predictions is None:
        raise InputError("--png-units is the unit of --predictions; give both, or neither")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("evaluate"),
        description="Scores a trained model, or depth maps of any program, on frames with known"
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
        help="run folder, .keras file, exported network or preset",
    )
    add(
        "--predictions",
        type=Path,
        metavar="PATH",
        help="instead of RUN: a folder of depth maps, or one .npy file of (frames, height, width)",
    )
    add(
        "--png-units",
        type=float,
        metavar="N",
        help="units per metre of PNGs in --predictions, 1000 for millimetres (what they say"
        " themselves, as predict's do; 256, KITTI's, for others)",
    )
    add(
        "--ground-truth",
        type=Path,
        metavar="DIR",
        help="instead of RUN: write each frame's true depth there, 16-bit PNG, metres * 256",
    )
    add("--data", metavar="NAME", help=f"{', '.join(DATA_SETS)} (the run's own)")
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
        help="train, validation or test (test; validation if the run's own data set has no test"
        " frames)",
    )
    add("--protocol", metavar="NAME", help="how to score, for example nyu_eigen")
    add(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the protocol, for example alignment=median, or data.KEY, the same"
        " as --data-option (repeatable)",
    )
    add(
        "--fit",
        choices=FITS,
        help="how pictures of another shape than RUN's are brought to it (default: as in its"
        " training)",
    )
    add("--output", type=Path, metavar="DIR", help="folder of the report")
    return parser


if __name__ == "__main__":
    run(main)
